#include <algorithm>
#include <array>
#include <limits>

#include "echelon/core/error.hpp"
#include "echelon/io/file_data_source.hpp"
#include "gzip_file.hpp"
#include "row_order.hpp"

namespace echelon {

namespace {

using detail::GzipFile;

/// The items of an IDX file along its first dimension, front to back.
class IdxReader {
 public:
  IdxReader(const std::string& path, int dimensions, const char* content) : file_(path) {
    check_magic(dimensions, content);
    count_ = read_size();
    for (int d = 1; d < dimensions; ++d) {
      const std::int64_t size = read_size();
      require(size >= 1, ErrorKind::bad_data, path, ": offset ", file_.offset() - 4, ": dimension ",
              d + 1, " is 0; the ", content, " need at least one value each");
      // Both factors are below 2^32, and the product so far below 2^31.
      item_bytes_ *= size;
      require(item_bytes_ <= std::numeric_limits<std::int32_t>::max(), ErrorKind::bad_data, path,
              ": offset ", file_.offset() - 4, ": the header claims ", item_bytes_,
              " bytes per item (more than 2^31 - 1); the file is damaged or not of this kind");
    }
  }

  std::int64_t count() const { return count_; }
  std::int64_t item_bytes() const { return item_bytes_; }

  /// Hands the next `items` items to `consume(std::span<const unsigned char>)` in pieces.
  template <class Consume>
  void read(std::int64_t items, const Consume& consume) {
    std::int64_t left = items * item_bytes_;
    while (left > 0) {
      const auto wanted =
          static_cast<std::size_t>(std::min(left, static_cast<std::int64_t>(buffer_.size())));
      const std::size_t got = file_.read(buffer_.data(), wanted);
      require(got == wanted, ErrorKind::bad_data, file_.path(), ": offset ", file_.offset(),
              ": the file ends early (its header claims ", count_, " items of ", item_bytes_,
              " bytes); fetch the file again");
      consume(std::span<const unsigned char>(buffer_.data(), got));
      left -= static_cast<std::int64_t>(got);
    }
  }

  void skip(std::int64_t items) {
    read(items, [](std::span<const unsigned char>) {});
  }

  /// To be called after the last item; also makes zlib verify its checksum.
  void finish() {
    const std::int64_t end = file_.offset();
    require(file_.read(buffer_.data(), 1) == 0, ErrorKind::bad_data, file_.path(), ": offset ", end,
            ": there is more data than the header claims (", count_, " items of ", item_bytes_,
            " bytes); fetch the file again");
  }

 private:
  void check_magic(int dimensions, const char* content) {
    std::array<unsigned char, 4> magic{};
    read_header(magic);
    require(magic[0] == 0 && magic[1] == 0 && magic[2] == 8, ErrorKind::bad_data, file_.path(),
            ": offset 0: this is not an IDX file of bytes (it starts with ", int{magic[0]}, " ",
            int{magic[1]}, " ", int{magic[2]}, "); it should start with 0 0 8");
    require(magic[3] == dimensions, ErrorKind::bad_data, file_.path(), ": offset 3: the file has ",
            int{magic[3]}, " dimension(s); a file of ", content, " has ", dimensions);
  }

  std::int64_t read_size() {
    std::array<unsigned char, 4> bytes{};
    read_header(bytes);
    std::int64_t size = 0;
    for (const unsigned char byte : bytes) size = size * 256 + byte;
    return size;
  }

  void read_header(std::array<unsigned char, 4>& bytes) {
    const std::size_t got = file_.read(bytes.data(), bytes.size());
    require(got == bytes.size(), ErrorKind::bad_data, file_.path(), ": offset ", file_.offset(),
            ": the file ends within the header; fetch the file again");
  }

  GzipFile file_;
  std::int64_t count_ = 0;
  std::int64_t item_bytes_ = 1;
  std::array<unsigned char, 1 << 14> buffer_;
};

/// Doubles the capacity while data arrives, but not beyond what is needed in the end.
void make_room(std::vector<float>& values, std::size_t more, std::size_t final_size) {
  if (values.size() + more <= values.capacity()) return;
  values.reserve(std::min(std::max(values.size() + more, 2 * values.capacity()), final_size));
}

std::vector<float> in_requested_order(const std::vector<float>& values,
                                      std::span<const std::size_t> order, std::size_t features) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::copy_n(values.data() + i * features, features, result.data() + order[i] * features);
  }
  return result;
}

}  // namespace

std::vector<std::uint8_t> FileDataSource::idx_labels(const std::string& path) const {
  IdxReader reader(path, 1, "labels");
  std::vector<std::uint8_t> labels;
  reader.read(reader.count(), [&](std::span<const unsigned char> bytes) {
    labels.insert(labels.end(), bytes.begin(), bytes.end());
  });
  reader.finish();
  return labels;
}

DenseData FileDataSource::idx_images(const std::string& path,
                                     std::span<const std::int64_t> rows) const {
  IdxReader reader(path, 3, "images");
  for (const std::int64_t row : rows) {
    require(row >= 0 && row < reader.count(), ErrorKind::bad_data, path, ": offset 4: image ", row,
            " is asked for, but the file has ", reader.count(), " images, counted from 0");
  }
  const auto features = static_cast<std::size_t>(reader.item_bytes());
  const std::vector<std::size_t> order = detail::file_order(path, rows);
  DenseData data;
  data.features = reader.item_bytes();
  std::int64_t next = 0;  // image of the file
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t row = rows[order[i]];
    reader.skip(row - next);
    reader.read(1, [&](std::span<const unsigned char> pixels) {
      make_room(data.values, pixels.size(), order.size() * features);
      for (const unsigned char pixel : pixels) {
        data.values.push_back(static_cast<float>(pixel) / 255.0F);
      }
    });
    next = row + 1;
  }
  reader.skip(reader.count() - next);
  reader.finish();
  if (!std::is_sorted(order.begin(), order.end())) {
    data.values = in_requested_order(data.values, order, features);
  }
  return data;
}

std::int64_t FileDataSource::idx_count(const std::string& path) const {
  return IdxReader(path, 3, "images").count();
}

}  // namespace echelon
