# `make demo`, `make test` and `make docs` do everything. Each makes .venv and installs into it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test docs fix clean

demo: .venv/.installed
	@$(BIN)/madem braille

test: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/pytest -n auto --dist worksteal

docs: .venv/.installed-dev
	NO_MKDOCS_2_WARNING=1 MADEM_TUTORIALS=run $(BIN)/mkdocs build --strict
	@echo 'Open site/index.html; to search, serve it: python3 -m http.server --directory site'

fix: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "madem needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.installed-dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.installed
