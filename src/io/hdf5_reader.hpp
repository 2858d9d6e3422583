#pragma once
/// Reads HDF5 files with suspicion: only hard links inside one file, no external or virtual
/// storage, no filter that would load a plug-in, and every size known before memory is taken.
/// Digests are checked by the caller, before.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"
#include "hdf5_handle.hpp"

namespace echelon::detail {

enum class ElementKind { real, integer, text, other };

struct DatasetShape {
  ElementKind kind = ElementKind::other;
  std::size_t element_bytes = 0;  ///< on disk
  std::vector<hsize_t> extents;
  hsize_t count() const;     ///< saturates
  std::string text() const;  ///< such as "4 x 3"; "scalar"
};

class Hdf5Reader {
 public:
  /// Errors about the file are of `kind`. Throws missing_input if there is no file.
  explicit Hdf5Reader(const std::filesystem::path& path, ErrorKind kind = ErrorKind::bad_data);

  /// All datasets, by path without a leading slash.
  const std::map<std::string, DatasetShape>& datasets() const { return datasets_; }
  const DatasetShape& shape(const std::string& path) const;

  double real(const std::string& path) const;
  std::int64_t integer(const std::string& path) const;
  std::vector<AgentId> agent_ids(const std::string& path, std::size_t limit) const;
  std::string string(const std::string& path, std::size_t limit_bytes) const;
  /// `rows` whole rows from `row` on; row r goes to out + r * stride.
  void rows(const std::string& path, hsize_t row, hsize_t rows, double* out, hsize_t stride) const;

  /// Everything in row-major order, piece by piece: doubles, std::int64_t (AgentId for 4-byte
  /// integers) or characters.
  void blocks(const std::string& path,
              const std::function<void(const void*, std::size_t)>& take) const;

  /// A text attribute; empty if there is none.
  std::string attribute(const std::string& path, const std::string& name) const;

  const std::string& file() const { return check_.file(); }

 private:
  void list(hid_t group, const std::string& prefix, int depth);
  void add(hid_t dataset, const std::string& path);
  Hdf5Handle open(const std::string& path) const;
  Hdf5Handle memory_type(const DatasetShape& shape, hid_t dataset, std::size_t& bytes) const;
  void refuse_unless(bool condition, const std::string& path, const std::string& why) const;

  Hdf5Checks check_;
  Hdf5Handle file_;
  std::uint64_t file_bytes_ = 0;
  std::map<std::string, DatasetShape> datasets_;
};

/// The error text of a file whose first block holds another digest than the rest has; empty if all
/// is well. `has_digest` is false for a file that was not written by us.
std::string preamble_damage(const std::filesystem::path& path, bool& has_digest);

}  // namespace echelon::detail
