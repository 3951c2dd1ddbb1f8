# make demo   draw faces, train four methods, write scores and pictures to demo/index.html
# make test   run the tests
# make check  check formatting, lint and types
# make bench  measure the speed of every part, next to a reference and the limit of the machine
# Each target creates .venv if it is missing. PYTHON selects the interpreter (3.11 or 3.12).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv/ready
	$(BIN)/omote demo --to demo

# two workers with one thread each: more threads would spin while waiting for each other
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
