# Puntual. `make help` lists what there is. Everything is installed into .venv from the locks, with hashes.
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.PHONY: help install demo test drill law mutations up check bench browser screenshots clean doctor

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
# A test run or a supervised part may ask for less than `make test`: make test PYTEST="tests/policies -x"
PYTEST ?=

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

$(BIN)/python:
	@found=; for python in $${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Python 3.11 or later was not found: install it, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv), then run make again" >&2; exit 1; fi; \
	rm -rf $(VENV); "$$found" -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) from requirements.lock"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) from requirements-dev.lock"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(VENV)/.installed $@

install: $(VENV)/.installed ## everything that is needed to run, into .venv; the command is .venv/bin/puntual
	@echo "ready: $(BIN)/puntual (try $(BIN)/puntual --help, or make demo)"

demo: $(VENV)/.installed ## ninety days of a sample portfolio, played; stays up (ONCE=1: plays and ends)
	@$(BIN)/puntual demo $(if $(ONCE),--once)

up: $(VENV)/.installed ## the same in real time, data kept in var/
	@$(BIN)/puntual up

doctor: $(VENV)/.installed ## what is wrong with this machine, and what to do
	@$(BIN)/puntual doctor

test: $(VENV)/.installed-dev ## the tests, on real PostgreSQL and Temporal
	@$(if $(PYTEST),$(BIN)/pytest -q $(PYTEST),$(BIN)/python -m tests.side_by_side)

drill: $(VENV)/.installed-dev ## the long campaigns: full replays, 200 kills, up to 20,000 examples a property
	@$(BIN)/pytest -q --drill --timeout=7200 $(PYTEST)

law: $(VENV)/.installed-dev ## 20,000 random questions of law, compared with a checker that walks minute by minute
	@$(BIN)/python -m tests.policies.law.campaign

mutations: $(VENV)/.installed-dev ## planted mistakes in the rules of hours, budget and law: the tests must notice each
	@$(BIN)/python -m tests.policies.law.mutations

check: $(VENV)/.installed-dev ## style, types, imports, then the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory test

bench: $(VENV)/.installed-dev ## the figures of the README, measured in one run
	@$(BIN)/python -m rehearsal.bench

browser: $(VENV)/.installed-dev ## the tests that look at the pages in Chromium
	@$(BIN)/pytest -q -m browser tests/browser

screenshots: $(VENV)/.installed-dev ## the pictures of the README, into docs/pictures
	@$(BIN)/python -m tests.browser.pictures

clean: ## remove .venv and caches; the data in var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
