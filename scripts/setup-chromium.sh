#!/usr/bin/env bash
# A browser for the tests that look at the page; nothing else needs it. Installed only where that asks nobody:
# as root on Debian. Elsewhere it says what to do, and those tests say that they were skipped.
STEP=chromium
. "$(dirname "$0")/wheel.sh"

for program in chromium chromium-browser google-chrome; do
  if command -v $program >/dev/null; then
    say "ready ($(command -v $program))"
    exit 0
  fi
done
if [ "$(id -u)" != 0 ] || ! apt-cache --version >/dev/null 2>&1 || ! grep -qs '^ID=debian' /etc/os-release; then
  say "not installed: the browser tests will be skipped. To run them install chromium (or google-chrome)"
  exit 0
fi
work_folder
say "installing with apt-get, about 100 MB"
{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; } \
  >"$WORK/apt.log" 2>&1 </dev/null || {
  tail -n 5 "$WORK/apt.log" >&2
  say "apt-get could not install it: the browser tests will be skipped"
  exit 0
}
say "installed ($(seconds))"
