#include <cmath>
#include <iomanip>

#include "echelon/problem/sampling.hpp"
#include "estimators.hpp"

namespace echelon {

void SagaOptions::visit(OptionVisitor& visitor) {
  visitor("saga_batches", saga_batches, between(1, 1e6),
          "number B of fixed sub-batches of each agent's samples");
  visitor("saga_memory", saga_memory, above(0),
          "most GB (1e9 bytes) that one table of gradients may take on a rank");
}

namespace detail {

namespace {

/// Sub-batches b = 0 .. B-1 of each agent's samples, w = 1 / B, mean table entry tbar:
///
///     d = O_b - t_b + tbar        tbar <- tbar + w (O_b - t_b)        t_b <- O_b
///
/// The first call fills the table at its point, with B oracle calls, and returns tbar: with a table
/// of zeros d would be as noisy as a plain gradient until every sub-batch has been seen. Each agent
/// draws its own b.
class Saga final : public GradientEstimator {
 public:
  Saga(std::int64_t batches, const EstimatorContext& context)
      : batches_(batches),
        weight_(1 / static_cast<double>(batches)),
        agents_(context.agents),
        seed_(context.sub_batch_seed.value()),
        tables_(blocks(context.outputs, context, batches)),
        means_(blocks(context.outputs, context)) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    Sample part = sample;
    part.batches = batches_;
    if (started_ == 0) {
      fill(part, point, oracle, outputs);
      started_ = 1;
      return;
    }
    part.batch = Sample::each_its_own;
    oracle(part, point, outputs);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      parallel_for(static_cast<int>(agents_.size()), [&](int i) {
        const AgentId agent = agents_[static_cast<std::size_t>(i)];
        advance(k, i, sub_batch_of(agent, part, seed_), *outputs[k]);
      });
    }
  }

  void visit_state(StateVisitor& visitor) override {
    visit_blocks(visitor, "table", tables_);
    visit_blocks(visitor, "table_mean", means_);
    visitor.replicated("started", started_);
  }

 private:
  void advance(std::size_t k, Index agent, std::int64_t batch, AgentView& output) {
    const Index height = output.rows();
    double* const entry = tables_[k].col(agent).data() + batch * height;
    double* const mean = means_[k].col(agent).data();
    double* const out = output.col(agent).data();
    for (Index r = 0; r < height; ++r) {
      const double change = out[r] - entry[r];
      entry[r] = out[r];
      out[r] = mean[r] + change;
      mean[r] += weight_ * change;
    }
  }

  void fill(Sample part, OraclePoint point, const Oracle& oracle, OracleOutputs outputs) {
    for (AgentMatrix& mean : means_) mean.setZero();
    for (part.batch = 0; part.batch < batches_; ++part.batch) {
      oracle(part, point, outputs);
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        const AgentView& output = *outputs[k];
        tables_[k].middleRows(part.batch * output.rows(), output.rows()) = output;
        means_[k] += weight_ * output;
      }
    }
    for (std::size_t k = 0; k < outputs.size(); ++k) *outputs[k] = means_[k];
  }

  std::int64_t batches_;
  double weight_;
  std::vector<AgentId> agents_;
  std::uint64_t seed_;
  std::vector<AgentMatrix> tables_;  ///< column i: t_0, t_1, ... of agent i, one below the other
  std::vector<AgentMatrix> means_;
  std::int64_t started_ = 0;
};

std::string whole(double value) {
  return text(std::fixed, std::setprecision(0), value);
}

void require_memory(const SagaOptions& options, const EstimatorContext& context) {
  double height = 0;
  for (const Index output : context.outputs) height += static_cast<double>(output);
  const auto agents = static_cast<double>(context.agents.size());
  const double one = height * agents * sizeof(double);
  const double needed = static_cast<double>(options.saga_batches) * one;
  const double limit = options.saga_memory * 1e9;
  if (needed <= limit) return;
  const double fitting = std::floor(limit / one);
  const std::string repair =
      fitting < 1 ? "" : text("estimator.saga_batches <= ", whole(fitting), " or ");
  fail(ErrorKind::usage, "estimator.saga_batches = ", options.saga_batches, ": the table takes ",
       whole(needed), " bytes on this rank (", options.saga_batches, " sub-batches x ",
       whole(height), " entries x ", whole(agents),
       " agents x 8 bytes; estimator.saga_memory allows ", whole(limit), "); choose ", repair,
       "estimator.saga_memory >= ", number_text(needed / 1e9));
}

std::unique_ptr<GradientEstimator> make_saga(const PartOptions& given,
                                             const EstimatorContext& context) {
  const auto& options = given.as<SagaOptions>();
  require(context.sub_batch_seed.has_value(), ErrorKind::usage,
          "estimator.name = saga: this problem has no sub-batches (its gradients are not sums over "
          "fixed samples); choose storm or momentum");
  require_memory(options, context);
  require(context.participation == nullptr || !context.participation->rotates(), ErrorKind::usage,
          "estimator.name = saga: clients take turns, and a table for each of them would be as "
          "large as their samples; choose storm or plain");
  return std::make_unique<Saga>(options.saga_batches, context);
}

}  // namespace

std::vector<EstimatorEntry> saga_parts() {
  return {
      {.name = "saga",
       .summary = "sub-batches of the samples, corrected by a table with the last response for "
                  "each; no noise is "
                  "left at a fixed point",
       .formula = "d = O_b - t_b + tbar; tbar <- tbar + (O_b - t_b) / B; t_b <- O_b; first step "
                  "all t_b = O_b",
       .reference =
           "A. Defazio, F. Bach, S. Lacoste-Julien, NeurIPS 2014, arXiv:1407.0202; for bilevel: M. "
           "Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409",
       .aliases = {},
       .options = SagaOptions{},
       .traits = [](const PartOptions&) { return EstimatorTraits{}; },
       .make = make_saga}};
}

}  // namespace detail

}  // namespace echelon
