#pragma once
/// What a server makes of the agents' answers: their mean, or a rule that bears some false ones.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/attack.hpp"
#include "echelon/core/part.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

/// Whose answers a server hears, and how much they count.
struct Heard {
  std::vector<double> weights{};  ///< n w_i of all agents, 0 for who is not heard; empty: all 1
  int speaking = -1;              ///< local agents that are heard; -1: all
};

/// What a rule is made for. Heights of the parts of an answer, each of which is clipped on its own,
/// and the rows at which they start, multiples of 8.
struct AggregationContext {
  Network& network;
  std::vector<Index> heights, offsets;
};

/// Combines answers m_i with weights u = w / sum w. Answers of those who are not heard, or that
/// hold a number that is not finite, have not-a-number in every row, and are left out.
class AggregationRule {
 public:
  virtual ~AggregationRule() = default;
  /// `answers` (d x m) are scratch afterwards. Not-a-number if none is left. Collective.
  virtual void combine(AgentView& answers, const Heard& heard, VectorXd& result) = 0;
  virtual void visit_state(StateVisitor&) {}
};

struct MedianOptions {
  bool mix_nearest = false;
  double trimmed_fraction = 0.2;  ///< with mix_nearest

  void visit(OptionVisitor& visitor);
};

struct TrimmedMeanOptions {
  double trimmed_fraction = 0.2;
  bool mix_nearest = false;

  void visit(OptionVisitor& visitor);
};

struct CenteredClippingOptions {
  bool mix_nearest = false;
  double trimmed_fraction = 0.2;  ///< with mix_nearest
  double clipping_radius = 0;
  std::int64_t clipping_rounds = 3;

  void visit(OptionVisitor& visitor);
};

/// An aggregation rule; its options are in the section of the strategy whose server follows it.
struct AggregationEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  bool is_mean = false;  ///< the plain mean, which has short ways and tolerates no attacker
  /// Throws a usage error, beginning with `where`, if the rule does not tolerate that many
  /// attackers; empty: any number may be tried.
  std::function<void(const PartOptions&, AgentId attackers, AgentId agents,
                     const std::string& where)>
      require_tolerable{};
  /// nullptr: the plain mean.
  std::function<std::unique_ptr<AggregationRule>(const PartOptions&, const AggregationContext&)>
      make;
};

/// mean, median, trimmed-mean, centered-clipping.
PartList<AggregationEntry>& aggregation_catalog();

/// Of answers m_i with weights w_i: sum w_i m_i by the mean; by other rules what they make of the
/// m_i with the weights w / sum w, times sum w. If nobody is heard the result is 0.
class Aggregator {
 public:
  /// `heights` of the parts of an answer, see AggregationContext. `name` tells streams of random
  /// attacks apart.
  Aggregator(Network& network, const std::string& name, std::vector<Index> heights,
             const Chosen<AggregationEntry>& rule, std::shared_ptr<const Attack> attack);

  /// The plain mean of what nobody forges: a strategy may then take a shorter way to it.
  bool is_plain() const { return is_mean() && !attack_; }
  bool is_mean() const { return rule_ == nullptr; }
  /// `answers` (d x m) are scratch afterwards. The result is the same on all ranks, and valid until
  /// the next call. Collective.
  const VectorXd& operator()(AgentView& answers, const Heard& heard = {});

  void visit_state(StateVisitor& visitor);

 private:
  void clear_gaps(AgentView& answers) const;
  void take_mean(AgentView& answers, const Heard& heard);
  AgentId agent(int local) const {
    return network_->agents().local[static_cast<std::size_t>(local)];
  }

  Network* network_;
  std::vector<Index> heights_, offsets_;
  std::unique_ptr<AggregationRule> rule_;  ///< nullptr: the mean
  std::shared_ptr<const Attack> attack_;
  std::uint64_t stream_;
  std::int64_t calls_ = 0;
  VectorXd result_;
};

/// Of the weights 1, or of `weights` in the order of the numbers; not-a-number is left out. Numbers
/// are scratch. Not-a-number if nothing is left.
double weighted_median(std::span<double> numbers, const std::vector<double>& weights);
/// The mean of what lies between the quantiles `fraction` and 1 - `fraction`; likewise.
double weighted_trimmed_mean(std::span<double> numbers, const std::vector<double>& weights,
                             double fraction);

}  // namespace echelon
