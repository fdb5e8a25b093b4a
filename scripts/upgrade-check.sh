#!/usr/bin/env bash
# Programs of an earlier version beside those of this one on one database, while stories are asked for: make upgrade-check.
# Give it a commit or a tag; without one it takes the last release, or the commit that migrations/README.md names.
# The earlier version is built from a worktree outside the clone, which is removed again; its programs are kept.
set -euo pipefail
cd "$(dirname "$0")/.."

before="${1:-}"
[ -n "$before" ] || before=$(git describe --tags --abbrev=0 2>/dev/null || true)
[ -n "$before" ] || before=$(sed -n 's/^The version before: `\([0-9a-f]*\)`.*/\1/p' migrations/README.md)
[ -n "$before" ] || { echo "which version was before? make upgrade-check BEFORE=<commit>" >&2; exit 1; }
before=$(git rev-parse --verify --short=12 "$before^{commit}")

kept="$STORYTELLER_CACHE/upgrade/$before"
if [ ! -x "$kept/worker" ]; then
  tree="$STORYTELLER_CACHE/upgrade/tree-$before"
  git worktree remove --force "$tree" 2>/dev/null || true
  git worktree add --detach "$tree" "$before"
  trap 'git worktree remove --force "$tree"' EXIT
  (cd "$tree" && cargo build ${QUIET:-} -p api -p worker --bins)
  mkdir -p "$kept"
  cp -R "$tree/models/bundles/starter" "$kept/bundle"
  cp "$CARGO_TARGET_DIR/debug/api" "$kept/"
  cp "$CARGO_TARGET_DIR/debug/worker" "$kept/"
fi

cargo build ${QUIET:-} -p api -p worker --bins
cargo build ${QUIET:-} -p testkit --example upgrade
after=$(mktemp -d)
trap 'rm -rf "$after"; [ -z "${tree:-}" ] || git worktree remove --force "$tree"' EXIT
ln -s "$PWD/models/bundles/starter" "$after/bundle"
ln -s "$CARGO_TARGET_DIR/debug/api" "$CARGO_TARGET_DIR/debug/worker" "$after/"
OMP_NUM_THREADS=1 "$CARGO_TARGET_DIR/debug/examples/upgrade" --before "$kept" --after "$after"
