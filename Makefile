PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.service ## Read every cheque in samples/ and print a table
	@$(BIN)/cheque-reader read samples

.PHONY: serve
serve: $(VENV)/.service ## Start the service on 127.0.0.1:8080, without keys
	@CHEQUE_AUTH=off $(BIN)/cheque-reader serve

.PHONY: test
test: lint ## Lint, check types and run the tests
	$(BIN)/python -m pytest

.PHONY: kill
kill: $(VENV)/.dev ## Kill the service 100 times while it reads batches, count what is lost
	$(BIN)/python tests/jobs/killing.py 100

.PHONY: bench
bench: $(VENV)/.service ## Measure speed and cost on samples/, or on EVAL=DIR
	$(BIN)/python tests/bench/bench.py $(or $(EVAL),samples) --growth build/bench

.PHONY: profile
profile: $(VENV)/.service ## Show where the time of a reading goes, on samples/ or EVAL=DIR
	$(BIN)/python tests/bench/profiling.py $(or $(EVAL),samples)

.PHONY: overload
overload: $(VENV)/.service ## Offer ten times what the service can read, then slow clients
	@$(BIN)/python tests/api/overload.py

.PHONY: desk-speed
desk-speed: $(VENV)/.dev ## Time the review desk from key press to next cheque (needs chromium)
	$(BIN)/python tests/desk/speed.py

.PHONY: desk-pictures
desk-pictures: $(VENV)/.dev ## Take the README's pictures of the review desk (needs chromium)
	$(BIN)/python tests/desk/screens.py

.PHONY: kill-postgres
kill-postgres: $(VENV)/.dev ## Kill workers on one PostgreSQL at random during a batch of 2,000
	.ci/with-postgres $(BIN)/python tests/jobs/killing_workers.py 2000

.PHONY: s3-server
s3-server: build/s3/.ready ## Install the S3 server that the tests of buckets need

# Apart: what moto needs can't be had beside what the service needs.
build/s3/.ready: | $(BIN)/python
	@$(BIN)/python -m venv build/s3
	@build/s3/bin/python -m pip install --quiet --disable-pip-version-check \
		'moto[s3]==5.2.5' 'flask>=3.1,<4' 'flask-cors>=6,<7'
	@touch $@

.PHONY: lint
lint: $(VENV)/.dev ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

COUNT = 200000

.PHONY: fuzz
fuzz: $(VENV)/.service ## Read COUNT hostile images, guided by coverage where atheris installs
	@test -d build/atheris || $(PIP) --only-binary :all: --target build/atheris 'atheris>=3' || true
	@mkdir -p build/hostile
	@cd build/hostile && PYTHONPATH=$(abspath .):$(abspath build/atheris) OMP_NUM_THREADS=1 \
		nice $(abspath $(BIN))/python $(abspath tests/pipeline/fuzz.py) $(COUNT)

.PHONY: fuzz-api
fuzz-api: $(VENV)/.service build/tools/.installed ## Try the HTTP service with schemathesis
	@tests/api/fuzz.sh $(abspath $(BIN)) $(abspath build/tools/bin) $(EXAMPLES)

# What can't share packages with the service: schemathesis, and a maker of clients.
.PHONY: tools
tools: build/tools/.installed

build/tools/.installed: | $(BIN)/python
	@$(BIN)/python -m venv build/tools
	@build/tools/bin/python -m pip install --quiet --disable-pip-version-check \
		'schemathesis>=4.32' 'openapi-python-client>=0.29'
	@touch $@

EXAMPLES = 100

.PHONY: fuzz-x9
fuzz-x9: $(VENV)/.service ## Read a million damaged cash letters
	$(BIN)/python -m tests.x9.fuzz $(INPUTS)

INPUTS = 1000000

.PHONY: bench-x9
bench-x9: $(VENV)/.service ## Measure how fast cash letters are parsed, and in what memory
	$(BIN)/python -m tests.x9.bench

.PHONY: lock
lock: ## Renew the lock files in requirements/ (needs uv)
	$(call compile,service,)
	$(call compile,traces,--extra traces --constraint requirements/service.txt)
	$(call compile,training,--extra training --constraint requirements/service.txt)
	$(call compile,dev,--extra training --extra traces --extra dev --constraint requirements/training.txt)
	printf 'setuptools>=80\nziglang>=0.15\n' | uv pip compile $(COMPILE) --output-file requirements/build.txt -

COMPILE = --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-package torch --no-annotate \
	--custom-compile-command "make lock"
compile = uv pip compile $(COMPILE) $(2) --output-file requirements/$(1).txt pyproject.toml

# The stamps: a target's packages are installed again only when its lock changes.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is older (set PYTHON=...)" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.service: requirements/build.txt requirements/service.txt pyproject.toml | $(BIN)/python
	@echo "Installing the service into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/service.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/torch.txt $(VENV)/.service
	@echo "Installing what the tests and the training need into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) -r requirements/torch.txt
	@touch $@
