# Everything here sets itself up: Python 3.11 or newer and make are all that is needed.
#   make demo    a small pretend course, checked, rerun, scored and on a leaderboard
#   make test    the tests
#   make lint    ruff and mypy
#   make bench   the benchmarks, written to tests/benchmarks/RESULTS.md (about half an hour on two cores)
#   make soak    a class of 1 000 students, scored to the end

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo

.PHONY: demo test lint bench soak clean
.DELETE_ON_ERROR:

demo: $(VENV)/.grading
	$(BIN)/grader demo $(DEMO)
	$(BIN)/grader check --course $(DEMO) $(DEMO)/submissions || [ $$? -eq 1 ]  # some pretend students fall short
	$(BIN)/grader rerun --course $(DEMO) --sample 5 || [ $$? -le 2 ]  # two do not reproduce; 2: it says what is missing
	$(BIN)/grader leaderboard --course $(DEMO)

test: $(VENV)/.test
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

soak: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks.soak

clean:
	rm -rf $(VENV) demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python's venv module is needed (Debian, Ubuntu: apt install python3-venv)"; exit 1; }

$(VENV)/.grading: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[grading,rerun,tells]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[grading,rerun,cluster,tells,test]'
	@touch $@ $(VENV)/.grading
