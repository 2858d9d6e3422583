#include "hdf5_handle.hpp"

#include <utility>

namespace echelon::detail {

namespace {

/// Keeps the description of the innermost failure, which is the cause.
herr_t keep_first(unsigned, const H5E_error2_t* error, void* out) {
  auto& cause = *static_cast<std::string*>(out);
  if (cause.empty() && error->desc != nullptr) cause = error->desc;
  return 0;
}

}  // namespace

QuietHdf5::QuietHdf5() {
  H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

QuietHdf5::~QuietHdf5() {
  H5Eset_auto2(H5E_DEFAULT, print_, data_);
}

Hdf5Handle::Hdf5Handle(Hdf5Handle&& other) noexcept
    : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Hdf5Handle& Hdf5Handle::operator=(Hdf5Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(close_, other.close_);
  return *this;
}

Hdf5Handle::~Hdf5Handle() {
  close();
}

bool Hdf5Handle::close() {
  const hid_t id = std::exchange(id_, -1);
  return id < 0 || close_(id) >= 0;
}

Hdf5Handle Hdf5Checks::own(hid_t id, Hdf5Handle::Close closer, const std::string& what) const {
  if (id < 0) fail_now(what);
  return {id, closer};
}

void Hdf5Checks::fail_now(const std::string& what) const {
  std::string cause;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &cause);
  H5Eclear2(H5E_DEFAULT);
  fail(kind_, file_, ": cannot ", what, " (", cause.empty() ? "HDF5 gives no reason" : cause, ")");
}

}  // namespace echelon::detail
