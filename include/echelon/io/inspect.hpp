#pragma once
/// What is inside a run directory or an HDF5 file, for people.

#include <filesystem>
#include <string>

namespace echelon {

struct Inspection {
  std::string text;   ///< several lines
  bool sound = true;  ///< false if anything is damaged; `text` says what
};

/// Examines a run directory, the folder of one checkpoint, or one HDF5 file; everything is read and
/// every checksum verified. Damage is reported, not thrown; throws missing_input if `path` does not
/// exist.
Inspection inspect(const std::filesystem::path& path);

}  // namespace echelon
