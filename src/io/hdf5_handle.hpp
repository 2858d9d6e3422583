#pragma once
/// Checked HDF5 calls. HDF5 keeps one error printer per process: it is silenced only while we are
/// inside.

#include <hdf5.h>

#include <filesystem>
#include <string>

#include "echelon/core/error.hpp"

namespace echelon::detail {

/// Silences HDF5's own error printing, and puts it back.
class QuietHdf5 {
 public:
  QuietHdf5();
  ~QuietHdf5();
  QuietHdf5(const QuietHdf5&) = delete;
  QuietHdf5& operator=(const QuietHdf5&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// Owns one HDF5 object.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept;
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept;
  ~Hdf5Handle();

  operator hid_t() const { return id_; }
  /// False if closing failed; the handle is gone in either case.
  bool close();

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Turns failed calls into errors of one kind that name one file.
class Hdf5Checks {
 public:
  Hdf5Checks(const std::filesystem::path& file, ErrorKind kind)
      : file_(file.string()), kind_(kind) {}

  /// Takes over `id`; throws if it is an error.
  Hdf5Handle own(hid_t id, Hdf5Handle::Close closer, const std::string& what) const;
  /// Returns `result`; throws if it is negative.
  template <class Result>
  Result operator()(Result result, const std::string& what) const {
    if (result < 0) fail_now(what);
    return result;
  }
  [[noreturn]] void fail_now(const std::string& what) const;

  const std::string& file() const { return file_; }
  ErrorKind kind() const { return kind_; }

 private:
  std::string file_;
  ErrorKind kind_;
};

}  // namespace echelon::detail
