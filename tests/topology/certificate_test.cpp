#include "echelon/topology/certificate.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <numbers>

#include "echelon/core/random.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

using Rows = std::vector<std::vector<MixingMatrix::Entry>>;
constexpr double pi = std::numbers::pi;

Certificate certificate_of(const std::string& topology, std::int64_t agents, bool lazy = false,
                           const std::string& weights = "uniform") {
  TopologyOptions options;
  options.topology = topology;
  options.agents = agents;
  options.lazy = lazy;
  options.weights = weights;
  return certify(make_mixing_matrix(options));
}

/// Largest factor by which W^k shrinks what is not the mean, for a large k, to the power 1/k.
double decay_by_powers(const MixingMatrix& matrix) {
  const int n = matrix.agents();
  Eigen::MatrixXd w = Eigen::MatrixXd::Zero(n, n);
  for (AgentId i = 0; i < n; ++i) {
    for (const auto& [j, weight] : matrix.row(i)) w(i, j) = weight;
  }
  w.array() -= 1.0 / n;
  double log_norm = 0;
  double power = 1;
  for (int squaring = 0; squaring < 24; ++squaring) {
    w = (w * w).eval();
    power *= 2;
    log_norm = 2 * log_norm + std::log(w.norm());
    w /= w.norm();
  }
  return std::exp(log_norm / power);
}

/// Floyd-Warshall; -1 if not strongly connected.
int diameter_by_force(const Graph& graph) {
  const int n = graph.agents();
  constexpr int far = 1 << 20;
  Eigen::MatrixXi distance = Eigen::MatrixXi::Constant(n, n, far);
  for (AgentId i = 0; i < n; ++i) {
    distance(i, i) = 0;
    for (const AgentId j : graph.senders(i)) distance(j, i) = 1;
  }
  for (int k = 0; k < n; ++k) {
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        distance(i, j) = std::min(distance(i, j), distance(i, k) + distance(k, j));
      }
    }
  }
  return distance.maxCoeff() >= far ? -1 : distance.maxCoeff();
}

Graph random_graph(AgentId agents, double probability, bool directed, std::uint64_t seed) {
  Draws draws(seed, Purpose::graph);
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId i = 0; i < agents; ++i) {
    for (AgentId j = 0; j < agents; ++j) {
      if (i == j || (!directed && j > i) || draws.uniform() > probability) continue;
      edges.emplace_back(i, j);
      if (!directed) edges.emplace_back(j, i);
    }
  }
  return Graph(agents, edges);
}

TEST(Certificate, RingHasItsClosedForm) {
  for (const int n : {3, 4, 8, 15, 512, 513, 2500}) {
    const double expected = (1 + 2 * std::cos(2 * pi / n)) / 3;
    EXPECT_NEAR(certificate_of("ring", n).second_eigenvalue,
                std::max(expected, std::abs(1 + 2 * std::cos(pi * (n / 2 * 2) / n)) / 3), 1e-12);
    EXPECT_NEAR(certificate_of("ring", n, true).second_eigenvalue, (1 + expected) / 2, 1e-12);
  }
}

TEST(Certificate, LazyHalfRingHasItsClosedForm) {
  for (const int n : {3, 6, 9, 600}) {
    Rows rows;
    for (AgentId i = 0; i < n; ++i) {
      rows.push_back({{i, 0.5}, {(i + 1) % n, 0.25}, {(i + n - 1) % n, 0.25}});
    }
    EXPECT_NEAR(certify(MixingMatrix(rows)).second_eigenvalue, 0.5 + 0.5 * std::cos(2 * pi / n),
                1e-12);
  }
}

TEST(Certificate, TinyGapsOfLongGraphsAreFound) {
  const auto ring = certificate_of("ring", 10000);
  EXPECT_NEAR(ring.spectral_gap, 2 * (1 - std::cos(2 * pi / 10000)) / 3, 1e-13);
  EXPECT_NEAR(certificate_of("path", 10000, false, "metropolis").spectral_gap,
              2 * (1 - std::cos(pi / 10000)) / 3, 1e-13);
  EXPECT_EQ(ring.diameter_low, 5000);
  EXPECT_EQ(ring.diameter_high, 9999);
}

TEST(Certificate, LargeRingsThatBarelyMixAlternate) {
  // Self weight 0.01: the eigenvalue nearest to -1 is the larger one.
  constexpr AgentId n = 4000;
  Rows rows;
  for (AgentId i = 0; i < n; ++i) {
    rows.push_back({{i, 0.01}, {(i + 1) % n, 0.495}, {(i + n - 1) % n, 0.495}});
  }
  EXPECT_NEAR(certify(MixingMatrix(rows)).second_eigenvalue, 0.01 + 0.99 * std::cos(2 * pi / n),
              1e-9);
  for (AgentId i = 0; i < n; ++i) {
    rows[static_cast<std::size_t>(i)] = {{(i + 1) % n, 0.5}, {(i + n - 1) % n, 0.5}};
  }
  const auto certificate = certify(MixingMatrix(rows));  // bipartite: -1 is an eigenvalue
  EXPECT_EQ(certificate.spectral_gap, 0);
  EXPECT_TRUE(std::isinf(certificate.rounds_to_1e6));
}

TEST(Certificate, OtherClosedForms) {
  for (const int n : {2, 5, 100, 700}) {
    EXPECT_NEAR(certificate_of("complete", n).spectral_gap, 1, 1e-12);
    EXPECT_EQ(certificate_of("complete", n).rounds_to_1e6, 1);
  }
  for (const int n : {5, 100, 700}) {
    EXPECT_NEAR(certificate_of("star", n, false, "metropolis").spectral_gap, 1.0 / n, 1e-10);
    EXPECT_NEAR(certificate_of("path", n, false, "metropolis").spectral_gap,
                2 * (1 - std::cos(pi / n)) / 3, 1e-12);
  }
  // Even n: (tau - 1) / (tau + 1) with tau = ceil(log2 n); arXiv:2110.13363.
  EXPECT_NEAR(certificate_of("exponential", 8).second_eigenvalue, 0.5, 1e-12);
  EXPECT_NEAR(certificate_of("exponential", 1024).second_eigenvalue, 9.0 / 11, 1e-9);
  // 30 x 30 torus: the slowest wave runs along one side.
  EXPECT_NEAR(certificate_of("torus", 900).second_eigenvalue, (3 + 2 * std::cos(2 * pi / 30)) / 5,
              1e-9);
}

TEST(Certificate, RandomGraphsAgreeWithBruteForce) {
  int connected = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto agents = static_cast<AgentId>(3 + seed % 9);
    const Graph graph = random_graph(agents, 0.4, false, seed);
    const MixingMatrix matrix = metropolis_weights(graph);
    const Certificate certificate = certify(matrix);
    EXPECT_TRUE(certificate.symmetric && certificate.doubly_stochastic());
    EXPECT_EQ(certificate.edges, graph.edges());
    EXPECT_EQ(certificate.diameter_low, diameter_by_force(graph));
    EXPECT_EQ(certificate.diameter_high, certificate.diameter_low);
    EXPECT_EQ(certificate.connected, diameter_by_force(graph) >= 0);
    if (!certificate.connected) {
      EXPECT_EQ(certificate.spectral_gap, 0);
      continue;
    }
    ++connected;
    EXPECT_NEAR(certificate.second_eigenvalue, decay_by_powers(matrix), 1e-5);
  }
  EXPECT_GT(connected, 10);
  EXPECT_LT(connected, 40);
}

TEST(Certificate, DirectedGraphsAgreeWithBruteForce) {
  int connected = 0;
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    const Graph graph = random_graph(7, 0.4, true, seed);
    const Certificate certificate = certify(uniform_weights(graph));
    EXPECT_TRUE(certificate.row_stochastic);
    EXPECT_EQ(certificate.diameter_high, diameter_by_force(graph));
    EXPECT_EQ(certificate.connected, certificate.diameter_high >= 0);
    connected += certificate.connected;
  }
  EXPECT_GT(connected, 3);
  EXPECT_LT(connected, 30);
}

TEST(Certificate, RowStochasticMatricesDropTheEigenvalueOne) {
  // Eigenvalues 1 and 1 - a - b.
  const auto certificate = certify(MixingMatrix(Rows{{{0, 0.9}, {1, 0.1}}, {{0, 0.3}, {1, 0.7}}}));
  EXPECT_FALSE(certificate.column_stochastic || certificate.symmetric);
  EXPECT_NEAR(certificate.second_eigenvalue, 0.6, 1e-14);
  EXPECT_EQ(certificate.smallest_weight, 0.1);
  EXPECT_EQ(certificate.rounds_to_1e6, 28);  // 0.6^27 = 1.02e-6
}

TEST(Certificate, SaysSoWhenTheGapIsNotFound) {
  const auto certificate = certificate_of("path", 600);
  EXPECT_TRUE(std::isnan(certificate.spectral_gap));
  EXPECT_TRUE(std::isnan(certificate.rounds_to_1e6));
  EXPECT_NE(certificate.summary().find("spectral gap not found"), std::string::npos);
}

TEST(Certificate, DiameterBoundsHoldBeyondTheExactSizes) {
  const auto path = certificate_of("path", 2500, false, "metropolis");
  EXPECT_EQ(path.diameter_low, 2499);
  EXPECT_EQ(path.diameter_high, 2499);
  const auto star = certificate_of("star", 2500, false, "metropolis");
  EXPECT_EQ(star.diameter_low, 2);
  EXPECT_EQ(star.diameter_high, 2);
  const auto torus = certificate_of("torus", 2500);  // 50 x 50: 25 + 25
  EXPECT_LE(torus.diameter_low, 50);
  EXPECT_GE(torus.diameter_high, 50);
}

TEST(Certificate, SummaryReads) {
  EXPECT_EQ(certificate_of("ring", 8).summary(),
            "8 agents, 8 edges, degree 2, connected, diameter 4\n"
            "symmetric, doubly stochastic weights, the smallest is 0.3333\n"
            "spectral gap 0.1953: a disagreement shrinks by 1e6 in 64 rounds");
  EXPECT_EQ(certify(uniform_weights(Graph(3, {{0, 1}, {0, 2}}))).summary(),
            "3 agents, 2 directed edges, in-degree 0 to 2 (mean 0.6667), not strongly connected\n"
            "row-stochastic (not column-stochastic) weights, the smallest is 0.3333\n"
            "spectral gap 0: a disagreement need not shrink");
  EXPECT_NE(certificate_of("ring", 1).summary().find("nothing to agree on"), std::string::npos);
}

}  // namespace
}  // namespace echelon
