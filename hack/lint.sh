#!/usr/bin/env bash
# gofmt, go vet, staticcheck, and generated files current.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "gofmt"
unformatted=$(git ls-files -- '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'Not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
  exit 1
fi

echo "generated files"
hashes() { git ls-files -co --exclude-standard -- config '*_templ.go' '*zz_generated*' | sort | xargs sha256sum; }
old=$(hashes)
hack/generate.sh
new=$(hashes)
if [ "$old" != "$new" ]; then
  echo "Generated files are not current; run make generate and commit:" >&2
  diff <(echo "$old") <(echo "$new") >&2 || true
  exit 1
fi

echo "go vet"
go vet ./...
(cd hack/devcluster && go vet ./...)

# Not over hack/devcluster: staticcheck would read all of Kubernetes' sources
# to judge the few that are ours.
echo "staticcheck"
go tool -modfile=hack/tools/go.mod staticcheck ./...
