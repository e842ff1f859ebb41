# Every target sets up what it needs in .venv first: a Python from 3.11 to 3.12 and the packages of constraints.txt.
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))

.PHONY: workbook test lab clean

workbook: $(READY)
	$(BIN)/aligngemini run --scale mini

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q

lab: $(READY)
	$(BIN)/jupyter lab notebooks

clean:
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
