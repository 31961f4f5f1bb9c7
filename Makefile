# The two commands of a newcomer are `make demo` and `make test`; the rest is CMake by presets (CMakePresets.json).
SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help deps build demo demo-down test test-long lint format bench bench-check bench-micro conformance docs install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps:
	@scripts/install-deps

build: deps ## build what is installed, into build/release
	@scripts/build release

demo: deps ## watch a hub at work: clouds, a gateway, an attack stopped (KEEP=1 leaves it up)
	@scripts/build release weir weirctl seqload
	@scripts/demo up

demo-down: ## remove what `make demo KEEP=1` left up
	@scripts/demo down

test: deps ## every test: unit, packet, the same under sanitizers, system, fuzz corpus
	@scripts/test-all

test-long: deps ## the same, with the fuzzers at work for ten minutes each, the threads under TSan, changes under load at full size, the model at length
	@scripts/test-all --long

conformance: build ## a public suite for Suricata rules, run through `weir inspect` (WEIR_CORPUS names it)
	@tests/conformance/run

lint: build ## format, headers that compile alone, clang-tidy on what changed
	@scripts/lint

format: deps ## format all C++ files in place
	@git ls-files -z '*.cpp' '*.h' | xargs -0 -r clang-format -i

bench: build ## Weir beside Open vSwitch, the kernel and others, in one run (QUICK=1: a few minutes)
	@scripts/install-deps bench || echo "bench: goes on with what is here"
	@bench/run $(if $(QUICK),--quick)

bench-check: build ## the tree beside the commit that it started from: which scenarios moved
	@bench/check $(if $(BASE),--base $(BASE))

bench-micro: build ## micro-benchmarks of the hot structures
	@scripts/bench-micro build/release

docs: deps ## write configuration.md, change-options.md, drops.md and rules.md in docs/ again, from the tables in the code
	@scripts/build release weir_gendocs
	@build/release/mgmt/config/weir_gendocs docs

install: ## install into PREFIX (/usr/local); run as root, after `make build`
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

uninstall: ## remove what `make install` put there; configuration in /etc/weir stays
	@scripts/uninstall "$(DESTDIR)" build/release/install_manifest.txt

clean: ## remove build/
	@rm -rf build
