# Everything that CI runs can be typed by hand. `make` alone builds the environment.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: all demo docs pictures dist test bench models lint format clean
all: .venv

.PHONY: .venv
.venv: $(READY)

# Done once, and again when the dependencies change. CUDA users: install the CUDA build of torch into .venv first.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "stillsky needs Python 3.11 or newer and $(PYTHON) is not: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

demo: $(READY)
	$(BIN)/stillsky demo

test: $(READY)
	$(BIN)/pytest -n 2

# The product's own benchmark: nine simulated captures, a Markdown table, some five minutes.
bench: $(READY)
	$(BIN)/stillsky bench

# The models that come with stillsky, trained anew and kept in storage/shipped_models if they pass their gate.
models: $(READY)
	for step in enhance burst dewarp fill; do \
		$(BIN)/stillsky train $$step --store build/training --models build/models; \
		$(BIN)/python -m tasks.learning.shipping $$step build/models; done

# The pictures of docs/colour.md, from a simulated capture.
pictures: $(READY)
	$(BIN)/python benchmarks/colour_page.py build/colour

# The documents as a site in build/site.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]' -c constraints.txt
	$(BIN)/mkdocs build

# Source archive and wheel in dist/, and the wheel installed into an environment of its own, where doctor looks at it.
dist: $(READY)
	rm -rf dist build/installed
	$(BIN)/python -m build
	$(PYTHON) -m venv build/installed
	build/installed/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl -c constraints.txt
	build/installed/bin/stillsky doctor

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
