#!/usr/bin/env bash
# with-postgres.sh COMMAND…: runs COMMAND with DATABASE_URL at a throw-away Postgres that has all migrations.
# It listens on a socket in its own temporary folder only, syncs nothing, and is gone when COMMAND ends.
# Used by check-sqlx.sh; a DATABASE_URL that is already set is left alone and not used.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
BIN=$("$ROOT/scripts/find-postgres.sh") || {
  echo "no Postgres found: run 'make setup' first" >&2
  exit 1
}
PLACE=$(mktemp -d /tmp/storyteller-postgres.XXXXXX)

as_owner=()
if [ "$(id -u)" = 0 ]; then # Postgres refuses to run as root
  chown nobody "$PLACE"
  as_owner=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
cleanup() {
  if [ -f "$PLACE/data/postmaster.pid" ]; then
    "${as_owner[@]}" "$BIN/pg_ctl" -D "$PLACE/data" -m immediate stop >/dev/null 2>&1 || true
  fi
  rm -rf "$PLACE"
}
trap cleanup EXIT

cd "$PLACE"
"${as_owner[@]}" "$BIN/initdb" -D data -U storyteller --auth=trust --encoding=UTF8 --locale=C --no-sync >initdb.log 2>&1 || {
  cat initdb.log >&2
  exit 1
}
"${as_owner[@]}" "$BIN/pg_ctl" -D data -w -l "$PLACE/data/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$PLACE' -c fsync=off" start >/dev/null || {
  cat data/log >&2
  exit 1
}
export DATABASE_URL="postgres://storyteller@localhost/postgres?host=$PLACE"
cd "$ROOT"
for migration in migrations/*.sql; do
  [ -e "$migration" ] || continue
  "$BIN/psql" -h "$PLACE" -U storyteller -d postgres -q -v ON_ERROR_STOP=1 -f "$migration" >/dev/null
done
"$@"
