#!/usr/bin/env bash
# Writes .env beside docker-compose.yml: a random secret for everything that .env.example leaves empty.
# An .env that is there already stays as it is: its passwords are in the volumes.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo ".env is there already and stays as it is"
  exit 0
fi
umask 077
random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
while IFS= read -r line; do
  case $line in
    STORYTELLER_WEBHOOK_SECRET=) echo "${line}whsec_$(head -c 32 /dev/urandom | base64 -w0)" ;;
    [A-Z]*=) echo "$line$(random)" ;;
    *) echo "$line" ;;
  esac
done <.env.example >.env.new
mv -n .env.new .env
echo ".env written, for its owner only"
