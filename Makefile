# Everything a fresh machine needs: Python >= 3.11, git and make. Nothing here needs root or a key.
#
# The environment lies in .venv and is made again only when pyproject.toml or a list of pinned
# versions changed. uv makes it where it is on the PATH, else python3 with venv and pip.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test soak lint bench schemas constraints clean

PYTHON ?= python3
bin := .venv/bin
# The run folder of the example, beside its manifest.
demo_run := manifests/runs/quickstart-sandbox
uv := $(shell command -v uv 2>/dev/null)
# uv takes an interpreter that is here, and fetches none.
export UV_PYTHON_DOWNLOADS := never

ifdef uv
make_venv = $(uv) venv --quiet --python '>=3.11' .venv
venv_works = $(bin)/python -c ''
install = $(uv) pip install --quiet --python $(bin)/python
else
make_venv = $(PYTHON) -m venv .venv
venv_works = $(bin)/python -m pip --version
install = $(bin)/python -m pip install --quiet --disable-pip-version-check
endif

# An environment whose interpreter is gone (an upgrade, a moved folder) is made again.
$(shell $(bin)/python -c '' 2>/dev/null || rm -f .venv/*.stamp)

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: .venv/runtime.stamp ## run the example campaign against the sandbox
	$(bin)/orchestrator run manifests/quickstart.yaml --sandbox
	@echo
	@echo 'Where to look:'
	@echo '  $(demo_run)/videos/       the videos, each with its provenance beside it'
	@echo '  $(demo_run)/report.html   the report, for a browser'
	@echo '  $(demo_run)/results.csv   the results, for a spreadsheet'
	@echo '  $(demo_run)/ledger.db     the ledger; the same command again sends nothing'

test: lint .venv/check-jsonschema.stamp .venv/yaml-language-server.stamp ## check everything: style, types, layers, schemas, tests
	$(bin)/orchestrator schemas --check
	$(bin)/python -m pytest

# How much `make soak` does: campaigns killed at each point, and at random times; simulated stories.
KILLS ?= 100
RANDOM_KILLS ?= 500
SEEDS ?= 10000

soak: .venv/test.stamp ## kill -9 and simulate by the thousand (KILLS, RANDOM_KILLS, SEEDS)
	$(bin)/python -m tests.kill --repetitions $(KILLS) --random $(RANDOM_KILLS)
	ORCHESTRATOR_SEEDS=$(SEEDS) $(bin)/python -m pytest tests/engine/test_simulation.py

# What editors and others check manifests with. Where one cannot be installed, the tests that drive
# it use an earlier version or are skipped, and the next `make test` tries again, for that one alone.
editors := .venv/editors
language_server := yaml-language-server@1.25.0
schema_checker := check-jsonschema==0.39.0
not_installed = echo 'could not be installed, so its tests use an earlier one or are skipped:'

.venv/check-jsonschema.stamp: Makefile | .venv/test.stamp
	@rm -rf $(editors)/new; mkdir -p $(editors); \
	if $(install) --target $(editors)/new $(schema_checker) 2>/dev/null; \
	then rm -rf $(editors)/python; mv $(editors)/new $(editors)/python; touch $@; \
	else rm -rf $(editors)/new; $(not_installed) $(schema_checker); fi

.venv/yaml-language-server.stamp: Makefile | .venv/test.stamp
	@mkdir -p $(editors); \
	if npm install --prefix $(editors) --no-package-lock --no-save --no-audit --no-fund \
	  --ignore-scripts --fetch-retries 1 $(language_server) >/dev/null 2>&1; \
	then touch $@; else $(not_installed) $(language_server); fi

lint: .venv/test.stamp ## check style, types and layers alone
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports

bench: .venv/test.stamp ## measure, and write docs/performance.md (a quarter of an hour)
	$(bin)/python -m benchmarks
	$(bin)/python -m benchmarks.validation --times 3

schemas: .venv/runtime.stamp ## derive the JSON Schemas in schemas/ from the tables again
	$(bin)/orchestrator schemas --write schemas

constraints: ## resolve the newest versions into constraints*.txt (needs uv)
	@test -n '$(uv)' || { echo 'make constraints needs uv on the PATH' >&2; exit 2; }
	$(resolve) --group dev --extra parquet --output-file constraints.txt
	$(resolve) --constraints constraints.txt --output-file constraints-runtime.txt

# Without configuration files, so that no address of a private index is written down; hatchling
# builds, editables lets it install a folder in place.
resolve = printf 'hatchling\neditables\n' | UV_NO_CONFIG=1 $(uv) pip compile --quiet --upgrade \
  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command 'make constraints' pyproject.toml -

clean: ## remove the environment, caches and builds; runs are kept
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv finds an interpreter by itself and says so where there is none.
.PHONY: check-python
check-python:
ifndef uv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo '$(PYTHON) is missing or older than 3.11. Install Python 3.11 or newer, or name one:' >&2; \
	  echo '  make PYTHON=/path/to/python3 demo' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) has no venv. Install it (Debian, Ubuntu: python3-venv), or install uv.' >&2; \
	  exit 2; }
endif

.venv/runtime.stamp: constraints-runtime.txt pyproject.toml | check-python
	@$(venv_works) >/dev/null 2>&1 || { rm -rf .venv; echo '$(make_venv)'; $(make_venv); }
	$(install) --require-hashes -r constraints-runtime.txt
	$(install) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test.stamp: constraints.txt .venv/runtime.stamp
	$(install) --require-hashes -r constraints.txt
	@touch $@
