#include "echelon/consensus/aggregation.hpp"

#include <limits>
#include <utility>

#include "strategies.hpp"

namespace echelon {

namespace detail {
std::vector<AggregationEntry> built_in_aggregation_rules();
}

namespace {

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

}  // namespace

PartList<AggregationEntry>& aggregation_catalog() {
  static PartList<AggregationEntry> parts("aggregation rule", detail::built_in_aggregation_rules());
  return parts;
}

Aggregator::Aggregator(Network& network, const std::string& name, std::vector<Index> heights,
                       const Chosen<AggregationEntry>& rule, std::shared_ptr<const Attack> attack)
    : network_(&network),
      heights_(std::move(heights)),
      offsets_(starts(heights_)),
      rule_(rule->make(rule.options(), {network, heights_, offsets_})),
      attack_(std::move(attack)),
      stream_(detail::stream_of(name)) {}

const VectorXd& Aggregator::operator()(AgentView& answers, const Heard& heard) {
  clear_gaps(answers);
  if (attack_) {
    attack_->forge_answers(*network_, answers, heard.weights,
                           {static_cast<std::uint64_t>(calls_), stream_});
    ++calls_;
  }
  if (rule_ == nullptr) {
    take_mean(answers, heard);
    return result_;
  }
  parallel_for(static_cast<int>(answers.cols()), [&](int i) {
    if (!is_heard(heard.weights, agent(i)) || !answers.col(i).allFinite()) {
      constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
      answers.col(i).setConstant(not_a_number);  // left out, by every rank that reads a part of it
    }
  });
  rule_->combine(answers, heard, result_);
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

void Aggregator::visit_state(StateVisitor& visitor) {
  if (attack_) visitor.replicated("answers", calls_);
  if (rule_) rule_->visit_state(visitor);
}

}  // namespace echelon
