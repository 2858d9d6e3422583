#pragma once
/// Labelled images as problems read them.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/problem/data.hpp"
#include "echelon/problem/sampling.hpp"
#include "echelon/problem/softmax_kernel.hpp"

namespace echelon::detail {

/// The labels of two IDX files that belong together, all below `classes`. Throws a usage error for
/// an option without a file, bad_data for files that do not fit.
inline std::vector<std::uint8_t> image_labels(const DataSource& source, const std::string& images,
                                              const std::string& labels_path, int classes) {
  require(!images.empty(), ErrorKind::usage,
          "problem.images: no file given; name an IDX file of images");
  require(!labels_path.empty(), ErrorKind::usage,
          "problem.labels: no file given; name an IDX file of labels");
  std::vector<std::uint8_t> labels = source.idx_labels(labels_path);
  const auto count = static_cast<std::int64_t>(labels.size());
  const std::int64_t image_count = source.idx_count(images);
  require(image_count == count, ErrorKind::bad_data, images, ": ", image_count, " images (but ",
          labels_path, " has ", count, " labels); name two files that belong together");
  for (std::int64_t i = 0; i < count; ++i) {
    const int label = labels[static_cast<std::size_t>(i)];
    require(label < classes, ErrorKind::bad_data, labels_path, ": sample ", i, " has label ", label,
            " (", classes, " classes are supported); use labels 0 to ", classes - 1);
  }
  return labels;
}

/// Reads all wanted images in one call, since a compressed file is read from its beginning each
/// time, then hands them out in the order in which they were wanted.
class ImageLoader {
 public:
  /// `labels` of all images of the file; both arguments outlive this.
  ImageLoader(const std::string& path, const std::vector<std::uint8_t>& labels)
      : path_(path), labels_(labels) {}

  void want(const SampleList& images) { rows_.insert(rows_.end(), images.begin(), images.end()); }
  void load(const DataSource& source) {
    if (rows_.empty()) rows_.push_back(0);  // for the size of an image
    data_ = source.idx_images(path_, rows_);
  }
  Index features() const { return static_cast<Index>(data_.features); }
  LabelledRows take(const SampleList& images) {
    const std::int64_t count = std::ssize(images);
    LabelledRows taken{DenseSamples(data_, first_, count), labels_of(labels_, images)};
    first_ += count;
    return taken;
  }

 private:
  const std::string& path_;
  const std::vector<std::uint8_t>& labels_;
  SampleList rows_;
  DenseData data_;
  std::int64_t first_ = 0;
};

}  // namespace echelon::detail
