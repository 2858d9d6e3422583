#pragma once
/// The entries of the catalog; each lives in the file of its method.

#include "echelon/method/method.hpp"

namespace echelon::detail {

MethodEntry f2sa_entry();
MethodEntry f2ba_entry();
MethodEntry accf2ba_entry();
MethodEntry f3sa_entry();
MethodEntry f2sa_p_entry();
MethodEntry v_pbgd_entry();
MethodEntry g_pbgd_entry();
MethodEntry pdbo_entry();
MethodEntry bvfim_entry();
MethodEntry scalebio_entry();
MethodEntry soba_entry();
MethodEntry hjfbio_entry();
MethodEntry ma_soba_entry();
MethodEntry fsla_entry();
MethodEntry fdehbo_entry();
MethodEntry fmbo_entry();
MethodEntry aid_cg_entry();
MethodEntry aid_neumann_entry();
MethodEntry aid_woodfisher_entry();
MethodEntry aid_identity_entry();
MethodEntry one_step_entry();
MethodEntry stocbio_entry();
MethodEntry sustain_entry();
MethodEntry mrbo_entry();
MethodEntry qnbo_entry();
MethodEntry ma_dsbo_entry();
MethodEntry adbo_entry();
MethodEntry lower_only_entry();
MethodEntry fedmsa_entry();
MethodEntry fednest_entry();
MethodEntry bome_entry();
MethodEntry meha_entry();
MethodEntry moreau_entry();
MethodEntry pgd_cqa_entry();
MethodEntry rxgf_entry();
MethodEntry sqcqp_entry();
MethodEntry unroll_backward_entry();
MethodEntry unroll_truncated_entry();
MethodEntry unroll_forward_entry();
MethodEntry unroll_sign_entry();
MethodEntry bda_entry();
MethodEntry pzobo_entry();
MethodEntry hozog_entry();
MethodEntry sigd_entry();
MethodEntry ds_blo_entry();
MethodEntry aipod_entry();
MethodEntry e_aipod_entry();

/// Options, description, construction and cost of a method type whose constructor takes (context,
/// options); `Options` has visit(OptionVisitor&) and cost().
template <class MethodType, class Options>
void bind(MethodEntry& entry, const Options& defaults) {
  entry.options = [defaults] { return describe_options(defaults); };
  entry.make = [defaults](const MethodContext& context, Configuration& configuration) {
    Options options = defaults;
    configuration.read("method", options);
    return std::make_unique<MethodType>(context, options);
  };
  entry.cost = [defaults](Configuration& configuration) {
    Options options = defaults;
    configuration.read("method", options);
    return options.cost();
  };
}

}  // namespace echelon::detail
