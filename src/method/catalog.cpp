#include "entries.hpp"

namespace echelon {

const std::vector<MethodEntry>& method_catalog() {
  static const std::vector<MethodEntry> entries = {
      detail::f2sa_entry(),
      detail::f2ba_entry(),
      detail::accf2ba_entry(),
      detail::f3sa_entry(),
      detail::f2sa_p_entry(),
      detail::v_pbgd_entry(),
      detail::g_pbgd_entry(),
      detail::pdbo_entry(),
      detail::bvfim_entry(),
      detail::scalebio_entry(),
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
      detail::adbo_entry(),
      detail::lower_only_entry(),
      detail::fedmsa_entry(),
      detail::fednest_entry(),
      detail::bome_entry(),
      detail::meha_entry(),
      detail::moreau_entry(),
      detail::pgd_cqa_entry(),
      detail::rxgf_entry(),
      detail::sqcqp_entry(),
      detail::unroll_backward_entry(),
      detail::unroll_truncated_entry(),
      detail::unroll_forward_entry(),
      detail::unroll_sign_entry(),
      detail::bda_entry(),
      detail::pzobo_entry(),
      detail::hozog_entry(),
      detail::sigd_entry(),
      detail::ds_blo_entry(),
      detail::aipod_entry(),
      detail::e_aipod_entry(),
  };
  return entries;
}

}  // namespace echelon
