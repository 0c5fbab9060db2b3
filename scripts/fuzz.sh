#!/usr/bin/env bash
# libFuzzer on every parser, FUZZ_SECONDS each (0: only builds them); findings stay in build-fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset fuzz -Wno-dev >/dev/null
cmake --build --preset fuzz --target fuzz_targets
[ "${FUZZ_SECONDS:-60}" != 0 ] || exit 0
mkdir -p build-fuzz/findings
for target in build-fuzz/tests/*_fuzz; do
  name=$(basename "$target")
  work=build-fuzz/corpus/$name
  mkdir -p "$work"
  echo "fuzz: $name for ${FUZZ_SECONDS:-60} s"
  "$target" "$work" "tests/fuzz/corpus/${name%_fuzz}" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix=build-fuzz/findings/ -verbosity=0 -print_final_stats=1
done
