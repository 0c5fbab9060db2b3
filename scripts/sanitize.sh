#!/usr/bin/env bash
# AddressSanitizer and UndefinedBehaviorSanitizer over the tensor-free modules, the fuzz drivers with their corpora,
# and the kernels on small shapes. LibTorch itself is not instrumented: container checks across it are off and its
# start-up leaks are suppressed (scripts/leaks.txt).
set -euo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_container_overflow=0:detect_odr_violation=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS="suppressions='$PWD/scripts/leaks.txt':print_suppressions=0"
# Threads that wait must not spin: other tests and builds share the cores.
export OMP_WAIT_POLICY=passive
export FINSTILL_SHARED=${FINSTILL_SHARED:-$PWD/../shared}
cmake --preset asan -Wno-dev >/dev/null
cmake --build --preset asan --target sanitized_tests
rm -rf build-asan/reports
mkdir -p build-asan/reports
status=0
ctest --test-dir build-asan -L sanitize --output-on-failure --output-junit "$PWD/build-asan/reports/ctest.junit" --timeout 400 | grep -v '^ *$' || status=1
python3 scripts/count_tests.py build-asan/reports "$status"
