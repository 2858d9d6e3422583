#include "echelon/participation/client_states.hpp"
#include "strategies.hpp"

namespace echelon {

void LocalServerOptions::visit(OptionVisitor& visitor) {
  visitor("local_steps", local_steps, at_least(1),
          "steps of an agent between two rounds with the server");
  visitor("server_step", server_step, above(0),
          "step of the server along the mean of the clients' moves");
  detail::visit_aggregation(visitor, aggregation);
}

namespace detail {

namespace {

/// Counts the local steps of a round, keeps the value at its start, and averages at its end over
/// those who are heard.
class Round {
 public:
  Round(const StrategyContext& context)
      : network_(context.network),
        participation_(context.participation),
        local_steps_(context.options.as<LocalServerOptions>().local_steps),
        server_(context.dimension, context.network.agents().count()) {
    require(local_steps_ >= 1, ErrorKind::usage, "consensus.local_steps = ", local_steps_,
            ": a round without a step; choose 1 or more");
  }

  /// Before a local step. Values are equal when a round begins, also if they were projected, unless
  /// a method has restarted them apart.
  void open(const AgentView& value) {
    const auto round =
        static_cast<std::int64_t>(participation_ == nullptr ? 0 : participation_->round());
    require(step_ == 0 || round == round_, ErrorKind::usage,
            "consensus.local_steps = ", local_steps_,
            ": other clients would sit down while a variable is in mid-round (the method steps it "
            "several times per iteration); choose consensus-y.local_steps and "
            "consensus-auxiliary.local_steps so that rounds of all variables end together");
    if (step_ == 0) server_.copy_from(value);
    round_ = round;
  }
  bool is_first_step() const { return step_ == 0; }
  /// After a local step: was it the last one?
  bool close() {
    step_ = (step_ + 1) % local_steps_;
    return step_ == 0;
  }
  AgentMatrix::ConstColXpr server(int local) const { return server_.col(local); }

  const Participation* participation() const { return participation_; }
  bool rotates() const { return participation_ != nullptr && participation_->rotates(); }
  bool is_skipped() const { return participation_ != nullptr && participation_->is_skipped(); }
  AgentId agent(int local) const {
    return network_.agents().local[static_cast<std::size_t>(local)];
  }
  bool is_heard(int local) const {
    return participation_ == nullptr || participation_->answers(agent(local));
  }
  /// Who is heard, with weights for means over all columns.
  Heard heard() const {
    if (participation_ == nullptr) return {};
    Heard heard{.weights = {}, .speaking = speaking()};
    for (AgentId a = 0; a < network_.size(); ++a) {
      heard.weights.push_back(participation_->weight(a) * static_cast<double>(network_.size()));
    }
    return heard;
  }
  /// Local agents that are heard.
  int speaking() const {
    int count = 0;
    for (int i = 0; i < network_.agents().count(); ++i) count += is_heard(i) ? 1 : 0;
    return count;
  }

  void visit_state(StateVisitor& visitor) {
    visitor.per_agent("server", server_);
    visitor.replicated("local_step", step_);
    if (participation_ != nullptr) visitor.replicated("round", round_);
  }

 private:
  Network& network_;
  const Participation* participation_;
  std::int64_t local_steps_;
  std::int64_t step_ = 0;  ///< done in this round
  std::int64_t round_ = 0;
  AgentMatrix server_;  ///< where each agent began
};

/// Every step      s_i <- s_i - a G_i
/// every tau-th    s <- s - b sum w_i (s - s_i);   s_i <- s
///
/// s is the server's value, b the server step: 1 is averaging of the agents' values. w_i = 1/n, or
/// the weights of those who are heard.
class LocalServer final : public ConsensusStrategy {
 public:
  explicit LocalServer(const StrategyContext& context)
      : server_step_(context.options.as<LocalServerOptions>().server_step),
        round_(context),
        aggregate_(aggregator_of(context, context.options.as<LocalServerOptions>().aggregation)) {}

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    const auto each_agent = [&](const auto& body) {
      parallel_for(static_cast<int>(value.cols()), body);
    };
    round_.open(value);
    each_agent([&](int i) { value.col(i) -= step * direction.col(i); });
    if (!round_.close()) return;
    each_agent([&](int i) { direction.col(i) = round_.server(i) - value.col(i); });
    const VectorXd& mean = aggregate_(direction, round_.heard());
    each_agent([&](int i) { value.col(i) = round_.server(i) - server_step_ * mean; });
  }

  void visit_state(StateVisitor& visitor) override {
    round_.visit_state(visitor);
    aggregate_.visit_state(visitor);
  }

 private:
  double server_step_;
  Round round_;
  Aggregator aggregate_;
};

/// Every step      s_i <- s_i - a (G_i - c_i + c);   R_i <- R_i + a G_i
/// every tau-th    Q_i = R_i - |a|_1 (c_i - c);   s <- s - b sum w_i Q_i;   s_i <- s;
///                 of those who are heard c_i' = R_i / |a|_1;   c <- c + 1/n sum (c_i' - c_i);
///                 c_i <- c_i';   R_i <- 0
///
/// If all are heard, mean(c_i) = c, so mean(Q) = mean(R) and c = mean(R) / |a|_1.
///
/// Other rules than the mean combine the Q_i; c is what they make of the c_i', of those who are
/// heard if all are, else a running mean of it. (What they make of changes c_i' - c_i would add up
/// to something else.)
class LocalServerControlled final : public ConsensusStrategy {
 public:
  explicit LocalServerControlled(const StrategyContext& context)
      : network_(context.network),
        server_step_(context.options.as<LocalServerOptions>().server_step),
        round_(context),
        aggregate_(aggregator_of(context, context.options.as<LocalServerOptions>().aggregation)),
        aggregate_controls_(aggregator_of(
            context, context.options.as<LocalServerOptions>().aggregation, "/controls")),
        control_(context.dimension, context.network.agents().count()),
        raw_(context.dimension, context.network.agents().count()),
        mean_control_(Eigen::MatrixXd::Zero(context.dimension, 1)) {
    if (!round_.rotates()) return;
    clients_ =
        context.participation->make_states(context.network.agents().local, context.dimension);
  }

  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    round_.open(value);
    if (clients_ && round_.is_first_step()) clients_->load(control_);
    const auto mean_control = mean_control_.col(0);
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      value.col(i) -= step * (direction.col(i) - control_.col(i) + mean_control);
      raw_.col(i) += step * direction.col(i);
    });
    length_ += step;
    if (!round_.close()) return;
    if (round_.participation() == nullptr) {
      close_with_all(value);
    } else {
      close_with_some(value, direction);
    }
    parallel_for(static_cast<int>(value.cols()), [&](int i) { raw_.col(i).setZero(); });
    length_ = 0;
  }

  void visit_state(StateVisitor& visitor) override {
    round_.visit_state(visitor);
    visitor.per_agent("control", control_);
    visitor.per_agent("raw", raw_);
    visitor.replicated("mean_control", mean_control_);
    visitor.replicated("length", length_);
    if (clients_) clients_->visit_state(visitor);
    aggregate_.visit_state(visitor);
    visitor.within("controls", aggregate_controls_);
  }

 private:
  /// R_i is sent, and all that server and agents need follows from what becomes of it.
  void close_with_all(AgentMatrix& value) {
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      if (length_ > 0) control_.col(i) = raw_.col(i) / length_;
    });
    const VectorXd& mean = aggregate_(raw_);
    parallel_for(static_cast<int>(value.cols()),
                 [&](int i) { value.col(i) = round_.server(i) - server_step_ * mean; });
    if (length_ > 0) mean_control_.col(0) = mean / length_;
  }

  void close_with_some(AgentMatrix& value, AgentMatrix& scratch) {
    const bool counts = length_ > 0 && !round_.is_skipped();
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      scratch.col(i) = raw_.col(i) - length_ * (control_.col(i) - mean_control_.col(0));
    });
    const VectorXd& mean = aggregate_(scratch, round_.heard());
    parallel_for(static_cast<int>(value.cols()),
                 [&](int i) { value.col(i) = round_.server(i) - server_step_ * mean; });
    if (!counts) return;
    parallel_for(static_cast<int>(value.cols()), [&](int i) {
      if (!round_.is_heard(i)) {
        scratch.col(i).setZero();
        return;
      }
      scratch.col(i) = raw_.col(i) / length_ - control_.col(i);
      control_.col(i) += scratch.col(i);
      if (!aggregate_controls_.is_mean()) scratch.col(i) = control_.col(i);
    });
    if (clients_) clients_->store(control_);
    follow_controls(scratch);
  }

  /// `sent`: c_i' - c_i, or c_i' for rules other than the mean.
  void follow_controls(AgentMatrix& sent) {
    const Participation& participation = *round_.participation();
    const auto clients = static_cast<double>(participation.clients());
    if (aggregate_controls_.is_mean()) {
      const VectorXd& change = aggregate_controls_(sent, {.speaking = round_.speaking()});
      mean_control_.col(0) += static_cast<double>(network_.size()) / clients * change;
      return;
    }
    Heard heard{.weights = {}, .speaking = round_.speaking()};
    for (AgentId a = 0; a < network_.size(); ++a) {
      heard.weights.push_back(participation.answers(a) ? 1 : 0);
    }
    const auto answers = static_cast<double>(participation.answering());
    // The rule is multiplied by the share of agents that answer.
    const VectorXd& control = aggregate_controls_(sent, heard);
    const double whole = static_cast<double>(network_.size()) / answers;
    mean_control_.col(0) += answers / clients * (whole * control - mean_control_.col(0));
  }

  Network& network_;
  double server_step_;
  Round round_;
  Aggregator aggregate_, aggregate_controls_;
  AgentMatrix control_;                    ///< c_i, of the present round
  AgentMatrix raw_;                        ///< R_i
  Eigen::MatrixXd mean_control_;           ///< c, d x 1
  double length_ = 0;                      ///< |a|_1 of this round so far
  std::shared_ptr<ClientStates> clients_;  ///< c_i of all clients, where these take turns
};

StrategyTraits server_traits(const LocalServerOptions& options) {
  return {.has_server = true,
          .local_steps = options.local_steps,
          .attendance = Attendance::some_answers,
          .robust = !options.aggregation->is_mean,
          .attackable = true,
          .invariant = Invariant::mean_step};
}

void require_rule(const PartOptions& options, const Network&, const Attack& attack,
                  const std::string& where) {
  require_rule_tolerates(options.as<LocalServerOptions>().aggregation, attack, where);
}

}  // namespace

std::vector<StrategyEntry> local_server_parts() {
  return {
      {.name = "local-server",
       .summary =
           "steps of their own, then averaging by a server; drifts on heterogeneous agents if "
           "there are several steps to a round",
       .recursion = "s_i <- s_i - a G_i;  every tau-th step:  s <- s - b mean(s - s_i), s_i <- s",
       .reference =
           "H. B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Aguera y Arcas, AISTATS 2017, "
           "arXiv:1602.05629; server step: S. Reddi et al., ICLR 2021, arXiv:2003.00295",
       .aliases = {"fedavg", "local-sgd"},
       .options = LocalServerOptions{},
       .traits =
           [](const PartOptions& given) {
             const auto& options = given.as<LocalServerOptions>();
             StrategyTraits traits = server_traits(options);
             traits.exact_on_heterogeneous = options.local_steps == 1;
             return traits;
           },
       .require_tolerable = require_rule,
       .make =
           [](const StrategyContext& context) { return std::make_unique<LocalServer>(context); }},
      {.name = "local-server-cv",
       .summary =
           "local-server with control variates, which take out the drift: constant steps are "
           "exact",
       .recursion =
           "s_i <- s_i - a (G_i - c_i + c);  every tau-th step:  s <- s - b mean(s - s_i), "
           "s_i <- s, c_i <- mean of G_i over the round, c <- mean(c_i)",
       .reference =
           "S. P. Karimireddy, S. Kale, M. Mohri, S. Reddi, S. Stich, A. T. Suresh, ICML 2020, "
           "arXiv:1910.06378",
       .aliases = {"scaffold"},
       .options = LocalServerOptions{},
       .traits =
           [](const PartOptions& options) {
             return server_traits(options.as<LocalServerOptions>());
           },
       .require_tolerable = require_rule,
       .make =
           [](const StrategyContext& context) {
             return std::make_unique<LocalServerControlled>(context);
           }},
  };
}

}  // namespace detail

}  // namespace echelon
