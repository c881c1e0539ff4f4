#!/usr/bin/env bash
# Writes all generated files anew. They are committed; hack/lint.sh checks that
# they are current.
set -euo pipefail
cd "$(dirname "$0")/.."
tool() { go tool -modfile="$PWD/hack/tools/go.mod" "$@"; }

tool controller-gen object paths=./api/... crd output:crd:dir=config/crd/bases
# A rule may name metadata.name as the field at fault only if the schema knows
# it, and controller-gen cannot say so.
sed -i '/^          metadata:$/,/^            type: object$/c\
          metadata:\
            properties:\
              name:\
                maxLength: 253\
                type: string\
            type: object' config/crd/bases/linli.io_*.yaml
tool controller-gen rbac:roleName=linli-operator paths=./controllers/... output:rbac:dir=config/rbac
tool templ generate -path ./internal -log-level error
