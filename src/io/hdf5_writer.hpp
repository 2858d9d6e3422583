#pragma once
/// Writes one HDF5 file that is whole or absent, readable with any HDF5 tool, and the same bytes
/// for the same content: latest file format, chunks of about 1 MiB with fletcher32, no times. A
/// block of 512 bytes before the HDF5 part (a user block, which HDF5 tools skip) holds the digest
/// of all that follows, so that damage is found before HDF5 parses it.

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "digest.hpp"
#include "echelon/core/agents.hpp"
#include "hdf5_driver.hpp"
#include "hdf5_handle.hpp"

namespace echelon::detail {

/// Bytes before the HDF5 part of a file, and what stands in them.
inline constexpr std::size_t preamble_bytes = 512;
std::string preamble(const std::string& digest);

struct ChunkShape {
  hsize_t rows;
  hsize_t columns;
};
/// Equal parts of about 1 MiB: several whole rows, or one row cut into pieces.
ChunkShape chunk_shape(hsize_t rows, hsize_t columns, std::size_t element_bytes);

/// What every dataset says about itself.
struct About {
  std::string units;
  std::string description;
};

class Hdf5Writer {
 public:
  using Index = Eigen::Index;

  /// Writes under `path`.tmp until `finish`. Throws cannot_create; later calls throw input_output.
  explicit Hdf5Writer(const std::filesystem::path& path);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  /// Attributes of the root group.
  void attribute(const std::string& name, const std::string& value);
  void attribute(const std::string& name, std::int64_t value);

  /// Groups on the way to `path` are made as needed.
  void scalar(const std::string& path, double value, const About& about);
  void scalar(const std::string& path, std::int64_t value, const About& about);
  void vector(const std::string& path, std::span<const double> values, const About& about);
  void vector(const std::string& path, std::span<const AgentId> values, const About& about);
  /// One string, as a dataset of one element since only chunks carry checksums.
  void string(const std::string& path, const std::string& value, const About& about);
  /// r x c, with the same indices on disk.
  void table(const std::string& path, const Eigen::MatrixXd& values, const About& about);

  /// A dataset of `rows` x `columns`, to be filled by `part`s that come in row-major order and
  /// touch each chunk once.
  void begin_rows(const std::string& path, Index rows, Index columns, const About& about);
  /// Rows [row, row + rows) and columns [column, column + columns); row r starts at data + r *
  /// stride.
  void part(Index row, Index column, Index rows, Index columns, const double* data, Index stride);
  void end_rows();

  /// Closes, syncs, reads everything back, and renames to the final name. Returns size and digest
  /// of the file.
  FileDigest finish();

 private:
  struct Record {
    std::string path;
    std::string digest;
  };

  hid_t open_group(const std::string& path);
  hid_t make_group(hid_t parent, const std::string& name);
  Hdf5Handle create(const std::string& path, std::span<const hsize_t> shape, hid_t type,
                    std::size_t element_bytes, const About& about);
  void write_text(hid_t object, const std::string& name, const std::string& value);
  void write_all(const std::string& path, std::span<const hsize_t> shape, hid_t file_type,
                 hid_t memory_type, std::size_t element_bytes, const void* values,
                 const About& about);
  void check_driver() const;
  void close_file();
  void verify() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Hdf5Checks check_;
  Hdf5Driver driver_;
  Hdf5Handle group_properties_, file_;
  std::vector<std::pair<std::string, Hdf5Handle>> groups_;
  Hdf5Handle rows_;  // the dataset being filled
  std::string rows_path_;
  Digest rows_digest_;
  std::vector<Record> records_;
};

}  // namespace echelon::detail
