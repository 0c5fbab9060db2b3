#!/usr/bin/env bash
# finstill beside the reference loops, in one job. PEERS_VENV=DIR keeps the environment with them for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
venv=${PEERS_VENV:-$(mktemp -d)/venv}
[ -n "${PEERS_VENV:-}" ] || trap 'rm -rf "$(dirname "$venv")"' EXIT
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.11.0 transformers==5.17.0 trl==1.16.0 peft==0.21.2 accelerate==1.15.0 datasets==5.2.0
fi
python3 bench/training.py --python "$venv/bin/python" --finstill "$binary" --compile
