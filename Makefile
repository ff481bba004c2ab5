# `make help` lists the targets. Everything happens in .venv/; nothing else on the machine changes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench evals faults lint format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.lock pyproject.toml package-lock.json hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "VaultCRM needs Python 3.11 or newer; try: make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## .venv/ with the locked dependencies and the vaultcrm command

run: setup ## the whole product with demo data on http://127.0.0.1:8000
	$(BIN)/vaultcrm demo

test: setup lint ## every check and every test
	$(BIN)/python -m pytest -n auto

faults: setup ## kill -9 whatever runs, ROUNDS times (200), and check that nothing is lost or doubled
	$(BIN)/python -m tests.faults

lint: setup ## style, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## mend style in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## the tables of docs/benchmarks.md, measured here and now
	$(BIN)/python -m bench

evals: setup ## how much the content filter finds and how seldom it is wrong; fails below its targets
	$(BIN)/python -m evals
	$(BIN)/python -m evals.calibration

lock: ## resolve the dependencies again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements/run.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" pyproject.toml --group dev -c requirements/run.lock -o requirements/dev.lock

clean: ## remove .venv, node_modules and caches, never any data
	rm -rf .venv node_modules src/vaultcrm/entrypoints/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
