# The package for find_package(echelon) and for pkg-config.
include(CMakePackageConfigHelpers)
set(ECHELON_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/echelon)

install(TARGETS echelon_headers echelon_static echelon_shared EXPORT echelon-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(echelon_main PROPERTIES EXPORT_NAME main)
install(TARGETS echelon_main EXPORT echelon-main-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(BUILD_SHARED_LIBS)
  file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(echelon_cli PROPERTIES INSTALL_RPATH $ORIGIN/${up})
endif()
install(TARGETS echelon_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(header IN LISTS ECHELON_INSTALLED_HEADERS)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES include/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder})
endforeach()
# A module file belongs to one compiler; the source serves any.
install(FILES src/fortran/echelon.f90 DESTINATION ${CMAKE_INSTALL_DATADIR}/echelon/fortran)
install(EXPORT echelon-targets NAMESPACE echelon:: DESTINATION ${ECHELON_PACKAGE_DIR})
install(EXPORT echelon-main-targets NAMESPACE echelon:: DESTINATION ${ECHELON_PACKAGE_DIR})

configure_package_config_file(cmake/echelon-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/echelon-config.cmake
  INSTALL_DESTINATION ${ECHELON_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/echelon-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/echelon-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/echelon-config-version.cmake
    cmake/EchelonPlugin.cmake
  DESTINATION ${ECHELON_PACKAGE_DIR})

# echelon.pc is for the shared library, echelon-static.pc for the static one.
get_target_property(eigen_include Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
set(ECHELON_PC_CFLAGS)
foreach(folder IN LISTS eigen_include MPI_CXX_INCLUDE_DIRS)
  string(APPEND ECHELON_PC_CFLAGS " -isystem ${folder}")
endforeach()
foreach(definition IN LISTS ECHELON_DEFINITIONS)
  string(APPEND ECHELON_PC_CFLAGS " -D${definition}")
endforeach()
string(JOIN " " mpi ${MPI_CXX_LIBRARIES})
string(JOIN " " private ${ECHELON_PRIVATE_LIBRARIES})
string(REGEX REPLACE "(^| )([a-z]+)" "\\1-l\\2" private "${private}")  # names that are no files
file(RELATIVE_PATH ECHELON_PC_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" ECHELON_PC_UP ${ECHELON_PC_UP})
foreach(flavor shared static)
  if(flavor STREQUAL static)
    set(ECHELON_PC_NAME echelon-static)
    set(ECHELON_PC_LIBS "\${libdir}/libechelon.a ${private} ${mpi}")
  else()
    set(ECHELON_PC_NAME echelon)
    set(ECHELON_PC_LIBS "-L\${libdir} -lechelon ${mpi}")
  endif()
  configure_file(cmake/echelon.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${ECHELON_PC_NAME}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${ECHELON_PC_NAME}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
