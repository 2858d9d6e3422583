#include "lower_quadratic.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <limits>

#include "echelon/core/error.hpp"

namespace echelon::detail {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double proximal_weight = 1e-6;  // rho, relative to 1 + |H|
constexpr int most_proximal_points = 100;
constexpr double proximal_tolerance = 1e-11;
constexpr double slack = 1e-11;       // by which a row may be violated, relative
constexpr double dependence = 1e-10;  // of a row on the active ones, relative

/// Goldfarb and Idnani: from the free minimizer, one violated row after the other is made to hold,
/// with all multipliers kept >= 0; the objective rises at each step.
class DualActiveSet {
 public:
  DualActiveSet(const QuadraticProgram& program, const Eigen::MatrixXd& H, const VectorXd& a)
      : program_(program), factor_(H), y_(-factor_.solve(a)) {}

  QuadraticSolution solve() {
    const auto rows = program_.C.rows();
    for (Index changes = 0; changes < 100 * (rows + 1); ++changes) {
      const Index row = most_violated();
      if (row < 0) return solution();
      if (!enforce(row)) return {.status = QuadraticSolution::Status::infeasible, .y = y_};
    }
    fail(ErrorKind::internal, "the dual active-set method of the lower level did not end");
  }

 private:
  Index most_violated() const {
    Index worst = -1;
    double most = 0;
    for (Index row = 0; row < program_.C.rows(); ++row) {
      const double scale = 1 + std::abs(program_.c(row)) + program_.C.row(row).norm() * y_.norm();
      const double violation = (program_.C.row(row).dot(y_) - program_.c(row)) / scale;
      if (violation > slack && violation > most && !is_active(row)) {
        worst = row;
        most = violation;
      }
    }
    return worst;
  }

  bool is_active(Index row) const {
    for (const Index other : active_) {
      if (other == row) return true;
    }
    return false;
  }

  /// Adds `row` to the active ones, dropping those that stand in its way. False if no point
  /// satisfies it together with the rest.
  bool enforce(Index row) {
    const VectorXd normal = program_.C.row(row).transpose();
    const VectorXd scaled = factor_.matrixL().solve(normal);  // L^-1 n, H = L L'
    double multiplier = 0;
    while (true) {
      // As t grows: y + t direction, multipliers - t r, multiplier + t.
      const auto count = static_cast<Index>(active_.size());
      VectorXd r(count);
      VectorXd rest = scaled;
      if (count > 0) {
        Eigen::MatrixXd scaled_active(scaled.size(), count);
        for (Index j = 0; j < count; ++j) {
          scaled_active.col(j) = program_.C.row(active_[static_cast<std::size_t>(j)]).transpose();
        }
        factor_.matrixL().solveInPlace(scaled_active);
        r = scaled_active.householderQr().solve(scaled);
        rest -= scaled_active * r;
      }
      const bool independent = rest.norm() > dependence * scaled.norm();
      const VectorXd direction = -factor_.matrixU().solve(rest);
      const double full =
          independent ? (normal.dot(y_) - program_.c(row)) / rest.squaredNorm() : infinity;
      double length = full;
      Index dropped = -1;
      for (Index j = 0; j < count; ++j) {
        if (r(j) > 0 && multipliers_[static_cast<std::size_t>(j)] < length * r(j)) {
          length = multipliers_[static_cast<std::size_t>(j)] / r(j);
          dropped = j;
        }
      }
      if (std::isinf(length)) return false;
      if (independent) y_ += length * direction;
      for (Index j = 0; j < count; ++j) multipliers_[static_cast<std::size_t>(j)] -= length * r(j);
      multiplier += length;
      if (dropped < 0) break;
      active_.erase(active_.begin() + dropped);
      multipliers_.erase(multipliers_.begin() + dropped);
    }
    active_.push_back(row);
    multipliers_.push_back(multiplier);
    return true;
  }

  QuadraticSolution solution() const {
    QuadraticSolution result{.y = y_, .active = active_};
    result.multipliers =
        Eigen::Map<const VectorXd>(multipliers_.data(), static_cast<Index>(multipliers_.size()));
    return result;
  }

  const QuadraticProgram& program_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
  VectorXd y_;
  std::vector<Index> active_;
  std::vector<double> multipliers_;
};

}  // namespace

Eigen::MatrixXd rows_of(const Eigen::MatrixXd& matrix, const std::vector<Index>& rows) {
  Eigen::MatrixXd result(static_cast<Index>(rows.size()), matrix.cols());
  for (Index j = 0; j < result.rows(); ++j) {
    result.row(j) = matrix.row(rows[static_cast<std::size_t>(j)]);
  }
  return result;
}

QuadraticSolution solve(const QuadraticProgram& program, const VectorXd& start) {
  const Index q = program.a.size();
  const double rho = proximal_weight * (1 + program.H.norm());
  const Eigen::MatrixXd H = program.H + rho * Eigen::MatrixXd::Identity(q, q);
  VectorXd center = start;
  for (int t = 0; t < most_proximal_points; ++t) {
    const VectorXd a = program.a - rho * center;
    QuadraticSolution next = DualActiveSet(program, H, a).solve();
    if (next.status != QuadraticSolution::Status::solved) return next;
    // Once more from the active rows alone: the way there may have been long, about 1 / rho.
    const auto exact = OptimalitySystem(H, rows_of(program.C, next.active))
                           .solve(-a, rows_of(program.c, next.active));
    next.y = exact.u;
    next.multipliers = exact.w;
    if ((next.y - center).norm() <= proximal_tolerance * (1 + center.norm())) return next;
    center = next.y;
  }
  return {.status = QuadraticSolution::Status::unbounded, .y = center};
}

OptimalitySystem::OptimalitySystem(const Eigen::MatrixXd& H, const Eigen::MatrixXd& N)
    : q_(H.rows()) {
  Eigen::MatrixXd system = Eigen::MatrixXd::Zero(q_ + N.rows(), q_ + N.rows());
  system.topLeftCorner(q_, q_) = H;
  system.topRightCorner(q_, N.rows()) = N.transpose();
  system.bottomLeftCorner(N.rows(), q_) = N;
  system_.compute(system);
}

OptimalitySystem::Solution OptimalitySystem::solve(const VectorXd& top,
                                                   const VectorXd& bottom) const {
  VectorXd right(top.size() + bottom.size());
  right << top, bottom;
  const VectorXd both = system_.solve(right);
  return {both.head(q_), both.tail(bottom.size())};
}

}  // namespace echelon::detail
