# Two commands on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
# Each makes the environment it needs in .venv by itself, from the locked requirements.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# What takes longest, a minute or so a file: whole demonstrations, moves between servers, the whole path at any restart.
LATER := tests/benchmarks tests/acceptance/test_demo.py tests/acceptance/test_influx_demo.py \
  $(addprefix tests/integration/test_,rabbitmq.py scale_out.py moving.py faults_quick.py) \
  $(addprefix tests/properties/test_whole_path_,is_a_backtest.py restarts.py)
# Tests write many small files and sync each to the disk: in memory, where there is room, they take a quarter less time.
TEMPROOT := $(shell test -w /dev/shm && test "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 && echo /dev/shm)

.PHONY: demo bench test test-later promises test-containers lint check chaos docs lock clean help

help:                      ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Caretaker needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 2; }
	@touch $@

$(VENV)/.server: $(VENV)/.python requirements/server.txt pyproject.toml
	@echo "Installing Caretaker into $(VENV) (once, about half a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/server.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.server requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.server      ## a watched canteen on this machine; ARGS="--for 90s" ends by itself
	@$(BIN)/caretaker demo $(ARGS)

test: $(VENV)/.dev         ## every check: style, types, import contracts, tests
	@$(MAKE) --no-print-directory lint
	@$(if $(TEMPROOT),PYTEST_DEBUG_TEMPROOT=$(TEMPROOT)) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(addprefix --ignore ,$(LATER)) $(ARGS)

test-later: $(VENV)/.dev   ## what `make test` leaves out to stay quick
	@$(if $(TEMPROOT),PYTEST_DEBUG_TEMPROOT=$(TEMPROOT)) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(LATER) $(ARGS)

test-containers: $(VENV)/.dev  ## the contract suites on servers in containers: eval "$(tests/images/build)" first
	@CARETAKER_TEST_REQUIRE_CONTAINERS=1 $(if $(TEMPROOT),PYTEST_DEBUG_TEMPROOT=$(TEMPROOT)) $(BIN)/python -m pytest \
	  --numprocesses 2 --dist loadfile tests/contract tests/integration/test_ingest_mosquitto.py $(ARGS)

bench: $(VENV)/.server     ## how fast this machine is; ARGS="--quick" is the short form
	@$(BIN)/caretaker bench $(ARGS)

lint: $(VENV)/.dev         ## style, types and import contracts only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

promises: $(VENV)/.dev     ## the rule engine's promises, 1,000 examples each
	@CARETAKER_TEST_PROFILE=long $(if $(TEMPROOT),PYTEST_DEBUG_TEMPROOT=$(TEMPROOT)) $(BIN)/python -m pytest --numprocesses 2 \
	  --dist worksteal --timeout 1800 $(addprefix tests/properties/,test_engine_promises.py test_signal_promises.py \
	  test_joint_promises.py test_backtest_is_live.py test_left_alone.py test_long_stories_of_several.py) $(ARGS)

chaos: $(VENV)/.dev        ## break real installations and count what is lost; ARGS="--quick" is the short form
	@$(BIN)/python -m tests.faults $(ARGS)

docs: $(VENV)/.dev         ## regenerate what the docs take from the code (diagram, screenshots)
	@$(BIN)/python docs/generate.py

lock: $(VENV)/.python      ## resolve the requirements again
	@$(BIN)/python -m pip install --quiet uv==0.13.9
	@for set in "agent:" "server:--extra server -c requirements/agent.txt" "dev:--extra server --group dev -c requirements/server.txt"; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" $${set#*:} pyproject.toml -o requirements/$${set%%:*}.txt || exit 1; done

clean:                     ## remove the environment and all caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
