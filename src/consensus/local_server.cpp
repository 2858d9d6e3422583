#include "strategies.hpp"

namespace echelon::detail {

namespace {

/// Counts the local steps of a round and keeps the value at its start.
class Round {
 public:
  Round(const StrategyContext& context)
      : local_steps_(context.options.local_steps),
        server_(context.dimension, context.network.agents().count()) {
    require(local_steps_ >= 1, ErrorKind::usage, "consensus.local_steps = ", local_steps_,
            ": a round without a step; choose 1 or more");
  }

  /// Before a local step. Values are equal when a round begins, also if they were projected.
  void open(const AgentView& value) {
    if (step_ == 0) server_.copy_from(value);
  }
  /// After a local step: was it the last one?
  bool close() {
    step_ = (step_ + 1) % local_steps_;
    return step_ == 0;
  }
  const AgentMatrix& server() const { return server_; }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("server", server_);
    visitor.replicated("local_step", step_);
  }

 private:
  std::int64_t local_steps_;
  std::int64_t step_ = 0;  ///< done in this round
  AgentMatrix server_;     ///< the server's value, the same in all columns
};

/// Every step      s_i <- s_i - a G_i
/// every tau-th    s <- s - b mean(s - s_i);   s_i <- s
///
/// s is the server's value, b the server step: 1 is averaging of the agents' values.
class LocalServer final : public ConsensusStrategy {
 public:
  explicit LocalServer(const StrategyContext& context)
      : network_(context.network), server_step_(context.options.server_step), round_(context) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const auto each_agent = [&](const auto& body) {
      parallel_for(static_cast<int>(value.cols()), body);
    };
    round_.open(value);
    each_agent([&](int i) { value.col(i) -= step * direction.col(i); });
    if (!round_.close()) return;
    each_agent([&](int i) { direction.col(i) = round_.server().col(i) - value.col(i); });
    network_.mean(direction, mean_);
    each_agent([&](int i) { value.col(i) = round_.server().col(i) - server_step_ * mean_; });
  }

  void visit_state(StateVisitor& visitor) override { round_.visit_state(visitor); }

 private:
  Network& network_;
  double server_step_;
  Round round_;
  VectorXd mean_;
};

/// Every step      s_i <- s_i - a (G_i - c_i + c);   R_i <- R_i + a G_i
/// every tau-th    s <- s - b mean(R);   s_i <- s;   c_i <- R_i / |a|_1;   c <- mean(R) / |a|_1;
///                 R_i <- 0
///
/// What agent i has moved by, Q_i, is R_i - |a|_1 (c_i - c); all agents take part and mean(c_i) =
/// c, so mean(Q) = mean(R), and c_i - c + Q_i / |a|_1, the update in the literature, is R_i /
/// |a|_1.
class LocalServerControlled final : public ConsensusStrategy {
 public:
  explicit LocalServerControlled(const StrategyContext& context)
      : network_(context.network),
        server_step_(context.options.server_step),
        round_(context),
        control_(context.dimension, context.network.agents().count()),
        raw_(context.dimension, context.network.agents().count()),
        mean_control_(Eigen::MatrixXd::Zero(context.dimension, 1)) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    round_.open(value);
    const auto mean_control = mean_control_.col(0);
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      value.col(i) -= step * (direction.col(i) - control_.col(i) + mean_control);
      raw_.col(i) += step * direction.col(i);
    });
    length_ += step;
    if (!round_.close()) return;
    network_.mean(raw_, mean_);
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      value.col(i) = round_.server().col(i) - server_step_ * mean_;
      if (length_ > 0) control_.col(i) = raw_.col(i) / length_;
      raw_.col(i).setZero();
    });
    if (length_ > 0) mean_control_.col(0) = mean_ / length_;
    length_ = 0;
  }

  void visit_state(StateVisitor& visitor) override {
    round_.visit_state(visitor);
    visitor.per_agent("control", control_);
    visitor.per_agent("raw", raw_);
    visitor.replicated("mean_control", mean_control_);
    visitor.replicated("length", length_);
  }

 private:
  Network& network_;
  double server_step_;
  Round round_;
  AgentMatrix control_;           ///< c_i
  AgentMatrix raw_;               ///< R_i
  Eigen::MatrixXd mean_control_;  ///< c, d x 1
  double length_ = 0;             ///< |a|_1 of this round so far
  VectorXd mean_;
};

}  // namespace

StrategyEntry local_server_entry() {
  return {
      .name = "local-server",
      .summary =
          "steps of their own, then averaging by a server; drifts on heterogeneous agents if "
          "there are several steps to a round",
      .recursion = "s_i <- s_i - a G_i;  every tau-th step:  s <- s - b mean(s - s_i), s_i <- s",
      .reference =
          "H. B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Aguera y Arcas, AISTATS 2017, "
          "arXiv:1602.05629; server step: S. Reddi et al., ICLR 2021, arXiv:2003.00295",
      .need = NetworkNeed::nothing,
      .changing_network = true,
      .vectors_sent = 1,
      .personal = false,
      .served = true,
      .exact_on_heterogeneous = false,
      .projectable = true,
      .invariant = Invariant::mean_step,
      .make = [](const StrategyContext& context) {
        return std::make_unique<LocalServer>(context);
      }};
}

StrategyEntry local_server_cv_entry() {
  return {.name = "local-server-cv",
          .summary =
              "local-server with control variates, which take out the drift: constant steps are "
              "exact",
          .recursion =
              "s_i <- s_i - a (G_i - c_i + c);  every tau-th step:  s <- s - b mean(s - s_i), "
              "s_i <- s, c_i <- mean of G_i over the round, c <- mean(c_i)",
          .reference =
              "S. P. Karimireddy, S. Kale, M. Mohri, S. Reddi, S. Stich, A. T. Suresh, ICML 2020, "
              "arXiv:1910.06378",
          .need = NetworkNeed::nothing,
          .changing_network = true,
          .vectors_sent = 1,
          .personal = false,
          .served = true,
          .exact_on_heterogeneous = true,
          .projectable = true,
          .invariant = Invariant::mean_step,
          .make = [](const StrategyContext& context) {
            return std::make_unique<LocalServerControlled>(context);
          }};
}

}  // namespace echelon::detail
