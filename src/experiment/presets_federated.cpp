#include "preset_settings.hpp"

namespace echelon::detail {

namespace {

/// Rounds of five local steps, averaged by a server.
Settings rounds(const std::string& strategy) {
  return {{"consensus.strategy", strategy}, {"consensus.local_steps", "5"}};
}

/// The server goes on with four reports, none older than fifteen of its steps.
Settings asynchronously() {
  return {{"consensus.strategy", "stale-server"},    {"participation.policy", "bounded-staleness"},
          {"participation.wait_for", "4"},           {"participation.staleness", "15"},
          {"participation.compute_seconds", "0.03"}, {"participation.compute_sigma", "1"}};
}

constexpr const char* memfbo_paper =
    "Y. Yang, P. Xiao, S. Ma, K. Ji, \"First-Order Federated Bilevel Learning\", AAAI 2025";
constexpr const char* fedbio_paper = "J. Li, F. Huang, H. Huang, NeurIPS 2023";

}  // namespace

std::vector<Preset> federated_presets() {
  return {
      {"memfbo", "single loop of local steps by differences of gradients, control variates",
       memfbo_paper, Origin::reconstructed, method("soba") + rounds("local-server-cv"),
       "one of two readings of the paper"},
      {"memfbo-penalty", "penalty with local steps and control variates", memfbo_paper,
       Origin::reconstructed, fixed_penalty() + rounds("local-server-cv"),
       "the other reading; do not take it for the authors' exact method"},
      {"simfbo", "single loop of local steps, v kept in a ball",
       "Y. Yang, P. Xiao, K. Ji, NeurIPS 2023, arXiv:2305.19442", Origin::published,
       method("soba") + rounds("local-server") +
           Settings{{"method.products", "exact"}, {"method.radius", "1000"}},
       "v is projected at each local step, in the paper by the server alone"},
      {"shrofbo", "simfbo whose server weighs clients by their local steps",
       "Y. Yang, P. Xiao, K. Ji, NeurIPS 2023, arXiv:2305.19442", Origin::reconstructed,
       method("soba") + rounds("local-server") +
           Settings{{"method.products", "exact"}, {"method.radius", "1000"}},
       "all clients make the same number of local steps here, for which the weights are 1"},
      {"fedbio", "local steps on the linear system, averaged every few steps", fedbio_paper,
       Origin::reconstructed,
       method("soba") + rounds("local-server") + Settings{{"method.products", "exact"}}, ""},
      {"fedbio-acc", "the same with STORM", fedbio_paper, Origin::reconstructed,
       method("soba") + rounds("local-server") +
           Settings{{"method.products", "exact"}, {"estimator.name", "storm"}},
       "estimators are each client's own, in the paper they are averaged as well"},
      {"fednest", "nested rounds of local steps with variance reduction, Neumann series",
       "D. Tarzanagh, M. Li, C. Thrampoulidis, S. Oymak, ICML 2022, arXiv:2205.02215",
       Origin::released, method("fednest") + all_by("all-reduce"),
       "steps are Echelon's; the series has the factor eta that the released code leaves out"},
      {"fedmsa", "local steps from the mean direction of all agents, which has momentum",
       "D. A. Tarzanagh, M. Li, P. Sharma, S. Oymak, 2023, arXiv:2306.01648", Origin::released,
       method("fedmsa") + all_by("all-reduce") + Settings{{"estimator.name", "storm"}}, ""},
      {"adbo", "asynchronous, cutting planes, partial barrier",
       "Y. Jiao, K. Yang, T. Wu, D. Song, C. Jian, ICLR 2023, arXiv:2212.10048", Origin::released,
       method("adbo") + asynchronously(), "steps are Echelon's; one step behind each plane"},
      {"async-penalty", "penalty whose server steps along the mean of every agent's last report",
       "", Origin::own, fixed_penalty() + asynchronously() + Settings{{"method.order", "jacobi"}},
       ""},
      {"mefbo", "Moreau envelope with local steps, as in MeFBO", "", Origin::own,
       method("moreau") + rounds("local-server"), ""},
      {"fed-fo-vr", "penalty with STORM and local steps",
       "Zhang, Dhaipule, Tan, Ling, Gao, IJCAI 2025, doi 10.24963/ijcai.2025/784",
       Origin::reconstructed,
       fixed_penalty() + rounds("local-server") + Settings{{"estimator.name", "storm"}}, ""},
  };
}

}  // namespace echelon::detail
