#!/usr/bin/env bash
# schemathesis, which asks a running API everything its OpenAPI document allows and much that it does not (only the tests need
# it): its own Python environment in the cache, every package pinned with the hashes in schemathesis.txt.
STEP=schemathesis
. "$(dirname "$0")/wheel.sh"

VERSION=4.32.5
PLACE=$CACHE/schemathesis-$VERSION
PINS=$ROOT/scripts/schemathesis.txt
STAMP="$(sha256sum <"$PINS") $(python3 --version 2>&1)"

if [ "$(cat "$PLACE/.stamp" 2>/dev/null)" = "$STAMP" ] && "$PLACE/bin/schemathesis" --version >/dev/null 2>&1; then
  say "ready ($VERSION)"
  exit 0
fi
need python3 "python3 python3-venv"
python3 -c 'import ensurepip' 2>/dev/null || fail "python3 has no venv." "On Debian and Ubuntu: apt-get install python3-venv"
say "fetching $VERSION and what it needs from PyPI, 25 MB"
rm -rf "$PLACE"
LOG=$(mktemp)
# an environment knows its own place: made there, and without the stamp it is made anew
if ! { python3 -m venv "$PLACE" && "$PLACE/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check \
  --require-hashes --only-binary=:all: -r "$PINS"; } >"$LOG" 2>&1; then
  tail -n 12 "$LOG" | sed 's/^/    /' >&2
  rm -rf "$PLACE" "$LOG"
  fail "pip could not install schemathesis $VERSION." \
    "Is PyPI (or the index in pip's configuration) reachable from here? Then run 'make setup-tests' again."
fi
rm -f "$LOG"
printf '%s' "$STAMP" >"$PLACE/.stamp"
say "$VERSION installed in $PLACE ($(size "$PLACE"), $(seconds))"
