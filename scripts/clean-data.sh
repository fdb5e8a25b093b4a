#!/usr/bin/env bash
# Deletes what the embedded service keeps: its database and its pictures. Downloads and builds stay.
# Asks first on a terminal; elsewhere it wants YES=1, because nothing brings the stories back.
set -euo pipefail
DATA=${STORYTELLER_DATA:-$HOME/.local/share/storyteller}

if [ ! -d "$DATA/postgres" ] && [ ! -d "$DATA/images" ]; then
  echo "there is no data of the service in $DATA"
  exit 0
fi
for pid_file in "$DATA"/postgres/postmaster.pid "$DATA"/postgres/*/postmaster.pid; do
  if [ -f "$pid_file" ] && kill -0 "$(head -n 1 "$pid_file")" 2>/dev/null; then
    echo "the service is running on $DATA: stop it first (Ctrl-C where it runs)" >&2
    exit 1
  fi
done
if [ "${YES:-}" != 1 ]; then
  [ -t 0 ] || {
    echo "this deletes all jobs, stories and pictures in $DATA: say YES=1 make clean-data" >&2
    exit 1
  }
  read -r -p "Delete all jobs, stories and pictures in $DATA? [y/N] " answer
  [ "$answer" = y ] || exit 1
fi
# Under root the database may lie elsewhere, where its other user can reach it; then this is a link to it.
rm -rf "$(readlink -f "$DATA/postgres")" "$DATA/postgres" "$DATA/images"
echo "deleted the database and the pictures in $DATA"
