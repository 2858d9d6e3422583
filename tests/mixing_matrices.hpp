#pragma once
/// Mixing matrices as they are defined: densely, and given by hand round by round.

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "echelon/topology/schedule.hpp"

namespace echelon::testing_support {

inline Eigen::MatrixXd dense(const MixingMatrix& matrix) {
  Eigen::MatrixXd w = Eigen::MatrixXd::Zero(matrix.agents(), matrix.agents());
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [sender, weight] : matrix.row(i)) w(i, sender) = weight;
  }
  return w;
}

/// The given rounds in turn; `period` is what it says of itself.
class Rounds final : public MixingSchedule {
 public:
  Rounds(std::vector<MixingMatrix> matrices, std::uint64_t period) : period_(period) {
    for (auto& matrix : matrices) {
      matrices_.push_back(std::make_shared<const MixingMatrix>(std::move(matrix)));
    }
  }
  AgentId agents() const override { return matrices_.front()->agents(); }
  std::uint64_t period() const override { return period_; }
  std::shared_ptr<const MixingMatrix> at(std::uint64_t round, Weights) const override {
    return matrices_[round % matrices_.size()];
  }

 private:
  std::vector<std::shared_ptr<const MixingMatrix>> matrices_;
  std::uint64_t period_;
};

}  // namespace echelon::testing_support
