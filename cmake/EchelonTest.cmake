# echelon_test(NAME RANKS n... SOURCES file...): builds tests/NAME and registers it once per number of ranks.
set(ECHELON_MPI_ENVIRONMENT
  HWLOC_HIDE_ERRORS=2               # in a chroot without /sys it would complain at every start
  "RES_OPTIONS=timeout:1 attempts:1"  # mpirun looks up its own host; without a name server that takes 5 s each time
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMP_NUM_THREADS=1
  ASAN_OPTIONS=fast_unwind_on_malloc=0 LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/leaks.supp:print_suppressions=0)

set(MPI_DETERMINE_LIBRARY_VERSION TRUE)
find_package(MPI 3.1 REQUIRED COMPONENTS CXX)
set(ECHELON_MPI_FLAGS)
if(MPI_CXX_LIBRARY_VERSION_STRING MATCHES "Open MPI")
  set(ECHELON_MPI_FLAGS --oversubscribe --bind-to none)
endif()

function(echelon_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "RANKS;SOURCES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 240)
    if(ECHELON_SANITIZE)
      set(ARG_TIMEOUT 1500)
    endif()
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE echelon_test_main)
  target_precompile_headers(test_${name} REUSE_FROM echelon_test_main)
  foreach(ranks IN LISTS ARG_RANKS)
    add_test(NAME ${name}.${ranks} COMMAND ${MPIEXEC_EXECUTABLE} ${ECHELON_MPI_FLAGS} -n ${ranks} $<TARGET_FILE:test_${name}>)
    set_tests_properties(${name}.${ranks} PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${ECHELON_MPI_ENVIRONMENT}")
    if(ranks GREATER 1)
      set_tests_properties(${name}.${ranks} PROPERTIES PROCESSORS 2)
    endif()
  endforeach()
endfunction()
