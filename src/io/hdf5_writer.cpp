#include "hdf5_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "durable_file.hpp"
#include "hdf5_reader.hpp"

namespace echelon::detail {

namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

hsize_t divide_up(hsize_t a, hsize_t b) {
  return (a + b - 1) / b;
}

/// A fixed-length string lives where checksums cover it, a variable-length one does not.
Hdf5Handle text_type(const Hdf5Checks& check, std::size_t bytes) {
  Hdf5Handle type = check.own(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  check(H5Tset_size(type, std::max<std::size_t>(bytes, 1)), "size a text type");
  check(H5Tset_strpad(type, H5T_STR_NULLPAD), "pad a text type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), "encode a text type");
  return type;
}

}  // namespace

std::string preamble(const std::string& digest) {
  std::string block =
      text("echelon HDF5 file, XXH3-128 of the bytes from ", preamble_bytes, " on: ", digest, "\n");
  block.resize(preamble_bytes, '\0');
  return block;
}

ChunkShape chunk_shape(hsize_t rows, hsize_t columns, std::size_t element_bytes) {
  const hsize_t limit = std::max<hsize_t>(chunk_bytes / element_bytes, 1);
  if (columns > limit) return {1, divide_up(columns, divide_up(columns, limit))};
  const hsize_t most = std::clamp<hsize_t>(limit / columns, 1, rows);
  return {divide_up(rows, divide_up(rows, most)), columns};
}

Hdf5Writer::Hdf5Writer(const std::filesystem::path& path)
    : path_(path), temporary_(temporary_name(path)), check_(path, ErrorKind::input_output) {
  const QuietHdf5 quiet;
  FileDescriptor::create(temporary_);  // says plainly why a file cannot be made
  const Hdf5Handle access = check_.own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make properties");
  check_(H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), "set the file format");
  driver_.use_in(access, check_);
  const Hdf5Handle creation = check_.own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "make properties");
  check_(H5Pset_userblock(creation, preamble_bytes), "reserve the first block");
  check_(H5Pset_obj_track_times(creation, false), "leave out times");
  group_properties_ = check_.own(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "make properties");
  check_(H5Pset_obj_track_times(group_properties_, false), "leave out times");
  file_ = Hdf5Handle(H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, creation, access), H5Fclose);
  if (file_ < 0) {
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
    check_driver();
    check_.fail_now("create the file");
  }
}

Hdf5Writer::~Hdf5Writer() {
  const QuietHdf5 quiet;
  rows_.close();
  groups_.clear();
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void Hdf5Writer::check_driver() const {
  require(driver_.failure().empty(), ErrorKind::input_output, path_.string(),
          ": cannot be written (", driver_.failure(), "); free space or choose another folder");
}

hid_t Hdf5Writer::make_group(hid_t parent, const std::string& name) {
  Hdf5Handle group =
      check_.own(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, group_properties_, H5P_DEFAULT),
                 H5Gclose, "create group `" + name + "`");
  groups_.emplace_back(name, std::move(group));
  return groups_.back().second;
}

/// Groups are made one by one, because those that HDF5 adds on its own would carry times.
hid_t Hdf5Writer::open_group(const std::string& path) {
  hid_t group = file_;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string name = path.substr(0, slash);
    const auto known = std::find_if(groups_.begin(), groups_.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    group = known != groups_.end() ? static_cast<hid_t>(known->second) : make_group(file_, name);
  }
  return group;
}

void Hdf5Writer::write_text(hid_t object, const std::string& name, const std::string& value) {
  const Hdf5Handle type = text_type(check_, value.size());
  const Hdf5Handle space = check_.own(H5Screate(H5S_SCALAR), H5Sclose, "make a scalar");
  const Hdf5Handle attribute =
      check_.own(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                 "create attribute `" + name + "`");
  check_(H5Awrite(attribute, type, value.c_str()), "write attribute `" + name + "`");
}

void Hdf5Writer::attribute(const std::string& name, const std::string& value) {
  const QuietHdf5 quiet;
  write_text(file_, name, value);
  check_driver();
}

void Hdf5Writer::attribute(const std::string& name, std::int64_t value) {
  const QuietHdf5 quiet;
  const Hdf5Handle space = check_.own(H5Screate(H5S_SCALAR), H5Sclose, "make a scalar");
  const Hdf5Handle attribute =
      check_.own(H5Acreate2(file_, name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                 H5Aclose, "create attribute `" + name + "`");
  check_(H5Awrite(attribute, H5T_NATIVE_INT64, &value), "write attribute `" + name + "`");
  check_driver();
}

Hdf5Handle Hdf5Writer::create(const std::string& path, std::span<const hsize_t> shape, hid_t type,
                              std::size_t element_bytes, const About& about) {
  const bool scalar = shape.empty();
  const bool empty = std::find(shape.begin(), shape.end(), hsize_t{0}) != shape.end();
  const Hdf5Handle space =
      check_.own(scalar ? H5Screate(H5S_SCALAR)
                        : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                 H5Sclose, "shape `" + path + "`");
  const Hdf5Handle properties =
      check_.own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make properties");
  check_(H5Pset_obj_track_times(properties, false), "leave out times");
  if (scalar) {  // inside the object header, which has a checksum of its own
    check_(H5Pset_layout(properties, H5D_COMPACT), "lay out `" + path + "`");
  } else if (!empty) {
    const auto whole = chunk_shape(shape[0], shape.size() > 1 ? shape[1] : 1, element_bytes);
    const std::array<hsize_t, 2> chunk{whole.rows, whole.columns};
    check_(H5Pset_chunk(properties, static_cast<int>(shape.size()), chunk.data()),
           "lay out `" + path + "`");
    check_(H5Pset_fletcher32(properties), "add checksums to `" + path + "`");
  }
  open_group(path);
  Hdf5Handle dataset =
      check_.own(H5Dcreate2(file_, path.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
                 H5Dclose, "create dataset `" + path + "`");
  write_text(dataset, "units", about.units);
  write_text(dataset, "description", about.description);
  return dataset;
}

void Hdf5Writer::write_all(const std::string& path, std::span<const hsize_t> shape, hid_t file_type,
                           hid_t memory_type, std::size_t element_bytes, const void* values,
                           const About& about) {
  const QuietHdf5 quiet;
  Hdf5Handle dataset = create(path, shape, file_type, element_bytes, about);
  std::size_t count = 1;
  for (const hsize_t extent : shape) count *= static_cast<std::size_t>(extent);
  if (count > 0) {
    check_(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
           "write `" + path + "`");
  }
  if (!dataset.close()) check_.fail_now("close `" + path + "`");
  check_driver();
  Digest digest;
  digest.add(values, count * element_bytes);
  records_.push_back({path, digest.text()});
}

void Hdf5Writer::scalar(const std::string& path, double value, const About& about) {
  write_all(path, {}, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, sizeof(value), &value, about);
}

void Hdf5Writer::scalar(const std::string& path, std::int64_t value, const About& about) {
  write_all(path, {}, H5T_STD_I64LE, H5T_NATIVE_INT64, sizeof(value), &value, about);
}

void Hdf5Writer::vector(const std::string& path, std::span<const double> values,
                        const About& about) {
  const std::array<hsize_t, 1> shape{values.size()};
  write_all(path, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, sizeof(double), values.data(), about);
}

void Hdf5Writer::vector(const std::string& path, std::span<const AgentId> values,
                        const About& about) {
  const std::array<hsize_t, 1> shape{values.size()};
  write_all(path, shape, H5T_STD_I32LE, H5T_NATIVE_INT32, sizeof(AgentId), values.data(), about);
}

void Hdf5Writer::string(const std::string& path, const std::string& value, const About& about) {
  const QuietHdf5 quiet;
  const std::array<hsize_t, 1> shape{1};
  const Hdf5Handle type = text_type(check_, value.size());
  write_all(path, shape, type, type, std::max<std::size_t>(value.size(), 1), value.c_str(), about);
}

void Hdf5Writer::table(const std::string& path, const Eigen::MatrixXd& values, const About& about) {
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = values;
  begin_rows(path, rows.rows(), rows.cols(), about);
  part(0, 0, rows.rows(), rows.cols(), rows.data(), rows.cols());
  end_rows();
}

void Hdf5Writer::begin_rows(const std::string& path, Index rows, Index columns,
                            const About& about) {
  const QuietHdf5 quiet;
  const std::array<hsize_t, 2> shape{static_cast<hsize_t>(rows), static_cast<hsize_t>(columns)};
  rows_ = create(path, shape, H5T_IEEE_F64LE, sizeof(double), about);
  rows_path_ = path;
  rows_digest_ = Digest();
}

void Hdf5Writer::part(Index row, Index column, Index rows, Index columns, const double* data,
                      Index stride) {
  if (rows == 0 || columns == 0) return;
  const QuietHdf5 quiet;
  const std::array<hsize_t, 2> start{static_cast<hsize_t>(row), static_cast<hsize_t>(column)};
  const std::array<hsize_t, 2> count{static_cast<hsize_t>(rows), static_cast<hsize_t>(columns)};
  const std::array<hsize_t, 2> memory_shape{count[0], static_cast<hsize_t>(stride)};
  const std::array<hsize_t, 2> origin{0, 0};
  const std::string what = "write `" + rows_path_ + "`";
  const Hdf5Handle target = check_.own(H5Dget_space(rows_), H5Sclose, what);
  check_(H5Sselect_hyperslab(target, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
         what);
  const Hdf5Handle source =
      check_.own(H5Screate_simple(2, memory_shape.data(), nullptr), H5Sclose, what);
  check_(H5Sselect_hyperslab(source, H5S_SELECT_SET, origin.data(), nullptr, count.data(), nullptr),
         what);
  check_(H5Dwrite(rows_, H5T_NATIVE_DOUBLE, source, target, H5P_DEFAULT, data), what);
  check_driver();
  for (Index r = 0; r < rows; ++r) {
    rows_digest_.add(data + r * stride, static_cast<std::size_t>(columns) * sizeof(double));
  }
}

void Hdf5Writer::end_rows() {
  const QuietHdf5 quiet;
  if (!rows_.close()) check_.fail_now("close `" + rows_path_ + "`");
  check_driver();
  records_.push_back({rows_path_, rows_digest_.text()});
}

void Hdf5Writer::close_file() {
  bool closed = true;
  for (auto& group : groups_) closed = group.second.close() && closed;
  groups_.clear();
  closed = file_.close() && closed;
  check_driver();
  if (!closed) check_.fail_now("close the file");
}

void Hdf5Writer::verify() const {
  const Hdf5Reader reader(temporary_, ErrorKind::input_output);
  require(reader.datasets().size() == records_.size(), ErrorKind::input_output, path_.string(),
          ": holds ", reader.datasets().size(), " datasets after writing ", records_.size(),
          "; the storage is not reliable");
  for (const Record& record : records_) {
    Digest digest;
    reader.blocks(record.path,
                  [&](const void* bytes, std::size_t count) { digest.add(bytes, count); });
    require(digest.text() == record.digest, ErrorKind::input_output, path_.string(), ": `",
            record.path, "` does not read back as it was written; the storage is not reliable");
  }
}

FileDigest Hdf5Writer::finish() {
  const QuietHdf5 quiet;
  close_file();
  const FileDescriptor file = FileDescriptor::for_changing(temporary_);
  file.write(preamble(digest_file(temporary_, preamble_bytes).after_beginning));
  file.sync();
  verify();
  const FileDigest digest = digest_file(temporary_, preamble_bytes);
  require(digest.beginning == preamble(digest.after_beginning), ErrorKind::input_output,
          path_.string(), ": does not read back as it was written; the storage is not reliable");
  rename_durably(temporary_, path_);
  return digest;
}

}  // namespace echelon::detail
