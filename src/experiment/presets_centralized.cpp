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
            Origin::reconstructed, {{"estimator.name", "storm"}, {"estimator.c", "0.9"}}),
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
  };
}

}  // namespace echelon::detail
