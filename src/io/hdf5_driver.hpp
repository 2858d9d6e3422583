#pragma once
/// The file driver that our HDF5 files are written through.
///
/// HDF5 does not survive a failed write: data stay in its caches, closing fails or pretends to
/// succeed, and its cleanup at exit may crash (1.10.8, full disk and file size limit). So the
/// driver remembers the first failure and from then on lets HDF5 believe that all is well; the
/// library closes in good order, and the file is thrown away.

#include <string>

#include "hdf5_handle.hpp"

namespace echelon::detail {

class Hdf5Driver {
 public:
  Hdf5Driver();

  /// Selects this driver. The object must outlive the files opened with it.
  void use_in(hid_t access_properties, const Hdf5Checks& check);

  /// What failed first; empty if nothing did.
  const std::string& failure() const { return failure_; }

 private:
  Hdf5Handle id_;
  std::string failure_;
};

}  // namespace echelon::detail
