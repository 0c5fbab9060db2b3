#!/usr/bin/env bash
# Runs the tests of a build folder (all, or those labelled `fast`) and counts them; the last line is the result.
# With FINSTILL_REQUIRE_SHARED=1 a test that is skipped for want of test material fails instead.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
label=${2:-}
# Threads that wait must not spin: other tests and builds share the cores.
export OMP_WAIT_POLICY=passive
export FINSTILL_SHARED=${FINSTILL_SHARED:-$PWD/../shared}
rm -rf "$build/reports"
mkdir -p "$build/reports"
# Two at a time: most of a test of the binary is waiting for LibTorch to load.
ctest --test-dir "$build" --parallel 2 --output-on-failure --output-junit "$PWD/$build/reports/ctest.junit" --timeout 1500 ${label:+-L "$label"} | grep -v '^ *$'
ctest_status=${PIPESTATUS[0]}
python3 scripts/count_tests.py "$build/reports" "$ctest_status"
