# Every target sets up what it needs in .venv first: a Python from 3.11 to 3.12 and the packages of constraints.txt.
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
TYPED := aligngemini/branches aligngemini/fusion aligngemini/scores
# One worker runs all tests of a file, so that what they share is made once; tests/conftest.py has the long files first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
# Python keeps what it compiled: otherwise each worker and kernel compiles the package and the tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help workbook lab report check style fast test test-gpu sync pages clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*  ## (.*)/make \1\t\2/' | expand -t 16

workbook: $(READY)  ## run all notebooks at mini scale and write the report (minutes)
	$(BIN)/aligngemini run --scale mini

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

report: $(READY)  ## say where the report of the mini scale lies; make what it lacks
	$(BIN)/aligngemini run --scale mini --from 05

check: $(READY)  ## style, spelling, dependencies, types and the fast tests (a minute and a half)
	@$(MAKE) --no-print-directory -j 2 style fast

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/codespell aligngemini tests notebooks data/README.md docs *.md Makefile
	$(BIN)/deptry aligngemini
	$(BIN)/pyright $(TYPED)

fast: $(READY)
	$(PYTEST) -m 'not gpu and not slow'

test: $(READY)  ## every test that needs neither a GPU nor a network (minutes)
	$(BIN)/ruff check .
	$(PYTEST)

test-gpu: $(READY)  ## the tests that need a GPU
	$(BIN)/python -m pytest -q -m gpu

sync: $(READY)  ## write parameter cells, the recipes of mini, the heads of docs/studies.md and, for a clone of GitHub, badges
	$(BIN)/python -m tests.workflow.sync

pages: $(READY)  ## write the newest mini run to docs/notebooks, and a film of its explorer (needs chromium or Chrome)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pages]'
	$(BIN)/python -m tests.analysis.pages docs/notebooks
	$(BIN)/python -m tests.explore.film docs/fusion-explorer.webp

clean:  ## remove the environment and caches, never data or outputs
	rm -rf .venv build aligngemini.egg-info .pytest_cache .ruff_cache
	find aligngemini tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@if ! { [ -x $(BIN)/python ] && $(BIN)/python -c '$(FITS)' 2>/dev/null; }; then \
	  found=; \
	  for python in python3.11 python3.12 python3; do \
	    if $$python -c '$(FITS)' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No suitable Python: install 3.11 or 3.12 (for example with conda, environment.yml) and run make again." >&2; \
	    exit 1; \
	  fi; \
	  rm -rf .venv; \
	  $$found -m venv .venv || { rm -rf .venv; exit 1; }; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
