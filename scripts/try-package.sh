#!/usr/bin/env bash
# try-package.sh PACKAGE.deb: installs a package in a bare Debian made with debootstrap, tells a story there, looks with the doctor,
# starts the service once, and installs the package again over what the service has kept. For root; needs debootstrap and Debian's mirror.
set -euo pipefail
DEB=$(realpath "$1")
ROOT=$(cd "$(dirname "$0")/.." && pwd)
MIRROR=${MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || { echo "a bare Debian is made by root: sudo $0 $1" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "there is no debootstrap: apt-get install debootstrap" >&2; exit 1; }

BARE=${BARE:-$(mktemp -d)}
# the user of the service goes through it too
chmod 755 "$BARE"
cleanup() {
  umount "$BARE/proc" 2>/dev/null || true
  [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$BARE"
}
trap cleanup EXIT
inside() { chroot "$BARE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_service() { inside setpriv --reuid=storyteller --regid=storyteller --clear-groups env HOME=/var/lib/storyteller \
  STORYTELLER_DATA=/var/lib/storyteller STORYTELLER_CACHE=/var/cache/storyteller "$@"; }

# a chroot has no network that apt could use everywhere, so what the package asks for comes with the system
[ -x "$BARE/usr/bin/dpkg" ] || debootstrap --variant=minbase --include=postgresql,adduser,ca-certificates,libstdc++6,util-linux \
  bookworm "$BARE" "$MIRROR"
mountpoint -q "$BARE/proc" || mount -t proc proc "$BARE/proc"
install -m 644 "$DEB" "$BARE/tmp/storyteller.deb"
install -m 644 "$ROOT/tests/fixtures/photos/dogs.jpg" "$BARE/tmp/dogs.jpg"

echo "== install"
inside dpkg --install /tmp/storyteller.deb
echo "== tell"
inside storyteller tell /tmp/dogs.jpg --style romance
echo "== doctor"
as_service storyteller doctor
echo "== serve, twice, with an upgrade between"
for turn in first second; do
  as_service timeout --signal=TERM 90 storyteller serve --listen 127.0.0.1:17878 &
  served=$!
  for _ in $(seq 80); do as_service storyteller health --server http://127.0.0.1:17878 >/dev/null 2>&1 && break; sleep 1; done
  [ "$turn" = second ] || as_service storyteller submit /tmp/dogs.jpg --wait --server http://127.0.0.1:17878
  as_service storyteller list --server http://127.0.0.1:17878 | grep -q succeeded || { echo "$turn: the story is not there" >&2; exit 1; }
  wait $served || [ $? = 124 ]
  [ "$turn" = second ] || inside dpkg --install /tmp/storyteller.deb
done
echo "the package works, and an upgrade keeps the stories"
