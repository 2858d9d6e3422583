#include <Eigen/Core>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "bits.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/error.hpp"
#include "numbers.hpp"

namespace echelon {

void LowRankOptions::visit(OptionVisitor& visitor) {
  visitor("compression_rank", rank, at_least(1), "columns of each factor");
  visitor("compression_rows", rows, at_least(0),
          "rows of the variable as a matrix, filled column by column; 0 = as square as possible");
}

namespace detail {

namespace {

using Eigen::MatrixXd;

struct Shape {
  Index rows;
  Index columns;
};

/// `rows` = 0: as square as d allows, at most one column of padding.
Shape shape_of(Index dimension, std::int64_t rows) {
  const Index height =
      rows > 0 ? static_cast<Index>(rows) : static_cast<Index>(std::ceil(std::sqrt(dimension)));
  return {height, (dimension + height - 1) / height};
}

/// An orthonormal basis of a space that contains the columns of `block`.
MatrixXd orthonormal(const MatrixXd& block) {
  const Eigen::HouseholderQR<MatrixXd> factors(block);
  return factors.householderQ() * MatrixXd::Identity(block.rows(), block.cols());
}

/// One after the other, the directions of the columns that are largest once the previous directions
/// are taken out.
MatrixXd largest_columns(MatrixXd rest, Index rank) {
  MatrixXd directions = MatrixXd::Zero(rest.rows(), rank);
  for (Index k = 0; k < rank; ++k) {
    Index place = 0;
    double largest = 0;
    for (Index j = 0; j < rest.cols(); ++j) {
      const double square = rest.col(j).squaredNorm();
      if (square > largest) {
        largest = square;
        place = j;
      }
    }
    if (largest == 0) break;
    directions.col(k) = rest.col(place) / std::sqrt(largest);
    const VectorXd weights = rest.transpose() * directions.col(k);
    rest.noalias() -= directions.col(k) * weights.transpose();
  }
  return directions;
}

/// v as a matrix M (column-major, padded with zeros, transposed if it is wide) becomes P P^T M with
/// orthonormal P of r columns. Message: P, then Q = M^T P, as doubles.
///
///     P <- orthonormal basis of r columns of M, each the largest once the previous are taken out
///     twice:  Q <- orthonormal(M^T P);  P <- orthonormal(M Q)
///     Q <- M^T P
///
/// With c <= r columns the first step keeps at least r/c of |M|^2: each choice takes at least its
/// share of what is left. A power step never lowers |P^T M|: with S_m = P^T (M M^T)^m P,
/// S_3 >= S_2 S_1^-1 S_2 and S_2 >= S_1^2 (Schur complements). So delta = r / min(rows, columns),
/// which no matrix of rank r can better for all v.
class LowRank final : public Compressor {
 public:
  LowRank(std::int64_t rank, std::int64_t rows) : rank_(static_cast<Index>(rank)), rows_(rows) {}

  std::size_t bytes(Index dimension) const override {
    const Shape shape = shape_of(dimension, rows_);
    return 8 * size_of(rank_ * (shape.rows + shape.columns));
  }

  void encode(std::span<const double> v, const MessageKey&,
              std::span<std::byte> message) const override {
    ECHELON_ASSERT(message.size() == bytes(static_cast<Index>(v.size())));
    if (!all_finite(v)) return fill_with_nan(message);
    const double scale = binary_scale(v);
    const MatrixXd m = tall_matrix(v, scale);
    MatrixXd p = orthonormal(largest_columns(m, rank_));
    constexpr int power_steps = 2;
    for (int step = 0; step < power_steps; ++step) {
      const MatrixXd q = orthonormal(m.transpose() * p);
      p = orthonormal(m * q);
    }
    const MatrixXd q = m.transpose() * p / scale;
    if (!all_finite({q.data(), size_of(q.size())})) return fill_with_nan(message);
    store_all(message.data(), {p.data(), size_of(p.size())});
    store_all(message.data() + 8 * p.size(), {q.data(), size_of(q.size())});
  }

  void decode(std::span<const std::byte> message, const MessageKey&,
              std::span<double> v) const override {
    const auto d = static_cast<Index>(v.size());
    ECHELON_ASSERT(message.size() == bytes(d));
    const Shape shape = shape_of(d, rows_);
    const bool wide = shape.rows < shape.columns;
    MatrixXd p(std::max(shape.rows, shape.columns), rank_);
    MatrixXd q(std::min(shape.rows, shape.columns), rank_);
    load_all(message.data(), {p.data(), size_of(p.size())});
    load_all(message.data() + 8 * p.size(), {q.data(), size_of(q.size())});
    const MatrixXd product = wide ? q * p.transpose() : p * q.transpose();
    std::copy_n(product.data(), v.size(), v.begin());
  }

  double contraction(Index dimension) const override {
    const Shape shape = shape_of(dimension, rows_);
    return static_cast<double>(rank_) / static_cast<double>(std::min(shape.rows, shape.columns));
  }

 private:
  MatrixXd tall_matrix(std::span<const double> v, double scale) const {
    const Shape shape = shape_of(static_cast<Index>(v.size()), rows_);
    MatrixXd m = MatrixXd::Zero(shape.rows, shape.columns);
    std::ranges::transform(v, m.data(), [scale](double value) { return scale * value; });
    if (shape.rows < shape.columns) return m.transpose();
    return m;
  }

  Index rank_;
  std::int64_t rows_;
};

std::unique_ptr<Compressor> make_low_rank(const PartOptions& given, Index dimension) {
  const auto& options = given.as<LowRankOptions>();
  require(options.rows <= dimension, ErrorKind::usage,
          "consensus.compression_rows = ", options.rows,
          ": more rows than numbers (the variable has ", dimension, "); choose at most ", dimension,
          ", or 0 for a square");
  const Shape shape = shape_of(dimension, options.rows);
  const Index most = std::min(shape.rows, shape.columns);
  require(options.rank <= most, ErrorKind::usage, "consensus.compression_rank = ", options.rank,
          ": above the rank of any ", shape.rows, " x ", shape.columns,
          " matrix (the variable has ", dimension, " numbers); choose at most ", most);
  return std::make_unique<LowRank>(options.rank, options.rows);
}

}  // namespace

std::vector<CompressorEntry> low_rank_parts() {
  return {{.name = "low-rank",
           .summary = "two factors of rank r of the variable as a matrix",
           .formula = "Q(M) = P P^T M, M = v as rows x columns, P orthonormal of r columns by two "
                      "steps of subspace iteration from the largest columns; delta = r / min(rows, "
                      "columns); 64 r (rows + columns) bits",
           .reference =
               "T. Vogels, S. P. Karimireddy, M. Jaggi, NeurIPS 2019, arXiv:1905.13727; start by "
               "pivoting: N. Halko, P.-G. Martinsson, J. Tropp, SIAM Review 53(2), 2011, "
               "arXiv:0909.4061",
           .aliases = {"powersgd"},
           .options = LowRankOptions{},
           .make = make_low_rank}};
}

}  // namespace detail

}  // namespace echelon
