#pragma once
/// Plug-ins from their files. How one is written: echelon/plugin.hpp.

#include <string>
#include <string_view>
#include <vector>

namespace echelon {

/// A plug-in that has added its parts.
struct Plugin {
  std::string path;    ///< as it was given
  std::string digest;  ///< XXH3-128 of the file

  /// Name of the file and digest, in one line.
  std::string text() const;
};

/// Loads the shared library and lets it add its parts to the catalogs, before anything is composed.
/// A file that was loaded before, also one with the same content under another name, is not loaded
/// again. Throws missing_input if there is no such file, and a usage error if it is no plug-in, was
/// built against something else than this program, cannot be linked, or fails to add its parts. Not
/// collective: each rank loads for itself.
Plugin load_plugin(const std::string& path);

/// The same for a list of paths with commas between them.
std::vector<Plugin> load_plugins(std::string_view paths);

}  // namespace echelon
