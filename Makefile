# What one does with this project. `make help` lists it.
#
# Every target sets up what it needs: a virtual environment from the lock, in .venv. Nothing needs
# root, and nothing is installed outside this folder, but for a container engine by `make e2e`, which
# it installs only as root, on Debian, where none answers.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
ROWS ?= 300000
FLOOD ?= 10000
SECONDS ?= 180
DATABASE ?= postgresql
SEED ?=
# Twice as many as processors: most tests wait for processes of their own. Whoever is done takes over
# what waits for the others: long tests stand side by side in few files.
TEST_OPTIONS ?= -n $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN)) --dist worksteal --durations=10
SOAK := tests/faults/test_soak.py
E2E_OPTIONS ?= --durations=10 -v
FOR_DEVELOPERS := $(BIN)/.dev
FOR_USERS := $(BIN)/.cli

.DEFAULT_GOAL := help
.PHONY: help demo test flood faults soak e2e lint bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(FOR_USERS) ## Run it all with sample data and export a month (ONCE=1 stops then; PORT=8001)
	$(BIN)/bulkhead demo --port $(PORT) $(if $(ONCE),--once)

test: $(FOR_DEVELOPERS) ## Run the tests against real servers, databases and processes
	$(BIN)/python -m pytest $(TEST_OPTIONS)

flood: $(FOR_DEVELOPERS) ## Deliver 11,000 notifications beside exports (FLOOD=10000)
	FLOOD=$(FLOOD) $(BIN)/python -m pytest -s tests/system/test_many_notifications.py

# One process: the tests share one set of containers, and each leaves it as it found it.
e2e: $(FOR_DEVELOPERS) ## Run the containers on a real engine and test them from outside
	engine=$$(bash tests/e2e/engine.sh) && eval "$$engine" && \
	  $(BIN)/python -m pytest $(E2E_OPTIONS) tests/e2e

lint: $(FOR_DEVELOPERS) ## Check style, types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: $(FOR_DEVELOPERS) ## Run the fault suite with the product's own lease, heartbeat and sweep
	FAULTS_PACE=product $(BIN)/python -m pytest -n 4 --deselect $(SOAK) tests/faults

soak: $(FOR_DEVELOPERS) ## Kill at random for SECONDS=180, then check everything (SEED=, DATABASE=sqlite)
	SOAK_SECONDS=$(SECONDS) SOAK_DATABASE=$(DATABASE) SOAK_SEED=$(SEED) \
	  $(BIN)/python -m pytest -s $(SOAK)

bench: $(FOR_DEVELOPERS) ## Compare the speed of writing xlsx with openpyxl, in one run (ROWS=300000)
	$(BIN)/python -m benchmarks --rows $(ROWS)

lock: $(BIN)/python ## Compile requirements/*.txt anew from pyproject.toml
	rm -rf $(VENV)/lock
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	sh requirements/compile.sh $(VENV)/lock/bin/uv
	rm -rf $(VENV)/lock

clean: ## Remove the virtual environment and the demo's data
	rm -rf $(VENV) .bulkhead

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Bulkhead needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python lacks venv. Install the package python3-venv, e.g.:"; \
	    echo "  apt-get install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes -r requirements/build.txt -r
ITSELF := $(INSTALL) --no-deps --no-build-isolation --editable .

$(FOR_USERS): requirements/cli.txt requirements/build.txt pyproject.toml $(BIN)/python
	$(LOCKED) requirements/cli.txt
	$(ITSELF)
	@touch $@

$(FOR_DEVELOPERS): requirements/dev.txt requirements/build.txt pyproject.toml $(BIN)/python
	$(LOCKED) requirements/dev.txt
	$(ITSELF)
	@touch $@ $(FOR_USERS)
