#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "echelon/comm/message_mixer.hpp"
#include "strategies.hpp"

namespace echelon {

void ClippedGossipOptions::visit(OptionVisitor& visitor) {
  detail::visit_mixing_rounds(visitor, mixing_rounds);
  visitor("trimmed_fraction", trimmed_fraction, Range{.low = 0, .high = 0.5, .high_open = true},
          "fraction of the weight at an agent that attackers may have");
  visitor("clipping_radius", clipping_radius, at_least(0),
          "clipping radius; 0 = chosen each round from the observed distances");
}

namespace detail {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

/// x_i <- x_i - a G_i
/// x_i <- x_i + sum_j w_ij clip(x_j - x_i, t_i),   clip(e, t) = e min(1, t / |e|)
///
/// Adaptive: t_i^2 = sum over S_i of w_ij |x_j - x_i|^2, S_i being the nearest of those that i
/// hears, itself among them, whose weights come to 1 - trimmed_fraction. What is not finite is left
/// out, unless nothing is clipped.
class ClippedGossip final : public ConsensusStrategy {
 public:
  ClippedGossip(const StrategyContext& context, const ClippedGossipOptions& options)
      : radius_(options.clipping_radius),
        attackers_weight_(options.trimmed_fraction),
        rounds_(options.mixing_rounds),
        dimension_(context.dimension),
        network_(context.network),
        attack_(context.attack),
        stream_(stream_of(context.variable)),
        mixer_(context.network, context.variable,
               static_cast<std::size_t>(context.dimension) * sizeof(double),
               Mixing{.weights = Weights::given}) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    parallel_for(static_cast<int>(value.cols()),
                 [&](int i) { value.col(i) -= step * direction.col(i); });
    for (std::int64_t round = 0; round < rounds_; ++round) mix(value);
  }

  void visit_state(StateVisitor& visitor) override { visitor.within("mix", mixer_); }

 private:
  void mix(AgentMatrix& value) {
    const Attack::Occasion occasion{mixer_.round(), stream_};
    mixer_(
        [&](int i, std::span<std::byte> message) {
          std::memcpy(message.data(), value.col(i).data(), message.size());
        },
        [&](int i, std::span<const MessageMixer::Received> received) {
          const AgentId agent = network_.agents().local[static_cast<std::size_t>(i)];
          std::vector<Attack::Said> heard;
          double own_weight = 0;
          for (const auto& [sender, weight, message] : received) {
            if (sender == agent) {
              own_weight = weight;
            } else {
              heard.push_back({sender, weight, reinterpret_cast<const double*>(message)});
            }
          }
          const VectorXd own = value.col(i);
          const std::vector<VectorXd> forged = forge(agent, own, heard, occasion);
          VectorXd sum = own;
          add_clipped(own, own_weight, heard, sum);
          value.col(i) = sum;
        });
  }

  /// Replaces what attackers say; returns the memory of it.
  std::vector<VectorXd> forge(AgentId agent, const VectorXd& own, std::vector<Attack::Said>& heard,
                              const Attack::Occasion& occasion) const {
    std::vector<VectorXd> forged(heard.size());
    if (!attack_) return forged;
    const std::vector<Attack::Said> truth = heard;
    for (std::size_t j = 0; j < heard.size(); ++j) {
      if (!attack_->attacks(heard[j].sender)) continue;
      attack_->forge_message(agent, own, truth, truth[j], occasion, forged[j]);
      heard[j].numbers = forged[j].data();
    }
    return forged;
  }

  void add_clipped(const VectorXd& own, double own_weight, const std::vector<Attack::Said>& heard,
                   VectorXd& sum) const {
    std::vector<double> squares;
    for (const auto& said : heard) {
      squares.push_back(squared_distance(said.numbers, own.data(), dimension_));
    }
    const double radius = radius_ > 0 ? radius_ : adaptive(own_weight, heard, squares);
    for (std::size_t j = 0; j < heard.size(); ++j) {
      double factor = heard[j].weight;
      if (radius != unlimited) {
        if (!std::isfinite(squares[j])) continue;
        const double distance = std::sqrt(squares[j]);
        if (distance > radius) factor *= radius / distance;
      }
      sum += factor * (Eigen::Map<const VectorXd>(heard[j].numbers, dimension_) - own);
    }
  }

  double adaptive(double own_weight, const std::vector<Attack::Said>& heard,
                  const std::vector<double>& squares) const {
    std::vector<std::size_t> order;
    for (std::size_t j = 0; j < heard.size(); ++j) {
      if (std::isfinite(squares[j])) order.push_back(j);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return squares[a] < squares[b]; });
    constexpr double rounding = 1e-9;
    double weight = own_weight, sum = 0;
    for (const std::size_t j : order) {
      if (weight >= 1 - attackers_weight_ - rounding) break;
      weight += heard[j].weight;
      sum += heard[j].weight * squares[j];
    }
    return std::sqrt(sum);
  }

  double radius_;
  double attackers_weight_;
  std::int64_t rounds_;
  Index dimension_;
  Network& network_;
  std::shared_ptr<const Attack> attack_;
  std::uint64_t stream_;
  MessageMixer mixer_;
};

/// Honest agents must hear of each other without attackers, over the rounds until the network
/// repeats, and hear attackers with little weight.
void require_honest_network(const ClippedGossipOptions& options, const Network& network,
                            const Attack& attack, const std::string& where) {
  const MixingSchedule& schedule = network.schedule();
  const std::uint64_t rounds = std::clamp<std::uint64_t>(schedule.period(), 1, 64);
  double most = 0;
  std::vector<std::set<AgentId>> hears(static_cast<std::size_t>(network.size()));
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto matrix = schedule.at(round, Weights::given);
    for (AgentId i = 0; i < network.size(); ++i) {
      if (attack.attacks(i)) continue;
      double weight = 0;
      for (const auto& entry : matrix->row(i)) {
        if (attack.attacks(entry.sender)) {
          weight += entry.weight;
        } else {
          hears[static_cast<std::size_t>(entry.sender)].insert(i);
        }
      }
      most = std::max(most, weight);
    }
  }
  constexpr double rounding = 1e-9;
  require(most <= options.trimmed_fraction + rounding, ErrorKind::usage, where,
          ": clipped-gossip does not bear attackers that have ", most,
          " of the weight at an agent (trimmed_fraction = ", options.trimmed_fraction,
          "); use a denser network, fewer attackers, or a larger trimmed_fraction");
  std::vector<AgentId> reached;
  std::set<AgentId> seen;
  for (AgentId i = 0; i < network.size() && reached.empty(); ++i) {
    if (!attack.attacks(i)) reached.push_back(i);
  }
  seen.insert(reached.begin(), reached.end());
  for (std::size_t next = 0; next < reached.size(); ++next) {
    for (const AgentId i : hears[static_cast<std::size_t>(reached[next])]) {
      if (seen.insert(i).second) reached.push_back(i);
    }
  }
  require(static_cast<AgentId>(seen.size()) == network.size() - attack.attackers(),
          ErrorKind::usage, where,
          ": clipped-gossip cannot bring honest agents together that hear of each other through "
          "attackers only; use a denser network, or another run.seed");
}

}  // namespace

std::unique_ptr<ConsensusStrategy> make_clipped_gossip(const StrategyContext& context,
                                                       const ClippedGossipOptions& options) {
  return std::make_unique<ClippedGossip>(context, options);
}

std::vector<StrategyEntry> clipped_gossip_parts() {
  return {{.name = "clipped-gossip",
           .summary =
               "adapt then combine with neighbors that may lie: no one moves an agent by more than "
               "a radius (consensus.clipping_radius; 0: from the distances to the nearest "
               "neighbors, all but trimmed_fraction of the weight); biased on heterogeneous agents",
           .recursion = "x_i <- x_i - a G_i;  x_i <- x_i + sum_j w_ij clip(x_j - x_i, t_i)",
           .reference = "L. He, S. P. Karimireddy, M. Jaggi, arXiv:2202.01545",
           .aliases = {},
           .options = ClippedGossipOptions{},
           .traits =
               [](const PartOptions& options) {
                 const auto rounds = options.as<ClippedGossipOptions>().mixing_rounds;
                 return StrategyTraits{.need = NetworkNeed::doubly_stochastic,
                                       .vectors_sent = static_cast<double>(rounds),
                                       .attackable = true,
                                       .exact_on_heterogeneous = false};
               },
           .require_tolerable =
               [](const PartOptions& options, const Network& network, const Attack& attack,
                  const std::string& where) {
                 require_honest_network(options.as<ClippedGossipOptions>(), network, attack, where);
               },
           .make =
               [](const StrategyContext& context) {
                 return make_clipped_gossip(context, context.options.as<ClippedGossipOptions>());
               }}};
}

}  // namespace detail

}  // namespace echelon
