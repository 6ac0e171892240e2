# make demo | test | docs | setup | lint | clean        PY=python3.12 chooses the interpreter (3.11 or newer)
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: bit-for-bit help cluster demo extra gpu-check docs setup test lint clean defaults faults fuzz kill-sweep paper-check peers

PY ?= python3
JOBS ?= 2
RUN ?= runs/demo

# where it is set, as in many containers, every start compiles torch and all else anew: some seconds of processor time
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_HTTP_TIMEOUT ?= 300
export NO_ALBUMENTATIONS_UPDATE := 1

BIN := .venv/bin
READY := .venv/.ready
EXTRAS := .venv/.ready-extras
# an interpreter counts only if it runs: version managers leave stubs on the PATH that do not
runs = $(shell $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(1))
candidates = $(if $(filter file,$(origin PY)),python3 python3.11 python3.12 python3.13,$(PY))
PYTHON = $(firstword $(foreach candidate,$(candidates),$(call runs,$(candidate))))

help:
	@sed -n 1p Makefile | cut -c3-

demo: $(READY)
	$(BIN)/anomaly-gan demo --out $(RUN) || test $$? -eq 1  # a category failed its gate: an answer, and no failure of make

setup: $(READY)

# lint goes on beside the tests; what it found stands at the end
test: $(EXTRAS)
	@said=$$(mktemp); $(MAKE) --no-print-directory lint >"$$said" 2>&1 & lint=$$!; failed=0; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile || failed=$$?; \
	wait $$lint || failed=1; cat "$$said"; rm -f "$$said"; exit $$failed

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

# what the defaults were when core.manifest.SCHEMA was last decided; a changed default needs another SCHEMA
defaults: $(READY)
	$(BIN)/python tests/support/defaults.py

# one more library: make extra NAME=draw (labelme), onnx, openvino, lite2, scale (Ray), mlflow, wandb
extra: $(READY)
	$(call sync_into,--inexact --extra $(NAME))

# docs/faults.md from the table of fault codes
faults: $(READY)
	$(BIN)/python -c "from pathlib import Path; from anomaly_gan.core.faults import page; Path('docs/faults.md').write_text(page(), 'utf-8')"

# all readers against changed files, with an oracle (minutes); `make test` does a small share
fuzz: $(READY)
	FUZZ=20000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/ingest/test_fuzz_oracle.py

# what we write, read by Datumaro, supervision, labelme, FiftyOne, CVAT's SDK and pycocotools, in an environment of their own
peers: $(EXTRAS)
	PATH="$$PWD/.uv/bin:$$PATH" uv venv --quiet --allow-existing --python $(BIN)/python .venv-peers
	PATH="$$PWD/.uv/bin:$$PATH" uv pip install --quiet --python .venv-peers/bin/python -r tests/support/peers.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/ingest/test_other_programs.py

# the paper's preset as it is, 512 px: a step of its training and two painted photographs; 6.5 GB, a minute of processor time
paper-check: $(READY)
	PAPER_PX=512 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/synthesis/test_paper_whole.py

# → site/index.html, readable without a network; a broken link stops it
docs: $(READY)
	$(call sync_into,--inexact --group docs)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site

# for the owner of a GPU: parity with the CPU, rates, memory, two processes, tests → gpu_check.json, shown by its page
gpu-check: $(EXTRAS)
	$(BIN)/python benchmarks/gpu_check.py --out docs/results/benchmarks/gpu_check.json

# 10,000 photographs by a Ray cluster of two nodes, one of them killed half-way: the bytes of one machine
cluster: $(READY)
	$(call sync_into,--inexact --extra scale)
	CLUSTER_COUNT=5000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/synthesis/test_cluster.py tests/synthesis/test_torchrun.py

# kill -9 before every I/O event of every verb and of the folder mechanism; the same bytes afterwards
EVERY ?= 1
kill-sweep: $(EXTRAS)
	ANOMALY_GAN_KILL_EVERY=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/core/test_workfolder.py
	$(BIN)/python benchmarks/kill_sweep.py --every $(EVERY)

# every verb twice, in other folders, homes, time zones, from a copy of the photographs: no file differs
bit-for-bit: $(EXTRAS)
	$(BIN)/python benchmarks/bit_for_bit.py

clean:
	rm -rf site .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

define sync_into
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "setup: needs Python 3.11 or newer; none of these runs: $(candidates). Say which: make setup PY=/path/to/python" >&2; \
		exit 2; \
	fi; \
	uv=uv; \
	if ! uv --version >/dev/null 2>&1; then \
		uv=.uv/bin/uv; \
		if ! "$$uv" --version >/dev/null 2>&1; then \
			echo "setup: no uv on the PATH; installing it into .uv/"; \
			{ "$$python" -m venv .uv && .uv/bin/pip install --quiet uv; } || { \
				echo "setup: could not install uv into .uv/ (no network, or Python without venv and pip)." >&2; \
				echo "       Install uv yourself so that 'uv --version' runs, then call make again." >&2; exit 4; }; \
		fi; \
	fi; \
	echo "setup: $$("$$python" --version), $$("$$uv" --version)"; \
	"$$uv" sync --frozen --quiet $(1) --python "$$python" || { \
		echo "setup: uv sync failed (its reason stands above). The locked packages, about 6 GB installed, come from PyPI" >&2; \
		echo "       unless uv's cache has them: check network, proxy (HTTPS_PROXY) and disk space, then call make again;" >&2; \
		echo "       it goes on where it stopped. Without any network: README, section 'Air-gapped use'." >&2; exit 4; }
endef

define sync
	$(call sync_into,$(1))
	@touch $@
endef

$(READY): pyproject.toml uv.lock
	$(call sync,)

# labelme (the drawing program), the tools for exported graphs, a larger trunk and Ray are extras; the tests use the real ones
$(EXTRAS): $(READY)
	$(call sync,--extra draw --extra onnx --extra openvino --extra lite2 --extra scale --extra mlflow)
