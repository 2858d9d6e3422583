# The library: compiled once, as position-independent objects, of which the static and the shared library are made.
#
#   echelon::headers   what a program needs to compile: headers, Eigen, MPI; no flags of the machine
#   echelon::static    libechelon.a
#   echelon::shared    libechelon.so, which shows only symbols of Echelon
#   echelon::echelon   one of the two: shared with BUILD_SHARED_LIBS, otherwise static
include(EchelonHeaders)

add_library(echelon_headers INTERFACE)
target_compile_features(echelon_headers INTERFACE cxx_std_20)
target_include_directories(echelon_headers INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# What echelon/core/eigen.hpp asks for, so that the order of includes does not matter.
set(ECHELON_DEFINITIONS EIGEN_MAX_ALIGN_BYTES=64 EIGEN_MAX_STATIC_ALIGN_BYTES=64 EIGEN_DONT_PARALLELIZE OMPI_SKIP_MPICXX=1)
target_compile_definitions(echelon_headers INTERFACE ${ECHELON_DEFINITIONS})
target_link_libraries(echelon_headers INTERFACE Eigen3::Eigen MPI::MPI_CXX)

add_library(echelon_objects OBJECT ${ECHELON_SOURCES})
set_target_properties(echelon_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(echelon_objects
  PUBLIC echelon_headers
  PRIVATE OpenMP::OpenMP_CXX echelon_hdf5 echelon_xxhash echelon_header_only ZLIB::ZLIB EXPAT::EXPAT echelon_strict)
target_precompile_headers(echelon_objects PRIVATE cmake/precompiled.hpp)
include(EchelonCatalogs)

# Files instead of targets, so that a program that links the static library has to find neither these packages nor OpenMP.
set(ECHELON_PRIVATE_LIBRARIES
  ${HDF5_C_LIBRARIES} ${XXHASH_LIBRARY} ${ZLIB_LIBRARIES} ${EXPAT_LIBRARIES} ${OpenMP_CXX_LIBRARIES} ${CMAKE_DL_LIBS})
add_library(echelon_static STATIC $<TARGET_OBJECTS:echelon_objects>)
target_link_libraries(echelon_static PUBLIC echelon_headers INTERFACE ${ECHELON_PRIVATE_LIBRARIES})

add_library(echelon_shared SHARED $<TARGET_OBJECTS:echelon_objects>)
target_link_libraries(echelon_shared PUBLIC echelon_headers PRIVATE ${ECHELON_PRIVATE_LIBRARIES})
set(ECHELON_SYMBOLS ${PROJECT_SOURCE_DIR}/cmake/echelon.map)
target_link_options(echelon_shared PRIVATE -Wl,--version-script=${ECHELON_SYMBOLS} -Wl,--no-undefined)
# Before 1.0 a minor release may change what programs are compiled against.
set_target_properties(echelon_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINK_DEPENDS ${ECHELON_SYMBOLS})

set(ECHELON_FLAVOR static)
if(BUILD_SHARED_LIBS)
  set(ECHELON_FLAVOR shared)
endif()
foreach(flavor static shared)
  set_target_properties(echelon_${flavor} PROPERTIES OUTPUT_NAME echelon EXPORT_NAME ${flavor})
  add_library(echelon::${flavor} ALIAS echelon_${flavor})
endforeach()
set_target_properties(echelon_headers PROPERTIES EXPORT_NAME headers)
add_library(echelon::headers ALIAS echelon_headers)
add_library(echelon ALIAS echelon_${ECHELON_FLAVOR})
add_library(echelon::echelon ALIAS echelon_${ECHELON_FLAVOR})
include(EchelonPlugin)
