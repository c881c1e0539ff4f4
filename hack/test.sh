#!/usr/bin/env bash
# Runs every test of both modules, never from the cache: they use servers that
# Go does not know of. The controller tests find the real API server by
# KUBEBUILDER_ASSETS.
set -euo pipefail
cd "$(dirname "$0")/.."
export KUBEBUILDER_ASSETS=$PWD/bin/k8s LINLI_BINARY=$PWD/bin/linli

# The tests of the whole start servers and clusters of their own; one at a
# time, so that each has the machine to itself.
mapfile -t rooms < <(go list ./... | grep -v /test/)
go test -count=1 -timeout 20m "${rooms[@]}"
go test -count=1 -timeout 20m -p 1 ./test/...
(cd hack/devcluster && go test -count=1 -timeout 20m ./...)
