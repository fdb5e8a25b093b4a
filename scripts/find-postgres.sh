#!/usr/bin/env bash
# Prints the folder with initdb and postgres, looked for in the same order as the program does; 1 when there is none.
#   STORYTELLER_POSTGRES_WHEEL=1   pass over what the machine has and take only the one from the wheel
set -u
cache=${STORYTELLER_CACHE:-$HOME/.cache/storyteller}

complete() { [ -x "$1/initdb" ] && [ -x "$1/postgres" ]; }

candidates() {
  if [ -z "${STORYTELLER_POSTGRES_WHEEL:-}" ]; then
    if [ -n "${STORYTELLER_POSTGRES_BIN:-}" ]; then echo "$STORYTELLER_POSTGRES_BIN"; fi
    find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -rV
    if command -v postgres >/dev/null; then dirname "$(readlink -f "$(command -v postgres)")"; fi
  fi
  echo "$cache/postgres/bin"
}

while read -r folder; do
  if complete "$folder"; then
    readlink -f "$folder"
    exit 0
  fi
done < <(candidates)
exit 1
