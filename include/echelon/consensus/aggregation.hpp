#pragma once
/// What a server makes of the agents' answers: their mean, or a rule that bears some false ones.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/consensus/attack.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/state.hpp"

namespace echelon {

/// Whose answers a server hears, and how much they count.
struct Heard {
  std::vector<double> weights{};  ///< n w_i of all agents, 0 for who is not heard; empty: all 1
  int speaking = -1;              ///< local agents that are heard; -1: all
};

/// Of answers m_i with weights w_i, u = w / sum w:
///
///     mean                sum w_i m_i
///     median              coordinate by coordinate, by u
///     trimmed-mean        coordinate by coordinate: the mean by u of what lies between the
///                         quantiles b and 1 - b, b = trimmed_fraction
///     centered-clipping   v <- v + sum u_i (m_i - v) min(1, t / |m_i - v|), clipping_rounds times;
///                         v stays from call to call. t = clipping_radius; 0: the median of
///                         |m_i - v|
///
/// With mix_nearest, before each of the last three: m_i becomes the mean by u of those nearest to
/// it, itself among them, whose weights come to 1 - b. Then what rules make of honest answers is
/// near their mean also if these differ much. It costs 2 n sums over agents, n distances per agent.
///
/// The last three are multiplied by sum w; answers with a number that is not finite are left out of
/// them. If none is left, the result is not-a-number. Sources: D. Yin, Y. Chen, K. Ramchandran, P.
/// Bartlett, ICML 2018, arXiv:1803.01498 (median, trimmed mean); S. P. Karimireddy, L. He, M.
/// Jaggi, ICML 2021, arXiv:2012.10333 (centered clipping); Y. Allouah, S. Farhadkhani, R.
/// Guerraoui, N. Gupta, R. Pinot, J. Stephan, AISTATS 2023, arXiv:2302.01772 (mixing of the
/// nearest).
class Aggregator {
 public:
  /// `heights` of the parts of an answer, each of which is clipped on its own; they start at
  /// multiples of 8 rows. `name` tells streams of random attacks apart.
  Aggregator(Network& network, const std::string& name, std::vector<Index> heights,
             const StrategyOptions& options, std::shared_ptr<const Attack> attack);
  /// Of a strategy's variable; `what` tells several of a strategy apart.
  explicit Aggregator(const StrategyContext& context, const std::string& what = "");

  /// The plain mean of what nobody forges: a strategy may then take a shorter way to it.
  bool is_plain() const { return rule_ == Rule::mean && !attack_; }
  bool is_mean() const { return rule_ == Rule::mean; }
  /// `answers` (d x m) are scratch afterwards. The result is the same on all ranks, and valid until
  /// the next call. Collective.
  const VectorXd& operator()(AgentView& answers, const Heard& heard = {});

  void visit_state(StateVisitor& visitor);

 private:
  enum class Rule { mean, median, trimmed_mean, centered_clipping };
  void clear_gaps(AgentView& answers) const;
  void take_mean(AgentView& answers, const Heard& heard);
  void mix_nearest(AgentView& answers, const Heard& heard, std::size_t part);
  Eigen::MatrixXd nearest(const Eigen::MatrixXd& squares, const std::vector<double>& weights) const;
  /// Part of the column of one agent, on all ranks. Collective.
  void tell(const AgentView& answers, AgentId of, std::size_t part, VectorXd& column);
  void fold(AgentView& answers, const Heard& heard);
  void clip(AgentView& answers, const Heard& heard);
  void measure(const AgentView& answers, AgentMatrix& distances) const;
  AgentId agent(int local) const {
    return network_->agents().local[static_cast<std::size_t>(local)];
  }

  Network* network_;
  std::vector<Index> heights_, offsets_;
  Rule rule_;
  double trimmed_fraction_;
  double radius_;
  bool mixes_nearest_;
  std::int64_t rounds_;
  std::shared_ptr<const Attack> attack_;
  std::uint64_t stream_;
  std::int64_t calls_ = 0;
  Eigen::MatrixXd center_;  ///< v, d x 1
  VectorXd result_;
};

/// Of the weights 1, or of `weights` in the order of the numbers; not-a-number is left out. Numbers
/// are scratch. Not-a-number if nothing is left.
double weighted_median(std::span<double> numbers, const std::vector<double>& weights);
/// The mean of what lies between the quantiles `fraction` and 1 - `fraction`; likewise.
double weighted_trimmed_mean(std::span<double> numbers, const std::vector<double>& weights,
                             double fraction);

}  // namespace echelon
