# `make help` lists the targets. A fresh machine needs Python 3.11 or newer and make, nothing else.

PYTHON  ?= python3
# One more than there are processors: a third of their time tests wait for a clock or another process.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
ARGS    ?=
TESTS   ?=

VENV := .venv
BIN  := $(VENV)/bin

# A stamp is written when its installation succeeded; it is out of date when a lock it was made from changed.
UV_READY      := $(VENV)/.uv-ready
RUNTIME_READY := $(VENV)/.runtime-ready
DEV_READY     := $(VENV)/.dev-ready
BENCH_READY   := $(VENV)/bench/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled modules are kept, whatever the shell says: tests start the command a hundred times.
unexport PYTHONDONTWRITEBYTECODE
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

# uv does not read pip's configuration: the index and the certificates that pip was given are handed on to it,
# unless uv was given its own. When uv still finds no way, pip itself installs the same lock.
export UV_SYSTEM_CERTS ?= true
PIP_INDEX = $${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}
PIP_CERTS = $${PIP_CERT:-$$($(BIN)/pip config get global.cert 2>/dev/null)}
UV = index="$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$(PIP_INDEX)}}"; \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	certs="$${SSL_CERT_FILE:-$(PIP_CERTS)}"; \
	if [ -n "$$certs" ]; then export SSL_CERT_FILE="$$certs"; fi; \
	$(BIN)/uv -q
PIP = $(BIN)/pip -q
USE_PIP = echo "uv could not install the lock; trying pip."
# bandit warns of each line that it was told to let pass, on standard error: that is read where something is wrong.
BANDIT = $(BIN)/bandit -q -r src -c pyproject.toml
LOCK = $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(ARGS)

# Files are taken as they are named: e2e comes first, because the longest ones at the end would run alone.
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-all audit chaos bench bench-ingest bench-flat bench-pages bench-sending bench-jobs bench-live bench-start bench-closure screenshots format lock wording clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(DEV_READY) ## Install everything into .venv, tools included.

demo: $(RUNTIME_READY) ## Play one conversation on an embedded Postgres, then serve (ARGS=--exit: stop after it).
	@$(BIN)/owner demo $(ARGS)

check: $(DEV_READY) ## Formatting, lint, security, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(BANDIT) 2>/dev/null || $(BANDIT)
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## What CI runs: check and all tests but the slow ones (TESTS=path, WORKERS=n).
	$(PYTEST) -m "not slow" $(ARGS) $(TESTS)

test-all: check ## As test, with the long runs.
	$(PYTEST) $(ARGS) $(TESTS)

chaos: $(DEV_READY) ## Kill, cut and pause everything under load, then check the books (ARGS="--seconds 600 --seed 42").
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

audit: $(DEV_READY) ## Ask whether a locked version has a known hole; says so where no advisory service can be reached.
	@$(BIN)/pytest -q -rs tests/integration/test_advisories.py

# Redis comes last, because it is not everywhere; what takes half an hour is asked for by its name only.
bench: bench-ingest bench-sending bench-live bench-start bench-pages bench-closure bench-jobs ## All benchmarks that take minutes; each prints its ratio to a yardstick of the same run.

bench-ingest: $(DEV_READY) ## Webhooks a second and idle latency, beside pgbench on the same server (ARGS="--seconds 8 --rounds 3").
	@$(BIN)/python benchmarks/ingest.py $(ARGS)

bench-flat: $(DEV_READY) ## Cost at 10,000,000 messages beside 10,000 (25 GB, half an hour; ARGS="--messages 1000000").
	@$(BIN)/python benchmarks/flat.py $(ARGS)

bench-pages: $(DEV_READY) ## Lists and threads of the inbox with many rows beside few, and their weight (ARGS="--messages 10000000").
	@$(BIN)/python benchmarks/pages.py $(ARGS)

bench-sending: $(DEV_READY) ## Messages a second to Twilio, beside a bare client (ARGS="--at-once 50 --rounds 3").
	@$(BIN)/python benchmarks/sending.py $(ARGS)

bench-jobs: $(BENCH_READY) ## Jobs a second, beside Celery on Redis (ARGS="--jobs 10000 --rounds 3"); needs redis-server.
	@$(BIN)/python benchmarks/jobs.py --celery $(CURDIR)/$(VENV)/bench/bin/python $(ARGS)

bench-live: $(DEV_READY) ## From a webhook to 200 listeners, beside a transaction of pgbench (ARGS="--listeners 50").
	@$(BIN)/python benchmarks/live.py $(ARGS)

bench-start: $(DEV_READY) ## Time to the first answer and memory, beside a bare FastAPI application (ARGS="--rounds 3").
	@$(BIN)/python benchmarks/start.py $(ARGS)

bench-closure: $(DEV_READY) ## Quality and speed of the closure detector, one table (ARGS=folder of dialogues).
	@$(BIN)/python benchmarks/closure.py $(ARGS)

screenshots: $(DEV_READY) ## Take the README's pictures of the running demo anew (needs Chromium).
	@PYTHONPATH=tests $(BIN)/python -m e2e.screenshots

format: $(DEV_READY) ## Format the code and mend what ruff can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV_READY) ## Write requirements/*.lock anew (ARGS=--upgrade: with newer versions).
	@$(LOCK) requirements/setup.in -o requirements/setup.lock
	@$(LOCK) pyproject.toml --extra redis -o requirements/runtime.lock
	@$(LOCK) pyproject.toml --group dev -c requirements/runtime.lock -o requirements/dev.lock
	@$(LOCK) requirements/bench.in -o requirements/bench.lock
	@$(LOCK) requirements/build.in -c requirements/dev.lock -o requirements/build.lock

WORDED = src/owner/inbox src/owner/integrations/simulator src/owner/integrations/twilio

wording: $(DEV_READY) ## Find the pages' sentences and enter the new ones into each language's file.
	@for folder in $(WORDED); do (words=$(abspath $(BIN))/pybabel; cd $$folder; $$words -q extract --no-location --sort-output --project=Owner -k say -k KnownError:2 -k ProviderError:1 -F wording/babel.cfg -o wording/all.pot . \
		&& for language in pt es; do $$words -q update --ignore-pot-creation-date --no-fuzzy-matching --ignore-obsolete \
			--init-missing -i wording/all.pot -o wording/$$language.po -l $$language -w 200; done; rm -f wording/all.pot); done

clean: ## Remove .venv and caches; the data folder stays.
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(UV_READY): requirements/setup.lock
	@if ! [ -x $(BIN)/python ]; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			|| { echo "Owner needs Python 3.11 or newer and $(PYTHON) is older or missing: name one with make PYTHON=python3.12 (or its path)." >&2; exit 1; }; \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
			|| { echo "$(PYTHON) has no venv module: install it (Debian, Ubuntu: apt install python3-venv) and run make again." >&2; exit 1; }; \
		echo "Installing into $(VENV)"; \
		$(PYTHON) -m venv --clear $(VENV); \
	fi
	@$(PIP) install --require-hashes -r $<
	@: > $@

$(RUNTIME_READY): $(UV_READY) requirements/runtime.lock requirements/build.lock pyproject.toml
	@$(UV) pip install --require-hashes -r requirements/runtime.lock -r requirements/build.lock \
		|| { $(USE_PIP); $(PIP) install --require-hashes -r requirements/runtime.lock -r requirements/build.lock; }
	@$(PIP) install --no-deps --no-build-isolation -e .
	@: > $@

# Syncing removes what the locks do not name, Owner itself too, so Owner is installed again after it.
$(DEV_READY): $(RUNTIME_READY) requirements/dev.lock
	@$(UV) pip sync --require-hashes requirements/dev.lock requirements/setup.lock \
		|| { $(USE_PIP); $(PIP) install --require-hashes -r requirements/dev.lock; }
	@$(PIP) install --no-deps --no-build-isolation -e .
	@: > $@

# What a benchmark compares the product with is no part of it, so it has an environment of its own.
$(BENCH_READY): $(DEV_READY) requirements/bench.lock
	@$(PYTHON) -m venv --clear $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip -q install --require-hashes -r requirements/bench.lock
	@: > $@
