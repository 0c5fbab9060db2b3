# finstill: `make demo` and `make test` each work as the only command on a fresh machine.
# CUDA=1 builds the GPU path; FINSTILL_TORCH, FINSTILL_WHEELS and FINSTILL_SHARED are described in scripts/setup.sh.
SHELL := /bin/bash
BUILD := $(if $(filter 1,$(CUDA)),build-cuda,build)
PRESET := $(if $(filter 1,$(CUDA)),cuda,cpu)

.PHONY: demo test fast build everything configure setup sanitize fuzz test-peers bench format lint clean help
.DEFAULT_GOAL := help

help:
	@printf '%s\n' \
	  'make demo        install what is missing, build, run the main job, print where the report is' \
	  'make test        install what is missing, build, run every test this machine can run' \
	  'make fast        the fast tests alone (under a minute once built)' \
	  'make build       the binary, build/finstill' \
	  'make sanitize    AddressSanitizer and UndefinedBehaviorSanitizer over the parsers, their fuzz drivers and the kernels' \
	  'make fuzz        libFuzzer on every parser, FUZZ_SECONDS (60) each; 0 only builds' \
	  'make test-peers  against transformers and peft in a throw-away environment' \
	  'make bench       training speed beside PyTorch and TRL in a throw-away environment' \
	  'make format      clang-format;   make lint: clang-tidy'

setup:
	@scripts/setup.sh

configure: setup
	@cmake --preset $(PRESET) -Wno-dev >/dev/null

build: configure
	@cmake --build --preset $(PRESET) --target finstill

# The binary and the tests.
everything: configure
	@cmake --build --preset $(PRESET)

demo: build
	@scripts/demo.sh $(BUILD)/finstill

test: everything
	@scripts/test.sh $(BUILD)

fast: everything
	@scripts/test.sh $(BUILD) fast

sanitize:
	@SANITIZE=1 scripts/setup.sh
	@scripts/sanitize.sh

fuzz:
	@FUZZ=1 scripts/setup.sh
	@scripts/fuzz.sh

test-peers: everything
	@scripts/test_peers.sh $(BUILD)/finstill

bench: build
	@scripts/bench.sh $(BUILD)/finstill

format:
	@LINT=1 scripts/setup.sh
	@git ls-files '*.cpp' '*.h' '*.cu' | xargs clang-format -i

lint: everything
	@LINT=1 scripts/setup.sh
	@git ls-files '*.cpp' ':!tests' | xargs clang-tidy -quiet -p $(BUILD)

clean:
	rm -rf build build-asan build-cuda build-fuzz
