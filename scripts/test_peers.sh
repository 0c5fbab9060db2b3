#!/usr/bin/env bash
# Compares with the reference libraries in a throw-away environment: model folders both ways through transformers and
# peft, and the families on newly drawn weights. PEERS_VENV=DIR keeps the environment for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
. scripts/peers_venv.sh
"$venv/bin/python" tests/peers/check_roundtrip.py --finstill "$binary" --gguf .deps/models/smollm2-135m-instruct.gguf
families=$(mktemp -d)
"$venv/bin/python" tests/peers/make_families.py --seed "${PEERS_SEED:-$RANDOM}" --out "$families"
FINSTILL_FAMILIES=$families "$(dirname "$binary")/tests/model_test" --gtest_filter='*Famil*'
rm -rf "$families"
