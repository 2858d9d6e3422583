/* Version of these headers, for C and C++. CMakeLists.txt takes the version of the project from
 * here. */
#ifndef ECHELON_CORE_VERSION_H
#define ECHELON_CORE_VERSION_H

#define ECHELON_VERSION_MAJOR 0
#define ECHELON_VERSION_MINOR 1
#define ECHELON_VERSION_PATCH 0
#define ECHELON_VERSION_STRING "0.1.0"

#ifdef __cplusplus
namespace echelon {

/// Version of the library that the program runs with, such as "0.1.0"; a shared library may be a
/// later one than ECHELON_VERSION_STRING says.
const char* version() noexcept;

}  // namespace echelon
#endif

#endif
