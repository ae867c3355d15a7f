# InBedder Explorer. `make app` and `make test` do all set-up themselves: they need Python 3.11,
# 3.12 or 3.13, install the versions that constraints.txt pins into .venv, and start at once
# every time after that. Works with the make and the sh of Linux and macOS.
#
#? PYTHON=python3.12   the Python that .venv is made with (found by itself)
#? TORCH_INDEX=https://download.pytorch.org/whl/cpu   small torch without CUDA, on first set-up
#? ARGS="..."          more arguments for the app, pytest or a recipe
#? JOURNEYS=0          leaves out the browser journeys
#? CHROMIUM=/path      the browser for the journeys (found or installed by itself)
#? GRADIO_SERVER_PORT=7861, GRADIO_SERVER_NAME=0.0.0.0   where the app listens

RUN := .venv/bin/python
JOURNEYS ?= 1
PIP_QUIET ?= 1
export JOURNEYS PIP_QUIET

.DEFAULT_GOAL := help
.PHONY: help app test check format screenshots opening train evaluate bench clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'Settings, as in "make test JOURNEYS=0":'
	@sed -n 's/^#?/ /p' Makefile

app: .venv/.app-ready ## start the app (the first time, set it up)
	@$(RUN) app.py $(ARGS)

test: .venv/.tests-ready ## run all tests, the browser journeys included
	@[ "$(JOURNEYS)" = 0 ] || CHROMIUM=$$($(RUN) tests/journeys/browser.py) || exit 1; \
	export CHROMIUM; $(RUN) -m pytest $(ARGS)

check: .venv/.tests-ready ## lint, format, types and the rule of the floors
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest tests/test_floors.py

format: .venv/.tests-ready ## repair what ruff can repair
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

screenshots: .venv/.tests-ready ## make the pictures of the README again
	@PYTHONPATH=. $(RUN) tests/journeys/screenshots.py $(ARGS)

opening: .venv/.app-ready ## compute again what the page shows before the first run
	@$(RUN) -m inbedder_core.recipes.opening $(ARGS)

train: .venv/.app-ready ## train a checkpoint (ARGS="--help" says more)
	@$(RUN) -m inbedder_core.recipes.train $(ARGS)

evaluate: .venv/.app-ready ## measure how well a checkpoint listens (ARGS="--help" says more)
	@$(RUN) -m inbedder_core.recipes.evaluate $(ARGS)

bench: .venv/.app-ready ## measure speed and memory (ARGS="--help" says more)
	@$(RUN) -m inbedder_core.recipes.benchmark $(ARGS)

clean: ## remove .venv and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Set-up. A .venv is trusted while its Python runs and no install in it was cut short;
# --- .unfinished stands there while one is going on. Everything else is made anew.

VERSION_FITS := sys.exit(not (3, 11) <= sys.version_info < (3, 14))
VENV_FITS := $(shell { [ ! -e .venv/.unfinished ] \
	&& $(RUN) -c 'import sys, pip; $(VERSION_FITS)' && echo yes; } 2>/dev/null)
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip; $(VERSION_FITS)' 2>/dev/null && echo $$python && break; done)

define MAKE_VENV
python='$(PYTHON)'; \
"$$python" -c 'import sys, ensurepip; $(VERSION_FITS)' 2>/dev/null || { echo \
"No Python 3.11, 3.12 or 3.13 with venv was found: install one (on Debian or Ubuntu:" \
"apt install python3-venv), or name it, as in: make PYTHON=/path/to/python3.12 app" >&2; exit 1; }; \
echo "Making .venv with $$("$$python" --version)."; \
rm -rf .venv && mkdir .venv && touch .venv/.unfinished && "$$python" -m venv .venv
endef

# pip says 1 when it fails in good order, which leaves what was there as it was.
define INSTALL
touch .venv/.unfinished; trap 'exit 130' INT TERM; \
$(RUN) -m pip install --disable-pip-version-check --no-input -r $(1) -c constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)); status=$$?; \
[ $$status -gt 1 ] || rm -f .venv/.unfinished; exit $$status
endef

.venv/.app-ready: requirements.txt constraints.txt $(if $(VENV_FITS),,FORCE)
	@$(if $(VENV_FITS),:,$(MAKE_VENV))
	@echo "Installing the app's libraries into .venv: the first time, this takes some minutes."
	@$(call INSTALL,requirements.txt)
	@touch $@

.venv/.tests-ready: requirements-dev.txt .venv/.app-ready
	@echo "Installing the test tools into .venv."
	@$(call INSTALL,requirements-dev.txt)
	@touch $@
