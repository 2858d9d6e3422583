#include "entries.hpp"

namespace echelon {

const std::vector<MethodEntry>& method_catalog() {
  static const std::vector<MethodEntry> entries = {
      detail::f2sa_entry(),
      detail::f2ba_entry(),
      detail::soba_entry(),
      detail::hjfbio_entry(),
      detail::ma_soba_entry(),
      detail::fsla_entry(),
      detail::fdehbo_entry(),
      detail::fmbo_entry(),
      detail::aid_cg_entry(),
      detail::aid_neumann_entry(),
      detail::aid_woodfisher_entry(),
      detail::aid_identity_entry(),
      detail::one_step_entry(),
      detail::stocbio_entry(),
      detail::sustain_entry(),
      detail::mrbo_entry(),
      detail::qnbo_entry(),
      detail::ma_dsbo_entry(),
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
