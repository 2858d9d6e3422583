#include "echelon/topology/schedule.hpp"

#include <algorithm>
#include <utility>

#include "echelon/core/compensated_sum.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/random.hpp"
#include "round_cache.hpp"

namespace echelon {

namespace {

using SharedMatrix = std::shared_ptr<const MixingMatrix>;

bool qualifies(const MixingMatrix& matrix, Weights weights) {
  switch (weights) {
    case Weights::given:
      return true;
    case Weights::row:
      return matrix.sums_to_one(Sums::rows);
    case Weights::column:
      return matrix.sums_to_one(Sums::columns);
  }
  return true;
}

MixingMatrix weighted_anew(const MixingMatrix& matrix, Weights weights) {
  return weights == Weights::row ? uniform_weights(matrix.graph()) : column_weights(matrix.graph());
}

class Periodic final : public MixingSchedule {
 public:
  explicit Periodic(std::vector<MixingMatrix> matrices) : cache_(matrices.size()) {
    for (auto& matrix : matrices) {
      matrices_.push_back(std::make_shared<const MixingMatrix>(std::move(matrix)));
    }
  }
  AgentId agents() const override { return matrices_.front()->agents(); }
  std::uint64_t period() const override { return matrices_.size(); }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    if (weights == Weights::given) return matrices_[round % period()];
    return cache_.at(round, weights, [&](std::uint64_t phase) {
      return detail::shared_reweighted(matrices_[phase], weights);
    });
  }

 private:
  std::vector<SharedMatrix> matrices_;
  mutable detail::RoundCache cache_;
};

class Lazy final : public MixingSchedule {
 public:
  explicit Lazy(SharedSchedule schedule)
      : schedule_(std::move(schedule)), cache_(schedule_->period()) {}
  AgentId agents() const override { return schedule_->agents(); }
  std::uint64_t period() const override { return schedule_->period(); }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    return cache_.at(round, weights, [&](std::uint64_t phase) {
      return std::make_shared<const MixingMatrix>(lazy(*schedule_->at(phase, weights)));
    });
  }

 private:
  SharedSchedule schedule_;
  mutable detail::RoundCache cache_;
};

/// Which links carry nothing at one round.
class FailedLinks {
 public:
  FailedLinks(const Failures& failures, AgentId agents, std::uint64_t round)
      : failures_(failures), round_(round), agent_fails_(static_cast<std::size_t>(agents), false) {
    if (failures.agent == 0) return;
    for (AgentId i = 0; i < agents; ++i) {
      Draws draws(failures.seed, Purpose::agent_failure, i, round);
      agent_fails_[static_cast<std::size_t>(i)] = draws.uniform() < failures.agent;
    }
  }
  bool contains(AgentId i, AgentId j) const {
    if (agent_fails_[static_cast<std::size_t>(i)]) return true;
    if (agent_fails_[static_cast<std::size_t>(j)]) return true;
    if (failures_.link == 0) return false;
    Draws draws(failures_.seed, Purpose::link_failure, std::min(i, j), round_,
                static_cast<std::uint64_t>(std::max(i, j)));
    return draws.uniform() < failures_.link;
  }

 private:
  const Failures& failures_;
  std::uint64_t round_;
  std::vector<bool> agent_fails_;
};

/// Gives the weights of failed links to the self weight of the receiver, or of the sender where
/// `sums` are the columns.
MixingMatrix without(const FailedLinks& failed, const MixingMatrix& matrix, Sums sums) {
  const auto n = static_cast<std::size_t>(matrix.agents());
  std::vector<std::vector<MixingMatrix::Entry>> rows(n);
  std::vector<CompensatedSum> self(n);
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    auto& row = rows[static_cast<std::size_t>(i)];
    row.reserve(matrix.row(i).size() + 1);
    for (const auto& entry : matrix.row(i)) {
      if (entry.sender != i && !failed.contains(i, entry.sender)) {
        row.push_back(entry);
      } else {
        self[static_cast<std::size_t>(sums == Sums::rows ? i : entry.sender)].add(entry.weight);
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    rows[i].push_back({static_cast<AgentId>(i), self[i].value()});
  }
  return MixingMatrix(rows, sums);
}

class Failing final : public MixingSchedule {
 public:
  Failing(SharedSchedule schedule, const Failures& failures)
      : schedule_(std::move(schedule)), failures_(failures), cache_(0) {}
  AgentId agents() const override { return schedule_->agents(); }
  std::uint64_t period() const override { return 0; }
  SharedMatrix at(std::uint64_t round, Weights weights) const override {
    return cache_.at(round, weights, [&](std::uint64_t) {
      const SharedMatrix matrix = schedule_->at(round, weights);
      const bool splits = weights == Weights::column ||
                          (weights == Weights::given && !matrix->sums_to_one(Sums::rows));
      return std::make_shared<const MixingMatrix>(without(
          FailedLinks(failures_, agents(), round), *matrix, splits ? Sums::columns : Sums::rows));
    });
  }

 private:
  SharedSchedule schedule_;
  Failures failures_;
  mutable detail::RoundCache cache_;
};

}  // namespace

SharedMatrix detail::shared_reweighted(const SharedMatrix& matrix, Weights weights) {
  if (qualifies(*matrix, weights)) return matrix;
  return std::make_shared<const MixingMatrix>(weighted_anew(*matrix, weights));
}

MixingMatrix reweighted(const MixingMatrix& matrix, Weights weights) {
  return qualifies(matrix, weights) ? matrix : weighted_anew(matrix, weights);
}

SharedSchedule periodic(std::vector<MixingMatrix> matrices) {
  require(!matrices.empty(), ErrorKind::usage,
          "mixing schedule: there is no matrix; give one for a fixed network, or one per round");
  for (const auto& matrix : matrices) {
    require(matrix.agents() == matrices.front().agents(), ErrorKind::usage,
            "mixing schedule: the matrices are for ", matrices.front().agents(), " and for ",
            matrix.agents(), " agents; all rounds have the same agents");
  }
  return std::make_shared<Periodic>(std::move(matrices));
}

SharedSchedule lazy(SharedSchedule schedule) {
  return std::make_shared<Lazy>(std::move(schedule));
}

SharedSchedule with_failures(SharedSchedule schedule, const Failures& failures) {
  const Range probability{.low = 0, .high = 1, .high_open = true};
  require(probability.contains(failures.link), ErrorKind::usage, "link failures: ", failures.link,
          " is not a probability that lets anything through; choose one in [0, 1)");
  require(probability.contains(failures.agent), ErrorKind::usage,
          "agent failures: ", failures.agent,
          " is not a probability that lets anything through; choose one in [0, 1)");
  if (failures.link == 0 && failures.agent == 0) return schedule;
  return std::make_shared<Failing>(std::move(schedule), failures);
}

}  // namespace echelon
