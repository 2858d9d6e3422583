#include "echelon/runtime/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "echelon/core/parallel.hpp"

namespace echelon {

namespace {

const Sample everything = Sample::everything();

ConstVector view(const VectorXd& vector) {
  return {vector.data(), vector.size()};
}
Vector into(VectorXd& vector) {
  return {vector.data(), vector.size()};
}
Vector unwanted() {
  return {nullptr, 0};
}

const Column standard_columns[] = {
    {"upper_value", "1",
     "mean over agents of f_i at the mean iterate (personal lower level: at each agent's own y)"},
    {"lower_gradient_norm", "1",
     "norm of the mean of grad_y g_i at the mean iterate (personal: root mean square over agents); "
     "constrained or nonsmooth: of y - P(prox(y - grad_y g))"},
    {"hyperobjective", "1", "F at the mean x: f at y*(x), where the lower level has a closed form"},
    {"hypergradient_norm", "1",
     "norm of the gradient of F at the mean x, lower level and linear system solved to "
     "metrics.tolerance"},
    {"consensus_error_x", "1", "1/n sum of |x_i - mean x|^2"},
    {"consensus_error_y", "1", "1/n sum of |y_i - mean y|^2; empty for a personal lower level"},
    {"distance_to_solution", "1",
     "|mean x - x*|, where the solution is known (of several, the nearest)"},
};

}  // namespace

static_assert(std::size(standard_columns) == Evaluator::general_figures);

void MetricsOptions::visit(OptionVisitor& visitor) {
  visitor.operational(true);
  visitor("every", every, at_least(1), "iterations between reports");
  visitor("hypergradient", hypergradient,
          "report the norm of the true hypergradient; each report then solves the lower level and "
          "a linear system");
  visitor("tolerance", tolerance, above_up_to(0, 1),
          "relative tolerance of the solves for the hypergradient (baselines: 1e-6)");
  visitor("baselines", baselines,
          "solve the problem's baselines once, at the start, and print them beside the result");
  visitor("clients", clients, at_least(0),
          "number of clients that the figures are computed from if clients are sampled, the same "
          "in each report, at least one per slot; 0 = all");
  visitor.operational(false);
}

Evaluator::Evaluator(const BilevelProblem& problem, Network& network, const MetricsOptions& options,
                     bool personal)
    : clients_(problem.facet<Clients>()),
      problem_(clients_ == nullptr ? problem : clients_->clients()),
      metrics_(problem_.facet<Metrics>()),
      network_(network),
      options_(options),
      personal_(personal),
      columns_(std::begin(standard_columns), std::end(standard_columns)) {
  for (KnownSolution& known : problem_.known_solutions(personal)) {
    if (known.x.size() > 0) solutions_.push_back(std::move(known));
  }
  has_lower_solution_ = !personal && problem_.lower_solution(problem_.start_x()).has_value();
  if (metrics_ == nullptr) return;
  for (const auto& name : metrics_->metric_names())
    columns_.push_back({name, "1", "problem's own figure at the mean iterate"});
}

std::vector<std::string> Evaluator::metric_names() const {
  std::vector<std::string> names;
  for (auto column = columns_.begin() + general_figures; column != columns_.end(); ++column) {
    names.push_back(column->name);
  }
  return names;
}

bool Evaluator::exists(const std::string& column) const {
  if (column == "hypergradient_norm") return options_.hypergradient;
  if (column == "distance_to_solution") return !solutions_.empty();
  if (column == "hyperobjective") return has_lower_solution_;
  return column != "consensus_error_y" || !personal_;
}

VectorXd Evaluator::sum_over_agents(Index rows, const FillAgent& fill) {
  AgentMatrix& block = network_.scratch("direction", rows);
  parallel_for(static_cast<int>(block.cols()), [&](int local) {
    fill(local, Vector(block.data() + local * block.outerStride(), rows));
  });
  return network_.sum_for_report(block);
}

VectorXd Evaluator::mean_over_agents(Index rows, const FillAgent& fill) {
  return sum_over_agents(rows, fill) / static_cast<double>(network_.size());
}

Evaluator::Who Evaluator::reported() const {
  // Without the values of all clients, only those who sit have a personal one.
  return personal_ && clients_y_ == nullptr ? Who::sitting : Who::chosen;
}

std::vector<Evaluator::Member> Evaluator::members(int seat, Who who) const {
  if (clients_ == nullptr) return {{.seat = seat, .place = 0, .number = seat}};
  const AgentId id = network_.agents().local[static_cast<std::size_t>(seat)];
  const std::int64_t first =
      who == Who::sitting ? std::max<std::int64_t>(0, clients_->participation().place(id)) : 0;
  std::vector<Member> result;
  for (std::int64_t place = first; place < first + member_count(id, who); ++place) {
    result.push_back({.seat = seat, .place = place, .number = clients_->client(id, place)});
  }
  return result;
}

std::int64_t Evaluator::member_count(AgentId seat, Who who) const {
  if (clients_ == nullptr || who == Who::sitting) return 1;
  const Participation& participation = clients_->participation();
  const std::int64_t group = participation.group_size(seat);
  if (who == Who::everybody || options_.clients == 0) return group;
  const std::int64_t seats = participation.seats();
  return std::min(group, (options_.clients + seats - 1) / seats);
}

double Evaluator::member_count(Who who) const {
  std::int64_t count = 0;
  for (AgentId seat = 0; seat < network_.size(); ++seat) count += member_count(seat, who);
  return static_cast<double>(count);
}

VectorXd Evaluator::sum_over_members(Who who, Index rows, const FillMember& fill) {
  return sum_over_agents(rows, [&](int local, Vector out) {
    const std::vector<Member> own = members(local, who);
    if (own.size() == 1) return fill(own.front(), out);
    VectorXd one(rows);
    out.setZero();
    for (const Member& member : own) {
      fill(member, into(one));
      out += one;
    }
  });
}

VectorXd Evaluator::mean_over_members(Who who, Index rows, const FillMember& fill) {
  return sum_over_members(who, rows, fill) / member_count(who);
}

ConstVector Evaluator::lower_at(const Member& member) const {
  if (!personal_) return view(mean_y_);
  if (clients_y_ != nullptr) {
    const auto own = clients_y_->state(member.seat, member.place);
    return {own.data(), own.size()};
  }
  return {y_->data() + member.seat * y_->outerStride(), y_->rows()};
}

double Evaluator::consensus_error(const AgentView& block, const VectorXd& mean) {
  return mean_over_agents(
      1, [&](int local, Vector out) { out(0) = (block.col(local) - mean).squaredNorm(); })(0);
}

double Evaluator::lower_gradient_norm() {
  const auto gradient_of = [&](const Member& member, Vector gy) {
    const AgentPoint point{view(mean_x_), lower_at(member), unwanted(), gy};
    problem_.gradient(Level::lower, member.number, everything, {&point, 1});
  };
  if (!personal_) {
    VectorXd gy = mean_over_members(problem_.lower_dimension(), gradient_of);
    subtract_feasible_part(view(mean_y_), into(gy));
    return gy.norm();
  }
  const double square = mean_over_members(1, [&](const Member& member, Vector out) {
    VectorXd gy(problem_.lower_dimension());
    gradient_of(member, into(gy));
    subtract_feasible_part(lower_at(member), into(gy));
    out(0) = gy.squaredNorm();
  })(0);
  return std::sqrt(square);
}

void Evaluator::subtract_feasible_part(const ConstVector& y, Vector gy) const {
  if (problem_.lower_set().is_whole_space() && !problem_.has_nonsmooth_term()) return;
  VectorXd moved = y - gy;
  if (problem_.has_nonsmooth_term()) problem_.lower_prox(1, view(mean_x_), into(moved));
  problem_.lower_set().project(moved);
  gy = y - moved;
}

double Evaluator::hyperobjective() {
  if (!has_lower_solution_) return no_figure;
  const VectorXd y = problem_.lower_solution(mean_x_).value();
  return mean_over_members(1, [&](const Member& member, Vector out) {
    out(0) = problem_.value(Level::upper, member.number, everything, view(mean_x_), view(y));
  })(0);
}

void Evaluator::add_product(int local, const VectorXd& y, const VectorXd& v, Vector hv,
                            Vector jv) const {
  const AgentProduct product{view(mean_x_), view(y), view(v), hv, jv};
  if (problem_.has_exact_products()) {
    problem_.product(local, everything, product);
  } else {
    problem_.difference_product(local, everything, product, DifferenceStep{});
  }
}

// dF = mean fx - J'v at y*(x) with (mean H) v = mean fy.
double Evaluator::shared_hypergradient_norm() {
  const Index p = problem_.upper_dimension();
  const Index q = problem_.lower_dimension();
  const SolverOptions tolerance{.tolerance = options_.tolerance};
  VectorXd y = mean_y_;
  const auto lower = minimize(
      [&](const VectorXd& at, VectorXd& gradient) {
        gradient = mean_over_members(q, [&](const Member& member, Vector gy) {
          const AgentPoint point{view(mean_x_), view(at), unwanted(), gy};
          problem_.gradient(Level::lower, member.number, everything, {&point, 1});
        });
      },
      y, tolerance);
  if (!lower.converged) return no_figure;
  const auto upper_gradient = [&](bool of_x, Index rows) {
    return mean_over_members(rows, [&](const Member& member, Vector out) {
      const AgentPoint point{view(mean_x_), view(y), of_x ? out : unwanted(),
                             of_x ? unwanted() : out};
      problem_.gradient(Level::upper, member.number, everything, {&point, 1});
    });
  };
  const VectorXd fx = upper_gradient(true, p);
  const VectorXd fy = upper_gradient(false, q);
  VectorXd v = VectorXd::Zero(q);
  const auto system = conjugate_gradient(
      [&](const VectorXd& at, VectorXd& hv) {
        hv = mean_over_members(q, [&](const Member& member, Vector out) {
          add_product(member.number, y, at, out, unwanted());
        });
      },
      fy, v, tolerance);
  if (!system.converged) return no_figure;
  const VectorXd jv = mean_over_members(p, [&](const Member& member, Vector out) {
    add_product(member.number, y, v, unwanted(), out);
  });
  return (fx - jv).norm();
}

// dF = mean over agents of fx_i - J_i'v_i at y_i*(x) with H_i v_i = fy_i; every agent solves for
// itself.
double Evaluator::personal_hypergradient_norm() {
  const Index p = problem_.upper_dimension();
  const Index q = problem_.lower_dimension();
  const SolverOptions tolerance{.tolerance = options_.tolerance};
  const VectorXd mean = mean_over_members(p, [&](const Member& member, Vector out) {
    VectorXd y = lower_at(member);
    const auto lower = minimize(
        [&](const VectorXd& at, VectorXd& gradient) {
          const AgentPoint point{view(mean_x_), view(at), unwanted(), into(gradient)};
          problem_.gradient(Level::lower, member.number, everything, {&point, 1});
        },
        y, tolerance);
    VectorXd fx(p), fy(q), jv(p);
    const AgentPoint point{view(mean_x_), view(y), into(fx), into(fy)};
    problem_.gradient(Level::upper, member.number, everything, {&point, 1});
    VectorXd v = VectorXd::Zero(q);
    const auto system = conjugate_gradient(
        [&](const VectorXd& at, VectorXd& hv) {
          add_product(member.number, y, at, into(hv), unwanted());
        },
        fy, v, tolerance);
    add_product(member.number, y, v, unwanted(), into(jv));
    out = fx - jv;
    if (!lower.converged || !system.converged) out.setConstant(no_figure);
  });
  return mean.norm();
}

double Evaluator::hypergradient_norm() {
  if (!options_.hypergradient) return no_figure;
  return personal_ ? personal_hypergradient_norm() : shared_hypergradient_norm();
}

std::vector<double> Evaluator::problem_metrics(Who who, const VectorXd& x,
                                               const FillMember& lower) {
  if (metrics_ == nullptr) return {};
  const VectorXd sums =
      sum_over_members(who, metrics_->metric_sums(), [&](const Member& member, Vector out) {
        VectorXd y(problem_.lower_dimension());
        lower(member, into(y));
        out.setZero();
        problem_.add_metric_sums(member.number, view(x), view(y), out);
      });
  return metrics_->finish_metrics(sums);
}

std::vector<double> Evaluator::evaluate(const AgentView& x, const AgentView& y,
                                        const ClientStates* clients_y) {
  mean_x_ = network_.mean_for_report(x);
  mean_y_ = network_.mean_for_report(y);
  y_ = &y;
  clients_y_ = clients_y;
  std::vector<double> row;
  row.push_back(mean_over_members(1, [&](const Member& member, Vector out) {
    out(0) =
        problem_.value(Level::upper, member.number, everything, view(mean_x_), lower_at(member));
  })(0));
  row.push_back(lower_gradient_norm());
  row.push_back(hyperobjective());
  row.push_back(hypergradient_norm());
  row.push_back(consensus_error(x, mean_x_));
  row.push_back(personal_ ? no_figure : consensus_error(y, mean_y_));
  double distance = no_figure;
  for (const KnownSolution& known : solutions_) {
    const double here = (mean_x_ - known.x).norm();
    if (!(distance <= here)) distance = here;
  }
  row.push_back(distance);
  const auto own = problem_metrics(
      reported(), mean_x_, [&](const Member& member, Vector out) { out = lower_at(member); });
  row.insert(row.end(), own.begin(), own.end());
  return row;
}

std::vector<Evaluator::BaselineFigures> Evaluator::baselines() {
  std::vector<BaselineFigures> all;
  const auto* given = problem_.facet<Baselines>();
  if (given == nullptr) return all;
  const auto infos = given->baselines();
  for (std::size_t b = 0; b < infos.size(); ++b) {
    VectorXd y = problem_.start_y();
    const auto solved = minimize(
        [&](const VectorXd& at, VectorXd& gradient) {
          gradient = mean_over_members(
              Who::everybody, problem_.lower_dimension(), [&](const Member& member, Vector out) {
                problem_.baseline_gradient(b, member.number, view(at), out);
              });
        },
        y, {.tolerance = 1e-6});
    const auto figures = problem_metrics(Who::chosen, problem_.start_x(),
                                         [&](const Member&, Vector out) { out = y; });
    all.push_back({infos[b], figures, solved.converged});
  }
  return all;
}

}  // namespace echelon
