# What a change passes before it is handed in. PYTHON=.venv/bin/python, or any other with requirements-dev.txt.
PYTHON ?= .venv/bin/python

.PHONY: format check test slow wheel

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -q

slow:
	$(PYTHON) -m pytest -q -m slow

wheel:
	$(PYTHON) -m pip wheel --no-deps --wheel-dir dist .
