# Ostiary: everything a developer runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help

# runtime/ pins the Node.js of a checkout, so that a machine with an older one works as well.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# Arguments for the server: make run ARGS="--public-port 5000"
ARGS ?=
# Another checkout, installed by `make`, for bench-compare and bench-logins.
BASE ?=
# The name of a new migration: make migration NAME=identity-locale
NAME ?=
# Arguments for vitest: make test TEST_ARGS="test/race --bail=1"
TEST_ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN { FS = ":.*## " } { printf "  %-18s %s\n", $$1, $$2 }'

node_modules/.installed: package.json package-lock.json runtime/package.json sdk/typescript/package.json ui/package.json
	npm ci --no-audit --no-fund --loglevel=error
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 18) ? 0 : 1)' || { echo "Node.js $$(node --version) is too old, and there is no package of it for this platform: install Node.js 22.18 or newer"; exit 1; }
	touch $@

.PHONY: ui
ui: node_modules/.installed ## Build the self-service pages, if something of them has changed
	@node scripts/build-ui.ts

# The foreign protos: what ours import, printed into proto/, and what the clients of the suite load.
.cache/proto/.written: node_modules/.installed scripts/foreign-protos.ts scripts/print-proto.ts
	node scripts/foreign-protos.ts
	touch $@

.PHONY: run
run: node_modules/.installed ui ## Install, start the embedded database, migrate and serve
	@exec bin/ostiary serve $(ARGS)

.PHONY: test
test: .cache/proto/.written ## Run the whole suite
	vitest run $(TEST_ARGS)

.PHONY: generate
generate: .cache/proto/.written ## Regenerate gen/, the generated parts of docs/, and what else is generated in src/
	buf generate
	node scripts/generate-config-reference.ts
	node scripts/generate-error-reference.ts
	node scripts/generate-metrics-reference.ts
	node scripts/generate-dashboard.ts
	node scripts/generate-architecture.ts
	node scripts/generate-flow-tables.ts
	node scripts/generate-rows.ts
	node scripts/generate-presets.ts
	node scripts/generate-texts.ts

.PHONY: migration
migration: node_modules/.installed ## Write the migration NAME from what src/storage/entities.ts has more
	node scripts/new-migration.ts $(NAME)

# Of the whole contract as it stands, without comments. When: docs/releasing.md.
.PHONY: contract-baseline
contract-baseline: .cache/proto/.written ## Take the contract as the one that buf breaking compares with
	buf build proto --exclude-source-info -o buf.baseline.binpb

.PHONY: format
format: node_modules/.installed ## Format everything
	buf format -w proto
	buf format -w proto-config
	biome check --write .

.PHONY: lint
lint: .cache/proto/.written ## Check the contract, the types and the style
	buf lint
	buf format -d --exit-code proto
	buf format -d --exit-code proto-config
	buf breaking proto --against buf.baseline.binpb
	tsc --noEmit -p .
	biome check .

.PHONY: build
build: node_modules/.installed ui ## Compile the two published packages into dist/, with the pages
	node scripts/build-sdk.ts
	node scripts/build-server.ts

# PICTURES_ARGS="--sheets --page login" makes the sheets of one page alone.
PICTURES_ARGS ?= --sheets

.PHONY: pictures
pictures: node_modules/.installed ui ## Take the pictures of docs/ui.md, and sheets of every state of the pages into ui/.sheets (needs Chromium)
	node scripts/make-pictures.ts $(PICTURES_ARGS)

.PHONY: bench
bench: node_modules/.installed ## Print the figures: round trips, start-up, memory, throughput
	node bench/report.ts

.PHONY: bench-checks
bench-checks: node_modules/.installed ## Measure session checks beside their baselines, into docs/performance.md (needs wrk and h2load)
	node bench/checks.ts --page

.PHONY: bench-quick
bench-quick: node_modules/.installed ## The same within a minute, on screen alone
	node bench/checks.ts --quick

.PHONY: bench-compare
bench-compare: node_modules/.installed ## Measure a session check and a login against the checkout BASE
	node bench/compare.ts $(BASE)

.PHONY: bench-logins
bench-logins: node_modules/.installed ## Measure a login beside its hash, and session checks while clients log in (BASE: with another checkout)
	node bench/logins.ts $(BASE)

.PHONY: bench-enumeration
bench-enumeration: node_modules/.installed ## Measure whether answers take longer for accounts that exist
	node bench/enumeration.ts

.PHONY: bench-providers
bench-providers: node_modules/.installed ## Measure logins by a provider, and the memory that they leave
	node bench/provider-logins.ts

.PHONY: bench-files
bench-files: node_modules/.installed ## Print the source files that a session check and a login run through
	node bench/files-run.ts

.PHONY: soak
soak: node_modules/.installed ## Kill a server under load for eight minutes, and look whether anything is lost
	node bench/soak.ts

.PHONY: bench-unary
bench-unary: node_modules/.installed ## Measure our unary path beside connect-node's adapter
	node bench/unary-path.ts

# The files that decide: step tables and what follows them, assurance, access, limits, codes, tokens, CSRF, return_to, client IP.
# At most 2,500 lines of code in all, so that it takes at most an hour. One of them: make mutants MUTATED=src/crypto/tokens.ts
MUTATED ?= \
	src/crypto/form-tokens.ts \
	src/crypto/tokens.ts \
	src/domain/access/scopes.ts \
	src/domain/flow/challenge/challenge-limits.ts \
	src/domain/flow/challenge/states.ts \
	src/domain/flow/login/demands.ts \
	src/domain/flow/login/steps.ts \
	src/domain/flow/recovery/steps.ts \
	src/domain/flow/registration/steps.ts \
	src/domain/flow/settings/steps.ts \
	src/domain/flow/shared/flow-access.ts \
	src/domain/flow/shared/flow-engine.ts \
	src/domain/flow/shared/return-to.ts \
	src/domain/flow/shared/second-factors.ts \
	src/domain/flow/verification/steps.ts \
	src/domain/method/typed-code.ts \
	src/domain/session/demands.ts \
	src/domain/throttle/client-ip-subject.ts \
	src/domain/throttle/limits.ts \
	src/domain/throttle/subjects.ts \
	src/transport/net/peers.ts \
	src/transport/rpc/access-rule.ts \
	src/transport/rpc/access.ts
# Arguments for Stryker: make mutants MUTANTS_ARGS="--concurrency 1"
MUTANTS_ARGS ?=
comma := ,
empty :=

.PHONY: mutants
mutants: node_modules/.installed ## Change the files that decide, one thing at a time, and print what no test notices
	stryker run test/mutants/stryker.config.ts --mutate "$(subst $(empty) $(empty),$(comma),$(strip $(MUTATED)))" $(MUTANTS_ARGS)

.PHONY: conformance
conformance: node_modules/.installed ## Run the official Connect conformance suite (needs Go)
	node test/conformance/run.ts

.PHONY: check
check: generate lint build test ## All that CI checks; the tree must be clean afterwards
	@if [ -n "$$(git status --porcelain)" ]; then git status --short; git --no-pager diff | head -100; echo "the tree is not clean: commit what make generate changed"; exit 1; fi
