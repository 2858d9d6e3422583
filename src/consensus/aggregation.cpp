#include "echelon/consensus/aggregation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "strategies.hpp"

namespace echelon {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
/// Of what weights add up to.
constexpr double rounding = 1e-9;

struct Weighted {
  double number;
  double weight;
};

/// What is left of the numbers, ascending; equal ones in the order of agents.
std::vector<Weighted> sorted(std::span<const double> numbers, const std::vector<double>& weights,
                             double& total) {
  std::vector<Weighted> kept;
  total = 0;
  for (std::size_t a = 0; a < numbers.size(); ++a) {
    if (std::isnan(numbers[a]) || weights[a] <= 0) continue;
    kept.push_back({numbers[a], weights[a]});
    total += weights[a];
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Weighted& a, const Weighted& b) { return a.number < b.number; });
  return kept;
}

/// The same where all count alike.
std::span<double> sorted(std::span<double> numbers) {
  const auto end = std::remove_if(numbers.begin(), numbers.end(),
                                  [](double number) { return std::isnan(number); });
  std::sort(numbers.begin(), end);
  return {numbers.begin(), end};
}

std::vector<Index> starts(const std::vector<Index>& heights) {
  std::vector<Index> offsets;
  Index next = 0;
  for (const Index height : heights) {
    offsets.push_back(next);
    next += padded_rows(height);
  }
  return offsets;
}

bool is_heard(const std::vector<double>& weights, AgentId agent) {
  return weights.empty() || weights[static_cast<std::size_t>(agent)] > 0;
}

/// Weights that are all 1 or 0 up to a factor need none: who is not heard is left out.
bool count_alike(const std::vector<double>& weights) {
  double first = 0;
  for (const double weight : weights) {
    if (weight <= 0) continue;
    if (first > 0 && weight != first) return false;
    first = weight;
  }
  return true;
}

}  // namespace

double weighted_median(std::span<double> numbers, const std::vector<double>& weights) {
  if (weights.empty()) {
    const auto kept = sorted(numbers);
    if (kept.empty()) return not_a_number;
    const std::size_t middle = kept.size() / 2;
    return kept.size() % 2 == 1 ? kept[middle] : (kept[middle - 1] + kept[middle]) / 2;
  }
  double total = 0;
  const std::vector<Weighted> kept = sorted(numbers, weights, total);
  double below = 0;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    below += kept[k].weight;
    if (below < total * (0.5 - rounding)) continue;
    if (below > total * (0.5 + rounding) || k + 1 == kept.size()) return kept[k].number;
    return (kept[k].number + kept[k + 1].number) / 2;
  }
  return not_a_number;
}

double weighted_trimmed_mean(std::span<double> numbers, const std::vector<double>& weights,
                             double fraction) {
  if (weights.empty()) {
    const auto kept = sorted(numbers);
    if (kept.empty()) return not_a_number;
    const double cut = fraction * static_cast<double>(kept.size());
    const auto whole = std::min(static_cast<std::size_t>(cut + rounding), (kept.size() - 1) / 2);
    const std::size_t last = kept.size() - 1 - whole;
    if (last == whole) return kept[whole];
    const double of_ends = std::min(1.0, 1 - (cut - static_cast<double>(whole)));
    double sum = of_ends * kept[whole];
    for (std::size_t k = whole + 1; k < last; ++k) sum += kept[k];
    sum += of_ends * kept[last];
    return sum / (static_cast<double>(last - whole - 1) + 2 * of_ends);
  }
  double total = 0;
  const std::vector<Weighted> kept = sorted(numbers, weights, total);
  double below = 0, sum = 0, weight = 0;
  for (const auto& [number, own] : kept) {
    const double from = std::max(below, fraction * total);
    below += own;
    const double length = std::min(below, (1 - fraction) * total) - from;
    if (length <= 0) continue;
    sum += length * number;
    weight += length;
  }
  return weight > 0 ? sum / weight : not_a_number;
}

Aggregator::Aggregator(Network& network, const std::string& name, std::vector<Index> heights,
                       const StrategyOptions& options, std::shared_ptr<const Attack> attack)
    : network_(&network),
      heights_(std::move(heights)),
      offsets_(starts(heights_)),
      rule_(options.aggregation == "mean"           ? Rule::mean
            : options.aggregation == "median"       ? Rule::median
            : options.aggregation == "trimmed-mean" ? Rule::trimmed_mean
                                                    : Rule::centered_clipping),
      trimmed_fraction_(options.trimmed_fraction),
      radius_(options.clipping_radius),
      mixes_nearest_(options.mix_nearest),
      rounds_(options.clipping_rounds),
      attack_(std::move(attack)),
      stream_(detail::stream_of(name)) {
  if (rule_ != Rule::centered_clipping || heights_.empty()) return;
  center_ = Eigen::MatrixXd::Zero(offsets_.back() + heights_.back(), 1);
}

Aggregator::Aggregator(const StrategyContext& context, const std::string& what)
    : Aggregator(context.network, context.variable + what, {context.dimension}, context.options,
                 context.attack) {}

const VectorXd& Aggregator::operator()(AgentView& answers, const Heard& heard) {
  clear_gaps(answers);
  if (attack_) {
    attack_->forge_answers(*network_, answers, heard.weights,
                           {static_cast<std::uint64_t>(calls_), stream_});
    ++calls_;
  }
  if (rule_ == Rule::mean) {
    take_mean(answers, heard);
    return result_;
  }
  parallel_for(static_cast<int>(answers.cols()), [&](int i) {
    if (!is_heard(heard.weights, agent(i)) || !answers.col(i).allFinite()) {
      answers.col(i).setConstant(not_a_number);  // left out, by every rank that reads a part of it
    }
  });
  for (std::size_t k = 0; mixes_nearest_ && k < heights_.size(); ++k) {
    mix_nearest(answers, heard, k);
  }
  if (rule_ == Rule::centered_clipping) {
    clip(answers, heard);
  } else {
    fold(answers, heard);
  }
  double total = 0;
  for (const double weight : heard.weights) total += weight;
  if (!heard.weights.empty()) {
    const double share = total / static_cast<double>(network_->size());
    if (share == 0) {
      result_.setZero();  // nobody is heard
    } else {
      result_ *= share;
    }
  }
  network_->count_server_round(answers.rows(), heard.speaking);
  return result_;
}

/// Rows between parts hold what earlier calls left there.
void Aggregator::clear_gaps(AgentView& answers) const {
  for (std::size_t k = 1; k < heights_.size(); ++k) {
    const Index end = offsets_[k - 1] + heights_[k - 1];
    answers.middleRows(end, offsets_[k] - end).setZero();
  }
}

void Aggregator::take_mean(AgentView& answers, const Heard& heard) {
  if (heard.weights.empty() && heard.speaking < 0) {
    return network_->mean_at_server(answers, result_);
  }
  parallel_for(static_cast<int>(answers.cols()), [&](int i) {
    if (heard.weights.empty()) return;
    const double own = heard.weights[static_cast<std::size_t>(agent(i))];
    if (own == 0) {
      answers.col(i).setZero();  // whatever a seat without an answer holds
    } else {
      answers.col(i) *= own;
    }
  });
  network_->mean_at_server(answers, result_, heard.speaking);
}

void Aggregator::tell(const AgentView& answers, AgentId of, std::size_t part, VectorXd& column) {
  AgentMatrix& scratch = network_->scratch("told", heights_[part]);
  for (int i = 0; i < static_cast<int>(answers.cols()); ++i) {
    if (agent(i) == of) {
      scratch.col(i) = answers.col(i).segment(offsets_[part], heights_[part]);
    } else {
      scratch.col(i).setZero();
    }
  }
  network_->sum_at_server(scratch, column);
}

/// Weights of all agents' answers (rows) in what becomes of the local ones (columns); 0 for who is
/// left out.
Eigen::MatrixXd Aggregator::nearest(const Eigen::MatrixXd& squares,
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
      if (weight >= (1 - trimmed_fraction_ - rounding) * total) break;
      shares(j, i) = weights[static_cast<std::size_t>(j)];
      weight += shares(j, i);
    }
    if (weight > 0) shares.col(i) /= weight;
  }
  return shares;
}

void Aggregator::mix_nearest(AgentView& answers, const Heard& heard, std::size_t part) {
  const auto agents = static_cast<int>(answers.cols());
  const Index from = offsets_[part];
  const Index rows = heights_[part];
  const std::vector<double> alike(static_cast<std::size_t>(network_->size()), 1.0);
  Eigen::MatrixXd squares(network_->size(), agents);
  VectorXd column;
  for (AgentId j = 0; j < network_->size(); ++j) {
    tell(answers, j, part, column);
    parallel_for(agents, [&](int i) {
      squares(j, i) = detail::squared_distance(answers.col(i).data() + from, column.data(), rows);
    });
  }
  const Eigen::MatrixXd shares = nearest(squares, heard.weights.empty() ? alike : heard.weights);
  AgentMatrix& mixed = network_->scratch("mixed", rows);
  parallel_for(agents, [&](int i) { mixed.col(i).setZero(); });
  for (AgentId j = 0; j < network_->size(); ++j) {
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

void Aggregator::fold(AgentView& answers, const Heard& heard) {
  static const std::vector<double> alike;
  const std::vector<double>& weights = count_alike(heard.weights) ? alike : heard.weights;
  network_->fold_coordinates(
      answers,
      [&](std::span<double> numbers) {
        return rule_ == Rule::median ? weighted_median(numbers, weights)
                                     : weighted_trimmed_mean(numbers, weights, trimmed_fraction_);
      },
      result_);
}

/// Row k: |m_i - v| of part k; not-a-number for who is left out.
void Aggregator::measure(const AgentView& answers, AgentMatrix& distances) const {
  parallel_for(static_cast<int>(answers.cols()), [&](int i) {
    for (std::size_t k = 0; k < heights_.size(); ++k) {
      distances(static_cast<Index>(k), i) = std::sqrt(detail::squared_distance(
          answers.col(i).data() + offsets_[k], center_.data() + offsets_[k], heights_[k]));
    }
  });
}

void Aggregator::clip(AgentView& answers, const Heard& heard) {
  const auto parts = static_cast<Index>(heights_.size());
  AgentMatrix& distances = network_->scratch("distances", parts);
  AgentMatrix& moves = network_->scratch("clipped", answers.rows());
  AgentMatrix& weights = network_->scratch("weights", 1);
  const auto agents = static_cast<int>(answers.cols());
  const auto weight_of = [&](int i) {
    return heard.weights.empty() ? 1.0 : heard.weights[static_cast<std::size_t>(agent(i))];
  };
  for (int i = 0; i < agents; ++i) {
    weights(0, i) = answers.rows() == 0 || std::isnan(answers(0, i)) ? 0 : weight_of(i);
  }
  VectorXd total, radii = VectorXd::Constant(parts, radius_), move;
  network_->sum_at_server(weights, total);
  for (std::int64_t round = 0; round < rounds_ && total(0) > 0; ++round) {
    measure(answers, distances);
    if (radius_ == 0) {
      network_->fold_coordinates(
          distances,
          [&](std::span<double> numbers) { return weighted_median(numbers, heard.weights); },
          radii);
    }
    parallel_for(agents, [&](int i) {
      moves.col(i).setZero();
      if (weights(0, i) == 0) return;
      for (Index k = 0; k < parts; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double clipped = distances(k, i) > radii(k) ? radii(k) / distances(k, i) : 1;
        moves.col(i).segment(offsets_[at], heights_[at]) =
            weights(0, i) * clipped *
            (answers.col(i).segment(offsets_[at], heights_[at]) -
             center_.col(0).segment(offsets_[at], heights_[at]));
      }
    });
    network_->sum_at_server(moves, move);
    center_.col(0) += move / total(0);
  }
  result_ = center_.col(0);
  if (total(0) == 0) result_.setConstant(not_a_number);
}

void Aggregator::visit_state(StateVisitor& visitor) {
  if (attack_) visitor.replicated("answers", calls_);
  if (rule_ == Rule::centered_clipping) visitor.replicated("center", center_);
}

}  // namespace echelon
