# wsload: everything a developer does, one word each.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MIN_PYTHON := 3.11
MIN_RUST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

ifeq ($(filter 3.82% 4.% 5.%,$(MAKE_VERSION)),)
$(error GNU make 3.82 or later is needed, this is $(MAKE_VERSION): install a newer one)
endif

.PHONY: help
help: ## Show this help
	@echo 'make demo   set up, then run 2,000 connections at 20,000 messages/s against the echo server'
	@echo 'make test   set up, then run all tests'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

.PHONY: tools
tools:
	@command -v $(PYTHON) >/dev/null || { echo 'Python $(MIN_PYTHON) or later is needed: install it, or name it with PYTHON=...'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < ($(subst .,$(comma),$(MIN_PYTHON))))' || { echo "Python $(MIN_PYTHON) or later is needed, $(PYTHON) is $$($(PYTHON) -V): name a newer one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo 'Python has no venv module: install it (Debian: apt-get install python3-venv)'; exit 1; }
	@command -v cargo >/dev/null || { echo 'Rust $(MIN_RUST) or later is needed: install it with rustup'; exit 1; }
	@have=$$(rustc --version | cut -d' ' -f2); printf '%s\n%s\n' $(MIN_RUST) "$$have" | sort -VC || { echo "Rust $(MIN_RUST) or later is needed, this is $$have: run 'rustup update stable'"; exit 1; }
	@command -v cc >/dev/null || { echo 'A C linker is needed: install gcc or clang (Debian: apt-get install gcc libc6-dev)'; exit 1; }
comma := ,

$(VENV)/packages: constraints.txt pyproject.toml
	@$(MAKE) --no-print-directory tools
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r constraints.txt
	touch $@

# Editable, with a release build of the Rust half.
$(VENV)/built: $(VENV)/packages $(RUST_SOURCES)
	# A module of another name, left by an earlier build, would be found first.
	rm -f python/wsload/_core.*.so
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

.PHONY: setup
setup: $(VENV)/built ## Make the virtual environment and build the Rust half

.PHONY: demo
demo: setup ## Run the main job on the embedded server
	@scripts/demo.sh

.PHONY: test
test: setup tests/peers/node_modules ## Run all tests
	cargo test --quiet --workspace --exclude wsload-py
	$(BIN)/python -m pytest

.PHONY: testray
testray: setup ## Add Ray to the environment and run the tests on a cluster
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'ray[client]>=2.40'
	$(BIN)/python -m pytest tests/engine/test_ray.py

# A peer written in another language; without Node its tests are skipped by name.
tests/peers/node_modules: tests/peers/package-lock.json
	@if command -v npm >/dev/null; then cd tests/peers && npm ci --silent --no-audit --no-fund && touch node_modules; \
	else echo 'npm is missing: tests against npm ws are skipped'; fi

.PHONY: check
check: setup ## Run the linters
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/stubtest wsload._core
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings

# All 517 cases of the Autobahn testsuite, ten minutes; URL= aims at a fuzzing server that runs, CASES= chooses.
.PHONY: conformance
conformance: setup ## Drive the engine through the Autobahn testsuite
	$(BIN)/python tests/conformance/autobahn.py $(if $(URL),--url '$(URL)') $(if $(CASES),--cases '$(CASES)') $(if $(PYTHON2),--python2 '$(PYTHON2)')

# Needs cargo-fuzz and a nightly Rust; FUZZ_SECONDS= for each target.
.PHONY: fuzz
fuzz: ## Fuzz what reads a server's bytes
	$(PYTHON) scripts/fuzz.py $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS))

.PHONY: bench
bench: setup ## Measure CPU and memory against the floor, and render benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

# Twenty minutes, on a quiet machine; `python -m benchmarks.peers TOOL` is a look at one.
.PHONY: peers
peers: setup ## Measure other load tools on the same work, and render benchmarks/PEERS.md
	$(BIN)/python -m benchmarks.peers --install

.PHONY: fmt
fmt: setup ## Format the sources
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet
	cargo fmt

.PHONY: lock
lock: ## Pin what pyproject.toml asks for anew, in constraints.txt
	$(BIN)/python scripts/lock.py

# Ten minutes: builds wheel and sdist into dist/, installs the wheel in a clean environment and runs load there.
.PHONY: release-check
release-check: setup ## Go through the release checklist
	$(BIN)/python scripts/check_release.py

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(VENV) target dist tests/peers/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find python tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	rm -f python/wsload/*.so python/wsload/third-party-licences.txt

.PHONY: docs
docs: setup ## Write docs/cli.md, docs/licences.md and docs/schema/ from the code
	$(BIN)/python scripts/write_schema.py
	$(BIN)/python scripts/write_cli.py
	$(BIN)/python scripts/licences.py
