#include "echelon/consensus/mean_tracker.hpp"

#include <utility>

#include "strategies.hpp"

namespace echelon {

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

Index total_rows(const std::vector<Index>& heights, const std::vector<Index>& offsets) {
  return heights.empty() ? 0 : offsets.back() + heights.back();
}

Mixing checked_mixing(const Network& network, const std::string& name, bool exact,
                      const MeanOptions& options, const Attack* attack) {
  if (exact) return {};
  require(attack == nullptr, ErrorKind::usage, "means of `", name,
          "`: the method combines network means, which only a server can protect from attackers; "
          "choose consensus.strategy = all-reduce, or attack.kind = none");
  detail::require_network(NetworkNeed::doubly_stochastic, true, network.certificate(),
                          "means of `" + name + "`", "dynamic average consensus");
  return detail::mixing(options.mixing);
}

}  // namespace

MeanTracker::MeanTracker(Network& network, std::string name, const std::vector<Index>& heights,
                         bool exact, const MeanOptions& options,
                         std::shared_ptr<const Attack> attack)
    : network_(&network),
      exact_(exact),
      heights_(heights),
      offsets_(starts(heights)),
      rows_(total_rows(heights_, offsets_)),
      mix_(network.mixer(name + " (means)", rows_,
                         checked_mixing(network, name, exact, options, attack.get()))),
      aggregate_(network, name + " (means)", heights, options.aggregation, attack),
      components_(rows_, network.agents().count()),
      last_(exact ? 0 : rows_, network.agents().count()),
      means_(rows_, network.agents().count()) {}

AgentView MeanTracker::block(AgentMatrix& of, std::size_t k) const {
  ECHELON_ASSERT(k < heights_.size());
  return {of.data() + offsets_[k], heights_[k], of.cols(), Eigen::OuterStride<>(of.outerStride())};
}

void MeanTracker::update() {
  if (exact_) {
    const VectorXd& mean = aggregate_(components_);
    parallel_for(network_->agents().count(), [&](int i) { means_.col(i) = mean; });
    return;
  }
  if (started_ == 0) {
    means_.copy_from(components_);
    started_ = 1;
  } else {
    mix_(means_, means_ + components_ - last_);
  }
  swap(last_, components_);
}

void MeanTracker::visit_state(StateVisitor& visitor) {
  visitor.per_agent("means", means_);
  if (exact_) return aggregate_.visit_state(visitor);
  visitor.per_agent("last_components", last_);
  visitor.replicated("started", started_);
  visitor.within("mix", mix_);
}

}  // namespace echelon
