# The only task file. `make demo` and `make test` install what they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# A uv on PATH is used when it runs; otherwise one is installed into .tools with whatever python3 there is.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/uv/bin/uv)
UV_FILE := $(if $(filter uv,$(UV)),,.tools/uv/bin/uv)
PY := .venv/bin/python
SAM := SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/.venv/bin:$$PATH" .tools/sam/bin/sam
LAYER := layers/darkroom/src/requirements.txt
OUT ?= out
CASE ?= events/case.json

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: setup
setup: .venv/.ready .tools/emulator/.ready .local/layer/.ready ## install everything `make demo` and `make test` need

.PHONY: demo
demo: setup ## run a 14-image case on the local stack; its pictures go to $(OUT)/
	@$(PY) -m local.demo --case "$(CASE)" --out "$(OUT)"

.PHONY: local
local: setup ## keep the local stack running; its addresses are in .local/stack.json
	@$(PY) -m local.serve

.PHONY: submit
submit: .venv/.ready ## send CASE=file to the stack of `make local`
	@$(PY) -m local.submit --case "$(CASE)" --out "$(OUT)"

.PHONY: doctor
doctor: .venv/.ready ## check the deployment STACK, or the local stack, from outside; DRAW=1 makes a real picture
	@$(PY) -m ops.doctor $(if $(STACK),--stack "$(STACK)") $(if $(DRAW),--draw) $(if $(YES),--yes)

.PHONY: compare
compare: .venv/.ready ## compare two sets of results: OLD=folder NEW=folder
	@$(PY) -m ops.compare --old "$(OLD)" --new "$(NEW)"

.PHONY: sam-local
sam-local: ## run every function and a whole case in Lambda's containers, on the local stack
	@rm -f .local/sam/passed
	@$(MAKE) --no-print-directory setup .local/build/template.yaml
	@$(PY) -m local.sam_local

.PHONY: token
token: .venv/.ready ## make a bearer token for the caller NAME with SCOPES="submit read"
	@$(PY) -m ops.token --name "$(NAME)" $(if $(SCOPES),--scopes "$(SCOPES)")

.PHONY: test
test: setup .tools/sam/.ready ## run all tests in two processes, with SAM CLI and `sam build`; ARGS go to pytest, tests named there run in one
	$(PY) -m pytest $(if $(findstring tests/,$(ARGS)),,$(PARALLEL)) $(ARGS)
# Two, however many processors there are: the stack's tests, which mostly wait, and all others.
PARALLEL := -n 2

.PHONY: browser
browser: setup .tools/browser/.ready ## drive the page in Chromium on the local stack; pictures of it in out/screenshots/
	@command -v chromium >/dev/null || { echo "The tests of the page need Chromium: apt-get install chromium, or the like."; exit 1; }
	.tools/browser/bin/python -m pytest tests/browser $(ARGS)

.PHONY: simulate
simulate: .venv/.ready ## run SEEDS=n random worlds of faults, or SEED=k with its trace
	@$(PY) -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),2000)) $(if $(FIRST),--first $(FIRST))

.PHONY: mutants
mutants: .venv/.ready ## break the package in one small place at a time: a test must notice; AREA=engine EVERY=5
	@$(PY) -m tests.mutants $(if $(AREA),--area $(AREA)) $(if $(EVERY),--every $(EVERY))

.PHONY: bench
bench: .venv/.ready .tools/bench/.ready ## measure the worker against the algorithm it replaces, and the picture path
	@$(PY) -m bench.speed $(ARGS)
	@echo
	@.tools/bench/bin/python -m bench.images

.PHONY: cold
cold: .venv/.ready .local/build/template.yaml ## measure what each function's cold start costs
	@$(PY) -m bench.cold_start

.PHONY: load
load: setup ## send CASES=10 to the local stack, with the provider's quota on (QUOTA=requests a minute)
	@$(PY) -m bench.load --cases $(or $(CASES),10) $(if $(QUOTA),--quota $(QUOTA))

.PHONY: soak
soak: setup ## MINUTES=30 of random cases, faults, kills, cancels and retries on the local stack
	@$(PY) -m bench.load.soak --minutes $(or $(MINUTES),30)

.PHONY: bench-recovery
bench-recovery: setup ## kill KILLS=20 workers on the local stack, and measure how soon others continue
	@$(PY) -m bench.recovery --kills $(or $(KILLS),20)

.PHONY: growth
growth: .venv/.ready ## count the AWS requests of a case of 1 to 100 pictures, its size, and the cost of a sweep
	@$(PY) -m bench.usage.growth

.PHONY: cost
cost: .venv/.ready ## write docs/measurements/cost.md from counted requests and dated prices
	@$(PY) -m bench.usage.cost

.PHONY: fleet
fleet: .venv/.ready ## simulate thousands of cases a minute: throughput, delay, fairness, what breaks; ARGS="--only TEXT"
	@$(PY) -m bench.fleet $(ARGS)

.PHONY: coverage
coverage: setup .tools/sam/.ready ## run all tests and show their coverage, which pyproject.toml bounds from below
	$(PY) -m pytest $(PARALLEL) --cov $(ARGS)

.PHONY: lint
lint: .venv/.ready ## check format, lint, types, import contracts and spelling: the quick part of `make check`
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	.venv/bin/codespell

.PHONY: check
check: lint .tools/sam/.ready .tools/lint/.ready ## what CI does on each machine: lint, template lint, tests with their coverage
	$(SAM) validate --lint
	.tools/lint/bin/cfn-lint template.yaml --append-rules cfn_lint_serverless.rules
	@.tools/lint/bin/checkov --config-file .checkov.yaml
	$(MAKE) coverage

.PHONY: format
format: .venv/.ready ## format the code and mend what the linter can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

SOURCES := template.yaml $(LAYER) layers/darkroom/src/Makefile $(shell find functions layers/darkroom/src/darkroom -type f -not -name '*.pyc')

.PHONY: build
build: .aws-sam/build/template.yaml ## sam build
.aws-sam/build/template.yaml: $(SOURCES) | .venv/.ready .tools/sam/.ready
	$(SAM) build

# The same, for tests.
.local/build/template.yaml: $(SOURCES) | .venv/.ready .tools/sam/.ready
	$(SAM) build --build-dir .local/build >.local/build.log 2>&1 || { cat .local/build.log; exit 1; }

.PHONY: openapi
openapi: .venv/.ready ## write the API description from the handlers
	$(PY) -m local.openapi

.PHONY: lock
lock: $(UV_FILE) ## pin the dependencies again; UPGRADE=1 takes the newest
	$(UV) pip compile $(LOCK_FLAGS) layers/darkroom/pyproject.toml -o $(LAYER)
	$(UV) pip compile $(LOCK_FLAGS) layers/darkroom/pyproject.toml clients/python/pyproject.toml --group dev -c $(LAYER) -o requirements/dev.txt
	$(UV) pip compile $(LOCK_FLAGS) layers/darkroom/pyproject.toml clients/python/pyproject.toml --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(UV) pip compile $(LOCK_FLAGS) layers/darkroom/pyproject.toml clients/python/pyproject.toml --group dev --group browser -c requirements/dev.txt -o requirements/browser.txt
	$(UV) pip compile $(LOCK_FLAGS) --group emulator -o requirements/emulator.txt
	$(UV) pip compile $(LOCK_FLAGS) --group sam -o requirements/sam.txt
	$(UV) pip compile $(LOCK_FLAGS) --group lint -o requirements/lint.txt
LOCK_FLAGS := -q --universal --generate-hashes --python-version 3.13 --custom-compile-command "make lock" --no-emit-index-url $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove everything made here
	rm -rf .venv .tools .local .aws-sam out

.tools/uv/bin/uv:
	python3 -m venv .tools/uv
	.tools/uv/bin/python -m pip install -q --disable-pip-version-check uv

.venv/.ready: requirements/dev.txt layers/darkroom/pyproject.toml clients/python/pyproject.toml .python-version $(UV_FILE)
	$(UV) venv -q --clear .venv
	$(UV) pip install -q --python $(PY) --require-hashes -r requirements/dev.txt
	$(UV) pip install -q --python $(PY) --no-deps -e layers/darkroom -e clients/python
	touch $@

.tools/emulator/.ready: requirements/emulator.txt .python-version $(UV_FILE)
	$(UV) venv -q --clear .tools/emulator
	$(UV) pip install -q --python .tools/emulator/bin/python --require-hashes -r requirements/emulator.txt
	touch $@

.tools/browser/.ready: requirements/browser.txt layers/darkroom/pyproject.toml .python-version $(UV_FILE)
	$(UV) venv -q --clear .tools/browser
	$(UV) pip install -q --python .tools/browser/bin/python --require-hashes -r requirements/browser.txt
	$(UV) pip install -q --python .tools/browser/bin/python --no-deps -e layers/darkroom -e clients/python
	touch $@

.tools/bench/.ready: requirements/bench.txt layers/darkroom/pyproject.toml .python-version $(UV_FILE)
	$(UV) venv -q --clear .tools/bench
	$(UV) pip install -q --python .tools/bench/bin/python --require-hashes -r requirements/bench.txt
	$(UV) pip install -q --python .tools/bench/bin/python --no-deps -e layers/darkroom -e clients/python
	touch $@

.tools/sam/.ready: requirements/sam.txt .python-version $(UV_FILE)
	$(UV) venv -q --clear .tools/sam
	$(UV) pip install -q --python .tools/sam/bin/python --require-hashes -r requirements/sam.txt
	touch $@

.tools/lint/.ready: requirements/lint.txt .python-version $(UV_FILE)
	$(UV) venv -q --clear .tools/lint
	$(UV) pip install -q --python .tools/lint/bin/python --require-hashes -r requirements/lint.txt
	touch $@

# What the layer holds besides our own code, for the interpreter of this machine (`sam build` makes the one for Lambda).
.local/layer/.ready: $(LAYER) .python-version $(UV_FILE)
	rm -rf .local/layer
	$(UV) pip install -q --target .local/layer/python --compile-bytecode --require-hashes -r $(LAYER) --python .venv/bin/python
	touch $@
.local/layer/.ready: | .venv/.ready
