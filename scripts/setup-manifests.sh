#!/usr/bin/env bash
# What reads and judges what is in ops/ (only the tests need it): kubernetes-validate, which has the schemas of Kubernetes inside, with
# PyYAML, and promql-parser, which reads what Prometheus is asked; in a Python environment of their own in the cache.
STEP=manifests
. "$(dirname "$0")/wheel.sh"
environment manifests 1.37.0 23 python -c 'import kubernetes_validate, promql_parser, yaml'
