# NorthStack. `make help` says what each target does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Queries are checked against the committed cache (.sqlx), so that no build needs a database.
export SQLX_OFFLINE ?= true

NORTHSTACK := target/debug/northstack
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' 2>/dev/null)

##@ Everyday
.PHONY: help
help: ## Say what each target does
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

.PHONY: dev
dev: setup web/dist/index.html ## Install what is missing, build, and run the whole platform on this machine
	@scripts/say "Building the service"
	@cargo build
	@exec $(NORTHSTACK) dev $(ARGS)

.PHONY: check
check: ## Check format, lints, types and unit tests, in a few minutes: for every day
	@scripts/check

.PHONY: test
test: ## Prove everything: also integration, browser, crash and fuzz tests; prints the time of each stage
	@scripts/test

.PHONY: fuzz
fuzz: ## Fuzz what comes from outside, ten minutes a target (MINUTES=..., SEED=..., TARGETS=...)
	NORTHSTACK_FUZZ_SECONDS=$$((60 * $(or $(MINUTES),10))) NORTHSTACK_FUZZ_SEED=$(or $(SEED),0) scripts/fuzz $(TARGETS)

.PHONY: kill-test
kill-test: ## Kill workers 200 times at random moments under mixed load (KILLS=..., SEED=...)
	NORTHSTACK_KILLS=$(or $(KILLS),200) NORTHSTACK_KILL_SEED=$(or $(SEED),20260101) \
	  cargo test --test it -- --nocapture workflow::processes::kills

.PHONY: build
build: web/dist/index.html ## Build the release binary and the portal
	cargo build --release

.PHONY: lint
lint: web/node_modules/.installed ## Check format and lints of the service and the portal
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --lib --bins -- -D warnings
	cd web && npm run --silent lint

.PHONY: clean
clean: ## Remove everything that was built, and the local platform's state
	cargo clean
	rm -rf web/dist web/node_modules .northstack

##@ Setting up
.PHONY: setup
setup: ## Install the system programs that are missing (Debian, Ubuntu), or say which
	@scripts/setup dev

web/node_modules/.installed: web/package-lock.json
	@scripts/say "Installing the portal's packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	@scripts/say "Building the portal"
	@cd web && npm run --silent build

##@ Generated files
.PHONY: generate
generate: ## Regenerate .sqlx, schema.graphql, typed operations, configuration examples and the crash matrix
	scripts/generate

##@ Database
.PHONY: migrate-up
migrate-up: ## Apply pending migrations to the configured database
	cargo run --quiet -- migrate up

.PHONY: migrate-down
migrate-down: ## Take back the newest migration of the configured database
	cargo run --quiet -- migrate down --steps 1

##@ Containers
.PHONY: docker-build
docker-build: ## Build the container image of the service with the portal
	docker build -f deploy/docker/Dockerfile -t northstack/northstack:latest .

.PHONY: docker-up
docker-up: ## Start the production parts with Docker Compose
	docker compose up --detach --wait

.PHONY: docker-down
docker-down: ## Stop the production parts, keeping their data
	docker compose down
