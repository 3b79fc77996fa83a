# Everything a developer does here. `make help` lists it; each target sets up what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.ready
PEERS := build/npm/.ready

.DEFAULT_GOAL := help
.PHONY: help setup peers nats cluster demo test test-cluster check lint types contracts generated generate format images skill-image images-lock engine bench bench-compose bench-cluster clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(SETUP) ## make .venv with the workspace in it
$(SETUP): requirements-dev.txt $(wildcard */pyproject.toml sidecars/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m compileall -q protocol runner ipc-bridge sidecars memory bus-auth controller cli
	touch $@

peers: $(PEERS) ## programs from the npm registry that tests speak with
$(PEERS): tests/npm/package.json tests/npm/.npmrc
	@if command -v npm >/dev/null; then \
		mkdir -p $(@D) && cp $^ $(@D) && cd $(@D) && npm install && touch .ready; \
	else echo "There is no npm: the tests that speak with programs from its registry are skipped."; fi

nats: ## a nats-server for tests: Debian's, where there is none that is new enough
	@bash tests/support/nats-server.sh || echo "There is no nats-server: the tests that need one are skipped."

cluster: ## a Kubernetes for tests: built here, once, in some 7 minutes; needs go
	@if ! bash tests/cluster/kubernetes/build.sh; then \
		echo "There is no Kubernetes: the tests that need one are skipped."; \
	elif ! bash tests/cluster/kubernetes/build.sh --node; then \
		echo "There is no node for Kubernetes: the tests that run pods are skipped."; fi

demo: $(SETUP) ## a run that investigates a service that the demo breaks, with one approval
	$(BIN)/python -m demo

test: $(SETUP) $(PEERS) nats ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-cluster: $(SETUP) $(if $(TEST_KUBECONFIG),,cluster) ## tests of a Kubernetes; TEST_KUBECONFIG=... for one of your own
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/cluster

check: lint types contracts generated ## everything that needs no running program

lint: $(SETUP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(SETUP) ## mypy --strict
	$(BIN)/mypy

contracts: $(SETUP) ## who may import whom
	$(BIN)/lint-imports

generated: $(SETUP) ## generated files are up to date
	$(BIN)/python -m sympozium_protocol.schemas --check protocol/schemas/v1
	$(BIN)/python -m sympozium_protocol.bus.asyncapi --check docs/asyncapi.json
	$(BIN)/python -m sympozium_controller.crds --check controller/crds

generate: $(SETUP) ## write the generated files
	$(BIN)/python -m sympozium_protocol.schemas --write protocol/schemas/v1
	$(BIN)/python -m sympozium_protocol.bus.asyncapi --write docs/asyncapi.json
	$(BIN)/python -m sympozium_controller.crds --write controller/crds

format: $(SETUP) ## ruff, mending what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

images: $(SETUP) ## every image, and how large it is (docs/images.md)
	PYTHON=$(BIN)/python bash images/make.sh

skill-image: $(SETUP) ## an image for a pack of your own: SKILL=skill-disks BINARIES="df du"
	@test -n "$(SKILL)" || { echo "name it and its programs: make skill-image SKILL=skill-disks BINARIES=\"df du\""; exit 1; }
	SKILL="$(SKILL)" BINARIES="$(BINARIES)" PYTHON=$(BIN)/python bash images/make.sh own-skill

images-lock: $(SETUP) ## renew the versions of what images are made from
	PYTHON=$(BIN)/python bash images/lock.sh

engine: ## a Docker engine for tests, on a Debian machine without one
	bash tests/compose/engine/engine.sh

bench: $(SETUP) ## measure against the floors (docs/benchmarks.md)
	$(BIN)/python -m bench

bench-compose: $(SETUP) ## measure runs in containers (docs/benchmarks.md)
	$(BIN)/python -m bench compose

bench-cluster: $(SETUP) cluster ## measure runs in a cluster (docs/benchmarks.md)
	$(BIN)/python -m bench cluster

clean: ## remove what was made here
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
