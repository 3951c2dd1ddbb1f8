# make demo   draw faces, train two methods, write scores and pictures to demo/index.html
# make test   run the tests
# make check  check formatting, lint and types
# make bench  measure the speed of every part, next to a reference and the limit of the machine
# make docs   build the documentation as a site, in site/, and check its links
# make dist   build and check the wheel and the source distribution, in dist/
# Each target creates .venv if it is missing. PYTHON selects the interpreter (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin
ARGUMENTS = --quiet --constraint constraints.txt --editable
PIP = $(BIN)/python -m pip install $(ARGUMENTS)
# On Linux, pip brings 5 GB of GPU libraries with torch. uv, where it is installed, leaves them out if there is no GPU.
UV = command -v uv >/dev/null && uv pip install --python $(BIN)/python --torch-backend auto $(ARGUMENTS)

.PHONY: demo test check bench docs dist clean

demo: .venv/ready
	$(BIN)/omote demo --to demo

# two workers with one thread each: more threads would spin while waiting for each other
test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python benchmarks/speed.py

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	$(BIN)/linkchecker --no-status site/index.html

dist: .venv/release
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(UV) ".[dev]" || $(PIP) ".[dev]"
	touch $@

.venv/docs: .venv/ready
	$(PIP) ".[docs]"
	touch $@

.venv/release: .venv/ready
	$(PIP) ".[release]"
	touch $@

clean:
	rm -rf .venv
