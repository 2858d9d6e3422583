#pragma once
/// What must hold for any problem on data, whatever its formulas.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "echelon/core/random.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

inline VectorXd random_vector(Index size, std::uint64_t stream, double scale) {
  Draws draws(3, Purpose::start, 0, 0, stream);
  VectorXd result(size);
  for (Index i = 0; i < size; ++i) result(i) = scale * draws.normal();
  return result;
}

inline ConstVector view(const VectorXd& v) {
  return {v.data(), v.size()};
}
inline Vector output(VectorXd& v) {
  return {v.data(), v.size()};
}

struct Gradients {
  VectorXd x;
  VectorXd y;
};

inline Gradients gradients_at(const BilevelProblem& problem, Level level, int local,
                              const Sample& sample, const VectorXd& x, const VectorXd& y) {
  // Outputs must be overwritten, not added to.
  Gradients result{VectorXd::Constant(x.size(), 99.0), VectorXd::Constant(y.size(), 99.0)};
  const AgentPoint point{view(x), view(y), output(result.x), output(result.y)};
  problem.gradient(level, local, sample, std::span(&point, 1));
  return result;
}

/// Gradients against central differences of value(), along random directions.
inline void check_gradients(const BilevelProblem& problem, const Sample& sample, double tolerance) {
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const VectorXd u = random_vector(problem.upper_dimension(), 3, 1);
  const VectorXd v = random_vector(problem.lower_dimension(), 4, 1);
  const double d = 1e-5;
  for (int local = 0; local < problem.agents().count(); ++local) {
    for (const Level level : {Level::upper, Level::lower}) {
      const auto value = [&](double s, double t) {
        const VectorXd xs = x + s * u;
        const VectorXd yt = y + t * v;
        return problem.value(level, local, sample, view(xs), view(yt));
      };
      const Gradients g = gradients_at(problem, level, local, sample, x, y);
      const double along_x = (value(d, 0) - value(-d, 0)) / (2 * d);
      const double along_y = (value(0, d) - value(0, -d)) / (2 * d);
      EXPECT_NEAR(g.x.dot(u), along_x, tolerance * (1 + std::abs(along_x)));
      EXPECT_NEAR(g.y.dot(v), along_y, tolerance * (1 + std::abs(along_y)));
    }
  }
}

/// Three points at once, with different outputs wanted, against one at a time; and the same sample
/// twice.
inline void check_points(const BilevelProblem& problem, const Sample& sample) {
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const VectorXd z = random_vector(problem.lower_dimension(), 5, 0.3);
  for (int local = 0; local < problem.agents().count(); ++local) {
    for (const Level level : {Level::upper, Level::lower}) {
      VectorXd gx(x.size());
      VectorXd gy(y.size());
      VectorXd gz(y.size());
      const Vector none(nullptr, 0);
      const std::vector<AgentPoint> points{{view(x), view(z), output(gx), none},
                                           {view(x), view(y), none, output(gy)},
                                           {view(x), view(z), none, output(gz)}};
      problem.gradient(level, local, sample, points);
      const Gradients at_y = gradients_at(problem, level, local, sample, x, y);
      const Gradients at_z = gradients_at(problem, level, local, sample, x, z);
      EXPECT_EQ(gx, at_z.x);
      EXPECT_EQ(gy, at_y.y);
      EXPECT_EQ(gz, at_z.y);
    }
  }
}

inline void check_products(const BilevelProblem& problem, const Sample& sample, double tolerance) {
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const VectorXd v = random_vector(problem.lower_dimension(), 4, 1);
  const double d = 1e-5;
  const VectorXd ahead = y + d * v;
  const VectorXd behind = y - d * v;
  for (int local = 0; local < problem.agents().count(); ++local) {
    VectorXd hv = VectorXd::Constant(y.size(), 99.0);
    VectorXd jv = VectorXd::Constant(x.size(), 99.0);
    problem.product(local, sample, {view(x), view(y), view(v), output(hv), output(jv)});
    const Gradients a = gradients_at(problem, Level::lower, local, sample, x, ahead);
    const Gradients b = gradients_at(problem, Level::lower, local, sample, x, behind);
    const VectorXd expected_hv = (a.y - b.y) / (2 * d);
    const VectorXd expected_jv = (a.x - b.x) / (2 * d);
    EXPECT_LE((hv - expected_hv).norm(), tolerance * (1 + expected_hv.norm()));
    EXPECT_LE((jv - expected_jv).norm(), tolerance * (1 + expected_jv.norm()));

    // Only one of the two wanted.
    VectorXd alone = VectorXd::Constant(x.size(), 99.0);
    problem.product(local, sample, {view(x), view(y), view(v), Vector(nullptr, 0), output(alone)});
    EXPECT_EQ(alone, jv);
    alone = VectorXd::Constant(y.size(), 99.0);
    problem.product(local, sample, {view(x), view(y), view(v), output(alone), Vector(nullptr, 0)});
    EXPECT_EQ(alone, hv);
  }
}

/// Values and gradients of the two problems, averaged over their agents, agree.
inline void check_same_mean(const BilevelProblem& one, const BilevelProblem& other,
                            double tolerance) {
  const VectorXd x = random_vector(one.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(one.lower_dimension(), 2, 0.3);
  struct Mean {
    double value = 0;
    Gradients gradients;
  };
  for (const Level level : {Level::upper, Level::lower}) {
    const auto mean = [&](const BilevelProblem& problem) {
      Mean result{0, {VectorXd::Zero(x.size()), VectorXd::Zero(y.size())}};
      const double share = 1.0 / problem.agents().count();
      for (int local = 0; local < problem.agents().count(); ++local) {
        const auto g = gradients_at(problem, level, local, Sample::everything(), x, y);
        result.value += share * problem.value(level, local, Sample::everything(), view(x), view(y));
        result.gradients.x += share * g.x;
        result.gradients.y += share * g.y;
      }
      return result;
    };
    const Mean a = mean(one);
    const Mean b = mean(other);
    EXPECT_NEAR(a.value, b.value, tolerance);
    EXPECT_LE((a.gradients.x - b.gradients.x).norm(), tolerance);
    EXPECT_LE((a.gradients.y - b.gradients.y).norm(), tolerance);
  }
}

/// The average of many minibatch gradients approaches the full gradient, as 1 / sqrt(draws).
inline void check_unbiased(const BilevelProblem& problem, double tolerance) {
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const int draws = 2000;
  for (const Level level : {Level::upper, Level::lower}) {
    const Gradients full = gradients_at(problem, level, 0, Sample::everything(), x, y);
    Gradients mean{VectorXd::Zero(x.size()), VectorXd::Zero(y.size())};
    for (std::uint64_t k = 0; k < draws; ++k) {
      const Gradients g = gradients_at(problem, level, 0, {.iteration = k}, x, y);
      mean.x += g.x / draws;
      mean.y += g.y / draws;
    }
    EXPECT_LE((mean.x - full.x).norm(), tolerance * (full.x.norm() + 1e-12));
    EXPECT_LE((mean.y - full.y).norm(), tolerance * full.y.norm());
  }
}

/// Values, gradients and products on the sub-batches of an agent: their mean is the answer for all
/// samples, also where there are more sub-batches than samples.
inline void check_sub_batches(const BilevelProblem& problem, std::int64_t batches) {
  const VectorXd x = random_vector(problem.upper_dimension(), 1, 1);
  const VectorXd y = random_vector(problem.lower_dimension(), 2, 0.3);
  const VectorXd v = random_vector(problem.lower_dimension(), 4, 1);
  const double share = 1 / static_cast<double>(batches);
  struct Answer {
    double value = 0;
    Gradients gradients, products;
  };
  const auto at = [&](Level level, int local, const Sample& sample) {
    Answer answer{problem.value(level, local, sample, view(x), view(y)),
                  gradients_at(problem, level, local, sample, x, y),
                  {VectorXd::Zero(x.size()), VectorXd::Zero(y.size())}};
    problem.product(
        local, sample,
        {view(x), view(y), view(v), output(answer.products.y), output(answer.products.x)});
    return answer;
  };
  for (int local = 0; local < problem.agents().count(); ++local) {
    for (const Level level : {Level::upper, Level::lower}) {
      const Answer full = at(level, local, Sample::everything());
      Answer rest = full;
      for (std::int64_t b = 0; b < batches; ++b) {
        const Answer part = at(level, local, {.iteration = 7, .batches = batches, .batch = b});
        rest.value -= share * part.value;
        rest.gradients.x -= share * part.gradients.x;
        rest.gradients.y -= share * part.gradients.y;
        rest.products.x -= share * part.products.x;
        rest.products.y -= share * part.products.y;
        // Which draw it is does not matter, only which part.
        const Answer again = at(level, local, {.step = 3, .batches = batches, .batch = b});
        EXPECT_EQ(part.gradients.y, again.gradients.y);
      }
      EXPECT_NEAR(rest.value, 0, 1e-12 * (1 + std::abs(full.value)));
      EXPECT_LE(rest.gradients.x.norm(), 1e-12 * (1 + full.gradients.x.norm()));
      EXPECT_LE(rest.gradients.y.norm(), 1e-12 * (1 + full.gradients.y.norm()));
      EXPECT_LE(rest.products.x.norm(), 1e-12 * (1 + full.products.x.norm()));
      EXPECT_LE(rest.products.y.norm(), 1e-12 * (1 + full.products.y.norm()));
    }
  }
}

}  // namespace echelon
