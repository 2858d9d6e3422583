#pragma once
/// The figures of a report. All of them are functions of the iterates alone, with the same bits on
/// any placement.

#include <limits>
#include <string>
#include <vector>

#include "echelon/comm/network.hpp"
#include "echelon/core/options.hpp"
#include "echelon/participation/client_states.hpp"
#include "echelon/problem/client_problem.hpp"
#include "echelon/problem/problem.hpp"
#include "echelon/runtime/solvers.hpp"

namespace echelon {

struct MetricsOptions {
  std::int64_t every = 10;
  bool hypergradient = false;
  double tolerance = 1e-8;
  bool baselines = false;
  std::int64_t clients = 0;

  void visit(OptionVisitor& visitor);  ///< section `metrics`; all of it is operational
};

struct Column {
  std::string name;
  std::string unit;
  std::string description;
};

/// A cell that has no figure.
constexpr double no_figure = std::numeric_limits<double>::quiet_NaN();

class Evaluator {
 public:
  /// Columns that every problem has, before the problem's own.
  static constexpr std::ptrdiff_t general_figures = 7;

  /// `personal`: agents keep lower-level values of their own. Figures are of the problem's clients,
  /// if it has the facet, or else of its agents.
  Evaluator(const BilevelProblem& problem, Network& network, const MetricsOptions& options,
            bool personal);

  /// upper_value, lower_gradient_norm, hyperobjective, hypergradient_norm, consensus_error_x,
  /// consensus_error_y, distance_to_solution, then the problem's own.
  const std::vector<Column>& columns() const { return columns_; }
  /// Names of the problem's own columns.
  std::vector<std::string> metric_names() const;
  /// False for a column that stays empty in this composition.
  bool exists(const std::string& column) const;
  /// Collective. x and y are the iterates to report.
  /// `clients_y`: the lower-level values of all clients, where they have such and take turns.
  std::vector<double> evaluate(const AgentView& x, const AgentView& y,
                               const ClientStates* clients_y = nullptr);

  struct BaselineFigures {
    BaselineInfo info;
    std::vector<double> values;  ///< in the order of metric_names
    bool converged = false;
  };
  /// Collective: solves the problem's baselines, over the data of all agents or clients, and
  /// measures them with the problem's own figures.
  std::vector<BaselineFigures> baselines();

 private:
  /// An agent, or a client of a local seat.
  struct Member {
    int seat;            ///< local number
    std::int64_t place;  ///< in its group; 0 where agents are seats of their own
    int number;          ///< local number in the problem
  };
  /// Where clients take turns: those who sit, the first `metrics.clients`, or all of them.
  enum class Who { sitting, chosen, everybody };

  using FillAgent = std::function<void(int local, Vector out)>;
  using FillMember = std::function<void(const Member& member, Vector out)>;
  VectorXd mean_over_agents(Index rows, const FillAgent& fill);
  VectorXd sum_over_agents(Index rows, const FillAgent& fill);
  /// Those whose figures count in a report.
  Who reported() const;
  std::vector<Member> members(int seat, Who who) const;
  /// Members of a seat, by its id.
  std::int64_t member_count(AgentId seat, Who who) const;
  double member_count(Who who) const;  ///< of all ranks
  VectorXd sum_over_members(Who who, Index rows, const FillMember& fill);
  VectorXd mean_over_members(Who who, Index rows, const FillMember& fill);
  VectorXd mean_over_members(Index rows, const FillMember& fill) {
    return mean_over_members(reported(), rows, fill);
  }
  /// y of a member: its own (personal) or the common mean.
  ConstVector lower_at(const Member& member) const;
  double consensus_error(const AgentView& block, const VectorXd& mean);
  double lower_gradient_norm();
  /// y - P(prox(y - gy)): what is left of the gradient where the lower level is constrained or not
  /// smooth.
  void subtract_feasible_part(const ConstVector& y, Vector gy) const;
  double hyperobjective();
  double hypergradient_norm();
  double shared_hypergradient_norm();
  double personal_hypergradient_norm();
  std::vector<double> problem_metrics(Who who, const VectorXd& x, const FillMember& lower);
  void add_product(int local, const VectorXd& y, const VectorXd& v, Vector hv, Vector jv) const;

  const Clients* clients_;         ///< nullptr if nobody takes turns
  const BilevelProblem& problem_;  ///< of the members
  const Metrics* metrics_;         ///< nullptr if it has no figures of its own
  Network& network_;
  MetricsOptions options_;
  bool personal_;
  bool has_lower_solution_ = false;
  std::vector<KnownSolution> solutions_;  ///< those with an x
  std::vector<Column> columns_;
  VectorXd mean_x_;
  VectorXd mean_y_;
  const AgentView* y_ = nullptr;
  const ClientStates* clients_y_ = nullptr;
};

}  // namespace echelon
