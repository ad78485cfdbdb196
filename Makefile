# What a developer types. A machine needs python3 (3.11 or newer) with pip, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Half of what the tests do is to wait for processes: one more runner than cores, and at most four. The slow tests stand side by
# side: a runner that is done takes over half of what another one has left.
TESTERS := $(shell cores=$$(nproc 2>/dev/null || echo 1); echo $$((cores < 4 ? cores + 1 : 4)))
CONSTRAINTS := requirements/constraints.txt
# The pip of the machine fills the environment: it needs neither ensurepip nor a pip of its own.
INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet --no-compile --constraint $(CONSTRAINTS)

# A stamp a set of extras: `make demo` does not wait for the tools of the tests.
DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test,liboqs
LINT := $(VENV)/.installed-lint
BENCH := $(VENV)/.installed-bench

.PHONY: demo test lint type fmt bench reference
.DELETE_ON_ERROR:
.NOTPARALLEL:  # one pip at a time in one environment

demo: $(DEMO)
	@$(BIN)/pqproxy demo
	@command -v pqproxy >/dev/null || echo "  pqproxy is $(BIN)/pqproxy here; . $(BIN)/activate makes it plain pqproxy"

# Hundreds of processes are started: where Python may keep nothing, each compiles all of it anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(TEST)
	$(BIN)/pytest -n $(TESTERS) --dist worksteal

lint: $(LINT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(LINT) $(TEST)
	$(BIN)/mypy

fmt: $(LINT)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# BENCH_ARGS='1 4 --quick' and the like; nginx and HAProxy are taken where they are installed.
bench: $(TEST) $(BENCH)
	$(BIN)/python -m bench $(BENCH_ARGS)
	$(BIN)/python -m bench.cost

reference: $(TEST)
	$(BIN)/python -m reference

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "pqproxy needs python 3.11 or newer; this is $$($(PYTHON) --version): make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.installed-%: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(INSTALL) --editable '.[$*]'
	-@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib pqproxy >/dev/null  # pip would keep to one core
	@touch $@
