# Everything a person does with the project. `make quickstart` and `make test` need nothing but Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
CORE := .venv/.installed-core
INSTALLED := .venv/.installed

.PHONY: setup quickstart test test-fast soak check format bench gpu-check notebooks docs clean

setup: $(INSTALLED)

# what the quickstart needs
$(CORE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) '.[files,plot]'
	touch $@

# that, and the tools of development
$(INSTALLED): $(CORE)
	$(PIP) '.[dev]'
	touch $@

quickstart: $(CORE)
	$(BIN)/tuppence quickstart

test: setup
	.ci/chromium
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-fast: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not soak'

soak: setup
	$(BIN)/python -m pytest -m soak -s

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python benchmarks/tokenizer.py
	$(BIN)/python benchmarks/prepare.py --megabytes 50
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/training.py

gpu-check: setup
	$(BIN)/python benchmarks/gpu_check.py $(ARGS)

# executes every chapter (minutes), and writes its outputs: on a quiet machine
notebooks: setup
	$(BIN)/python notebooks/build.py

docs: setup
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html

clean:
	rm -rf .venv docs/_build dist
