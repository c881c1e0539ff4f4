# Linli 邻里. `make help` lists what can be done here.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TOOL := go tool -modfile=$(CURDIR)/hack/tools/go.mod
export LINLI_DEV_DIR ?= $(CURDIR)/.dev

.PHONY: help
help: ## Show what can be done here
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: build ## Build, start the embedded Kubernetes and the sample county, print where to click
	@bin/devcluster up --binary bin/linli --manifests config/demo --secret linli-system/linli-idp-keys/idp.key --sample config/samples/yutai
	@bin/linli sample people

.PHONY: down
down: ## Stop everything that `make up` started; the data stays
	@if [ -x bin/devcluster ]; then bin/devcluster down; else echo "Nothing was built here yet, so nothing runs."; fi

.PHONY: reset
reset: ## Stop and forget the embedded cluster with all its data
	@if [ -x bin/devcluster ]; then bin/devcluster reset; else echo "Nothing was built here yet, so there is nothing to forget."; fi

.PHONY: build
build: ## Build bin/linli, bin/devcluster and bin/kubectl
	@hack/build.sh

.PHONY: generate
generate: ## Write generated code anew: deep copies, CRDs, RBAC, page templates
	@hack/generate.sh

.PHONY: setup
setup: ## Install what the tests need, or say what is missing
	@hack/setup.sh

.PHONY: test
test: setup build ## Run every test
	@hack/test.sh

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, and generated files current
	@hack/lint.sh

.PHONY: bench
bench: setup build ## Print a table of ratios against references measured in the same run
	@LINLI_BINARY=$(CURDIR)/bin/linli go run ./test/bench
