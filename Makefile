# What a developer types. CI runs .ci/run, which is scripts/test.
.DEFAULT_GOAL := help
.PHONY: help build test check unit lint fuzz sim cover clean

BIN      := bin
FUZZTIME ?= 30s
SEEDS    ?= 10000

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the static binary bin/paytool
	CGO_ENABLED=0 go build -o $(BIN)/paytool ./cmd/paytool

test: ## all that CI runs; installs what is missing
	./scripts/test

check: test ## the same as test

unit: ## tests without a MariaDB server, without the race detector
	PAYTOOL_TEST_NO_MARIADB=1 go test ./...

lint: ## golangci-lint as in scripts/test
	./scripts/test lint

fuzz: ## every fuzz target for FUZZTIME (30s)
	FUZZTIME=$(FUZZTIME) ./scripts/test fuzz

sim: ## SEEDS (10000) seeds of the simulated router
	go run ./cmd/paytool sim --seeds $(SEEDS)

cover: ## coverage without a MariaDB server, as coverage.html
	PAYTOOL_TEST_NO_MARIADB=1 go test -coverprofile=coverage.out ./...
	go tool cover -html=coverage.out -o coverage.html

clean: ## remove what the targets above made
	rm -rf $(BIN) .cache coverage.out coverage.html
