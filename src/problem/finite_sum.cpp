#include "echelon/problem/finite_sum.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"
#include "published_draws.hpp"

namespace echelon {

namespace {

using Eigen::MatrixXd;

constexpr std::array both{Level::upper, Level::lower};

/// T with T (mean of b b') T of spectrum 10^-1 ... 10^0 in the same eigenvectors.
MatrixXd respacing(const MatrixXd& mean_outer_product) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(mean_outer_product);
  const Index size = mean_outer_product.rows();
  VectorXd factors(size);
  for (Index i = 0; i < size; ++i) {
    const double position = size == 1 ? 1 : static_cast<double>(i) / static_cast<double>(size - 1);
    factors(i) = std::sqrt(std::pow(10.0, position - 1) / eigen.eigenvalues()(i));
  }
  return eigen.eigenvectors() * factors.asDiagonal() * eigen.eigenvectors().transpose();
}

/// The vectors of `rows` with their mean outer product respaced.
MatrixXd respaced_rows(const MatrixXd& rows) {
  const MatrixXd mean = rows.transpose() * rows / static_cast<double>(rows.rows());
  return rows * respacing(mean);
}

/// Instance qg-1.
class PublishedSamples {
 public:
  static constexpr Index p = 4;
  static constexpr Index q = 6;
  static constexpr Index count = 16;

  PublishedSamples() {
    detail::PublishedDraws draws;
    Block &f = blocks_[0], &g = blocks_[1];
    g.curvature_y = respaced_rows(draws.matrix(count, q));
    f.curvature_x = respaced_rows(draws.matrix(count, p));
    f.curvature_y = respaced_rows(draws.matrix(count, q));
    g.couplings = scaled_couplings(draws);
    f.couplings = scaled_couplings(draws);
    g.linear_y = draws.matrix(count, q);
    f.linear_y = draws.matrix(count, q);
    f.linear_x = draws.matrix(count, p);
    g.linear_x = draws.matrix(count, p);
    g.curvature_x = respaced_rows(draws.matrix(count, p));
  }

  QuadraticSample operator()(Level level, std::int64_t index) const {
    const Block& block = blocks_[level == Level::upper ? 0 : 1];
    return {block.curvature_x.row(index), block.curvature_y.row(index),
            block.couplings[static_cast<std::size_t>(index)], block.linear_x.row(index),
            block.linear_y.row(index)};
  }

 private:
  struct Block {
    MatrixXd curvature_x, curvature_y;  ///< a sample per row, as the linear parts
    std::vector<MatrixXd> couplings;
    MatrixXd linear_x, linear_y;
  };

  /// The largest of the norms is 1/10.
  static std::vector<MatrixXd> scaled_couplings(detail::PublishedDraws& draws) {
    std::vector<MatrixXd> couplings;
    double largest = 0;
    for (Index j = 0; j < count; ++j) {
      const MatrixXd& coupling = couplings.emplace_back(draws.matrix(p, q));
      const Eigen::SelfAdjointEigenSolver<MatrixXd> squares(coupling * coupling.transpose());
      largest = std::max(largest, std::sqrt(squares.eigenvalues()(p - 1)));
    }
    for (MatrixXd& coupling : couplings) coupling /= 10 * largest;
    return couplings;
  }

  std::array<Block, 2> blocks_;
};

/// Instance `random`: every sample is drawn from its number alone.
class RandomSamples {
 public:
  RandomSamples(const FiniteSumOptions& options, std::uint64_t seed)
      : p_(options.upper_dimension), q_(options.lower_dimension), seed_(seed) {
    const std::array counts{options.samples_upper, options.samples_lower};
    for (const Level level : both) {
      Basis& basis = bases_[number(level)];
      Draws draws(seed_, Purpose::problem_data, 0, 0, number(level));
      basis.left = orthonormal(draws, p_);
      basis.right = orthonormal(draws, q_);
      MatrixXd xx = MatrixXd::Zero(p_, p_);
      MatrixXd yy = MatrixXd::Zero(q_, q_);
      for (std::int64_t j = 0; j < counts[number(level)]; ++j) {
        Draws own = draws_of(level, j);
        const VectorXd x = normal_vector(own, p_);
        const VectorXd y = normal_vector(own, q_);
        xx.noalias() += x * x.transpose();
        yy.noalias() += y * y.transpose();
      }
      basis.x_respacing = respacing(xx / static_cast<double>(counts[number(level)]));
      basis.y_respacing = respacing(yy / static_cast<double>(counts[number(level)]));
    }
  }

  QuadraticSample operator()(Level level, std::int64_t index) const {
    const Basis& basis = bases_[number(level)];
    Draws own = draws_of(level, index);
    QuadraticSample sample;
    sample.curvature_x = basis.x_respacing * normal_vector(own, p_);
    sample.curvature_y = basis.y_respacing * normal_vector(own, q_);
    VectorXd diagonal(basis.left.cols());
    for (Index r = 0; r < diagonal.size(); ++r) diagonal(r) = 0.1 * own.uniform();
    sample.coupling = basis.left * diagonal.asDiagonal() * basis.right.transpose();
    sample.linear_x = normal_vector(own, p_);
    sample.linear_y = normal_vector(own, q_);
    return sample;
  }

 private:
  /// Couplings are left diag(.) right', so that their mean does not vanish.
  struct Basis {
    MatrixXd left, right;
    MatrixXd x_respacing, y_respacing;
  };

  static std::size_t number(Level level) { return level == Level::upper ? 0 : 1; }
  static VectorXd normal_vector(Draws& draws, Index size) {
    VectorXd vector(size);
    for (Index i = 0; i < size; ++i) vector(i) = draws.normal();
    return vector;
  }
  MatrixXd orthonormal(Draws& draws, Index rows) const {
    const Index columns = std::min(p_, q_);
    MatrixXd gaussian(rows, columns);
    for (Index c = 0; c < columns; ++c) gaussian.col(c) = normal_vector(draws, rows);
    return Eigen::HouseholderQR<MatrixXd>(gaussian).householderQ() *
           MatrixXd::Identity(rows, columns);
  }
  Draws draws_of(Level level, std::int64_t index) const {
    return {seed_, Purpose::problem_data, 0, 1 + static_cast<std::uint64_t>(index), number(level)};
  }

  Index p_, q_;
  std::uint64_t seed_;
  std::array<Basis, 2> bases_;
};

double value_of(const QuadraticSample& s, const ConstVector& x, const ConstVector& y) {
  const double of_x = s.curvature_x.dot(x);
  const double of_y = s.curvature_y.dot(y);
  return 0.5 * (of_x * of_x + of_y * of_y) + x.dot(s.coupling * y) + s.linear_x.dot(x) +
         s.linear_y.dot(y);
}

double value_of(const QuadraticSum& s, const ConstVector& x, const ConstVector& y) {
  return 0.5 * (x.dot(s.xx * x) + y.dot(s.yy * y)) + x.dot(s.xy * y) + s.x_part.dot(x) +
         s.y_part.dot(y);
}

void add_gradient(const QuadraticSample& s, AgentPoint& point) {
  if (point.wants_gx()) {
    point.gx += s.curvature_x.dot(point.x) * s.curvature_x + s.linear_x;
    point.gx.noalias() += s.coupling * point.y;
  }
  if (point.wants_gy()) {
    point.gy += s.curvature_y.dot(point.y) * s.curvature_y + s.linear_y;
    point.gy.noalias() += s.coupling.transpose() * point.x;
  }
}

void add_gradient(const QuadraticSum& s, AgentPoint& point) {
  if (point.wants_gx()) {
    point.gx += s.x_part;
    point.gx.noalias() += s.xx * point.x;
    point.gx.noalias() += s.xy * point.y;
  }
  if (point.wants_gy()) {
    point.gy += s.y_part;
    point.gy.noalias() += s.yy * point.y;
    point.gy.noalias() += s.xy.transpose() * point.x;
  }
}

void add_product(const QuadraticSample& s, AgentProduct& at) {
  if (at.wants_hv()) at.hv += s.curvature_y.dot(at.v) * s.curvature_y;
  if (at.wants_jv()) at.jv.noalias() += s.coupling * at.v;
}

void add_product(const QuadraticSum& s, AgentProduct& at) {
  if (at.wants_hv()) at.hv.noalias() += s.yy * at.v;
  if (at.wants_jv()) at.jv.noalias() += s.xy * at.v;
}

/// Calls `visit` with every sample drawn, or with the sum where all are.
template <class Samples, class Visit>
void for_each_drawn(const SampleDraw& drawn, const Samples& samples, const QuadraticSum& sum,
                    const Visit& visit) {
  if (drawn.everything) return visit(sum);
  for (const std::int64_t row : drawn.rows) visit(samples[static_cast<std::size_t>(row)]);
}

FiniteSumOptions sizes_of(FiniteSumOptions options) {
  if (options.instance == "qg-1") {
    options.upper_dimension = PublishedSamples::p;
    options.lower_dimension = PublishedSamples::q;
    options.samples_upper = options.samples_lower = PublishedSamples::count;
  }
  const std::int64_t most = std::max(options.upper_dimension, options.lower_dimension);
  const std::int64_t least = std::min(options.samples_upper, options.samples_lower);
  require(least >= most, ErrorKind::usage,
          "problem.samples_lower, problem.samples_upper: ", options.samples_lower, ", ",
          options.samples_upper, " (fewer than unknowns make the mean singular); ask for at least ",
          most, " each");
  return options;
}

}  // namespace

QuadraticSum::QuadraticSum(Index p, Index q)
    : xx(MatrixXd::Zero(p, p)),
      yy(MatrixXd::Zero(q, q)),
      xy(MatrixXd::Zero(p, q)),
      x_part(VectorXd::Zero(p)),
      y_part(VectorXd::Zero(q)) {}

void QuadraticSum::add(const QuadraticSample& sample) {
  xx.noalias() += sample.curvature_x * sample.curvature_x.transpose();
  yy.noalias() += sample.curvature_y * sample.curvature_y.transpose();
  xy += sample.coupling;
  x_part += sample.linear_x;
  y_part += sample.linear_y;
}

void FiniteSumOptions::visit(OptionVisitor& visitor) {
  visitor.choice("instance", instance, {"random", "qg-1"},
                 "drawn from the seed with the sizes below, or fixed: 16 samples, p = 4, q = 6");
  visitor("samples_lower", samples_lower, at_least(1), "N, samples of the lower level");
  visitor("samples_upper", samples_upper, at_least(1), "M, samples of the upper level");
  visitor("upper_dimension", upper_dimension, between(1, 2000), "p, length of x");
  visitor("lower_dimension", lower_dimension, between(1, 2000), "q, length of y");
  visitor("batch", batch, at_least(0), "samples per agent and call; 0 = all");
}

FiniteSum::FiniteSum(AgentSet agents, const FiniteSumOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)),
      options_(sizes_of(options)),
      p_(options_.upper_dimension),
      q_(options_.lower_dimension),
      seed_(seed),
      means_{QuadraticSum(p_, q_), QuadraticSum(p_, q_)} {
  if (options_.instance == "qg-1") {
    deal(PublishedSamples());
  } else {
    deal(RandomSamples(options_, seed));
  }
  const QuadraticSum& g = means_[number(Level::lower)];
  const Eigen::LLT<MatrixXd> factor(g.yy);
  lower_ = {-factor.solve(g.xy.transpose()), -factor.solve(g.y_part)};
  require(hessian_of_F().llt().info() == Eigen::Success, ErrorKind::usage, "run.seed: ", seed_,
          " (F of problem `finite-sum` is not convex for it); choose another seed or more samples");
}

template <class Generator>
void FiniteSum::deal(const Generator& generator) {
  const AgentId n = agents().total;
  for (const Level level : both) {
    const std::int64_t samples = count(level);
    QuadraticSum& all = means_[number(level)];
    for (AgentId agent = 0; agent < n; ++agent) {
      const bool is_local = std::binary_search(agents().local.begin(), agents().local.end(), agent);
      Part* own =
          is_local ? &parts_[number(level)].emplace_back(Part{{}, QuadraticSum(p_, q_)}) : nullptr;
      for (std::int64_t j = samples * agent / n; j < samples * (agent + 1) / n; ++j) {
        QuadraticSample sample = generator(level, j);
        all.add(sample);
        if (own == nullptr) continue;
        own->sum.add(sample);
        own->samples.push_back(std::move(sample));
      }
    }
    const auto total = static_cast<double>(samples);
    all.xx /= total;
    all.yy /= total;
    all.xy /= total;
    all.x_part /= total;
    all.y_part /= total;
  }
}

SampleDraw FiniteSum::draw(Level level, int local, const Sample& sample) const {
  return draw_samples(level, agents().local[static_cast<std::size_t>(local)], sample,
                      std::ssize(part(level, local).samples), options_.batch, seed_);
}

double FiniteSum::factor(Level level) const {
  return static_cast<double>(agents().total) / static_cast<double>(count(level));
}

double FiniteSum::value(Level level, int local, const Sample& sample, const ConstVector& x,
                        const ConstVector& y) const {
  const SampleDraw drawn = draw(level, local, sample);
  double sum = 0;
  for_each_drawn(drawn, part(level, local).samples, part(level, local).sum,
                 [&](const auto& term) { sum += value_of(term, x, y); });
  return factor(level) * drawn.scale * sum;
}

void FiniteSum::gradient(Level level, int local, const Sample& sample,
                         std::span<const AgentPoint> points) const {
  const SampleDraw drawn = draw(level, local, sample);
  const double scale = factor(level) * drawn.scale;
  for (AgentPoint point : points) {
    if (point.wants_gx()) point.gx.setZero();
    if (point.wants_gy()) point.gy.setZero();
    for_each_drawn(drawn, part(level, local).samples, part(level, local).sum,
                   [&](const auto& term) { add_gradient(term, point); });
    if (point.wants_gx()) point.gx *= scale;
    if (point.wants_gy()) point.gy *= scale;
  }
}

void FiniteSum::product(int local, const Sample& sample, const AgentProduct& product) const {
  const SampleDraw drawn = draw(Level::lower, local, sample);
  const double scale = factor(Level::lower) * drawn.scale;
  AgentProduct at = product;
  if (at.wants_hv()) at.hv.setZero();
  if (at.wants_jv()) at.jv.setZero();
  for_each_drawn(drawn, part(Level::lower, local).samples, part(Level::lower, local).sum,
                 [&](const auto& term) { add_product(term, at); });
  if (at.wants_hv()) at.hv *= scale;
  if (at.wants_jv()) at.jv *= scale;
}

// H + M'F M + K M + M'K' with y*(x) = M x + m.
MatrixXd FiniteSum::hessian_of_F() const {
  const QuadraticSum& f = means_[number(Level::upper)];
  const MatrixXd mixed = f.xy * lower_.slope;
  return f.xx + lower_.slope.transpose() * f.yy * lower_.slope + mixed + mixed.transpose();
}

std::vector<KnownSolution> FiniteSum::known_solutions(bool personal) const {
  if (personal) return {};
  const QuadraticSum& f = means_[number(Level::upper)];
  const VectorXd at_zero = f.x_part + f.xy * lower_.offset +
                           lower_.slope.transpose() * (f.yy * lower_.offset + f.y_part);
  KnownSolution solution;
  solution.x = -hessian_of_F().llt().solve(at_zero);
  solution.y = lower_.slope * solution.x + lower_.offset;
  solution.value =
      value_of(f, ConstVector(solution.x.data(), p_), ConstVector(solution.y.data(), q_));
  return {solution};
}

std::optional<VectorXd> FiniteSum::lower_solution(const VectorXd& x) const {
  return lower_.slope * x + lower_.offset;
}

namespace detail {

std::vector<ProblemEntry> finite_sum_parts() {
  return {problem_part<FiniteSum, FiniteSumOptions>(
      {.name = "finite-sum",
       .summary = "finite sums of quadratics with a closed-form solution, for minibatches",
       .formula = "g_i = n/N sum_j 1/2 y'A_j y + 1/2 x'B_j x + x'C_j y + a_j'y + b_j'x;  "
                  "f_i = n/M sum_j 1/2 y'F_j y + 1/2 x'H_j x + x'K_j y + f_j'y + h_j'x",
       .reference = "M. Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409"})};
}

}  // namespace detail

}  // namespace echelon
