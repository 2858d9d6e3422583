#include "quasi_newton.hpp"

#include <cmath>
#include <utility>
#include <vector>

namespace echelon::detail {

namespace {

constexpr double least_cosine = 1e-10;   // of s and r (BFGS), of w and r (SR1)
constexpr double least_product = 1e-24;  // of their lengths: below, they are rounding

bool is_informative(double product, double lengths) {
  return product > least_cosine * lengths && lengths > least_product;
}

}  // namespace

QuasiNewton::QuasiNewton(Kind kind, double step, std::int64_t memory)
    : kind_(kind), step_(step), memory_(static_cast<std::size_t>(memory)) {}

void QuasiNewton::add(const Eigen::VectorXd& s, const Eigen::VectorXd& r) {
  Pair pair{s, r, s.dot(r)};
  if (kind_ == Kind::sr1) {
    Eigen::VectorXd image = r;
    apply(image);
    pair.s -= image;
    pair.product = pair.s.dot(r);
  }
  const double product = kind_ == Kind::sr1 ? std::abs(pair.product) : pair.product;
  if (!is_informative(product, pair.s.norm() * pair.r.norm())) return;
  pairs_.push_back(std::move(pair));
  if (pairs_.size() > memory_) pairs_.pop_front();
}

void QuasiNewton::apply(Eigen::Ref<Eigen::VectorXd> v) const {
  if (kind_ == Kind::bfgs) {
    apply_bfgs(v);
    return;
  }
  const Eigen::VectorXd original = v;
  v *= step_;
  for (const Pair& pair : pairs_) v += pair.s.dot(original) / pair.product * pair.s;
}

void QuasiNewton::apply_bfgs(Eigen::Ref<Eigen::VectorXd> v) const {
  std::vector<double> shares(pairs_.size());
  for (std::size_t i = pairs_.size(); i-- > 0;) {
    shares[i] = pairs_[i].s.dot(v) / pairs_[i].product;
    v -= shares[i] * pairs_[i].r;
  }
  v *= pairs_.empty() ? step_ : pairs_.back().product / pairs_.back().r.squaredNorm();
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    v += (shares[i] - pairs_[i].r.dot(v) / pairs_[i].product) * pairs_[i].s;
  }
}

}  // namespace echelon::detail
