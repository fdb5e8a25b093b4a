#!/usr/bin/env bash
# Is .sqlx/ what the queries in the source say? Describes every query anew against a throw-away Postgres and compares.
#   check-sqlx.sh           compare, exit 1 with the difference; nothing to do if nothing changed since the last time
#   check-sqlx.sh --write   replace .sqlx/
# .sqlx/ is what lets the project build where no database runs.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/storyteller/target}
mkdir -p .sqlx "$CARGO_TARGET_DIR"
STAMP=$CARGO_TARGET_DIR/.sqlx-checked

fingerprint() { find jobs migrations .sqlx Cargo.lock -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum; }
count() { find .sqlx -name 'query-*.json' | wc -l; }

if [ "${1:-}" != --write ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ]; then
  echo ".sqlx: $(count) queries, unchanged since they were last checked"
  exit 0
fi

# The macros describe queries while the crate compiles, and cargo would see nothing to do: one file is made newer for
# the moment. Its time is put back, so that other builds of the crate stay valid. Comparing goes by the very clippy
# run that the checks need anyway: on a fresh machine it is the longest of them, and one is enough.
FRESH=$(mktemp -d)
BEFORE=$(mktemp)
touch -r jobs/src/lib.rs "$BEFORE"
trap 'touch -r "$BEFORE" jobs/src/lib.rs; rm -rf "$FRESH" "$BEFORE"' EXIT
touch jobs/src/lib.rs
look=(clippy --workspace --all-targets ${QUIET:-} -- -D warnings)
if [ "${1:-}" = --write ]; then look=(check --workspace --all-targets ${QUIET:-}); fi
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$FRESH scripts/with-postgres.sh cargo "${look[@]}"

if [ "${1:-}" = --write ]; then
  rm -f .sqlx/query-*.json
  find "$FRESH" -name 'query-*.json' -exec cp {} .sqlx/ \;
  echo ".sqlx: $(count) queries written"
elif diff -r --brief "$FRESH" .sqlx; then
  echo ".sqlx: $(count) queries match the source"
else
  echo ".sqlx/ does not match the queries in the source: run 'make sqlx' and commit it" >&2
  exit 1
fi
fingerprint >"$STAMP"
