#include "entries.hpp"

namespace echelon {

const std::vector<MethodEntry>& method_catalog() {
  static const std::vector<MethodEntry> entries = {
      detail::f2sa_entry(),
      detail::f2ba_entry(),
      detail::soba_entry(),
      detail::hjfbio_entry(),
      detail::bome_entry(),
      detail::meha_entry(),
      detail::moreau_entry(),
      detail::pgd_cqa_entry(),
      detail::rxgf_entry(),
      detail::sqcqp_entry(),
  };
  return entries;
}

}  // namespace echelon
