#!/usr/bin/env bash
# Everything that running the project needs beside Rust; with --tests also what its checks need.
# Each step says what it does; one that finds its work done takes milliseconds.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "$0")" && pwd)

command -v cargo >/dev/null || {
  echo "there is no cargo on this machine: install Rust with rustup, then run this again" >&2
  exit 1
}
steps=(libtorch postgres weights language)
if [ "${1:-}" = --tests ]; then steps+=(cargo-deny chromium axe seaweedfs rabbitmq schemathesis manifests clients); fi
for step in "${steps[@]}"; do
  "$SCRIPTS/setup-$step.sh"
done
[ "${SETUP_QUIET:-}" = yes ] || printf '%-15s done in %d s\n' setup "$SECONDS"
