# make demo   sets everything up and runs a three-party study on this machine
# make test   sets everything up and passes the tests
# make help   the rest
#
# From plain PyPI, torch brings its CUDA libraries. To install its CPU build, set
# PIP_EXTRA_INDEX_URL to PyTorch's index of CPU wheels.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev

.PHONY: demo test check bench audit protos docker-demo clean help

help:
	@sed -n 's/^## //p' Makefile

## demo         set up and run scenarios/visits among three parties; report in out/visits
demo: $(DEMO)
	$(BIN)/python scenarios/visits/recipe.py --out $(OUT)/data
	rm -rf $(OUT)/visits
	$(BIN)/parley simulate scenarios/visits/scenario.yaml --data $(OUT)/data --out $(OUT)/visits --truth

## test         set up and pass every test but the long ones
test: $(DEV)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m "not long" $(ARGS)

## check        style, types, import contracts (under a minute)
check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy mpc parties
	$(BIN)/lint-imports

## bench        timings: lanes, the linear study against plain SQL, the kernel against CrypTen
bench: $(DEV)
	$(BIN)/python -m tests.bench.lanes
	$(BIN)/python -m tests.bench.linear
	PYTHONPATH=tests $(BIN)/python -m tests.bench.kernel

## audit        the long audits: privacy, the kernel by cases and by seeds, dirty tables, 16 nodes
audit: $(DEV)
	$(BIN)/python -m pytest -m long tests/privacy tests/protocol tests/unit/data tests/e2e

## protos       regenerate what protos/*.proto give
protos: $(DEV)
	PATH="$(CURDIR)/$(BIN):$$PATH" protos/generate.sh

## docker-demo  the same study across containers
docker-demo:
	docker/smoke.sh

## clean        remove the environment and results
clean:
	rm -rf $(VENV) $(OUT)

$(DEMO): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

$(DEV): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo,dev]'
	touch $@ $(DEMO)
