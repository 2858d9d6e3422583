#include "echelon/core/feasible_set.hpp"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "echelon/core/error.hpp"

namespace echelon {

namespace {

/// The largest k entries stay positive after subtracting one threshold from all; the entries are
/// added in the order of their size.
void project_onto_simplex(Eigen::Ref<VectorXd> point) {
  std::vector<double> sorted(point.data(), point.data() + point.size());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  double threshold = 0;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const double candidate = (sum - 1) / static_cast<double>(k + 1);
    if (sorted[k] > candidate) threshold = candidate;
  }
  point = (point.array() - threshold).max(0.0).matrix();
}

}  // namespace

FeasibleSet FeasibleSet::box(VectorXd low, VectorXd high) {
  require(low.size() == high.size() && (low.array() <= high.array()).all(), ErrorKind::usage,
          "a box needs as many lower as upper bounds, none of them above its upper bound");
  FeasibleSet set;
  set.kind_ = Kind::box;
  set.low_ = std::move(low);
  set.high_ = std::move(high);
  return set;
}

FeasibleSet FeasibleSet::ball(VectorXd center, double radius) {
  require(radius > 0, ErrorKind::usage, "a ball needs a radius above 0, not ", radius);
  FeasibleSet set;
  set.kind_ = Kind::ball;
  set.low_ = std::move(center);
  set.radius_ = radius;
  return set;
}

FeasibleSet FeasibleSet::simplex() {
  FeasibleSet set;
  set.kind_ = Kind::simplex;
  return set;
}

FeasibleSet FeasibleSet::affine(Eigen::MatrixXd B, VectorXd e) {
  require(B.rows() == e.size(), ErrorKind::usage, "an affine set {v : B v = e} needs ", B.rows(),
          " numbers in e, not ", e.size());
  // By the rank: rounding may hide from a Cholesky factorization that B B' is singular.
  require(Eigen::ColPivHouseholderQR<Eigen::MatrixXd>(B.transpose()).rank() == B.rows(),
          ErrorKind::usage,
          "an affine set {v : B v = e} needs linearly independent rows of B; leave out those that "
          "repeat others");
  FeasibleSet set;
  set.kind_ = Kind::affine;
  set.low_ = std::move(e);
  const Eigen::LLT<Eigen::MatrixXd> gram(B * B.transpose());
  set.pseudoinverse_ = gram.solve(B).transpose();
  set.matrix_ = std::move(B);
  return set;
}

void FeasibleSet::project(Eigen::Ref<VectorXd> point) const {
  switch (kind_) {
    case Kind::whole_space:
      return;
    case Kind::box:
      point = point.cwiseMax(low_).cwiseMin(high_);
      return;
    case Kind::ball: {
      const double distance = (point - low_).norm();
      if (distance > radius_) point = low_ + radius_ / distance * (point - low_);
      return;
    }
    case Kind::simplex:
      project_onto_simplex(point);
      return;
    case Kind::affine: {
      const VectorXd residual = matrix_ * point - low_;
      point.noalias() -= pseudoinverse_ * residual;
      return;
    }
  }
}

void FeasibleSet::apply_derivative(const Eigen::Ref<const VectorXd>& point,
                                   Eigen::Ref<VectorXd> vector) const {
  switch (kind_) {
    case Kind::whole_space:
      return;
    case Kind::box:
      vector = (point.array() < low_.array() || point.array() > high_.array()).select(0.0, vector);
      return;
    case Kind::ball: {
      const double distance = (point - low_).norm();
      if (distance <= radius_) return;
      const VectorXd outward = (point - low_) / distance;
      vector = radius_ / distance * (vector - outward.dot(vector) * outward).eval();
      return;
    }
    case Kind::simplex: {
      VectorXd projected = point;
      project_onto_simplex(projected);
      double sum = 0;
      Index positive = 0;
      for (Index i = 0; i < vector.size(); ++i) {
        if (projected(i) > 0) {
          sum += vector(i);
          ++positive;
        }
      }
      const double mean = sum / static_cast<double>(positive);
      vector = (projected.array() > 0).select(vector.array() - mean, 0.0).matrix();
      return;
    }
    case Kind::affine: {
      const VectorXd normal = matrix_ * vector;
      vector.noalias() -= pseudoinverse_ * normal;
      return;
    }
  }
}

std::string FeasibleSet::text() const {
  switch (kind_) {
    case Kind::whole_space:
      return "the whole space";
    case Kind::box:
      return "a box";
    case Kind::ball:
      return "a ball";
    case Kind::simplex:
      return "the simplex";
    default:
      return "an affine subspace";
  }
}

}  // namespace echelon
