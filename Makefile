# Every target does its own set-up: uv (bootstrapped into .uv when it is not on the machine) and the locked packages.
.PHONY: demo test test-demo test-browser test-cluster test-all test-integrations test-wheel fuzz faults golden check docs site lock clean help
.DEFAULT_GOAL := help

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
PYTHONS := 3.11 3.12 3.13

help:
	@echo "make demo   the whole story on synthetic people (a few minutes)"
	@echo "make test   every test, with and without torch"
	@echo "make test-all    the tests that need no torch, on every Python that Hoego supports and this machine has"
	@echo "make test-wheel  build the wheel, install it without extras, and use it"
	@echo "make fuzz        damage files and recipes, 20,000 times (half an hour; N=2000 for fewer, SEED=1 for others)"
	@echo "make faults      a full disk, a read-only folder and kill -9 at any moment (half an hour)"
	@echo "make test-cluster  workers started by Ray and submitit, and the sync with an object store, on this machine"
	@echo "make test-integrations  the pages for other trainers, each with the real package in its own environment"
	@echo "make test-demo  write the page of the demo's week, small"
	@echo "make test-browser  drive the board in the Chromium of this machine"
	@echo "make golden      renew tests/golden/ after a change that moves numbers on purpose"
	@echo "make check  format, lint, types"
	@echo "make docs   write the reference pages from the code"
	@echo "make site   build the documentation site into docs/_build/html, offline, warnings are errors"
	@echo "make lock   pin the newest allowed packages anew"

demo: .venv/ready
	.venv/bin/hoego demo

test: .venv/ready .venv-core/ready
	.venv/bin/python -m pytest -n 2
	.venv-core/bin/python -m pytest -p no:cacheprovider -m "not torch"

test-all: | .uv/bin/uv
	@failed=""; for v in $(PYTHONS); do \
		python=$$(ls -d $$HOME/.pyenv/versions/$$v.*/bin/python 2>/dev/null | tail -1); \
		python=$${python:-$$(command -v python$$v)} || true; \
		if [ -z "$$python" ]; then echo "Python $$v: not on this machine"; continue; fi; \
		echo "Python $$v: $$python"; \
		$(UV) venv --quiet --allow-existing --python $$python .venv-core-$$v && \
		$(UV) pip install --quiet --compile-bytecode --python .venv-core-$$v --constraint requirements.lock \
			--group test --editable . && \
		.venv-core-$$v/bin/python -m pytest -n 2 -p no:cacheprovider -m "not torch" || failed="$$failed $$v"; \
	done; if [ -n "$$failed" ]; then echo "failed on Python$$failed"; exit 1; fi

# Each tool lies in an environment of its own on top of .venv, which brings torch: it is not installed five times.
INTEGRATIONS := fastai lightning hugging_face keras opencv autogluon timm
test-integrations: $(INTEGRATIONS:%=test-integration-%)

test-integration-%: .venv/ready
	$(UV) venv --quiet --allow-existing --python .venv/bin/python .venv-$*
	.venv/bin/python -c "import sysconfig; print('import site; site.addsitedir(' + repr(sysconfig.get_path('purelib')) + ')')" \
		> "$$(.venv-$*/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/base.pth"
	$(UV) pip install --quiet --python .venv-$* --override tests/integrations/torch-is-there.txt \
		--requirement tests/integrations/$*.txt
	KERAS_BACKEND=torch .venv-$*/bin/python -m pytest -p no:cacheprovider -W ignore tests/integrations/test_$*.py

test-wheel: | .uv/bin/uv
	rm -rf .venv-wheel dist
	$(UV) build --quiet --wheel --out-dir dist
	$(UV) venv --quiet --python $(PYTHON) .venv-wheel
	$(UV) pip install --quiet --python .venv-wheel --constraint requirements.lock dist/*.whl
	.venv-wheel/bin/python -I tests/wheel.py

N ?= 20000
SEED ?= 0

fuzz: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python tests/fuzz.py -n $(N) --seed $(SEED)

faults: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python tests/faults.py --seed $(SEED)

# Without a Chromium every test of the browser is skipped, and the report says so.
test-browser: .venv/ready
	.venv/bin/python -m pytest -q -rs -p no:cacheprovider tests/browser_board.py

test-demo: .venv/ready
	.venv/bin/python -m pytest -q -p no:cacheprovider tests/quick_demo.py

test-cluster: requirements.lock pyproject.toml | .uv/bin/uv
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-cluster
	$(UV) pip install --quiet --compile-bytecode --python .venv-cluster --constraint requirements.lock \
		--group test --editable ".[train,cluster,sync]"
	.venv-cluster/bin/python -m pytest -p no:cacheprovider tests/test_cluster.py tests/test_sync.py

golden: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python tests/golden_run.py
	git diff --stat tests/golden

check: .venv/ready
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

docs: .venv/ready
	.venv/bin/python -m docs.reference
	.venv/bin/python -m docs.leak_picture

site: .venv/ready
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

lock: .uv/bin/uv
	$(UV) pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-package hoego \
		--extra track --group dev -o requirements.lock

.uv/bin/uv:
	@command -v uv >/dev/null 2>&1 || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet uv; }

.venv/ready: requirements.lock pyproject.toml | .uv/bin/uv
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --compile-bytecode --python .venv --require-hashes requirements.lock
	$(UV) pip install --quiet --python .venv --no-deps --editable .
	@touch $@

# An environment without torch: everything after training must work in it.
.venv-core/ready: requirements.lock pyproject.toml | .uv/bin/uv
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-core
	$(UV) pip install --quiet --compile-bytecode --python .venv-core --constraint requirements.lock \
		--group test --editable .
	@touch $@

clean:
	rm -rf .venv .venv-* dist .uv .mypy_cache .ruff_cache .pytest_cache
