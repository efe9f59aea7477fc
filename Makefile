# Two commands do everything: `make book` and `make test`. `make help` lists the rest.
PRESET ?= smoke
PORT   ?= 8000
JOBS   ?= auto
VENV   := .venv
comma  := ,
BIN    := $(VENV)/bin

# The first interpreter that is new enough; name another with `make book PYTHON=...`.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)

# TORCH=cpu takes the lock with the CPU build of PyTorch, on Linux; later calls keep to it until TORCH=default.
TORCH ?= $(if $(wildcard $(VENV)/.torch-cpu),cpu,default)
ifeq ($(filter cpu default,$(TORCH)),)
$(error TORCH=$(TORCH) is unknown: use cpu or default)
endif
ifeq ($(TORCH)-$(shell uname -s),cpu-Linux)
LOCK := requirements-cpu.txt
else
LOCK := requirements.txt
endif

# Stamps carry checksums: a new lock makes a new environment, an untouched one is reused,
# and an installation that was cut off leaves no stamp.
LOCK_STAMP    := $(VENV)/.lock-$(shell cksum < $(LOCK) | cut -d' ' -f1)
PACKAGE_STAMP := $(VENV)/.package-$(shell cksum < pyproject.toml | cut -d' ' -f1)
JUPYTER_STAMP := $(VENV)/.jupyter

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A venv of the caller's must not leak into ours.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help book chapter validate test test-long check serve jupyter lint lock setup clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10
	@echo "Presets: make book PRESET=smoke (CPU, minutes) | laptop (more minutes) | full (GPU)"

book: setup  ## execute and render the book (PRESET=smoke|laptop|full); prints where the page is
	@$(BIN)/colu book build --preset $(PRESET) --jobs $(JOBS)

chapter: setup  ## execute one chapter and render its page alone (make chapter N=11); prints where it is
	@test -n "$(N)" || { echo "Which chapter? Say make chapter N=11"; exit 2; }
	@$(BIN)/colu book chapter $(N) --preset $(PRESET)

validate: setup  ## run the executed notebooks a second time and compare; the site then says so
	@$(BIN)/colu book validate --preset $(PRESET) --jobs $(JOBS)

test: setup  ## style, unit tests and docstring examples
	@$(BIN)/ruff check .
	@$(BIN)/python -m pytest -n auto --dist loadfile -q

test-long: setup  ## whole programs and all combinations, of which `make test` takes some
	@$(BIN)/python -m pytest -m long -n auto --dist loadfile -q

check: setup  ## examine the site that `make book` built, in headless Chromium too, and the wheel
	@$(BIN)/python -m pytest checks -n auto --dist loadfile -q --ignore checks/test_speed.py
	@# Alone, as it measures how soon a page is shown.
	@$(BIN)/python -m pytest checks/test_speed.py -q

serve: setup  ## show the built site on http://127.0.0.1:$(PORT)
	@test -f _build/html/index.html || { echo "No site yet: run 'make book' first."; exit 1; }
	@echo "http://127.0.0.1:$(PORT)/  (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

jupyter: setup $(JUPYTER_STAMP)  ## open the notebooks in JupyterLab; claims and theorems are readable there
	@$(BIN)/jupyter-lab notebooks

# Of use to those who edit alone, so not in the lock, which it leaves as it is.
$(JUPYTER_STAMP): $(LOCK_STAMP)
	@echo "Installing JupyterLab and its MyST extension into $(VENV) (once)"
	@# The versions of the lock without its checksums: with them pip takes nothing that has none.
	@sed -e '/^ *--hash/d' -e 's/ *\\$$//' requirements.txt > $(VENV)/.versions
	@$(BIN)/python -m pip install --quiet -c $(VENV)/.versions jupyterlab jupyterlab-myst
	@touch $@

lint: setup  ## style of the code, and the rules for notebooks and claims
	@$(BIN)/ruff check .
	@$(BIN)/colu book lint

setup: $(LOCK_STAMP) $(PACKAGE_STAMP)

$(LOCK_STAMP):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found: install it, or run make with PYTHON=/path/to/python"; exit 1; }
	@test "$(TORCH)-$(LOCK)" != cpu-requirements.txt || echo "TORCH=cpu is for Linux: the usual lock has no CUDA here"
	@echo "Installing $(LOCK) into $(VENV) with $(PYTHON) (once: a few minutes$(if $(filter requirements.txt,$(LOCK)),$(comma) about 6 GB$(comma) most of it PyTorch))"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -r $(LOCK)
	@touch $@ $(if $(filter requirements-cpu.txt,$(LOCK)),$(VENV)/.torch-cpu)

$(PACKAGE_STAMP): $(LOCK_STAMP)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.package-* && touch $@

lock:  ## resolve pyproject.toml afresh into requirements.txt and requirements-cpu.txt
	@sh .ci/lock "$(PYTHON)"

clean:  ## remove the site and the executed copies; recorded results/ stay
	rm -rf _build executed build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
