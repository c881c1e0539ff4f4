#!/usr/bin/env bash
# gofmt, go vet and staticcheck over both modules, and generated files current.
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

for module in . hack/devcluster; do
  echo "go vet, staticcheck in $module"
  (cd "$module" && go vet ./... && go tool -modfile="$OLDPWD/hack/tools/go.mod" staticcheck ./...)
done
