# Builds, runs, checks and measures hoopsnake. `make help` lists the targets.
#
# A machine needs a Rust toolchain, CPython 3.11 or newer with venv and pip, make and a C compiler.
# `PYTHON=python3.13 make …` picks another interpreter; each version has a virtual environment of
# its own. What is done is remembered by the stamps in that environment, so a second run is quick.

PYTHON ?= python3
PORT ?= 8000
# The workloads of `make bench`, by name or beginning; all of them where there is none.
ONLY ?=
# How long `make soak` lasts; SOAK_SEED repeats a run, and is drawn and printed where it is not given.
SOAK_SECONDS ?= 180
# What `make fuzz` runs, and for how long.
FUZZ ?= event_stream form http1_requests http2_ledger websocket_reader websocket_offers
FUZZ_SECONDS ?= 60
# How the extension module is built: release, edit (quick to build, slower to run), or guided: the
# release that users get, which takes two builds (docs/adr/0050). The bench measures that one.
PROFILE ?= $(if $(filter bench,$(MAKECMDGOALS)),guided,release)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# These need no interpreter, so they do not look for one.
GOALS_WITHOUT_PYTHON := help clean deny fuzz
ifneq ($(filter-out $(GOALS_WITHOUT_PYTHON),$(or $(MAKECMDGOALS),help)),)
BASE_PYTHON := $(shell scripts/find-python '$(PYTHON)')
ifeq ($(BASE_PYTHON),)
$(error no usable interpreter)
endif
VENV := $(shell scripts/choose-environment '$(BASE_PYTHON)')
endif

BIN = $(VENV)/bin
STAMPS = $(VENV)/.stamps
BUILT = $(STAMPS)/built-$(PROFILE)
# What a guided build goes by. Where it cannot be recorded it is not there, and the build is plain.
GUIDE = $(abspath $(STAMPS))/guide.profdata
RUST_SOURCES = $(shell find crates fuzz -name '*.rs' -o -name Cargo.toml) \
	Cargo.toml $(wildcard Cargo.lock) pyproject.toml

# Rust builds of the whole workspace ask this interpreter how to bind to Python.
export PYO3_PYTHON = $(abspath $(BIN)/python)

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nPYTHON=python3.13 picks another interpreter, PORT=8001 another port for run,\n'
	@printf 'ONLY="loop tcp" what bench measures.\n'

.PHONY: run
run: $(BUILT) $(STAMPS)/requirements-showcase ## build, and serve the showcase on port 8000
	@exec $(BIN)/hoop serve examples.showcase.app:app \
		--host 127.0.0.1 --port $(PORT) --graceful-timeout 0.5

.PHONY: build
build: $(BUILT) ## build the extension module into the environment

.PHONY: wheel
wheel: $(GUIDE) ## build dist/*.whl as users get it, guided by a rehearsal: two builds
	VIRTUAL_ENV=$(abspath $(VENV)) scripts/guided-maturin $(BIN)/maturin $(GUIDE) \
		build --interpreter $(BIN)/python --out dist

##@ Check

.PHONY: test
test: check-rust check-python test-rust test-python check-types ## all that CI runs

.PHONY: check-rust
check-rust: $(STAMPS)/environment ## rustfmt and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: check-python
check-python: $(STAMPS)/requirements-check ## ruff: style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The tests of hoop-python link against the shared libpython, which not every interpreter brings
# (Debian keeps it in a package of its own). Where it is missing they are left out: all that they
# cover is also reached through the built module by the Python tests.
.PHONY: test-rust
test-rust: $(STAMPS)/environment ## the Rust tests
	@libpython=$$($(BIN)/python scripts/libpython_folder.py); \
	if [ -n "$$libpython" ]; then \
		set -x; LD_LIBRARY_PATH="$$libpython$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" cargo test --workspace; \
	else \
		echo "no shared libpython to link against: leaving out the Rust tests of hoop-python"; \
		set -x; cargo test --workspace --exclude hoop-python; \
	fi

PYTHON_TEST_REQUIREMENTS = $(addprefix $(STAMPS)/requirements-, test ecosystem frameworks frameworks-alone)

.PHONY: test-python
test-python: $(BUILT) $(PYTHON_TEST_REQUIREMENTS) ## the Python tests, on one interpreter
	@scripts/install-debian-package chromium chromium
	@# The tests of tests/ecosystem start servers of their own from these.
	@scripts/install-debian-package '/usr/lib/postgresql/*/bin/postgres' postgresql
	@scripts/install-debian-package redis-server redis-server
	@# The judge of our WebSockets wants Python 2.7; where there is none it is left out.
	$(BIN)/python tests/conformance/autobahn/judge.py
	$(BIN)/python -m pytest

.PHONY: autobahn
autobahn: $(BUILT) ## all cases of the Autobahn test suite, in about ten minutes
	$(BIN)/python tests/conformance/autobahn/all_cases.py

.PHONY: soak
soak: $(BUILT) $(STAMPS)/requirements-test ## minutes of everything on one loop: SOAK_SECONDS, SOAK_SEED
	$(BIN)/python tests/soak/soak.py --seconds $(SOAK_SECONDS) $(if $(SOAK_SEED),--seed $(SOAK_SEED))
	@# And 100,000 broken requests, frames and handshakes against one server of each protocol.
	BROKEN_TIMES=25000 $(if $(SOAK_SEED),BROKEN_SEED=$(SOAK_SEED)) \
		$(BIN)/python -m pytest -q -s tests/server/test_broken_bytes.py
	@# And 100,000 requests of the client over two protocols, most of them cancelled somewhere.
	STORM_REQUESTS=50000 $(if $(SOAK_SEED),STORM_SEED=$(SOAK_SEED)) \
		$(BIN)/python -m pytest -q -s tests/client/test_cancellation_storm.py

# Without the tool of that name, which wants a nightly compiler: the instrumentation alone does not.
# What it finds of interest stays in target/; an input that breaks a promise is named at the end.
FUZZ_FLAGS = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions
.PHONY: fuzz
fuzz: ## libFuzzer on each parser: FUZZ (a target), FUZZ_SECONDS
	@host=$$(rustc -vV | sed -n 's/^host: //p'); set -e; \
	for target in $(FUZZ); do \
		mkdir -p target/fuzz/corpus/$$target; \
		RUSTFLAGS="$(FUZZ_FLAGS)" cargo run --quiet --release --target $$host --target-dir target/fuzz \
			--package hoop-fuzz --features libfuzzer --bin $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 \
			-artifact_prefix=target/fuzz/ target/fuzz/corpus/$$target fuzz/corpus/$$target; \
	done

.PHONY: check-types
check-types: $(BUILT) $(STAMPS)/requirements-check $(STAMPS)/requirements-test ## mypy, pyright, stubtest
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	MYPYPATH=python $(BIN)/python -m mypy.stubtest hoopsnake._native

.PHONY: deny
deny: ## licences, advisories and sources of the Rust dependencies
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is not installed: cargo install cargo-deny"; exit 1; }
	cargo deny check

##@ Work

.PHONY: edit
edit: ## build quickly, for trying out a change of the engine
	@$(MAKE) build PROFILE=edit PYTHON='$(BASE_PYTHON)'

.PHONY: fmt
fmt: $(STAMPS)/requirements-check ## format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

.PHONY: bench
bench: $(BUILT) ## measure against other servers and loops
	@scripts/install-debian-package wrk wrk
	@scripts/install-debian-package h2load nghttp2-client
	@# The peers have an environment of their own, which bench.compare makes.
	$(BIN)/python -m bench.compare $(foreach name,$(ONLY),--only $(name))

.PHONY: clean
clean: ## remove all that was built, the environments too
	rm -rf target dist .venv .venv-* .autobahn .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f python/hoopsnake/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the stamps stand for.

$(STAMPS)/environment:
	$(BASE_PYTHON) -m venv --clear $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/requirements-%: requirements/%.txt $(STAMPS)/environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) --requirement $<
	@touch $@

$(STAMPS)/requirements-test: requirements/showcase.txt
$(STAMPS)/requirements-frameworks-alone: PIP_OPTIONS = --no-deps

ifeq ($(PROFILE),guided)
MATURIN_DEVELOP = scripts/guided-maturin $(BIN)/maturin $(GUIDE) develop
else
MATURIN_DEVELOP = $(BIN)/maturin develop --profile $(PROFILE)
endif

# One build at a time lies in the package's folder, so the stamp of the other profile goes.
$(BUILT): $(RUST_SOURCES) $(STAMPS)/requirements-build
	@rm -f $(STAMPS)/built-*
	VIRTUAL_ENV=$(abspath $(VENV)) $(MATURIN_DEVELOP)
	@touch $@

$(STAMPS)/built-guided: $(GUIDE)

# The rehearsal's models are pydantic's, as those of the showcase.
$(GUIDE): $(RUST_SOURCES) $(wildcard scripts/rehearsal/*.py) scripts/record-profile \
		$(STAMPS)/requirements-build $(STAMPS)/requirements-showcase
	scripts/record-profile $(BIN)/python $@
