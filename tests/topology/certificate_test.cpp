#include "echelon/topology/certificate.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "echelon/core/random.hpp"

#include "mixing_matrices.hpp"

namespace echelon {
namespace {

using namespace testing_support;

using Rows = std::vector<std::vector<MixingMatrix::Entry>>;
constexpr double pi = std::numbers::pi;

using Edges = std::vector<std::pair<AgentId, AgentId>>;

void connect(Edges& edges, AgentId i, AgentId j) {
  edges.emplace_back(i, j);
  edges.emplace_back(j, i);
}

Graph graph_of(const std::string& topology, AgentId n) {
  Edges edges;
  const auto side = static_cast<AgentId>(std::lround(std::sqrt(n)));
  for (AgentId i = 0; i < n; ++i) {
    if (topology == "ring") connect(edges, i, (i + 1) % n);
    if (topology == "path" && i > 0) connect(edges, i - 1, i);
    if (topology == "star" && i > 0) connect(edges, 0, i);
    if (topology == "tree" && i > 0) connect(edges, (i - 1) / 2, i);
    if (topology == "torus") connect(edges, i, i / side * side + (i + 1) % side);
    if (topology == "torus") connect(edges, i, (i + side) % n);
    for (AgentId j = 0; topology == "complete" && j < i; ++j) connect(edges, i, j);
    for (AgentId hop = 1; topology == "exponential" && hop < n; hop *= 2) {
      edges.emplace_back(i, (i - hop + n) % n);
    }
    if (topology == "directed-ring") edges.emplace_back(i, (i + 1) % n);
  }
  return Graph(n, std::move(edges));
}

Certificate certificate_of(const std::string& topology, AgentId agents, bool is_lazy = false,
                           const std::string& weights = "uniform") {
  const Graph graph = graph_of(topology, agents);
  const MixingMatrix matrix =
      weights == "uniform" ? uniform_weights(graph) : metropolis_weights(graph);
  return certify(is_lazy ? lazy(matrix) : matrix);
}

/// Largest factor by which W^k shrinks what is not the mean, for a large k, to the power 1/k.
double decay_by_powers(const MixingMatrix& matrix) {
  Eigen::MatrixXd w = dense(matrix);
  w.array() -= 1.0 / matrix.agents();
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

TEST(Certificate, LargeSymmetricMatricesKeepTheirPromise) {
  const auto ring = certificate_of("ring", 100000);
  const double gap = 2 * (1 - std::cos(2 * pi / 100000)) / 3;
  EXPECT_NEAR(ring.spectral_gap, gap, 1e-3 * gap);
  EXPECT_NEAR(ring.smallest_eigenvalue, -1.0 / 3, 1e-3);
  const auto torus = certificate_of("torus", 40000);
  const double torus_gap = 2 * (1 - std::cos(2 * pi / 200)) / 5;
  EXPECT_NEAR(torus.spectral_gap, torus_gap, 1e-3 * torus_gap);
  EXPECT_NEAR(torus.smallest_eigenvalue, -0.6, 1e-3);
  const auto star = certificate_of("star", 100000, false, "metropolis");
  EXPECT_NEAR(star.spectral_gap, 1e-5, 1e-8);
  EXPECT_NEAR(star.smallest_eigenvalue, 0, 1e-9);
}

TEST(Certificate, DirectedCirculantsHaveTheirClosedForm) {
  for (const AgentId n : {9, 400, 600}) {  // eigenvalues (1 + w) / 2
    EXPECT_NEAR(certificate_of("directed-ring", n).second_eigenvalue, std::cos(pi / n), 1e-9);
  }
  const auto exponential = certificate_of("exponential", 100000);
  EXPECT_NEAR(exponential.second_eigenvalue, 16.0 / 18, 1e-4);
  EXPECT_TRUE(std::isnan(exponential.smallest_eigenvalue));
}

TEST(Certificate, LargeMatricesThatAreNotDoublyStochastic) {
  // A path with uniform weights is similar to a symmetric matrix; here beyond the dense sizes.
  const Graph graph = graph_of("tree", 600);
  const MixingMatrix rows = uniform_weights(graph);
  const Eigen::MatrixXd w = dense(rows);
  Eigen::VectorXd root = w.diagonal().cwiseSqrt();  // w_ij = w_ii: D^-1/2 W D^1/2 is symmetric
  const Eigen::MatrixXd similar = root.cwiseInverse().asDiagonal() * w * root.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(similar, Eigen::EigenvaluesOnly);
  const double second = std::max(solver.eigenvalues()[598], -solver.eigenvalues()[0]);
  const auto certificate = certify(rows);
  EXPECT_NEAR(1 - second, certificate.spectral_gap, 1e-3 * (1 - second));
  const MixingMatrix columns = column_weights(graph);  // the transposed
  EXPECT_NEAR(1 - second, certify(columns).spectral_gap, 1e-3 * (1 - second));
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

MixingMatrix random_matrix(AgentId agents, double probability, int kind, std::uint64_t seed) {
  const Graph graph = random_graph(agents, probability, kind != 0, seed);
  if (kind == 0) return metropolis_weights(graph);
  return kind == 1 ? uniform_weights(graph) : column_weights(graph);
}

/// The spectral norm of what `product` makes of differences.
double norm_off_mean(const Eigen::MatrixXd& product) {
  const auto n = product.rows();
  const Eigen::MatrixXd off = Eigen::MatrixXd::Identity(n, n) -
                              Eigen::MatrixXd::Constant(n, n, 1.0 / static_cast<double>(n));
  return (off * product * off).jacobiSvd().singularValues()[0];
}

/// The second largest absolute value of the eigenvalues.
double second_of(const Eigen::MatrixXd& product) {
  Eigen::ArrayXd values = product.eigenvalues().cwiseAbs().array();
  std::sort(values.begin(), values.end());
  return values.size() == 1 ? 0 : values[values.size() - 2];
}

/// Everything but the spectrum, from the definition.
void expect_facts(const Certificate& found, const std::vector<MixingMatrix>& rounds) {
  const AgentId n = rounds.front().agents();
  Edges together;
  double smallest = 1e9;
  double edges = 0;
  Eigen::Index least = n;
  Eigen::Index most = 0;
  bool rows = true;
  bool columns = true;
  bool symmetric = true;
  for (const auto& round : rounds) {
    const Eigen::MatrixXd w = dense(round);
    rows = rows && (w.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12;
    columns = columns && (w.colwise().sum().array() - 1).abs().maxCoeff() < 1e-12;
    symmetric = symmetric && (w - w.transpose()).cwiseAbs().maxCoeff() < 1e-12;
    for (AgentId i = 0; i < n; ++i) {
      Eigen::Index degree = 0;
      for (AgentId j = 0; j < n; ++j) {
        if (w(i, j) == 0) continue;
        smallest = std::min(smallest, w(i, j));
        if (i == j) continue;
        together.emplace_back(i, j);
        ++degree;
      }
      least = std::min(least, degree);
      most = std::max(most, degree);
      edges += static_cast<double>(degree) / static_cast<double>(rounds.size());
    }
  }
  const int diameter = diameter_by_force(Graph(n, together));
  EXPECT_EQ(found.row_stochastic, rows);
  EXPECT_EQ(found.column_stochastic, columns);
  EXPECT_EQ(found.symmetric, symmetric);
  EXPECT_EQ(found.smallest_weight, smallest);
  EXPECT_EQ(found.edges, static_cast<std::size_t>(std::llround(edges)));
  EXPECT_EQ(found.degree_min, least);
  EXPECT_EQ(found.degree_max, most);
  EXPECT_NEAR(found.degree_mean, edges / n, 1e-12);
  EXPECT_EQ(found.connected, diameter >= 0);
  EXPECT_EQ(found.diameter_low, diameter);
  EXPECT_EQ(found.diameter_high, diameter);
}

TEST(Certificate, EveryFieldAgreesWithBruteForce) {
  for (std::uint64_t seed = 0; seed < 240; ++seed) {
    const auto agents = static_cast<AgentId>(1 + seed % 12);
    const MixingMatrix matrix = random_matrix(agents, 0.1 * static_cast<double>(2 + seed % 5),
                                              static_cast<int>(seed % 3), seed);
    const Certificate found = certify(matrix);
    SCOPED_TRACE(seed);
    expect_facts(found, {matrix});
    EXPECT_EQ(found.period, 1U);
    const Eigen::MatrixXd w = dense(matrix);
    EXPECT_NEAR(found.second_eigenvalue, second_of(w), 1e-4);  // defective ones are not sharper
    if (found.symmetric) {
      EXPECT_NEAR(found.smallest_eigenvalue, w.selfadjointView<Eigen::Lower>().eigenvalues()[0],
                  1e-13);
    } else {
      EXPECT_TRUE(std::isnan(found.smallest_eigenvalue));
    }
  }
}

TEST(Certificate, PeriodsAgreeWithBruteForce) {
  int finite = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto agents = static_cast<AgentId>(2 + seed % 11);
    const std::uint64_t period = 2 + seed % 4;
    std::vector<MixingMatrix> rounds;
    Eigen::MatrixXd product = Eigen::MatrixXd::Identity(agents, agents);
    for (std::uint64_t k = 0; k < period; ++k) {
      rounds.push_back(random_matrix(agents, 0.3, static_cast<int>(seed % 3), 1000 * seed + k));
      product = dense(rounds.back()) * product;
    }
    const Certificate found = certify(Rounds(rounds, period));
    SCOPED_TRACE(seed);
    expect_facts(found, rounds);
    EXPECT_EQ(found.period, period);
    EXPECT_EQ(found.examined, period);
    const double second = second_of(product);
    if (second > 1e-3) {
      EXPECT_NEAR(found.second_eigenvalue, std::pow(second, 1.0 / double(period)), 1e-4);
    }
    if (second > 0.95) continue;
    ++finite;
    int periods = 1;
    Eigen::MatrixXd power = product;
    for (; norm_off_mean(power) > 1e-6; ++periods) power = power * product;
    EXPECT_EQ(found.rounds_to_1e6, double(period) * periods);
  }
  EXPECT_GT(finite, 50);
}

std::vector<MixingMatrix> one_peer_exponential(AgentId n) {
  std::vector<MixingMatrix> rounds;
  for (AgentId hop = 1; hop < n; hop *= 2) {
    Rows rows;
    for (AgentId i = 0; i < n; ++i) rows.push_back({{i, 0.5}, {(i + n - hop) % n, 0.5}});
    rounds.emplace_back(rows);
  }
  return rounds;
}

TEST(Certificate, OnePeerExponentialGraphsAverageInOnePeriod) {
  for (const AgentId agents : {2, 4, 8, 32, 512, 1024}) {
    const auto rounds = one_peer_exponential(agents);
    const auto certificate = certify(Rounds(rounds, rounds.size()));
    EXPECT_EQ(certificate.rounds_to_1e6, static_cast<double>(rounds.size())) << agents;
    EXPECT_EQ(certificate.second_eigenvalue, 0);
    EXPECT_TRUE(certificate.connected && certificate.doubly_stochastic());
    EXPECT_EQ(certificate.degree_max, 1);
  }
}

TEST(Certificate, LargePeriodsAgreeWithTheirFixedPoint) {
  // The same matrix twice: the root of the eigenvalue of its square.
  const MixingMatrix torus = metropolis_weights(graph_of("torus", 900));
  const auto twice = certify(Rounds({torus, torus}, 2));
  EXPECT_NEAR(twice.second_eigenvalue, (3 + 2 * std::cos(2 * pi / 30)) / 5, 1e-5);
}

TEST(Certificate, SamplesOfChangingNetworks) {
  for (const AgentId agents : {25, 900}) {
    const MixingMatrix torus = metropolis_weights(graph_of("torus", agents));
    const auto drawn = certify(Rounds({torus}, 0));
    EXPECT_EQ(drawn.period, 0U);
    EXPECT_EQ(drawn.examined, 64U);
    const double side = std::sqrt(agents);
    EXPECT_NEAR(drawn.second_eigenvalue, (3 + 2 * std::cos(2 * pi / side)) / 5, 0.02);
    EXPECT_NE(drawn.summary().find("drawn anew at every round (64 rounds examined)"),
              std::string::npos);
  }
  const MixingMatrix ring = metropolis_weights(graph_of("ring", 6));
  const auto sampled = certify(Rounds({ring}, 5000));
  EXPECT_EQ(sampled.examined, 1024U);
  EXPECT_NEAR(sampled.second_eigenvalue, 2.0 / 3, 1e-12);
}

TEST(Certificate, SamplesAgreeWithBruteForce) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    std::vector<MixingMatrix> rounds;
    Eigen::MatrixXd product = Eigen::MatrixXd::Identity(9, 9);
    for (std::uint64_t k = 0; k < 64; ++k) {
      rounds.push_back(random_matrix(9, 0.1, static_cast<int>(seed % 3), 100 * seed + k));
      product = dense(rounds.back()) * product;
    }
    const Certificate found = certify(Rounds(rounds, 0));
    expect_facts(found, rounds);
    const double norm = norm_off_mean(product);
    if (norm < 1e-11) continue;
    ++compared;
    EXPECT_NEAR(found.second_eigenvalue, std::pow(norm, 1.0 / 64), 1e-5) << seed;
    EXPECT_EQ(found.rounds_to_1e6, std::ceil(std::log(1e-6) / std::log(found.second_eigenvalue)));
  }
  EXPECT_GT(compared, 9);
}

TEST(Certificate, SummaryOfPeriodsReads) {
  const auto rounds = one_peer_exponential(4);
  EXPECT_EQ(certify(Rounds(rounds, 2)).summary(),
            "4 agents, 4 directed edges at a round, in-degree 1, strongly connected over all "
            "rounds, diameter 2\n"
            "repeats after 2 rounds\n"
            "doubly stochastic weights, the smallest is 0.5\n"
            "spectral gap 1 per round: a disagreement shrinks by 1e6 in 2 rounds");
}

}  // namespace
}  // namespace echelon
