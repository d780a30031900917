# Two commands, on a machine with Python 3.10 or newer and make: `make demo` and `make test`.
PYTHON ?= python3
UV_VERSION = 0.13.9
AIRFLOW ?= 3.3
NEWEST = 3.3
# Airflow 3.3 lives in .venv, older ones, for `make provider dags AIRFLOW=3.1`, beside it.
VENV = $(if $(filter $(NEWEST),$(AIRFLOW)),.venv,.venv-$(AIRFLOW))
BIN = $(VENV)/bin
UV = .venv/bin/uv
READY = $(VENV)/.ready-$(AIRFLOW)
KILLS = $(addprefix tests/system/test_,attack.py killed_worker.py outage.py campaign_kills.py \
  campaign_on_celery.py conversation_kills.py)
# On another version of Airflow than the newest: what differs there.
DIFFERENT-3.1 = $(addprefix tests/system/test_,conversations.py alerting.py outage.py)
DIFFERENT-3.2 = tests/system/test_conversations.py
DIFFERENT-3.4 = $(addprefix tests/system/test_,alerting.py callbacks.py connection_form.py waiting.py conversations.py)
DIFFERENT = $(or $(DIFFERENT-$(AIRFLOW)),$(DIFFERENT-3.4))
PYTEST = $(BIN)/python -m pytest
PARALLEL = --dist worksteal --numprocesses
CORES = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
TWO_EACH = $(shell expr 2 \* $(CORES))
# Nearly half of a test run is imports, so Python shall keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint format types core provider coverage dags package docs dist pictures system attack system-packages benchmarks mutants lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 26

demo: $(READY) ## Send a WhatsApp message from a real Airflow to the emulator (KEEP=1: look at it)
	@$(BIN)/python -m scripts.demo $(if $(KEEP),--keep)

# Two parts at a time, as each waits now and then; the output of each comes when it has ended.
test: system-packages $(READY) ## All checks on the newest Airflow
	@$(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) provider lint types core dags package

lint: $(READY) ## Format, style, spelling, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/lint-imports

format: $(READY) ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## mypy
	$(BIN)/mypy

core: $(READY) ## The part without Airflow; every branch of it is covered
	$(PYTEST) $(PARALLEL) $(or $(JOBS),$(CORES)) tests/core --cov=airflow_provider_d360/api \
	  --cov=airflow_provider_d360/messages --cov-report=term --cov-fail-under=100
	$(PYTEST) $(PARALLEL) $(or $(JOBS),$(CORES)) tests/transport

# These tests wait as much as they compute: two processes for each core. What does not depend on the version of
# Airflow is tested on the newest one only: the receiver's routes, the emulator, the store. To measure coverage takes three times as long as the tests themselves.
SHELLS-3.1 = tests/provider $(addprefix tests/receiver/test_,plugin.py settings.py page.py campaign_page.py questions_page.py desk.py)
SHELLS-3.2 = $(addprefix tests/provider/test_,operators.py notifier.py policy.py retries.py waiting.py questions.py)
SHELLS-3.3 = tests/provider tests/receiver tests/emulator tests/store
SHELLS-3.4 = $(SHELLS-3.1) --ignore=tests/provider/test_leaks.py
SHELLS = $(SHELLS-$(AIRFLOW))
provider: $(READY) ## What Airflow sees, the store and the emulator
	$(PYTEST) $(PARALLEL) $(or $(JOBS),$(TWO_EACH)) $(SHELLS)

coverage: $(READY) ## Which lines no test runs; at least 95 % are run (many minutes)
	$(PYTEST) $(PARALLEL) $(or $(JOBS),$(TWO_EACH)) tests/core tests/transport $(SHELLS) --cov --cov-fail-under=95

dags: $(READY) ## Every example DAG through `airflow dags test`, against the emulator
	$(PYTEST) tests/dags  # which runs as many at a time as there are cores

package: $(READY) ## What README and docs show, and the wheel, alone in a clean environment
	$(PYTEST) --dist loadfile --numprocesses 2 tests/test_packaging.py tests/test_pasting.py tests/test_site.py tests/test_docs.py

docs: $(READY) ## This documentation, as web pages in build/docs; warnings are errors
	AIRFLOW_HOME=$(CURDIR)/build/airflow $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -d build/doctrees docs build/docs

dist: $(READY) ## Wheel and source archive in dist/, checked for a release
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*
	@! grep -q '^repository = "https://example.com' pyproject.toml || { echo "Name the public address first, \
	in pyproject.toml under [tool.hatch.metadata.hooks.custom]." >&2; exit 1; }

system-packages: ## Install PostgreSQL, Redis and Chromium for the tests (Debian and Ubuntu, as root)
	@scripts/system_packages.sh

pictures: $(READY) ## Take the pictures of the docs again
	PICTURES=1 $(PYTEST) tests/system/test_pages_alone.py tests/system/test_messages_page.py

# Two files at a time, each with its own Airflow: they wait as much as they compute.
system: $(READY) ## A whole Airflow, and its user interface in a browser (SIZE=small: what differs by version)
	$(PYTEST) --dist loadfile --numprocesses 2 $(if $(SIZE),$(DIFFERENT),tests/system)

attack: $(READY) ## Kills, cleared runs, two schedulers: who got how many messages (an hour; SIZE=small: minutes)
	$(if $(SIZE),,$(PYTEST) -m attack tests/store tests/provider)
	ATTACK=$(or $(SIZE),whole) $(PYTEST) $(if $(SIZE),$(firstword $(KILLS)),$(KILLS))

benchmarks: $(READY) ## Figures beside a peer: imports, sending, receiving, answers to questions (20 minutes)
	$(BIN)/python -m benchmarks.import_time
	$(BIN)/python -m benchmarks.every_dag
	$(BIN)/python -m benchmarks.send
	$(BIN)/python -m benchmarks.campaign
	$(BIN)/python -m benchmarks.emulator
	$(BIN)/python -m benchmarks.receiver
	$(BIN)/python -m benchmarks.api_server
	$(BIN)/python -m benchmarks.conversations

mutants: $(READY) ## Change the code that decides, and list the changes that no test notices
	$(BIN)/mutmut run
	$(BIN)/mutmut results

lock: $(UV) ## Resolve requirements/ again, with hashes (UPGRADE=1: to the newest versions)
	for airflow in 3.1 3.2 3.3 3.4; do \
	  case $$airflow in 3.4) python=3.11;; *) python=3.10;; esac; \
	  $(UV) pip compile --quiet --universal --generate-hashes --python-version $$python --no-annotate \
	  --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) pyproject.toml requirements/dev.in \
	  requirements/airflow-$$airflow.in --output-file requirements/airflow-$$airflow.txt || exit; done

clean: ## Remove everything that make made
	rm -rf .venv .venv-* build dist mutants .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(READY): requirements/airflow-$(AIRFLOW).txt requirements/without-dependencies.txt pyproject.toml airflow_provider_d360/__init__.py $(UV)
	@echo "Setting up Airflow $(AIRFLOW) in $(VENV): a minute or two the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python -r $< --editable .
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -r requirements/without-dependencies.txt
	@touch $@

$(UV): Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is missing or \
	older than 3.10; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: \
	apt install python3-venv" >&2; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
