#include "echelon/core/random.hpp"
#include "estimators.hpp"

namespace echelon {

void ReuseOptions::visit(OptionVisitor& visitor) {
  visitor("reuse_probability", reuse_probability, between(0, 0.999),
          "probability with which an agent keeps its last gradients");
}

namespace detail {

namespace {

/// m_i = O_i(s; xi) with probability 1 - r; otherwise agent i keeps its last m_i, and makes no
/// call. Each agent draws for itself; the first call is made by all.
class Reuse final : public GradientEstimator {
 public:
  Reuse(double probability, const EstimatorContext& context)
      : probability_(probability),
        problem_(*context.problem),
        agents_(context.agents),
        seed_(context.seed),
        last_(blocks(context.outputs, context)) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    calling_.clear();
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      Draws draws(seed_, Purpose::reuse, agents_[i], sample.iteration, sample.step);
      const int local = static_cast<int>(i);
      if (!problem_.takes_part(local)) continue;
      if (started_ == 0 || draws.uniform() >= probability_) calling_.push_back(local);
    }
    {
      const ActiveAgents only(problem_, calling_);
      oracle(sample, point, outputs);
    }
    started_ = 1;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      for (const int i : calling_) last_[k].col(i) = outputs[k]->col(i);
      outputs[k]->noalias() = last_[k];
    }
  }

  void forget() override { started_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    visit_blocks(visitor, "last", last_);
    visitor.replicated("started", started_);
  }

 private:
  double probability_;
  BilevelProblem& problem_;
  std::vector<AgentId> agents_;
  std::uint64_t seed_;
  std::vector<AgentMatrix> last_;
  std::vector<int> calling_;  ///< local numbers of the agents that make this call
  std::int64_t started_ = 0;
};

std::unique_ptr<GradientEstimator> make_reuse(const PartOptions& options,
                                              const EstimatorContext& context) {
  require(!context.collective, ErrorKind::usage,
          "estimator.name = reuse: the directions of this method contain averages over all agents, "
          "for which all have to make the call; choose a method such as soba or f2sa");
  return std::make_unique<Reuse>(options.as<ReuseOptions>().reuse_probability, context);
}

}  // namespace

std::vector<EstimatorEntry> reuse_parts() {
  return {
      {.name = "reuse",
       .summary = "each agent keeps its last responses with some probability and spares the calls; "
                  "no bias is "
                  "left where they settle",
       .formula =
           "m_i = O_i(s; xi) with probability 1 - r, else m_i as it was; first call made by all",
       .reference = "as in arXiv:2605.31311",
       .aliases = {},
       .options = ReuseOptions{},
       .traits = [](const PartOptions&) { return EstimatorTraits{.calls = Varies::on_average}; },
       .make = make_reuse}};
}

}  // namespace detail

}  // namespace echelon
