# make help lists the targets. The virtual environment is made once, and again when pyproject.toml changes.
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
EXTRA  ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-$(EXTRA)
TESTS  := $(VENV)/.installed-dev-$(EXTRA)

.PHONY: help train eval test test-fast proof timings lint clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

train: $(STAMP) ## train a network: make train ARGS="loss=triplet regions=rpn"
	$(BIN)/python train.py $(ARGS)

eval: $(STAMP) ## score one: make eval ARGS="checkpoint=PATH"
	$(BIN)/python eval.py $(ARGS)

test: $(TESTS) ## every test, under 15 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-fast: $(TESTS) ## the quick ones, under 2 minutes
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

proof: $(TESTS) ## long runs: kill, resume, compare
	$(BIN)/python -m pytest -m proof --proof $(ARGS)

timings: $(TESTS) ## ratios of times, measured in one run each
	for script in timings/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lint: $(TESTS) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove the virtual environment and caches; keeps outputs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e ".[$(EXTRA)]"
	@touch $@

$(TESTS): pyproject.toml $(STAMP)
	$(BIN)/python -m pip install -q -e ".[$(EXTRA),dev]"
	@touch $@
