#!/usr/bin/env bash
# What makes clients of the OpenAPI document (only the tests need it): openapi-python-client in a Python environment of its own;
# openapi-typescript and openapi-fetch, with the compiler that judges what they make, from npm, each package with its hash.
STEP=clients
. "$(dirname "$0")/wheel.sh"
environment clients 0.29.1 28 openapi-python-client --version

VERSION=7.13.0
PINS=$ROOT/scripts/clients
DONE=$CACHE/openapi-typescript-$VERSION
need npm nodejs\ npm
STAMP="$(cat "$PINS"/*.json | sha256sum)"

if [ "$(cat "$DONE/.stamp" 2>/dev/null)" = "$STAMP" ] && "$DONE/node_modules/.bin/tsc" --version >/dev/null 2>&1; then
  say "ready ($DONE)"
  exit 0
fi
work_folder
say "fetching openapi-typescript $VERSION and what it needs from npm, 8 MB"
cp "$PINS"/*.json "$WORK/"
(cd "$WORK" && npm ci --ignore-scripts --no-audit --no-fund --silent >npm.log 2>&1) || {
  tail -n 5 "$WORK/npm.log" >&2
  fail "npm could not install what scripts/clients/package-lock.json lists." \
    "Is the registry in npm's configuration reachable from here? A hash mismatch means that a file is not the one this project was" \
    "tested with: it is not used. Then run 'make setup-tests' again."
}
printf '%s' "$STAMP" >"$WORK/.stamp"
rm -rf "$DONE"
mv "$WORK" "$DONE"
say "openapi-typescript $VERSION installed in $DONE ($(size "$DONE"), $(seconds))"
