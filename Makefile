# make ablation   install what is missing, run the user's command on the embedded default, show it
# make quick      the checks of a minute
# make test       install what is missing, pass the tests
# make help       the other targets

VENV ?= .venv
PYTHON ?= python3
RUNS ?= runs
OUT ?= report
SUITE ?= mini

PY := $(VENV)/bin/python
BASE := $(VENV)/.installed
FULL := $(VENV)/.installed-full
EXTRAS := test,report,dashboard,tensorboard,control
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist worksteal

# $(call needs,PYTHON,ADVICE): end with one line unless that is a Python that this project runs on
needs = { $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	found=$$($(1) --version 2>/dev/null || echo not found); \
	echo "error: needs Python 3.11 or newer; $(1): $$found; $(2)" >&2; \
	exit 2; }; }

.PHONY: help install ablation quick test lint plan claims table figures report notebooks results \
	docs clean

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(BASE): pyproject.toml
	@test -x $(PY) || $(call needs,$(PYTHON),give another one: make PYTHON=python3.11)
	@test ! -x $(PY) || $(call needs,$(PY),start over: make clean)
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(FULL): $(BASE)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $@

install: $(FULL) ## everything that the targets below need

ablation: $(BASE) ## KL balancing against none on one task, two seeds each, table and plots
	$(PY) run.py -m task=higher_lower kl=balanced,standard run.seed=0,1 run.root=$(RUNS)
	$(PY) -m analysis plot --runs $(RUNS) --out $(OUT)
	$(PY) -m analysis table --runs $(RUNS) --out $(OUT)

quick: lint ## what a change breaks first, within a minute: style, types, numbers, options, one run
	$(PYTEST) tests/test_golden.py tests/test_closed_forms.py tests/test_toggles.py \
		tests/run/test_loop.py::test_a_run_leaves_what_it_says

test: lint ## style, types and all tests, on all cores
	$(PYTEST)

lint: $(FULL) ## style and types alone
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyrefly check --python-interpreter-path $(PY)

plan: $(BASE) ## what all claims on SUITE would cost, and the command that starts them
	$(PY) -m sweeps.plan suite=$(SUITE) run.root=$(RUNS)

claims: $(BASE) ## run all claims on SUITE; started again, it goes on where it stopped
	$(PY) run.py -m +sweep=claims suite=$(SUITE) run.root=$(RUNS)

table: $(BASE) ## the verdicts from RUNS, printed and as Markdown, LaTeX, HTML, csv
	$(PY) -m analysis table --runs $(RUNS) --out $(OUT)

figures: $(BASE) ## the map and all other figures from RUNS
	$(PY) -m analysis plot --runs $(RUNS) --out $(OUT)

report: $(FULL) ## one self-contained HTML page from RUNS
	$(PY) -m analysis report --runs $(RUNS) --out $(OUT)

notebooks: $(FULL) ## execute the notebooks on the committed results, outputs inside
	$(PY) -m analysis notebooks

results: $(BASE) ## fill the parts of README and docs that are made from the committed results
	$(PY) -m analysis pages

docs: $(BASE) ## the pages as a site, in site/
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

clean: ## remove the environment and caches, never the runs
	rm -rf $(VENV) .pytest_cache .ruff_cache *.egg-info
