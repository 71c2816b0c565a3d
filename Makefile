# make demo    install, then check and fit the theophylline study and write its report
# make test    install, then run the tests
# make test-long  the same, with the long tests
# make figures the numbers the project claims, each measured now
# make bench   forward simulation timed against the programs that users have (about an hour)
# make lint    style, types and the order of the rooms
#
# PY            the Python to build the environment with (3.11 or newer)
# VENV          where the environment goes
# TORCH_INDEX   an index to take torch from first, e.g. the one that carries its CPU build
# JOBS          test processes
PY          ?= python3
VENV        ?= .venv
TORCH_INDEX ?=
JOBS        ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-long figures bench lint clean

demo: $(VENV)/.run
	$(BIN)/pbpkc demo

# One thread a process: the matrices are small, and two processes would fight for the cores.
# Each takes half of the files and then what is left, so that what a file prepares is mostly made once.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

# The same, with the tests that take longer than a suite may.
test-long: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal --long

# The numbers the project claims, measured now and printed beside what they have to stay below.
figures: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --figures

# pip puts the peers into an environment of their own, build/bench-peers/env; the tables go beside it.
bench: $(VENV)/.run
	$(BIN)/pbpkc bench solvers -o build/bench-peers

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A new environment of Python 3.11 has a pip that knows no dependency groups, hence the upgrade.
$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PY) -m venv $(VENV)
	$(PIP) install -U 'pip>=25.1'
	$(if $(TORCH_INDEX),$(PIP) install -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install -c constraints.txt -e . --group dev
	touch $@
