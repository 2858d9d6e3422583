# Package for find_package(echelon). Interface helper targets travel as plain link items, so only public ones are exported.
include(CMakePackageConfigHelpers)

install(TARGETS echelon EXPORT echelon-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS echelon_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS echelon_hdf5 echelon_xxhash echelon_header_only echelon_strict EXPORT echelon-targets)
install(DIRECTORY include/echelon DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES include/echelon.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# A module file belongs to one compiler; the source serves any.
install(FILES src/fortran/echelon.f90 DESTINATION ${CMAKE_INSTALL_DATADIR}/echelon/fortran)
install(EXPORT echelon-targets NAMESPACE echelon:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/echelon)

configure_package_config_file(cmake/echelon-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/echelon-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/echelon)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/echelon-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/echelon-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/echelon-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/echelon)
