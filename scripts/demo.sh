#!/usr/bin/env bash
# The main job: a small open model learns two finance tasks, is cut to two thirds, and the report says how good it is.
# Started again after an interruption it goes on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "$1" run recipes/demo.yaml --profile auto
