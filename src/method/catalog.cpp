#include "entries.hpp"

namespace echelon {

const std::vector<MethodEntry>& method_catalog() {
  static const std::vector<MethodEntry> entries = {
      detail::f2sa_entry(),
      detail::f2ba_entry(),
      detail::soba_entry(),
      detail::hjfbio_entry(),
  };
  return entries;
}

}  // namespace echelon
