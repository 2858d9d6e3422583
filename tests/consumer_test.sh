#!/usr/bin/env bash
# Installs a build tree into an empty folder, then builds and runs a project that sees only that folder.
#   consumer_test.sh BUILD SOURCE
set -euo pipefail
build=$1
source=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log"
if grep -rn -e "$source" -e "$build" "$scratch"/prefix/lib*/cmake "$scratch"/prefix/lib/*/cmake 2>/dev/null; then
  echo "the installed package refers to the source or build tree" >&2
  exit 1
fi

generator=Ninja
command -v ninja >/dev/null || generator='Unix Makefiles'
cp -r "$source/tests/consumer" "$scratch/consumer"
# The consumer's instruction set comes with the target; its sanitizers do not.
flags=
grep -q '^ECHELON_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && flags='-fsanitize=address,undefined'
cmake -S "$scratch/consumer" -B "$scratch/consumer-build" -G "$generator" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON -DCMAKE_CXX_FLAGS="$flags"
grep -q "^echelon_DIR:PATH=$scratch/prefix" "$scratch/consumer-build/CMakeCache.txt"
cmake --build "$scratch/consumer-build"
"$scratch/consumer-build/consumer"
"$scratch/prefix/bin/echelon" --version
