#include "preset_settings.hpp"

namespace echelon::detail {

namespace {

Settings sparkle() {
  return {{"method.name", "soba"}, {"method.order", "gauss-seidel"}, {"method.alpha", "0.03"},
          {"method.beta", "0.1"},  {"method.gamma", "0.1"},          {"method.theta", "0.3"}};
}

constexpr const char* sparkle_paper =
    "S. Zhu, B. Kong, S. Lu, X. Huang, K. Yuan, NeurIPS 2024, arXiv:2411.14166";
constexpr const char* sun_paper = "Y. Ma, X. Wang, W. Yao, J. Zhang, 2026, arXiv:2601.22682";
constexpr const char* dsoba_paper =
    "B. Kong, S. Zhu, S. Lu, X. Huang, K. Yuan, JMLR 26(240), 2025, arXiv:2402.03167";
constexpr const char* mdbo_paper = "H. Gao, B. Gu, M. Thai, AISTATS 2023, arXiv:2206.15025";
constexpr const char* madsbo_paper =
    "X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839";

Settings neumann_alone() {
  return {{"method.inner_steps", "1"},
          {"method.truncation", "random"},
          {"method.alone", "yes"},
          {"method.beta", "0.3"},
          {"method.solver_steps", "20"}};
}

Preset sparkle_preset(const std::string& suffix, const Settings& strategies) {
  return {"sparkle-" + suffix,
          "single loop on the linear system, each variable with a strategy of its own",
          sparkle_paper,
          Origin::published,
          sparkle() + strategies,
          "products by differences of gradients unless method.products = exact"};
}

}  // namespace

std::vector<Preset> decentralized_presets() {
  return {
      {"dsgda-gt", "penalty with gradient tracking on x, y and z",
       "X. Wang, X. Chen, S. Ma, T. Zhang, 2024, arXiv:2410.19319", Origin::reconstructed,
       fixed_penalty() + all_by("gt-semi") + Settings{{"method.order", "jacobi"}},
       "steps are Echelon's: the paper gives orders of magnitude"},
      {"c2dfb", "penalty; the lower level sends compressed changes in an inner loop",
       "M. Wen, C. Liu, A. Abdelmoniem, Y. Zhou, Y. Xu, 2024, arXiv:2410.14115",
       Origin::reconstructed,
       fixed_penalty() + x_and_lower_by("gt-nonatc", "compressed-tracking") +
           Settings{{"method.inner_steps", "15"},
                    {"consensus.compressor", "top-k"},
                    {"consensus.compression_ratio", "0.3333333333333333"},
                    {"consensus.consensus_step", "0.2"}},
       "the lower level is mixed in each inner step with trackers that are carried over"},
      {"fo-storm-gt", "penalty with STORM on its gradients and gradient tracking",
       "\"Convergence Analysis of Decentralized Hessian-/Jacobian-Free Algorithm for Nonconvex "
       "Stochastic Bilevel Optimization\", ICML 2026",
       Origin::released,
       fixed_penalty() + all_by("gt-nonatc") +
           Settings{
               {"method.order", "jacobi"}, {"estimator.name", "storm"}, {"estimator.c", "0.9"}},
       "the released code leaves out the x-gradient of f; it is kept here"},
      {"fab", "penalty on directed and changing networks by push-pull",
       "Y. Ma, X. Wang, W. Yao, J. Zhang, 2026, arXiv:2605.06328", Origin::reconstructed,
       fixed_penalty() + all_by("push-pull") + Settings{{"method.order", "jacobi"}}, ""},
      {"ahead", "growing penalty with plain gossip and diminishing steps",
       "Y. Niu, J. Xu, Y. Sun, L. Chai, J. Chen, 2024, arXiv:2412.11218", Origin::reconstructed,
       fixed_penalty() + all_by("gossip-cta") +
           Settings{{"method.lambda", "1"},
                    {"method.lambda_exponent", "0.2"},
                    {"method.upper_decay", "0.6"},
                    {"method.lower_decay", "0.4"}},
       "biased at constant steps: gossip on heterogeneous agents"},
      {"penalty-extra", "penalty with EXTRA: one vector per variable", "", Origin::own,
       fixed_penalty() + all_by("extra"), ""},
      {"penalty-ed", "penalty with exact diffusion: one vector per variable", "", Origin::own,
       fixed_penalty() + all_by("exact-diffusion"), ""},
      {"sun-dsbo-se", "Moreau envelope with gossip", sun_paper, Origin::reconstructed,
       method("moreau") + all_by("gossip-atc"), "biased at constant steps"},
      {"sun-dsbo-gt", "Moreau envelope with gradient tracking", sun_paper, Origin::reconstructed,
       method("moreau") + all_by("gt-semi"), ""},
      sparkle_preset("ed", all_by("exact-diffusion")),
      sparkle_preset("extra", all_by("extra")),
      sparkle_preset("gt", all_by("gt-atc")),
      sparkle_preset("gt-semi", all_by("gt-semi")),
      sparkle_preset("gt-nonatc", all_by("gt-nonatc")),
      sparkle_preset("gt-ed", x_and_lower_by("gt-atc", "exact-diffusion")),
      sparkle_preset("extra-ed", x_and_lower_by("extra", "exact-diffusion")),
      {"d-soba", "SOBA with gossip and a moving average on x, exact products", dsoba_paper,
       Origin::published,
       method("soba") + all_by("gossip-atc") +
           Settings{{"method.products", "exact"}, {"method.theta", "0.3"}},
       "biased at constant steps: gossip on heterogeneous agents"},
      {"d-soba-fo", "the same by differences of gradients", dsoba_paper, Origin::published,
       method("soba") + all_by("gossip-atc") + Settings{{"method.theta", "0.3"}},
       "biased at constant steps: gossip on heterogeneous agents"},
      {"sldbo", "single loop, deterministic, v in a ball",
       "Y. Dong, S. Ma, J. Yang, C. Yin, Math. OR, 2025, arXiv:2311.08945", Origin::reconstructed,
       method("soba") + all_by("gt-nonatc") +
           Settings{{"method.products", "exact"},
                    {"method.radius", "1000"},
                    {"method.alpha", "0.03"},
                    {"method.beta", "0.1"},
                    {"method.gamma", "0.1"}},
       "the radius should exceed bound(fy) / mu"},
      {"s3ldbo",
       "sldbo whose agents keep their last directions half of the time, and mix all the same",
       "arXiv:2605.31311", Origin::reconstructed,
       method("soba") + all_by("gt-nonatc") +
           Settings{{"method.products", "exact"},
                    {"method.radius", "1000"},
                    {"method.alpha", "0.02"},
                    {"method.beta", "0.1"},
                    {"method.gamma", "0.1"},
                    {"estimator.name", "reuse"},
                    {"estimator.reuse_probability", "0.5"}},
       "only the idea is known from the paper; each agent draws for itself"},
      {"ma-dsbo", "inner loops of tracked steps on y and v, moving average on x", madsbo_paper,
       Origin::reconstructed, method("ma-dsbo") + x_and_lower_by("gossip-cta", "gt-nonatc"),
       "trackers are carried over; the paper restarts them, which biases the answer "
       "(method.carry_trackers = no)"},
      {"ma-dsbo-gt", "the same with gradient tracking on x", madsbo_paper, Origin::reconstructed,
       method("ma-dsbo") + x_and_lower_by("gt-semi", "gt-nonatc"),
       "trackers are carried over; the paper restarts them, which biases the answer "
       "(method.carry_trackers = no)"},
      {"mdbo", "momentum and gradient tracking; each agent inverts its own Hessian", mdbo_paper,
       Origin::reconstructed,
       method("aid-neumann") + all_by("gt-semi") + neumann_alone() +
           Settings{{"estimator.name", "momentum"}},
       "biased where agents of a shared lower level differ; the paper also damps the step of x and "
       "y"},
      {"vrdbo", "the same with STORM", mdbo_paper, Origin::reconstructed,
       method("aid-neumann") + all_by("gt-semi") + neumann_alone() +
           Settings{{"estimator.name", "storm"}},
       "biased where agents of a shared lower level differ; the paper also damps the step of x and "
       "y"},
      {"interact",
       "gradient tracking on x, the linear system solved exactly; lower levels of the "
       "agents' own",
       "Z. Liu, X. Zhang, P. Khanduri, S. Lu, J. Liu, MobiHoc 2022, arXiv:2207.13283",
       Origin::reconstructed,
       method("aid-cg") + personal_by("gt-semi") + Settings{{"method.inner_steps", "1"}}, ""},
      {"adasdbo", "SOBA with gossip and steps from accumulated local norms",
       "Z. Zhai, W. Yan, Y. Zhang, NeurIPS 2025, arXiv:2510.24288", Origin::reconstructed,
       method("soba") + all_by("gossip-atc") +
           Settings{{"method.products", "exact"},
                    {"method.alpha", "1"},
                    {"method.beta", "1"},
                    {"method.gamma", "1"},
                    {"steps.rule", "accumulated-local"},
                    {"steps.coupled", "yes"}},
       "the norms are averaged exactly, so that all agents take the same steps"},
      {"pll-fo-gt", "penalty with a lower level of each agent's own; only x travels", "",
       Origin::own, fixed_penalty() + personal_by("gt-semi"), ""},
      {"diamond", "single loop with momentum; lower levels of the agents' own",
       "arXiv:2212.02376, INFOCOM 2023", Origin::reconstructed,
       method("soba") + personal_by("gt-semi") +
           Settings{{"method.products", "exact"}, {"estimator.name", "momentum"}},
       "only the idea is known from the paper"},
      {"lopa",
       "loopless; lower levels of the agents' own; the direction of x is averaged over time and "
       "tracked",
       "Y. Niu, J. Xu, Y. Sun, Y. Huang, L. Chai, JMLR 26(76), 2025, arXiv:2312.14690",
       Origin::reconstructed,
       method("soba") + personal_by("gt-nonatc") +
           Settings{{"method.products", "exact"}, {"method.theta", "0.3"}, {"network.lazy", "yes"}},
       "the paper's damped mixing (1 - tau) I + tau W, with tau = 1/2"},
      {"duet",
       "lopa on a lower level with a ridge that vanishes, for lower levels that are merely convex",
       "Z. Qin, Z. Liu, S. Lu, Y. Liang, J. Liu, ICLR 2025, arXiv:2606.21153",
       Origin::reconstructed,
       method("soba") + personal_by("gt-nonatc") +
           Settings{{"method.products", "exact"},
                    {"network.lazy", "yes"},
                    {"problem.tikhonov", "0.1"},
                    {"problem.tikhonov_decay", "0.3"}},
       "of the minimizers of a lower level the least in norm is taken; constants are Echelon's"},
  };
}

}  // namespace echelon::detail
