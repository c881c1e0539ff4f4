#!/usr/bin/env bash
# Runs every test of both modules. The controller tests find the real API
# server by KUBEBUILDER_ASSETS.
set -euo pipefail
cd "$(dirname "$0")/.."
export KUBEBUILDER_ASSETS=$PWD/bin/k8s LINLI_BINARY=$PWD/bin/linli

go test -timeout 20m ./...
(cd hack/devcluster && go test -timeout 20m ./...)
