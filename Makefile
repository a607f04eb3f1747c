# Everything that the project can be asked to do. `make` or `make help` lists it.

PROFILE ?= quick
FACES ?= synthetic
SEED ?= 0
SEEDS ?= 0-9

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READING := $(VENV)/.reading
LOCK := $(if $(filter cpu,$(TORCH)),$(VENV)/cpu.lock,requirements.lock)
BUILD := $(or $(TINYVGG_HOME),.)/build
SMOKE := $(BUILD)/smoke
TO ?= $(BUILD)/published
TIMES := $(BUILD)/test-times.txt

# $(call timed,NAME,COMMANDS): run, and note how long it took
timed = @started=$$(date +%s); $(2) && mkdir -p "$(BUILD)" && \
	echo "$(1) $$(( $$(date +%s) - started )) s" | tee -a "$(TIMES)"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif
# All that is done here starts many processes; without bytecode each of them compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup reproduce record crate verify seeds publish notebooks book pdf test lint types unit smoke nbval site \
	format lock release links clean distclean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PROFILE=smoke|quick|paper  FACES=synthetic[:KNOB=VALUE,...]|rafd:PATH|london:PATH|folder:PATH  SEED=N  change what is reproduced; SEEDS=N-M what make seeds does"

# ------------------------------------------------------------------------------------- set-up

setup: $(READY)  ## make the virtual environment from requirements.lock; TORCH=cpu: without CUDA

define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is missing or older than 3.11; name another: make PYTHON=python3.12"; exit 1; }
	@rm -f $@
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make virtual environments; Debian has them in python3-venv"; exit 1; }
	@echo "setting up $(VENV)"
endef

# A half-finished set-up leaves no stamp, so that the next one goes on with it.
$(READY): $(LOCK) pyproject.toml
	$(environment)
	@awk '/^[a-zA-Z0-9]/ { wanted = /^uv==/ } wanted' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python $(if $(TORCH),--torch-backend $(TORCH),--require-hashes) -r $(LOCK)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-build-isolation --editable .
	@touch $@

# PyTorch's builds without CUDA have other hashes, and what they ask for is less.
$(VENV)/cpu.lock: requirements.lock
	@mkdir -p $(VENV)
	@awk '/^[a-zA-Z0-9]/ { of = $$0; sub(/[^a-z0-9].*/, "", of) } \
		of ~ /^(cuda|nvidia|triton)$$/ { next } of ~ /^torch/ { if (/^torch/) print $$1; next } 1' $< > $@

# All that a reader needs to build the committed book.
$(READING): requirements-read.lock
	$(environment)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	@touch $@

# --------------------------------------------------------------------------------- the way through

reproduce: setup  ## render the faces, train, run all notebooks and build their site, under build/
	@$(BIN)/tinyvgg reproduce --profile "$(PROFILE)" --faces "$(FACES)" --seed "$(SEED)"

record: reproduce  ## the same, then ship the networks and renew what is committed: the book and results
	@$(BIN)/tinyvgg record
	@$(MAKE) --no-print-directory crate

crate: setup  ## list the files of results/ anew, with sizes and digests, as an RO-Crate
	@$(BIN)/python tools/crate.py

verify: setup  ## the analysis of the shipped networks, and those of the last `make reproduce`, against what is recorded
	@$(BIN)/tinyvgg verify

seeds: setup  ## train and analyse the networks of SEEDS, into one table: results/seeds.csv for the usual faces
	@$(BIN)/tinyvgg seeds --profile "$(PROFILE)" --faces "$(FACES)" --seeds "$(SEEDS)"

publish: setup  ## copy the site of the last `make reproduce` to TO=FOLDER, if its images may be published
	@$(BIN)/tinyvgg publish "$(TO)" $(if $(CONFIRM),--confirm)

notebooks: setup  ## convert the notebooks' sources for papermill and JupyterLab
	@$(BIN)/tinyvgg notebooks

book: $(if $(wildcard $(READY)),setup,$(READING))  ## build the site from what is committed
	@$(if $(wildcard $(READY)),,PYTHONDONTWRITEBYTECODE=1) $(BIN)/jupyter-book build book

pdf: setup  ## print the whole committed book into one PDF; needs Chromium, or CHROMIUM=PATH of one
	@$(BIN)/python tools/pdf.py book "$(BUILD)/book.pdf"

# ----------------------------------------------------------------------------------------- tests

test: setup  ## everything that guards the project: lint, types, unit, smoke and site, with their times
	@rm -f "$(TIMES)"
	@$(MAKE) --no-print-directory -j 2 SIDE_BY_SIDE=1 lint site types
	@$(MAKE) --no-print-directory unit smoke
	@echo && echo "all passed:" && cat "$(TIMES)"

lint: setup  ## run the linters, of Python and of workflows, and check the format
	$(call timed,lint,$(BIN)/ruff check . && $(BIN)/ruff format --check . && \
		$(BIN)/zizmor --quiet --offline --pedantic --strict-collection .github)

types: setup  ## check the types
	$(call timed,types,$(BIN)/mypy)

unit: setup  ## run the unit tests
	$(call timed,unit,OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal)

smoke: setup  ## run all notebooks at the smoke profile with papermill, then nbval
	$(call timed,smoke,OMP_NUM_THREADS=1 $(BIN)/tinyvgg reproduce --profile smoke --into "$(SMOKE)" --fresh --no-site)
	@$(MAKE) --no-print-directory nbval

nbval: setup  ## the second half of smoke: run them again, and compare all outputs with the first ones
	$(call timed,nbval,OMP_NUM_THREADS=1 $(BIN)/pytest --nbval -n 2 --dist loadscope \
		-p no:cacheprovider -o addopts= -o filterwarnings= "$(SMOKE)"/smoke-synthetic-0-trained/notebooks)

site: setup  ## build the committed book; warnings are errors, and it has to work offline
	$(call timed,site,$(BIN)/tinyvgg site)

# ------------------------------------------------------------------------------------- upkeep

format: setup  ## fix what the linter and the formatter can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

lock: setup  ## renew requirements.lock from requirements.in, keeping what still fits
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header requirements.in --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --group read -c requirements.lock --output-file requirements-read.lock

release: setup  ## build wheel and source distribution, and try both in empty environments
	@PATH="$(abspath $(BIN)):$$PATH" tools/release.sh "$(BUILD)/dist"

links:  ## copy the book's settings where links are not supported (Windows)
	@rm -f book/_config.yml book/_toc.yml
	@cp _config.yml _toc.yml book/

clean:  ## remove what was made here: build/, runs/, the site, caches
	@rm -rf build runs book/_build book/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	@if [ -n "$(TINYVGG_HOME)" ]; then echo "left alone: build and runs in $(TINYVGG_HOME)"; fi

distclean: clean  ## remove the virtual environment, too
	@rm -rf $(VENV) *.egg-info
