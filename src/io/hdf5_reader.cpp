#include "hdf5_reader.hpp"

#include <algorithm>
#include <limits>

#include "durable_file.hpp"
#include "hdf5_writer.hpp"

namespace echelon::detail {

namespace {

constexpr hsize_t block_elements = hsize_t{1} << 20;
constexpr int deepest_group = 32;
constexpr std::size_t most_datasets = 1000000;
constexpr std::size_t longest_attribute = 65536;

herr_t collect_name(hid_t, const char* name, const H5L_info_t* info, void* out) {
  const bool hard = info->type == H5L_TYPE_HARD;
  static_cast<std::vector<std::pair<std::string, bool>>*>(out)->emplace_back(name, hard);
  return 0;
}

/// Filters that are part of HDF5 itself; any other one would be looked for among plug-ins.
bool built_in(H5Z_filter_t filter) {
  return filter >= H5Z_FILTER_DEFLATE && filter <= H5Z_FILTER_SCALEOFFSET;
}

ElementKind kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return ElementKind::real;
    case H5T_INTEGER:
      return ElementKind::integer;
    case H5T_STRING:
      return H5Tis_variable_str(type) > 0 ? ElementKind::other : ElementKind::text;
    default:
      return ElementKind::other;
  }
}

}  // namespace

hsize_t DatasetShape::count() const {
  hsize_t product = 1;
  for (const hsize_t extent : extents) {
    if (extent == 0) return 0;
    if (product > std::numeric_limits<hsize_t>::max() / extent)
      return std::numeric_limits<hsize_t>::max();
    product *= extent;
  }
  return product;
}

std::string DatasetShape::text() const {
  if (extents.empty()) return "scalar";
  std::string shape;
  for (const hsize_t extent : extents)
    shape += (shape.empty() ? "" : " x ") + std::to_string(extent);
  return shape;
}

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path, ErrorKind kind) : check_(path, kind) {
  const QuietHdf5 quiet;
  file_bytes_ = FileDescriptor::for_reading(path).size();
  const Hdf5Handle access = check_.own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make properties");
  check_(H5Pset_cache(access, 0, 521, std::size_t{16} << 20, 0.75), "set the cache");
  check_(H5Pset_elink_file_cache_size(access, 0), "set the cache");
#if (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0)) || H5_VERSION_GE(1, 12, 1)
  // Finished files never change, and many parallel file systems cannot lock.
  check_(H5Pset_file_locking(access, false, true), "leave out locks");
#endif
  file_ = check_.own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose, "be opened as HDF5");
  list(file_, "", 0);
}

void Hdf5Reader::refuse_unless(bool condition, const std::string& path,
                               const std::string& why) const {
  require(condition, check_.kind(), check_.file(), ": `", path, "` ", why);
}

void Hdf5Reader::list(hid_t group, const std::string& prefix, int depth) {
  refuse_unless(depth < deepest_group, prefix, "is nested too deeply");
  std::vector<std::pair<std::string, bool>> names;
  check_(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names),
         "list `/" + prefix + "`");
  for (const auto& [name, hard] : names) {
    const std::string path = prefix + name;
    refuse_unless(hard, path, "is a link to somewhere else; such links are not followed");
    const Hdf5Handle object =
        check_.own(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, "open `" + path + "`");
    if (H5Iget_type(object) == H5I_GROUP) list(object, path + "/", depth + 1);
    if (H5Iget_type(object) == H5I_DATASET) add(object, path);
  }
}

void Hdf5Reader::add(hid_t dataset, const std::string& path) {
  refuse_unless(datasets_.size() < most_datasets, path, "is one dataset too many");
  const std::string what = "examine `" + path + "`";
  const Hdf5Handle type = check_.own(H5Dget_type(dataset), H5Tclose, what);
  const Hdf5Handle space = check_.own(H5Dget_space(dataset), H5Sclose, what);
  const Hdf5Handle properties = check_.own(H5Dget_create_plist(dataset), H5Pclose, what);
  DatasetShape shape;
  shape.kind = kind_of(type);
  shape.element_bytes = H5Tget_size(type);
  shape.extents.resize(static_cast<std::size_t>(check_(H5Sget_simple_extent_ndims(space), what)));
  if (!shape.extents.empty())
    check_(H5Sget_simple_extent_dims(space, shape.extents.data(), nullptr), what);
  refuse_unless(H5Pget_external_count(properties) <= 0, path, "keeps its numbers in another file");
  refuse_unless(H5Pget_layout(properties) != H5D_VIRTUAL, path,
                "keeps its numbers in other datasets");
  const int filters = check_(H5Pget_nfilters(properties), what);
  bool compressed = false;
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    unsigned settings = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags,
                                               &values, nullptr, 0, nullptr, &settings);
    refuse_unless(built_in(filter), path, "needs a plug-in of HDF5 to be read; none is loaded");
    compressed = compressed || filter != H5Z_FILTER_FLETCHER32;
  }
  const std::uint64_t most =
      (compressed ? 2000 : 1) * file_bytes_ / std::max<std::size_t>(shape.element_bytes, 1);
  refuse_unless(shape.count() <= most, path,
                "claims more elements than the file can hold (" + shape.text() + ")");
  datasets_[path] = shape;
}

const DatasetShape& Hdf5Reader::shape(const std::string& path) const {
  const auto found = datasets_.find(path);
  refuse_unless(found != datasets_.end(), path, "is missing");
  return found->second;
}

Hdf5Handle Hdf5Reader::open(const std::string& path) const {
  shape(path);
  return check_.own(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, "open `" + path + "`");
}

double Hdf5Reader::real(const std::string& path) const {
  const QuietHdf5 quiet;
  refuse_unless(shape(path).kind == ElementKind::real && shape(path).extents.empty(), path,
                "is not one real number");
  double value = 0;
  check_(H5Dread(open(path), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value),
         "read `" + path + "`");
  return value;
}

std::int64_t Hdf5Reader::integer(const std::string& path) const {
  const QuietHdf5 quiet;
  refuse_unless(shape(path).kind == ElementKind::integer && shape(path).extents.empty(), path,
                "is not one integer");
  std::int64_t value = 0;
  check_(H5Dread(open(path), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value),
         "read `" + path + "`");
  return value;
}

std::vector<AgentId> Hdf5Reader::agent_ids(const std::string& path, std::size_t limit) const {
  const QuietHdf5 quiet;
  const DatasetShape& found = shape(path);
  refuse_unless(
      found.kind == ElementKind::integer && found.extents.size() == 1 && found.count() <= limit,
      path, "is not a list of agents");
  std::vector<AgentId> ids(static_cast<std::size_t>(found.count()));
  if (!ids.empty()) {
    check_(H5Dread(open(path), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, ids.data()),
           "read `" + path + "`");
  }
  return ids;
}

std::string Hdf5Reader::string(const std::string& path, std::size_t limit_bytes) const {
  const QuietHdf5 quiet;
  const DatasetShape& found = shape(path);
  refuse_unless(
      found.kind == ElementKind::text && found.count() == 1 && found.element_bytes <= limit_bytes,
      path, "is not one text");
  std::string value;
  blocks(path, [&](const void* bytes, std::size_t count) {
    value.append(static_cast<const char*>(bytes), count);
  });
  return value.substr(0, value.find('\0'));
}

void Hdf5Reader::rows(const std::string& path, hsize_t row, hsize_t rows, double* out,
                      hsize_t stride) const {
  const QuietHdf5 quiet;
  const DatasetShape& found = shape(path);
  const std::string what = "read `" + path + "`";
  refuse_unless(found.kind == ElementKind::real && found.extents.size() == 2 &&
                    row + rows <= found.extents[0] && found.extents[1] <= stride,
                path, "has the wrong shape (" + found.text() + ")");
  if (rows == 0 || found.extents[1] == 0) return;
  const hsize_t start[2] = {row, 0};
  const hsize_t count[2] = {rows, found.extents[1]};
  const hsize_t memory_shape[2] = {rows, stride};
  const hsize_t origin[2] = {0, 0};
  const Hdf5Handle dataset = open(path);
  const Hdf5Handle source = check_.own(H5Dget_space(dataset), H5Sclose, what);
  check_(H5Sselect_hyperslab(source, H5S_SELECT_SET, start, nullptr, count, nullptr), what);
  const Hdf5Handle target = check_.own(H5Screate_simple(2, memory_shape, nullptr), H5Sclose, what);
  check_(H5Sselect_hyperslab(target, H5S_SELECT_SET, origin, nullptr, count, nullptr), what);
  check_(H5Dread(dataset, H5T_NATIVE_DOUBLE, target, source, H5P_DEFAULT, out), what);
}

Hdf5Handle Hdf5Reader::memory_type(const DatasetShape& shape, hid_t dataset,
                                   std::size_t& bytes) const {
  hid_t native = H5T_NATIVE_INT64;
  if (shape.kind == ElementKind::real) native = H5T_NATIVE_DOUBLE;
  if (shape.kind == ElementKind::integer && shape.element_bytes == sizeof(AgentId))
    native = H5T_NATIVE_INT32;
  Hdf5Handle type = shape.kind == ElementKind::text
                        ? check_.own(H5Dget_type(dataset), H5Tclose, "examine a dataset")
                        : check_.own(H5Tcopy(native), H5Tclose, "make a type");
  bytes = H5Tget_size(type);
  return type;
}

void Hdf5Reader::blocks(const std::string& path,
                        const std::function<void(const void*, std::size_t)>& take) const {
  const QuietHdf5 quiet;
  const DatasetShape& found = shape(path);
  const std::string what = "read `" + path + "`";
  refuse_unless(found.kind != ElementKind::other && found.extents.size() <= 2, path,
                "is of a kind that is not read");
  if (found.count() == 0) return;
  const Hdf5Handle dataset = open(path);
  std::size_t bytes = 0;
  const Hdf5Handle type = memory_type(found, dataset, bytes);
  const Hdf5Handle source = check_.own(H5Dget_space(dataset), H5Sclose, what);
  const hsize_t all_rows = found.extents.empty() ? 1 : found.extents[0];
  const hsize_t all_columns = found.extents.size() < 2 ? 1 : found.extents[1];
  const hsize_t piece = std::min(all_columns, block_elements);
  const hsize_t rows = std::min(all_rows, std::max<hsize_t>(1, block_elements / all_columns));
  std::vector<char> buffer(static_cast<std::size_t>(rows * piece) * bytes);
  for (hsize_t row = 0; row < all_rows; row += rows) {
    for (hsize_t column = 0; column < all_columns; column += piece) {
      const hsize_t start[2] = {row, column};
      const hsize_t count[2] = {std::min(rows, all_rows - row),
                                std::min(piece, all_columns - column)};
      const hsize_t elements = count[0] * count[1];
      if (!found.extents.empty()) {
        check_(H5Sselect_hyperslab(source, H5S_SELECT_SET, start, nullptr, count, nullptr), what);
      }
      const Hdf5Handle target = check_.own(H5Screate_simple(1, &elements, nullptr), H5Sclose, what);
      check_(H5Dread(dataset, type, target, source, H5P_DEFAULT, buffer.data()), what);
      take(buffer.data(), static_cast<std::size_t>(elements) * bytes);
    }
  }
}

std::string Hdf5Reader::attribute(const std::string& path, const std::string& name) const {
  const QuietHdf5 quiet;
  const Hdf5Handle object =
      check_.own(H5Oopen(file_, path.c_str(), H5P_DEFAULT), H5Oclose, "open `" + path + "`");
  if (H5Aexists(object, name.c_str()) <= 0) return "";
  const Hdf5Handle attribute =
      check_.own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "open attribute");
  const Hdf5Handle type =
      check_.own(H5Aget_type(attribute), H5Tclose, "examine attribute `" + name + "`");
  const Hdf5Handle space =
      check_.own(H5Aget_space(attribute), H5Sclose, "examine attribute `" + name + "`");
  const std::size_t bytes = H5Tget_size(type);
  if (kind_of(type) != ElementKind::text || H5Sget_simple_extent_npoints(space) != 1 ||
      bytes > longest_attribute) {
    return "";
  }
  std::string value(bytes, '\0');
  check_(H5Aread(attribute, type, value.data()), "read attribute `" + name + "`");
  return value.substr(0, value.find('\0'));
}

std::string preamble_damage(const std::filesystem::path& path, bool& has_digest) {
  const FileDigest digest = digest_file(path, preamble_bytes);
  const std::string expected = preamble(digest.after_beginning);
  has_digest = digest.beginning.substr(0, 17) == expected.substr(0, 17);
  return has_digest && digest.beginning != expected ? "the digest differs" : "";
}

}  // namespace echelon::detail
