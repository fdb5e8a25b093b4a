#!/usr/bin/env bash
# A browser and its driver for the tests that look at the page; nothing else needs them. Installed only where that
# asks nobody: as root on Debian. Elsewhere it says what to do, and those tests fail until it is done.
STEP=chromium
. "$(dirname "$0")/wheel.sh"

if command -v chromedriver >/dev/null && command -v chromium >/dev/null; then
  say "ready ($(command -v chromium), $(command -v chromedriver))"
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || ! grep -qs '^ID=debian' /etc/os-release; then
  say "not installed here: the browser tests will fail until chromium and chromedriver of one version are"
  exit 0
fi
work_folder
say "installing chromium and chromium-driver with apt-get, about 110 MB"
{
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium chromium-driver
} >"$WORK/apt.log" 2>&1 </dev/null || {
  tail -n 5 "$WORK/apt.log" >&2
  say "apt-get could not install them: the browser tests will fail until chromium and chromedriver of one version are there"
  exit 0
}
say "installed ($(seconds))"
