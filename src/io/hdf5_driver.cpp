#include "hdf5_driver.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>

#include "durable_file.hpp"

namespace echelon::detail {

namespace {

/// What H5Pset_driver copies into the property list.
struct Info {
  std::string* failure;
};

struct DriverFile {
  H5FD_t base;  // HDF5's part; must come first
  int descriptor;
  haddr_t allocated_end;
  haddr_t file_end;
  std::string* failure;
};

DriverFile& ours(H5FD_t* file) {
  return *reinterpret_cast<DriverFile*>(file);
}
const DriverFile& ours(const H5FD_t* file) {
  return *reinterpret_cast<const DriverFile*>(file);
}

void remember(DriverFile& file, const char* what) {
  const int code = errno;
  if (file.failure->empty()) *file.failure = text(what, ": ", system_text(code));
}

H5FD_t* open_file(const char* name, unsigned flags, hid_t properties, haddr_t) {
  const auto* info = static_cast<const Info*>(H5Pget_driver_info(properties));
  if (info == nullptr) return nullptr;
  int mode = (flags & H5F_ACC_RDWR) != 0 ? O_RDWR : O_RDONLY;
  if ((flags & H5F_ACC_TRUNC) != 0) mode |= O_TRUNC;
  if ((flags & H5F_ACC_CREAT) != 0) mode |= O_CREAT;
  if ((flags & H5F_ACC_EXCL) != 0) mode |= O_EXCL;
  const int descriptor = ::open(name, mode | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    if ((flags & H5F_ACC_CREAT) != 0) *info->failure = system_text(errno);
    return nullptr;
  }
  struct stat status {};
  auto* file = new (std::nothrow) DriverFile{};
  if (file == nullptr || ::fstat(descriptor, &status) != 0) {
    delete file;
    ::close(descriptor);
    return nullptr;
  }
  file->descriptor = descriptor;
  file->file_end = static_cast<haddr_t>(status.st_size);
  file->failure = info->failure;
  return &file->base;
}

herr_t close_file(H5FD_t* base) {
  DriverFile* file = &ours(base);
  if (::close(file->descriptor) != 0) remember(*file, "close");
  delete file;
  return 0;
}

herr_t features(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
#ifdef H5FD_FEAT_DEFAULT_VFD_COMPATIBLE
  *flags |= H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
#endif
  return 0;
}

haddr_t allocated_end(const H5FD_t* file, H5FD_mem_t) {
  return ours(file).allocated_end;
}
haddr_t file_end(const H5FD_t* file, H5FD_mem_t) {
  return ours(file).file_end;
}
herr_t set_allocated_end(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  ours(file).allocated_end = address;
  return 0;
}

herr_t read_bytes(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, std::size_t count, void* out) {
  DriverFile& file = ours(base);
  auto* bytes = static_cast<char*>(out);
  while (count > 0) {
    const ssize_t got = ::pread(file.descriptor, bytes, count, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) remember(file, "read");
    if (got <= 0) break;
    bytes += got;
    address += static_cast<haddr_t>(got);
    count -= static_cast<std::size_t>(got);
  }
  std::memset(bytes, 0, count);
  return 0;
}

herr_t write_bytes(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, std::size_t count,
                   const void* in) {
  DriverFile& file = ours(base);
  const auto* bytes = static_cast<const char*>(in);
  const haddr_t end = address + count;
  while (count > 0 && file.failure->empty()) {
    const ssize_t done = ::pwrite(file.descriptor, bytes, count, static_cast<off_t>(address));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      remember(file, "write");
      break;
    }
    bytes += done;
    address += static_cast<haddr_t>(done);
    count -= static_cast<std::size_t>(done);
  }
  file.file_end = std::max(file.file_end, end);
  return 0;
}

herr_t truncate_file(H5FD_t* base, hid_t, hbool_t) {
  DriverFile& file = ours(base);
  if (file.failure->empty() && file.file_end != file.allocated_end &&
      ::ftruncate(file.descriptor, static_cast<off_t>(file.allocated_end)) != 0) {
    remember(file, "truncate");
  }
  file.file_end = file.allocated_end;
  return 0;
}

H5FD_class_t driver_class() {
  constexpr H5FD_mem_t map[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
  H5FD_class_t driver{};
#if H5_VERSION_GE(1, 13, 0)
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(511);  // the private range ends here
#endif
  driver.name = "echelon";
  driver.maxaddr = static_cast<haddr_t>(std::numeric_limits<off_t>::max());
  driver.fc_degree = H5F_CLOSE_WEAK;
  driver.fapl_size = sizeof(Info);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = features;
  driver.get_eoa = allocated_end;
  driver.set_eoa = set_allocated_end;
  driver.get_eof = file_end;
  driver.read = read_bytes;
  driver.write = write_bytes;
  driver.truncate = truncate_file;
  std::copy(std::begin(map), std::end(map), driver.fl_map);
  return driver;
}

}  // namespace

Hdf5Driver::Hdf5Driver() {
  const H5FD_class_t driver = driver_class();
  id_ = Hdf5Handle(H5FDregister(&driver), H5FDunregister);
}

void Hdf5Driver::use_in(hid_t access_properties, const Hdf5Checks& check) {
  const Info info{&failure_};
  check(static_cast<hid_t>(id_), "register its file driver");
  check(H5Pset_driver(access_properties, id_, &info), "select its file driver");
}

}  // namespace echelon::detail
