# Every dependency is a package of the distribution; launch/setup names and installs them.
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(MPI 3.1 REQUIRED COMPONENTS C CXX)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(ZLIB REQUIRED)
find_package(EXPAT REQUIRED)  # GraphML
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)

# The serial flavor of HDF5: a parallel write that fails would hang the job.
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 1.10 REQUIRED COMPONENTS C)
if(HDF5_IS_PARALLEL)
  message(FATAL_ERROR "HDF5 found here is the parallel flavor; install the serial one (package libhdf5-dev) or set HDF5_ROOT")
endif()
add_library(echelon_hdf5 INTERFACE)
target_include_directories(echelon_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(echelon_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(echelon_xxhash INTERFACE)
target_include_directories(echelon_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})
target_link_libraries(echelon_xxhash INTERFACE ${XXHASH_LIBRARY})

find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
find_path(SPECTRA_INCLUDE Spectra/SymEigsSolver.h REQUIRED)
add_library(echelon_header_only INTERFACE)
target_include_directories(echelon_header_only SYSTEM INTERFACE ${RANDOM123_INCLUDE} ${SPECTRA_INCLUDE})

# Warnings, and how code is generated, for our own targets only: programs that use the library choose for themselves.
add_library(echelon_strict INTERFACE)
target_compile_options(echelon_strict INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off> $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${ECHELON_NATIVE}>>:-march=native>
  # Functions of the shared library call each other directly, and are inlined, as in the static one.
  $<$<COMPILE_LANGUAGE:CXX>:-fno-semantic-interposition>
  # GCC 12 builds wrong constants when it packs neighboring scalars into AVX vectors (docs/decisions/gcc-12-slp.md).
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-fno-tree-slp-vectorize>)
target_compile_options(echelon_strict INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${ECHELON_WERROR}>:-Werror>
  -Wno-missing-field-initializers  # designated initializers name what differs from the defaults
  # False alarms of GCC 12: inside its AVX-512 headers, and where it inlines string concatenation.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow> $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(ECHELON_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(ECHELON_ASSERTIONS)
  add_compile_definitions(ECHELON_ASSERTIONS)
endif()
