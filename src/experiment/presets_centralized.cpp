#include "preset_settings.hpp"

namespace echelon::detail {

namespace {

/// A method under its own name with its own defaults, every variable by exact means.
Preset plain(const std::string& name, const std::string& summary, const std::string& reference,
             Origin origin, const Settings& more = {}, const std::string& note = "") {
  return {name, summary, reference, origin, method(name) + all_by("all-reduce") + more, note};
}

/// The same for a composition of another method.
Preset variant(const std::string& name, const std::string& of, const std::string& summary,
               const std::string& reference, Origin origin, const Settings& more,
               const std::string& note = "") {
  return {name, summary, reference, origin, method(of) + all_by("all-reduce") + more, note};
}

constexpr const char* soba_paper =
    "M. Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409";
constexpr const char* f2sa_paper =
    "J. Kwon, D. Kwon, S. Wright, R. Nowak, ICML 2023, arXiv:2301.10945";
constexpr const char* f2ba_paper = "L. Chen, Y. Ma, J. Zhang, JMLR 2025, arXiv:2306.14853";
constexpr const char* pbgd_paper = "H. Shen, T. Chen, ICML 2023, arXiv:2302.05185";

}  // namespace

std::vector<Preset> centralized_presets() {
  return {
      plain("f2sa", "fully first-order, growing penalty", f2sa_paper, Origin::reconstructed),
      plain("f3sa", "f2sa in one loop with STORM on its six gradients", f2sa_paper,
            Origin::reconstructed),
      plain("f2ba", "fully first-order, large fixed penalty", f2ba_paper, Origin::published),
      plain("accf2ba", "f2ba with Nesterov's momentum", f2ba_paper, Origin::reconstructed),
      variant("f2sa-2", "f2sa-p", "fully first-order, central differences of the value function",
              "L. Chen, J. Li, M. Chayti, J. Zhang, ICLR 2026, arXiv:2509.02937", Origin::published,
              {{"method.order", "2"}}),
      plain("v-pbgd", "penalty on the value gap, with projections", pbgd_paper, Origin::published),
      plain("g-pbgd", "penalty on the squared lower-level gradient", pbgd_paper, Origin::published),
      plain("bome", "bounds the fall of the value gap",
            "M. Ye, B. Liu, S. Wright, P. Stone, Q. Liu, NeurIPS 2022, arXiv:2209.08709",
            Origin::released),
      plain("meha", "Moreau envelope, also for nonsmooth lower levels",
            "R. Liu, Z. Liu, W. Yao, S. Zeng, J. Zhang, ICML 2024, arXiv:2405.09927",
            Origin::published, {},
            "the authors' toy scripts multiply f by the growing weight; it is divided here, as in "
            "the "
            "paper"),
      plain("rxgf", "gradient flow with a barrier",
            "S. Sharifi, N. Abolfazli, E. Hamedani, M. Fazlyab, ACC 2025, arXiv:2501.16520",
            Origin::published, {}, "Euler steps; the authors integrate by Runge-Kutta"),
      plain("pgd-cqa", "one quadratic program per step",
            "N. Abolfazli, S. Sharifi, M. Fazlyab, E. Hamedani, TMLR, arXiv:2504.17215",
            Origin::published),
      plain("sqcqp", "quadratically constrained programs with a line search",
            "IEEE L-CSS 2025, arXiv:2505.14647", Origin::published),
      plain("bvfim", "barrier on a regularized value function",
            "R. Liu, X. Liu, X. Yuan, S. Zeng, J. Zhang, ICML 2021, arXiv:2106.07991",
            Origin::released),
      plain("pdbo", "primal and dual steps",
            "D. Sow, K. Ji, Z. Guan, Y. Liang, 2022, arXiv:2203.01123", Origin::reconstructed),
      plain("scalebio", "penalty with AdamW", "R. Pan et al., 2024, arXiv:2406.19976",
            Origin::released),
      plain("soba", "single loop on the linear system", soba_paper, Origin::published,
            {{"method.products", "exact"}}),
      variant("saba", "soba", "SOBA with SAGA tables", soba_paper, Origin::published,
              {{"method.products", "exact"}, {"estimator.name", "saga"}},
              "for problems that are finite sums"),
      plain("hjfbio", "SOBA by differences of a fixed width, v in a ball",
            "F. Huang, ICML 2024, arXiv:2407.17823", Origin::reconstructed),
      variant("srba", "soba", "SOBA with SARAH",
              "M. Dagreou, T. Moreau, S. Vaiter, P. Ablin, AISTATS 2024, arXiv:2302.08766",
              Origin::published, {{"method.products", "exact"}, {"estimator.name", "sarah"}},
              "for problems that are finite sums"),
      plain("ma-soba", "SOBA with a moving average on x", "", Origin::own,
            {{"method.products", "exact"}}, "the literature knows it as MA-SOBA"),
      plain("fsla", "SOBA with a corrected momentum on x",
            "J. Li, B. Gu, H. Huang, AAAI 2022, arXiv:2112.04660", Origin::released),
      plain("fdehbo", "STORM on all three directions, differences",
            "Y. Yang, P. Xiao, K. Ji, NeurIPS 2023, arXiv:2312.03807", Origin::reconstructed),
      plain("fmbo", "STORM on all three directions, exact products",
            "Y. Yang, P. Xiao, K. Ji, NeurIPS 2023, arXiv:2312.03807", Origin::published),
      plain("sustain", "STORM on y and x, a Neumann sum for the linear system",
            "P. Khanduri, S. Zeng, M. Hong, H.-T. Wai, Z. Wang, Z. Yang, NeurIPS 2021, "
            "arXiv:2102.07367",
            Origin::released),
      plain("mrbo", "momentum on y and x, a Neumann sum for the linear system",
            "J. Yang, K. Ji, Y. Liang, NeurIPS 2021, arXiv:2106.04692", Origin::released),
      plain("stocbio", "inner steps of y, a Neumann sum for the linear system",
            "K. Ji, J. Yang, Y. Liang, ICML 2021, arXiv:2010.07962", Origin::released),
      plain("qnbo", "quasi-Newton steps for y and the linear system",
            "S. Fang et al., ICLR 2025, arXiv:2502.01076", Origin::reconstructed),
      variant("cg", "aid-cg", "inner steps of y, conjugate gradients for the linear system",
              "F. Pedregosa, ICML 2016, arXiv:1602.02355", Origin::reconstructed, {}),
      variant("neumann", "aid-neumann", "inner steps of y, a Neumann sum for the linear system",
              "J. Lorraine, P. Vicol, D. Duvenaud, AISTATS 2020, arXiv:1911.02590",
              Origin::reconstructed, {}),
      variant("woodfisher", "aid-woodfisher", "inner steps of y, the Hessian from outer products",
              "S. P. Singh, D. Alistarh, NeurIPS 2020, arXiv:2004.14340", Origin::reconstructed, {},
              "for problems that offer the factors of the Hessian"),
      plain("pzobo", "zeroth-order estimate of the response Jacobian",
            "D. Sow, K. Ji, Y. Liang, NeurIPS 2022, arXiv:2110.07004", Origin::released),
      plain("hozog", "zeroth-order hypergradient", "B. Gu et al., 2021", Origin::reconstructed),
      plain("unroll-forward", "differentiates the lower-level steps, forward",
            "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785",
            Origin::published),
      plain("unroll-backward", "differentiates the lower-level steps, in reverse",
            "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785",
            Origin::published),
      plain("unroll-truncated", "differentiates the last lower-level steps",
            "A. Shaban, C.-A. Cheng, N. Hatch, B. Boots, AISTATS 2019, arXiv:1810.10667",
            Origin::published),
      plain("unroll-sign", "sign steps below, no second-order terms", "", Origin::own, {},
            "the single-task form of Sign-MAML"),
      plain("bda", "lower-level steps that also descend f, for several minimizers",
            "R. Liu, P. Mu, X. Yuan, S. Zeng, J. Zhang, ICML 2020, arXiv:2006.04045",
            Origin::reconstructed),
      plain("sigd", "linear inequality constraints below, implicit gradients",
            "P. Khanduri, I. Tsaknakis, Y. Zhang, J. Liu, S. Liu, J. Zhang, M. Hong, ICML 2023",
            Origin::reconstructed),
      plain("ds-blo", "the same with fresh perturbations and normalized momentum", "", Origin::own,
            {}, "known as DS-BLO"),
      plain("aipod", "linear equality constraints below, projections above",
            "Q. Xiao, H. Shen, W. Yin, T. Chen, AISTATS 2023, arXiv:2211.07096", Origin::published),
      plain("e-aipod", "the same with projections of x every few steps",
            "Q. Xiao, H. Shen, W. Yin, T. Chen, AISTATS 2023, arXiv:2211.07096",
            Origin::reconstructed),
  };
}

}  // namespace echelon::detail
