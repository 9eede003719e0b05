# Two commands: `make run` serves, `make test` passes. Needs python3 (3.11+), python3-venv and make.
PYTHON ?= python3
BIN := .venv/bin
# Not `?=`: some shells export HOST, and the service must not listen there by surprise.
HOST = 127.0.0.1
PORT = 8000

.DEFAULT_GOAL := help
.PHONY: help setup run test prove fuzz sweep serializable mutants crash reliability bench demo lint format audit image lock

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## Prepare .venv with everything pinned

.venv/ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed." if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: setup ## Migrate and serve on 127.0.0.1:8000
	$(BIN)/bank migrate
	$(BIN)/bank serve --host $(HOST) --port $(PORT)

test: setup ## The whole suite, on SQLite and on PostgreSQL
	$(BIN)/pytest -n 2

prove: setup ## Random histories against the model: COMMANDS=50000 a database, SEED=1
	$(BIN)/pytest --no-cov -q -n 2 --hypothesis-profile=prove tests/model

fuzz: setup ## Hostile requests to every place of every route: SEED=1
	FUZZ=long $(BIN)/pytest --no-cov -q -n 2 tests/fuzz

sweep: setup ## Let each statement and COMMIT of every write fail in every way
	SWEEP=thorough $(BIN)/pytest --no-cov -q -n 2 tests/sweep

serializable: setup ## The tests on PostgreSQL, with writers under SERIALIZABLE
	WRITER_ISOLATION=SERIALIZABLE $(BIN)/pytest --no-cov -n 2 -k "not sqlite" \
		tests/services tests/integration tests/concurrency tests/sweep

mutants: setup ## Change money, ledger and idempotency in small ways: does a test notice each?
	$(BIN)/python -m tests.mutants

demo: setup ## A story of two people and their money, against a server of its own
	$(BIN)/python -m demo.story

crash: setup ## Kill the service and its database under load: KILLS=20 a database
	ROW=kills $(BIN)/python -m reliability

reliability: setup ## Run the proofs and add to the report; one: ROW=kills make reliability
	$(BIN)/python -m reliability

bench: setup ## Measure everything; a part: CELLS=transfer-uniform ROUNDS=1 SECONDS=2
	$(BIN)/python -m benchmarks

lint: setup ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Rewrite the code in the one style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: setup ## Known vulnerabilities of what runs in production
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt

image: setup ## Build, run and check the image without Docker (root, buildah, debootstrap)
	$(BIN)/python scripts/image.py

lock: setup ## Pin the newest releases that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url \
		--generate-hashes --custom-compile-command "make lock" --extra dev -c requirements.txt \
		pyproject.toml -o requirements-dev.txt
