#include "arnoldi.hpp"

// GCC 12 sees a use after free in Spectra's general solver where Eigen resizes a vector; there is
// none.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

#include <Spectra/GenEigsSolver.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace echelon::detail {

namespace {

using Eigen::Index;

constexpr double not_found = std::numeric_limits<double>::quiet_NaN();
constexpr double nothing = -std::numeric_limits<double>::infinity();

/// What Spectra wants of an operator.
class SpectraOperator {
 public:
  using Scalar = double;
  SpectraOperator(const Operator& apply, std::size_t size) : apply_(apply), x_(size), y_(size) {}
  Index rows() const { return static_cast<Index>(x_.size()); }
  Index cols() const { return rows(); }
  void perform_op(const double* x_in, double* y_out) const {
    std::copy(x_in, x_in + rows(), x_.begin());
    apply_(x_, y_);
    std::copy(y_.begin(), y_.end(), y_out);
  }

 private:
  const Operator& apply_;
  mutable std::vector<double> x_;
  mutable std::vector<double> y_;
};

double by_arnoldi(const Operator& apply, std::size_t size) {
  constexpr Index basis = 30;
  constexpr double precision = 1e-7;
  const Index restarts = size < 20000 ? 100 : 3;
  try {
    const SpectraOperator op(apply, size);
    Spectra::GenEigsSolver<const SpectraOperator> solver(op, 2,
                                                         std::min(basis, static_cast<Index>(size)));
    const std::vector<double> start = probe_vector(size, 0);
    solver.init(start.data());
    solver.compute(Spectra::SortRule::LargestMagn, restarts, precision);
    if (solver.info() != Spectra::CompInfo::Successful) return not_found;
    return std::log(solver.eigenvalues().cwiseAbs().maxCoeff());
  } catch (const std::runtime_error&) {
    return not_found;
  } catch (const std::invalid_argument&) {
    return not_found;
  }
}

/// The mean logarithm of the growth per step, over two stretches that must agree.
double by_growth(const Operator& apply, std::size_t size) {
  constexpr int stretch = 60;
  constexpr double agreement = 0.1;
  std::vector<double> x = probe_vector(size, 1);
  std::vector<double> y(size);
  double growth[3] = {0, 0, 0};
  for (int step = 0; step < 3 * stretch; ++step) {
    const double before = std::sqrt(inner_product(x, x));
    apply(x, y);
    const double after = std::sqrt(inner_product(y, y));
    if (after <= 1e-13 * before) return nothing;
    growth[step / stretch] += std::log(after / before) / stretch;
    for (std::size_t i = 0; i < size; ++i) x[i] = y[i] / after;
  }
  return std::abs(growth[1] - growth[2]) <= agreement * std::abs(growth[2]) ? growth[2] : not_found;
}

/// Products of a few finite-time averaging matrices are nilpotent off the mean.
bool vanishes(const Operator& apply, std::size_t size) {
  constexpr int most_powers = 8;
  std::vector<double> x = probe_vector(size, 2);
  std::vector<double> y(size);
  for (int power = 1; power <= most_powers; ++power) {
    const double before = std::sqrt(inner_product(x, x));
    apply(x, y);
    if (std::sqrt(inner_product(y, y)) <= 1e-13 * before) return true;
    std::swap(x, y);
  }
  return false;
}

}  // namespace

double arnoldi_log_largest(const Operator& apply, std::size_t size) {
  if (vanishes(apply, size)) return nothing;
  const double found = by_arnoldi(apply, size);
  return std::isnan(found) ? by_growth(apply, size) : found;
}

}  // namespace echelon::detail
