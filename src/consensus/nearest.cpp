#include "nearest.hpp"

#include <algorithm>
#include <cmath>

#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// Of what weights add up to.
constexpr double rounding = 1e-9;

}  // namespace

void visit_mix_nearest(OptionVisitor& visitor, bool& mix_nearest) {
  visitor("mix_nearest", mix_nearest,
          "first replace each response by the mean of those nearest to it, itself included, all "
          "but the fraction trimmed_fraction; for agents that differ much, or know different "
          "coordinates");
}

void visit_trimmed_fraction(OptionVisitor& visitor, double& trimmed_fraction,
                            std::string_view help) {
  visitor("trimmed_fraction", trimmed_fraction, Range{.low = 0, .high = 0.5, .high_open = true},
          help);
}

void visit_nearest(OptionVisitor& visitor, bool& mix_nearest, double& trimmed_fraction) {
  visit_mix_nearest(visitor, mix_nearest);
  if (!mix_nearest) return;
  visit_trimmed_fraction(visitor, trimmed_fraction,
                         "fraction of the responses that may be false, left out of each mean");
}

void require_minority(const std::string& rule, AgentId attackers, AgentId agents,
                      const std::string& where) {
  require(2 * attackers < agents, ErrorKind::usage, where, ": ", rule,
          " bears fewer attackers than half of the agents, and attack.fraction "
          "makes ",
          attackers, " of ", agents, "; choose a smaller one");
}

void require_trimmed(const std::string& rule, double trimmed_fraction, AgentId attackers,
                     AgentId agents, const std::string& where) {
  const double trimmed = trimmed_fraction * agents;
  require(trimmed + rounding >= attackers, ErrorKind::usage, where, ": ", rule,
          " with trimmed_fraction = ", trimmed_fraction, " bears ", trimmed, " of ", agents,
          " agents as attackers, and attack.fraction makes ", attackers,
          "; choose a larger trimmed_fraction");
}

bool count_alike(const std::vector<double>& weights) {
  double first = 0;
  for (const double weight : weights) {
    if (weight <= 0) continue;
    if (first > 0 && weight != first) return false;
    first = weight;
  }
  return true;
}

void NearestMixing::operator()(AgentView& answers, const Heard& heard) {
  for (std::size_t k = 0; k < context_.heights.size(); ++k) mix(answers, heard, k);
}

void NearestMixing::tell(const AgentView& answers, AgentId of, std::size_t part, VectorXd& column) {
  AgentMatrix& scratch = context_.network.scratch("told", context_.heights[part]);
  for (int i = 0; i < static_cast<int>(answers.cols()); ++i) {
    if (context_.network.agents().local[static_cast<std::size_t>(i)] == of) {
      scratch.col(i) = answers.col(i).segment(context_.offsets[part], context_.heights[part]);
    } else {
      scratch.col(i).setZero();
    }
  }
  context_.network.sum_at_server(scratch, column);
}

/// Weights of all agents' answers (rows) in what becomes of the local ones (columns); 0 for who is
/// left out.
Eigen::MatrixXd NearestMixing::nearest(const Eigen::MatrixXd& squares,
                                       const std::vector<double>& weights) const {
  Eigen::MatrixXd shares = Eigen::MatrixXd::Zero(squares.rows(), squares.cols());
  for (Index i = 0; i < squares.cols(); ++i) {
    std::vector<Index> order;
    double total = 0;
    for (Index j = 0; j < squares.rows(); ++j) {
      if (std::isnan(squares(j, i))) continue;
      order.push_back(j);
      total += weights[static_cast<std::size_t>(j)];
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return squares(a, i) < squares(b, i); });
    double weight = 0;
    for (const Index j : order) {
      if (weight >= (1 - fraction_ - rounding) * total) break;
      shares(j, i) = weights[static_cast<std::size_t>(j)];
      weight += shares(j, i);
    }
    if (weight > 0) shares.col(i) /= weight;
  }
  return shares;
}

void NearestMixing::mix(AgentView& answers, const Heard& heard, std::size_t part) {
  const auto agents = static_cast<int>(answers.cols());
  const Index from = context_.offsets[part];
  const Index rows = context_.heights[part];
  const std::vector<double> alike(static_cast<std::size_t>(context_.network.size()), 1.0);
  Eigen::MatrixXd squares(context_.network.size(), agents);
  VectorXd column;
  for (AgentId j = 0; j < context_.network.size(); ++j) {
    tell(answers, j, part, column);
    parallel_for(agents, [&](int i) {
      squares(j, i) = squared_distance(answers.col(i).data() + from, column.data(), rows);
    });
  }
  const Eigen::MatrixXd shares = nearest(squares, heard.weights.empty() ? alike : heard.weights);
  AgentMatrix& mixed = context_.network.scratch("mixed", rows);
  parallel_for(agents, [&](int i) { mixed.col(i).setZero(); });
  for (AgentId j = 0; j < context_.network.size(); ++j) {
    tell(answers, j, part, column);
    parallel_for(agents, [&](int i) {
      if (shares(j, i) > 0) mixed.col(i) += shares(j, i) * column;
    });
  }
  parallel_for(agents, [&](int i) {
    const bool is_left_out = shares.col(i).maxCoeff() == 0;
    if (!is_left_out) answers.col(i).segment(from, rows) = mixed.col(i);
  });
}

}  // namespace echelon::detail
