# make demo   faces drawn -> four methods trained -> scores and pictures in demo/index.html
# make test   the tests
# make check  formatting, lint and types
# make bench  the speed of everything, each line beside a reference and the machine's limit
# Each of them makes .venv first where it is missing. PYTHON names another interpreter (3.11 or 3.12).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/ready
	$(BIN)/omote demo --to demo

# two workers of one thread each: threads that wait for each other spin
test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python benchmarks/speed.py

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv
