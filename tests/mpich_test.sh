#!/usr/bin/env bash
# Builds the library with another MPI and runs the tests of the communicator on it.   mpich_test.sh BUILD SOURCE
set -euo pipefail
build=$1/mpich
source=$2
if ! command -v mpicxx.mpich >/dev/null || ! command -v mpiexec.mpich >/dev/null; then
  echo "skipped: MPICH is not installed (packages mpich and libmpich-dev)"
  exit 77
fi
grep -q '^ECHELON_TESTS:BOOL=OFF' "$1/CMakeCache.txt" && exit 77

cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O1 -DECHELON_ASSERTIONS=ON \
  -DMPI_CXX_COMPILER=mpicxx.mpich -DMPI_C_COMPILER=mpicc.mpich -DMPIEXEC_EXECUTABLE="$(command -v mpiexec.mpich)" \
  -DECHELON_TESTS=ON -DECHELON_BENCH=OFF -DECHELON_EXAMPLES=OFF --log-level=WARNING
cmake --build "$build" --parallel "$(nproc)" --target test_comm test_embed | tail -1
ldd "$build/tests/test_comm" | grep -q libmpich
ctest --test-dir "$build" --no-tests=error --output-on-failure -R '^(comm|embed)\.[12]$'
