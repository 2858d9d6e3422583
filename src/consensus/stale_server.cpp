#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// Agents work at their own pace. Step of the server, with the reports that are there
/// (Participation says whose):
///
///     t_i <- G_i of those who report, at the value that they hold
///     s <- s - a 1/n sum over all i of t_i
///     s_i <- s for those who report; the others go on with what they hold
///
/// The mean is over the last report of every agent: that of the newest reports alone would follow
/// the fast agents.
class StaleServer final : public ConsensusStrategy {
 public:
  explicit StaleServer(const StrategyContext& context)
      : network_(context.network),
        participation_(context.participation),
        aggregate_(aggregator_of(context, context.options.as<ServerOptions>().aggregation)),
        reports_(context.dimension, context.network.agents().count()),
        server_(Eigen::MatrixXd::Zero(context.dimension, 1)) {}

  void begin(const AgentView& value) override {
    if (value.cols() > 0) server_.col(0) = value.col(0);
  }

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const auto agents = static_cast<int>(value.cols());
    // All hold the server's value then, also if it was projected.
    if (participation_ == nullptr && agents > 0) server_.col(0) = value.col(0);
    int reporting = participation_ == nullptr ? -1 : 0;  // -1: all, as with all-reduce
    for (int i = 0; participation_ != nullptr && i < agents; ++i) reporting += is_heard(i) ? 1 : 0;
    parallel_for(agents, [&](int i) {
      if (is_heard(i)) reports_.col(i) = direction.col(i);
    });
    server_.col(0) -= step * combined(direction, reporting);
    parallel_for(agents, [&](int i) {
      if (is_heard(i)) value.col(i) = server_.col(0);
    });
  }

  void follow_projection(const std::function<void(double* column)>& project) override {
    project(server_.data());
  }

  void visit_state(StateVisitor& visitor) override {
    visitor.per_agent("reports", reports_);
    visitor.replicated("server", server_);
    aggregate_.visit_state(visitor);
  }

 private:
  /// Reports are kept, and answers are scratch: rules and attacks get a copy.
  const VectorXd& combined(AgentMatrix& scratch, int reporting) {
    if (aggregate_.is_plain()) return aggregate_(reports_, {.speaking = reporting});
    scratch.copy_from(reports_);
    return aggregate_(scratch, {.speaking = reporting});
  }
  bool is_heard(int local) const {
    return participation_ == nullptr ||
           participation_->answers(network_.agents().local[static_cast<std::size_t>(local)]);
  }

  Network& network_;
  const Participation* participation_;
  Aggregator aggregate_;
  AgentMatrix reports_;     ///< t_i
  Eigen::MatrixXd server_;  ///< s, d x 1
};

}  // namespace

std::vector<StrategyEntry> stale_server_parts() {
  return {
      {.name = "stale-server",
       .summary = "a server that steps along the mean of every agent's last report, as old as "
                  "participation.staleness allows; without that section it is all-reduce",
       .recursion =
           "of those who report: t_i <- G_i at the value they hold;  s <- s - a mean(t);  of "
           "those who report: s_i <- s",
       .reference =
           "partial barrier: R. Zhang, J. Kwok, ICML 2014; mean of last reports as in N. Le "
           "Roux, M. Schmidt, F. Bach, NeurIPS 2012",
       .aliases = {"async-server", "asynchronous"},
       .options = ServerOptions{},
       .traits =
           [](const PartOptions& options) {
             return StrategyTraits{.has_server = true,
                                   .attendance = Attendance::late_answers,
                                   .robust = !options.as<ServerOptions>().aggregation->is_mean,
                                   .attackable = true,
                                   .projectable = false};
           },
       .require_tolerable =
           [](const PartOptions& options, const Network&, const Attack& attack,
              const std::string& where) {
             require_rule_tolerates(options.as<ServerOptions>().aggregation, attack, where);
           },
       .make =
           [](const StrategyContext& context) { return std::make_unique<StaleServer>(context); }}};
}

}  // namespace echelon::detail
