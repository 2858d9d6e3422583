#!/usr/bin/env bash
# Installs a build tree into an empty folder, then builds and runs projects that see only that folder: with CMake and with make,
# on the static and the shared library, by GCC and Clang, for other instruction sets than the library's.
#   consumer_test.sh BUILD SOURCE
set -euo pipefail
build=$1
source=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

fail() { echo "$1" >&2; exit 1; }

cmake --install "$build" --prefix "$prefix" >"$scratch/install.log"
packages=("$prefix"/lib*/cmake "$prefix"/lib/*/cmake "$prefix"/lib*/pkgconfig "$prefix"/lib/*/pkgconfig)
existing=()
for folder in "${packages[@]}"; do [[ -d $folder ]] && existing+=("$folder"); done
if grep -rn -e "$source" -e "$build" "${existing[@]}"; then
  fail "the installed package refers to the source or build tree"
fi
if grep -rnE -e '-(march|mtune|ffp-contract|fopenmp|fno-)' "${existing[@]}"; then
  fail "the installed package passes flags of its own build on"
fi

# Only symbols of Echelon are visible, each in the node of its tier.
library=$(find "$prefix" -name libechelon.so)
nm -D --defined-only -C "$library" | sed 's/^[0-9a-f ]*[A-Za-z] //' >"$scratch/symbols"
nm -D --defined-only -C "$prefix/bin/echelon" >"$scratch/program-symbols"
if grep -vE '^((typeinfo|typeinfo name|vtable|VTT|guard variable) for |(non-virtual|virtual|covariant return) thunk to )?echelon(_|::)|^ECHELON_' "$scratch/symbols"; then
  fail "the shared library shows symbols that are not Echelon's"
fi
grep -q '^echelon_version@@ECHELON_STABLE_' "$scratch/symbols" || fail "echelon_version is not of the stable tier"
grep -q '^echelon::number_text.*@@ECHELON_EXTENSION_' "$scratch/symbols" || fail "number_text is not of the extension tier"
if ! ldd "$prefix/bin/echelon" | grep libechelon >/dev/null; then
  grep -q 'echelon::number_text' "$scratch/program-symbols" || fail "plug-ins would not find number_text in the executable"
fi

sanitize=
grep -q '^ECHELON_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && sanitize='-fsanitize=address,undefined'
compilers=(g++)
[[ -z $sanitize ]] && command -v clang++ >/dev/null && compilers+=(clang++)

# With CMake, in a project that knows no C.
cp -r "$source/tests/consumer" "$scratch/consumer"
generator=Ninja
command -v ninja >/dev/null || generator='Unix Makefiles'
with_cmake() {  # FOLDER COMPILER FLAGS SHARED
  cmake -S "$scratch/consumer" -B "$scratch/$1" -G "$generator" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$2" \
    -DCMAKE_CXX_FLAGS="$3" -Dechelon_SHARED_LIBS="$4" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON >/dev/null
  grep -q "^echelon_DIR:PATH=$prefix" "$scratch/$1/CMakeCache.txt"
  cmake --build "$scratch/$1" --parallel 2 >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "$1 does not compile"; }
  "$scratch/$1/solve"
  [[ $("$scratch/$1/command" --version) == $("$prefix/bin/echelon" --version) ]] || fail "$1: the command says another version"
  "$scratch/$1/host" "$scratch/$1/plugin.so" || fail "$1: the plug-in does not load"
  if ldd "$scratch/$1/solve" | grep -q libechelon; then [[ $4 == ON ]]; else [[ $4 == OFF ]]; fi
}
with_cmake cmake-static g++ "$sanitize" OFF
with_cmake cmake-shared "${compilers[-1]}" "$sanitize" ON

# With make and pkg-config, warnings of the installed headers being errors. The shared library computes the same bits for all.
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name echelon.pc)")
for compiler in "${compilers[@]}"; do
  for flags in "" "-O1 -march=native"; do
    c=gcc
    [[ $compiler == clang++ ]] && c=clang
    folder=$(mktemp -d "$scratch/make.XXX")
    cp "$source"/tests/consumer/{Makefile,solve.cpp,check.c} "$folder"
    make -C "$folder" --no-print-directory CXX="$compiler" CC="$c" FLAGS="$flags $sanitize" >"$scratch/log" 2>&1 ||
      { cat "$scratch/log"; fail "make does not succeed with $compiler $flags"; }
    "$folder/check-static" && "$folder/check-shared" && "$folder/solve-static" >/dev/null || fail "wrong results with $compiler $flags"
    "$folder/solve-shared" >>"$scratch/bits" || fail "wrong results with $compiler $flags on the shared library"
  done
done
[[ $(sort -u "$scratch/bits" | wc -l) == 1 ]] || { cat "$scratch/bits"; fail "the library's results follow the program's flags"; }

# Other settings of Eigen are refused in one sentence; without any settings, the headers choose them.
plain=(-std=c++20 -fsyntax-only -I"$prefix/include" $(pkg-config --cflags-only-other echelon | tr ' ' '\n' | grep -v '^-DEIGEN' | tr '\n' ' '))
echo '#include <echelon/core/agent_matrix.hpp>' >"$scratch/first.cpp"
echo '#include <Eigen/Core>' | cat - "$scratch/first.cpp" >"$scratch/second.cpp"
g++ "${plain[@]}" "$scratch/first.cpp"
g++ "${plain[@]}" "$scratch/second.cpp" 2>"$scratch/log" && fail "other settings of Eigen are not noticed"
grep -q 'error.*include an Echelon header before the first header of Eigen' "$scratch/log" || fail "other settings of Eigen are not explained"
g++ "${plain[@]}" -DEIGEN_MAX_ALIGN_BYTES=32 "$scratch/first.cpp" 2>/dev/null && fail "another alignment is not noticed"
g++ "${plain[@]}" -fopenmp -DEIGEN_MAX_ALIGN_BYTES=64 -DEIGEN_MAX_STATIC_ALIGN_BYTES=64 "$scratch/second.cpp" 2>/dev/null && fail "threads of Eigen are not noticed"
echo "consumers on both libraries by ${compilers[*]}"
