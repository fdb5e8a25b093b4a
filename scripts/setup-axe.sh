#!/usr/bin/env bash
# axe-core from npm, for the test that looks at the page as people do who cannot see it. Only npm talks to the network, so its
# configuration holds.
STEP=axe-core
. "$(dirname "$0")/wheel.sh"
VERSION=4.11.0
SHA256=39bed7d72308f6d620789c169d699bfd7e8da80f65b545821a6b2215c3e83107
DONE=$CACHE/axe-core-$VERSION

if [ -e "$DONE/axe.min.js" ]; then
  say "ready ($DONE)"
  exit 0
fi
need npm nodejs\ npm
work_folder
say "fetching axe-core $VERSION from npm, 0.7 MB"
(cd "$WORK" && npm pack --silent "axe-core@$VERSION" >npm.log 2>&1) || {
  tail -n 5 "$WORK/npm.log" >&2
  fail "npm could not fetch axe-core $VERSION." "Is the registry in npm's configuration reachable from here? Then run 'make setup-tests' again."
}
echo "$SHA256  $WORK/axe-core-$VERSION.tgz" | sha256sum --check --quiet ||
  fail "axe-core $VERSION is not the file this project was tested with: it is not used."
tar -xzf "$WORK/axe-core-$VERSION.tgz" -C "$WORK"
rm -rf "$DONE"
mv "$WORK/package" "$DONE"
say "installed ($(seconds))"
