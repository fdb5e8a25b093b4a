#!/usr/bin/env bash
# A tarball and a .deb of a release build, in OUT (default: dist/): programs, libtorch, the starter bundle, the fetched networks,
# manual, completions and units. What it holds needs no checkout, no LIBTORCH and no network; Postgres comes from Debian.
# Called by `make package`. PROGRAMS names a folder of programs that are built already, with the run path below.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT"
CACHE=${STORYTELLER_CACHE:-$HOME/.cache/storyteller}
LIBTORCH=${LIBTORCH:-$CACHE/libtorch-2.11.0}
OUT=${OUT:-$ROOT/dist}
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
NAME=storyteller-$VERSION-linux-x86_64

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || { echo "packages are made on Linux on x86_64, this is $(uname -sm)" >&2; exit 1; }
if [ -z "${PROGRAMS:-}" ]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target} LIBTORCH
  # bin/storyteller finds ../lib/storyteller, the programs in there find what lies beside them
  STORYTELLER_RUN_PATH='$ORIGIN/../lib/storyteller:$ORIGIN' cargo build --release --locked ${QUIET:-} \
    -p storyteller --bin storyteller -p api --bin api -p worker --bin worker -p originals --bin convert-weights
  PROGRAMS=$CARGO_TARGET_DIR/release
fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
USR=$WORK/$NAME/usr
install -D -s -t "$USR/bin" "$PROGRAMS/storyteller"
install -D -s -t "$USR/lib/storyteller" "$PROGRAMS/api" "$PROGRAMS/worker"
install -m 644 -t "$USR/lib/storyteller" "$LIBTORCH"/lib/lib*.so*
# the wheel's libraries look in folders of other wheels first, and in their own last: which is where they lie here
mkdir -p "$USR/share/storyteller/bundles" "$USR/share/storyteller/networks"
cp -R models/bundles/starter "$USR/share/storyteller/bundles/"
cp -R "$CACHE/minilm-l6-v2" "$CACHE/smollm2-135m-instruct" "$USR/share/storyteller/networks/"
networks=$USR/share/storyteller/networks
for network in efficientnet_lite0 efficientnet_lite2; do
  if [ -f "$CACHE/$network.safetensors" ]; then
    cp "$CACHE/$network.safetensors" "$networks/"
  else
    "$PROGRAMS/convert-weights" "$CACHE/$network.pth" "$networks/$network.safetensors"
  fi
done
"$USR/bin/storyteller" manual "$USR/share/man/man1" && gzip -9n "$USR"/share/man/man1/*
completions() { mkdir -p "${2%/*}" && "$USR/bin/storyteller" completions "$1" >"$2"; }
completions bash "$USR/share/bash-completion/completions/storyteller"
completions zsh "$USR/share/zsh/vendor-completions/_storyteller"
completions fish "$USR/share/fish/vendor_completions.d/storyteller.fish"
install -D -m 644 -t "$USR/lib/systemd/system" ops/systemd/*.service
install -D -m 644 -t "$USR/share/doc/storyteller" README.md CHANGELOG.md docs/*.md ops/debian/*.example ops/alerts.yml
install -m 644 LICENSE "$USR/share/doc/storyteller/copyright"
chmod -R u=rwX,go=rX "$WORK/$NAME"

mkdir -p "$OUT"
tar --create --zstd --owner=0 --group=0 --sort=name --directory "$WORK" --file "$OUT/$NAME.tar.zst" "$NAME"
echo "made $OUT/$NAME.tar.zst ($(du -h "$OUT/$NAME.tar.zst" | cut -f1))"

DEB=$WORK/deb
mkdir -p "$DEB/DEBIAN" "$DEB/etc/storyteller"
mv "$USR" "$DEB/usr"
install -m 640 ops/debian/storyteller.env "$DEB/etc/storyteller/"
install -m 755 -t "$DEB/DEBIAN" ops/debian/postinst ops/debian/prerm ops/debian/postrm
echo /etc/storyteller/storyteller.env >"$DEB/DEBIAN/conffiles"
cat >"$DEB/DEBIAN/control" <<CONTROL
Package: storyteller
Version: $VERSION
Architecture: amd64
Maintainer: The neural-storyteller project <storyteller@localhost>
Installed-Size: $(du -sk "$DEB/usr" | cut -f1)
Depends: libc6 (>= 2.36), libgcc-s1, libstdc++6, postgresql (>= 15), adduser, ca-certificates
Section: graphics
Priority: optional
Description: tells stories about pictures, on your own machine
 A service with a page and an HTTP API, and a program for the command line. It brings its networks along and
 reaches nothing outside; units for systemd run it on one machine (storyteller.service) or on several.
CONTROL
dpkg-deb --build --root-owner-group -Zzstd "$DEB" "$OUT/storyteller_${VERSION}_amd64.deb" >/dev/null
echo "made $OUT/storyteller_${VERSION}_amd64.deb ($(du -h "$OUT/storyteller_${VERSION}_amd64.deb" | cut -f1))"
