# Everything is set up by the target that needs it; `make demo` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tests that start no appliance and no cloud; the others are for `make test`.
FAST := tests/test_architecture.py tests/cli tests/converter tests/docs/test_generated.py \
	$(filter-out tests/exchange/test_stores.py,$(wildcard tests/exchange/test_*.py)) \
	tests/provision/test_addresses.py tests/provision/test_reading.py tests/provision/test_rendering.py

# Four processes on two cores, since many tests wait: three left a third of both unused. Tests of one file run in one of
# them, in their order: what a module starts is started once. By `--dist loadgroup` they would not: pytest-xdist 3.8
# groups nothing with pytest 9.2 (pytest-dev/pytest-xdist#1386).
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test vmtest check bench docs image live lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## set up, then walk the whole road on the embedded cloud
	$(BIN)/gurney demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.system  ## set up, then run the tests
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not vm and not long" $(ARGS)
	$(BIN)/pytest -m "vm and not long" $(ARGS) || [ $$? -eq 5 ]  # 5: ARGS chose none of these

vmtest: $(VENV)/.dev $(VENV)/.system  ## build the appliance's image, boot it in qemu, and test what only a machine shows
	@sh tests/system-packages.sh $$(cat tests/live/system-packages.txt)
	$(BIN)/pytest -m "vm or long" $(ARGS)

check: $(VENV)/.dev  ## the fast loop: format, lint, types, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "not slow" $(FAST) $(ARGS)

bench: $(VENV)/.dev $(VENV)/.system  ## measure against the named peers
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/.dev  ## write the generated pages of docs/reference anew
	$(BIN)/python docs/generate.py

image: $(VENV)/.run  ## build the appliance's image, gurney-appliance.qcow2
	$(BIN)/gurney appliance build -o gurney-appliance.qcow2 $(ARGS)

live: $(VENV)/.dev  ## run the live-marked tests: on the front end that ONE_XMLRPC names, else on one in a Vagrant box
	@sh tests/live/run.sh $(BIN)/pytest $(ARGS)

lock:  ## choose the newest fitting versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gurney needs Python 3.11 or newer; name one with make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh tests/system-packages.sh python3-venv
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.system: tests/system-packages.txt tests/image/system-packages.txt tests/system-packages.sh
	@sh tests/system-packages.sh $$(cat tests/system-packages.txt tests/image/system-packages.txt)
	@touch $@
