#!/usr/bin/env bash
# Stands before rustc while a fuzz target is built (`make fuzz`): puts what libFuzzer counts, every edge that was run, into the
# packages of this workspace. Libraries are built without and are those of `make test`, so a target is ready in a minute.
set -euo pipefail

for argument in "$@"; do
  # a build script runs while building, where nobody counts; nor would one link
  [ "$argument" != build_script_build ] || exec "$@"
done
exec "$@" \
  -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares \
  -Ccodegen-units=1
