#!/usr/bin/env bash
# RabbitMQ for the tests of the distributed service, only where the machine has none: Debian's package, with Erlang.
# Nothing is started here: the tests start a broker of their own. Set STORYTELLER_TEST_AMQP_URL
# to use another one. Without root or apt the tests that need a broker fail and say so.
set -euo pipefail
say() { printf '%-15s %s\n' rabbitmq "$*"; }

if [ -n "${STORYTELLER_TEST_AMQP_URL:-}" ]; then
  say "STORYTELLER_TEST_AMQP_URL is set: using that broker"
  exit 0
fi
SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
if [ -x "$SERVER" ] || command -v rabbitmq-server >/dev/null; then
  say "ready"
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  say "not installed: install rabbitmq-server (3.10 or newer) to run the tests of the distributed queue"
  exit 0
fi
BEGUN=$SECONDS
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
# Debian starts a broker after installing it, unless it is told not to
POLICY=/usr/sbin/policy-rc.d
if [ ! -e "$POLICY" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
  trap 'rm -f "$LOG" "$POLICY"' EXIT
fi
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server >"$LOG" 2>&1; }
install || { apt-get update >"$LOG" 2>&1 && install; } || {
  tail -5 "$LOG" >&2
  say "Debian's rabbitmq-server could not be installed"
  exit 1
}
say "installed ($((SECONDS - BEGUN)) s)"
