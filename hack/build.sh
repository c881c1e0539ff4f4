#!/usr/bin/env bash
# Builds bin/linli (the product) and bin/devcluster (the embedded Kubernetes,
# which is bin/kubectl too), saying how far it is: the first build compiles all
# of Kubernetes and takes minutes, later ones take seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v go >/dev/null || { echo "Go is missing. Install Go 1.26 or later: https://go.dev/doc/install" >&2; exit 1; }

# build MODULE OUTPUT WHAT [LDFLAGS]
build() {
  local module=$1 output=$2 what=$3 ldflags=${4:-} total errors
  errors=$(mktemp)
  echo "Building $what ..."
  (cd "$module" && go mod download) || { echo "Modules of $what could not be downloaded; is the Go module proxy reachable?" >&2; exit 1; }
  total=$(cd "$module" && go list -deps . | wc -l)
  # go build -v names each package as it is compiled; all else it says is an error.
  if ! (cd "$module" && go build -v -buildvcs=false -ldflags "-s -w $ldflags" -o "$output" . 2>&1) |
    awk -v total="$total" -v errors="$errors" '
      /^[A-Za-z0-9._~\/-]+$/ { n++; if (n % 100 == 0) { printf "  compiled %d of at most %d packages\n", n, total; fflush() }; next }
      { print > errors }'; then
    cat "$errors" >&2
    rm -f "$errors"
    echo "Building $what failed." >&2
    exit 1
  fi
  rm -f "$errors"
}

root=$PWD
mkdir -p bin/k8s
build . "$root/bin/linli" "linli"
kubernetes=$(cd hack/devcluster && go list -m -f '{{.Version}}' k8s.io/kubernetes)
version=k8s.io/component-base/version
build hack/devcluster "$root/bin/devcluster" "the embedded Kubernetes $kubernetes (the first time: five to ten minutes)" \
  "-X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes")"
# One binary, many names: it looks at the name it was called by.
ln -sf devcluster bin/kubectl
for name in etcd kube-apiserver kubectl; do ln -sf ../devcluster "bin/k8s/$name"; done
