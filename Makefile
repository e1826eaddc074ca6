# Ostiary: everything a developer runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help

# The node package pins the runtime, so that a machine with an older Node works as well.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# Arguments for the server: make run ARGS="--public-port 5000"
ARGS ?=
# Arguments for vitest: make test TEST_ARGS="test/race --bail=1"
TEST_ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN { FS = ":.*## " } { printf "  %-12s %s\n", $$1, $$2 }'

node_modules/.installed: package.json package-lock.json sdk/typescript/package.json
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

# The sources of the protos that ours import: for buf, and for the foreign clients of the suite.
.cache/proto/.written: node_modules/.installed scripts/foreign-protos.ts scripts/print-proto.ts
	node scripts/foreign-protos.ts
	touch $@

.PHONY: run
run: node_modules/.installed ## Install, start the embedded database, migrate and serve
	@exec bin/ostiary serve $(ARGS)

.PHONY: test
test: .cache/proto/.written ## Run the whole suite
	vitest run $(TEST_ARGS)

.PHONY: generate
generate: .cache/proto/.written ## Regenerate gen/ and the generated parts of docs/
	buf generate
	node scripts/generate-config-reference.ts
	node scripts/generate-error-reference.ts

.PHONY: format
format: node_modules/.installed ## Format everything
	buf format -w proto
	biome check --write .

.PHONY: lint
lint: .cache/proto/.written ## Check the contract, the types and the style
	buf lint
	buf format -d --exit-code proto
	scripts/check-breaking.sh
	tsc --noEmit -p .
	biome check .

.PHONY: build
build: node_modules/.installed ## Compile the two published packages into dist/
	node scripts/build-sdk.ts
	node scripts/build-server.ts

.PHONY: bench
bench: node_modules/.installed ## Print the figures: round trips, start-up, memory, throughput
	node bench/report.ts

.PHONY: check
check: generate lint build test ## All that CI checks; the tree must be clean afterwards
	@if [ -n "$$(git status --porcelain)" ]; then git status --short; git --no-pager diff | head -100; echo "the tree is not clean: commit what make generate changed"; exit 1; fi
