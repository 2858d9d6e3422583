#pragma once
/// The lower level seen from all agents at once: descent to a stationary point, and a way out of
/// those that are no minimizers.

#include <cstdint>

#include "echelon/method/terms.hpp"

namespace echelon::detail {

/// The mean of the g_i at the agents' x and one y; with exact means, whatever the strategies, so
/// that all ranks see the same bits and decide alike. For a shared lower level. Every call is
/// collective.
class MeanLowerLevel {
 public:
  MeanLowerLevel(const MethodContext& context, const ProductOptions& products);

  VectorXd mean(const AgentView& block);
  /// mean grad_y g
  VectorXd gradient(const Sample& sample, const AgentView& x, const VectorXd& y);
  /// mean (d2g/dy2) v
  VectorXd hessian_times(const Sample& sample, const AgentView& x, const VectorXd& y,
                         const VectorXd& v);
  /// y - P(y - grad_y g), P being the projection onto the lower level's set.
  VectorXd residual(const Sample& sample, const AgentView& x, const VectorXd& y);
  /// y <- P(y - step grad_y g) until |residual| <= tolerance.
  void descend(const Sample& sample, const AgentView& x, VectorXd& y, double step,
               double tolerance);

  struct Curvature {
    VectorXd direction;  ///< u, a unit vector
    double value;        ///< u'H u
  };
  /// Of the smallest eigenvalue of H: exact for up to 32 unknowns; beyond, 30 power steps on
  /// L I - H from random numbers of `seed`, with L above |H| by 10 power steps on H.
  Curvature least_curvature(const Sample& sample, const AgentView& x, const VectorXd& y,
                            std::uint64_t seed);

 private:
  BilevelProblem& problem_;
  Network& network_;
  Products products_;
  Index q_;
  AgentMatrix y_, v_, result_;
};

struct SafeguardOptions {
  bool safeguard = false;
  double safeguard_tolerance = 1e-3, lower_step = 0.5;

  void visit(OptionVisitor& visitor);
};

/// Tested every `period` iterations, at the mean of y, once the residual of the mean lower level is
/// below the tolerance. If its Hessian has a negative eigenvalue there, with eigenvector u,
///
///     y <- mean(y) - .1 sign(<u, mean grad_y f>) u, and then descends the lower level.
class CurvatureSafeguard {
 public:
  static constexpr std::uint64_t period = 50;

  /// `slack` is the residual with which the method itself is content.
  CurvatureSafeguard(MethodBase& method, const ConsensusVariable& its_x, ConsensusVariable& its_y,
                     const SafeguardOptions& its_options, const ProductOptions& products,
                     double slack = 0)
      : method_(method),
        x(its_x),
        y(its_y),
        options(its_options),
        lower(method.context, products),
        threshold(options.safeguard_tolerance + slack) {}
  /// Before iteration k; collective. Trackers of y are kept.
  void operator()(std::uint64_t k);

 private:
  MethodBase& method_;
  const ConsensusVariable& x;
  ConsensusVariable& y;
  SafeguardOptions options;
  MeanLowerLevel lower;
  double threshold;
  Block at_mean{method_.q, method_.m};
  Gradient fy = df_dy(x, at_mean);
  Direct gradient{method_, {&fy}};
};

}  // namespace echelon::detail
