#pragma once
/// For plug-ins: shared libraries with parts, which the `echelon` command loads with `--plugin
/// FILE` or `[run] plugin`. One file of a plug-in defines the function that adds its parts:
///
///     ECHELON_PLUGIN() {
///       echelon::method_catalog().add(heavy_ball());
///     }
///
/// CMake: `echelon_add_plugin(NAME FILE...)` after `find_package(echelon)`.

#include "echelon/comm/communicator.hpp"
#include "echelon/core/eigen.hpp"
#include "echelon/core/version.h"

#define ECHELON_PLUGIN_QUOTE(value) #value
#define ECHELON_PLUGIN_TEXT(value) ECHELON_PLUGIN_QUOTE(value)

#if defined(_LIBCPP_VERSION)
#define ECHELON_PLUGIN_LIBRARY "libc++ " ECHELON_PLUGIN_TEXT(_LIBCPP_ABI_VERSION)
#elif defined(_GLIBCXX_DEBUG)
#define ECHELON_PLUGIN_LIBRARY "libstdc++ for debugging"
#elif _GLIBCXX_USE_CXX11_ABI
#define ECHELON_PLUGIN_LIBRARY "libstdc++"
#else
#define ECHELON_PLUGIN_LIBRARY "libstdc++ before C++11"
#endif

#if defined(OMPI_MAJOR_VERSION)
#define ECHELON_PLUGIN_MPI "Open MPI"
#elif defined(MPICH_VERSION)
#define ECHELON_PLUGIN_MPI "MPICH"
#else
#define ECHELON_PLUGIN_MPI "MPI"
#endif

/// What a plug-in and the program that loads it must have in common: the interfaces of this release
/// and the layout of what crosses the border. The first word marks the text in the file of a
/// plug-in, where it is looked up before anything of the plug-in is run.
#define ECHELON_PLUGIN_ABI \
  "echelon_plugin_abi=Echelon " ECHELON_PLUGIN_TEXT(ECHELON_VERSION_MAJOR) "."          \
  ECHELON_PLUGIN_TEXT(ECHELON_VERSION_MINOR) ", " ECHELON_PLUGIN_LIBRARY ", Eigen "     \
  ECHELON_PLUGIN_TEXT(EIGEN_WORLD_VERSION) "." ECHELON_PLUGIN_TEXT(EIGEN_MAJOR_VERSION) \
  " aligned to " ECHELON_PLUGIN_TEXT(EIGEN_MAX_ALIGN_BYTES) " bytes, " ECHELON_PLUGIN_MPI

/// Heads the function without arguments that adds the parts of this plug-in; once per plug-in. What
/// the function throws is reported in one line, and the plug-in is refused.
#define ECHELON_PLUGIN()                                                             \
  extern "C" {                                                                       \
  [[gnu::visibility("default"), gnu::used]] extern const char echelon_plugin_abi[] = \
      ECHELON_PLUGIN_ABI;                                                            \
  [[gnu::visibility("default")]] void echelon_register();                            \
  }                                                                                  \
  void echelon_register()
