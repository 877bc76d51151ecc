# make run: the app. make test: every test, browser included. Both make .venv first; Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint kernels bench clean

run: $(VENV)/app
	$(BIN)/streamlit run app.py

# Whole files to each of two processes, in the order of tests/conftest.py: the longest first.
test: $(VENV)/tests
	$(MAKE) -j2 lint kernels
	$(BIN)/python -m tools.front_end test
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mbsgd_core tools
	$(BIN)/python -m tools.front_end check

# The fast lanes, compiled once. The app does so in the background and runs on torch meanwhile; tests must not wait.
kernels: $(VENV)/app
	$(BIN)/python -m mbsgd_core.kernels

bench: $(VENV)/tests kernels
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.page

$(VENV)/app: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/tests: $(VENV)/app tests/requirements.txt package-lock.json
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	$(BIN)/python -m tools.front_end install
	touch $@

clean:
	rm -rf $(VENV)
