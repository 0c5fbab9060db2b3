#!/usr/bin/env bash
# finstill beside the reference loops, in one job. PEERS_VENV=DIR keeps the environment with them for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
. scripts/peers_venv.sh
python3 bench/training.py --python "$venv/bin/python" --finstill "$binary" --compile
# LLAMA_PYTHON=python of an environment with llama-cpp-python (built from source, minutes)
python3 bench/generation.py --python "$venv/bin/python" --finstill "$binary" ${LLAMA_PYTHON:+--llama "$LLAMA_PYTHON"}
