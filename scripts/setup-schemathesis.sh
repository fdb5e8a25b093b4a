#!/usr/bin/env bash
# schemathesis, which asks a running API everything its OpenAPI document allows and much that it does not (only the tests need
# it), in a Python environment of its own in the cache.
STEP=schemathesis
. "$(dirname "$0")/wheel.sh"
environment schemathesis 4.32.5 25 schemathesis --version
