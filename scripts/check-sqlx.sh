#!/usr/bin/env bash
# Is .sqlx/ what the queries in the source say? Describes every query anew against a throw-away Postgres and compares.
#   check-sqlx.sh           compare, exit 1 with the difference
#   check-sqlx.sh --write   replace .sqlx/
# .sqlx/ is what lets the project build where no database runs.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/storyteller/target}
FRESH=$(mktemp -d)
trap 'rm -rf "$FRESH"' EXIT

# The macros describe queries while the crate compiles; cargo would see nothing to do, so one file is made newer.
touch jobs/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$FRESH scripts/with-postgres.sh cargo check --quiet -p jobs --all-targets

if [ "${1:-}" = --write ]; then
  rm -rf .sqlx
  mkdir .sqlx
  find "$FRESH" -name 'query-*.json' -exec cp {} .sqlx/ \;
  echo ".sqlx: $(find .sqlx -name 'query-*.json' | wc -l) queries written"
  exit 0
fi
mkdir -p .sqlx
if ! diff -r --brief "$FRESH" .sqlx; then
  echo ".sqlx/ does not match the queries in the source: run scripts/check-sqlx.sh --write and commit it" >&2
  exit 1
fi
echo ".sqlx: $(find .sqlx -name 'query-*.json' | wc -l) queries match the source"
