#include "echelon/method/estimator.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <utility>

#include "echelon/core/catalog.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/sampling.hpp"

namespace echelon {

namespace {

std::vector<AgentMatrix> blocks(const std::vector<Index>& heights, const EstimatorContext& context,
                                Index copies = 1) {
  std::vector<AgentMatrix> result;
  for (const Index height : heights) {
    result.emplace_back(copies * height, static_cast<Index>(context.agents.size()));
  }
  return result;
}

void visit_blocks(StateVisitor& visitor, const std::string& name,
                  std::vector<AgentMatrix>& matrices) {
  for (std::size_t k = 0; k < matrices.size(); ++k) {
    visitor.per_agent(name + "_" + std::to_string(k), matrices[k]);
  }
}

/// m = O(s; xi)
class Plain final : public GradientEstimator {
 public:
  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
  }
};

/// m <- (1 - theta) m + theta O(s; xi), first step m = O
class Momentum final : public GradientEstimator {
 public:
  Momentum(double theta, const EstimatorContext& context)
      : theta_(theta), averages_(blocks(context.outputs, context)) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
    const double theta = started_ == 0 ? 1.0 : theta_;
    started_ = 1;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      AgentMatrix& average = averages_[k];
      AgentView& output = *outputs[k];
      parallel_for(static_cast<int>(output.cols()), [&](int i) {
        average.col(i) = (1 - theta) * average.col(i) + theta * output.col(i);
        output.col(i) = average.col(i);
      });
    }
  }

  void forget() override { started_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    visit_blocks(visitor, "average", averages_);
    visitor.replicated("started", started_);
  }

 private:
  double theta_;
  std::vector<AgentMatrix> averages_;
  std::int64_t started_ = 0;
};

/// The last estimate m and the point s_old where it was made, for estimators that follow the point.
class Recursion {
 public:
  explicit Recursion(const EstimatorContext& context)
      : averages_(blocks(context.outputs, context)),
        previous_(blocks(context.arguments, context)),
        at_previous_(blocks(context.outputs, context)) {}

  /// outputs <- outputs + kept (m - O(s_old; xi)).
  void correct(const Sample& sample, std::size_t arguments, const Oracle& oracle,
               OracleOutputs outputs, double kept) {
    std::vector<const AgentView*> point;
    std::vector<AgentView*> old;
    for (std::size_t k = 0; k < arguments; ++k) point.push_back(&previous_[k]);
    for (AgentMatrix& block : at_previous_) old.push_back(&block);
    oracle(sample, point, old);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      AgentView& output = *outputs[k];
      parallel_for(static_cast<int>(output.cols()), [&](int i) {
        output.col(i) += kept * (averages_[k].col(i) - at_previous_[k].col(i));
      });
    }
  }

  /// m <- outputs, s_old <- point.
  void keep(OraclePoint point, OracleOutputs outputs) {
    for (std::size_t k = 0; k < outputs.size(); ++k) averages_[k].copy_from(*outputs[k]);
    for (std::size_t k = 0; k < point.size(); ++k) previous_[k].copy_from(*point[k]);
  }

  void require_stored(OraclePoint point, const char* estimator) const {
    bool fits = point.size() <= previous_.size();
    for (std::size_t k = 0; fits && k < point.size(); ++k) {
      fits = point[k]->rows() == previous_[k].rows();
    }
    require(fits, ErrorKind::internal, "estimator ", estimator,
            ": the oracle depends on other variables than the estimator keeps (by default x, y and "
            "one auxiliary); give their heights to make_estimator");
  }

  void visit_state(StateVisitor& visitor) {
    visit_blocks(visitor, "average", averages_);
    visit_blocks(visitor, "previous", previous_);
  }

 private:
  std::vector<AgentMatrix> averages_;
  std::vector<AgentMatrix> previous_;
  std::vector<AgentMatrix> at_previous_;
};

/// m <- O(s; xi) + (1 - c_k) (m - O(s_old; xi)), first step m = O; s_old is the previous call's
/// point, c_k = c (1 + (k - start) / offset)^-decay in iteration k, c until start
class Storm final : public GradientEstimator {
 public:
  Storm(const EstimatorOptions& options, const EstimatorContext& context)
      : options_(options), last_(context) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    last_.require_stored(point, "storm");
    oracle(sample, point, outputs);
    if (started_ != 0) {
      last_.correct(sample, point.size(), oracle, outputs, 1 - weight(sample.iteration));
    }
    started_ = 1;
    last_.keep(point, outputs);
  }

  void forget() override { started_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    last_.visit_state(visitor);
    visitor.replicated("started", started_);
  }

 private:
  double weight(std::uint64_t k) const {
    if (options_.decay == 0) return options_.c;
    const double since = std::max(0.0, static_cast<double>(k) - options_.decay_start);
    return options_.c * std::pow(1 + since / options_.decay_offset, -options_.decay);
  }

  EstimatorOptions options_;
  Recursion last_;
  std::int64_t started_ = 0;
};

/// m = O(s; all samples) at every `period`-th call, otherwise m <- m + O(s; xi) - O(s_old; xi)
class Sarah final : public GradientEstimator {
 public:
  Sarah(std::int64_t period, const EstimatorContext& context) : period_(period), last_(context) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    last_.require_stored(point, "sarah");
    if (calls_ == 0) {
      oracle(Sample::everything(), point, outputs);
    } else {
      oracle(sample, point, outputs);
      last_.correct(sample, point.size(), oracle, outputs, 1);
    }
    calls_ = (calls_ + 1) % period_;
    last_.keep(point, outputs);
  }

  void forget() override { calls_ = 0; }

  void visit_state(StateVisitor& visitor) override {
    last_.visit_state(visitor);
    visitor.replicated("calls", calls_);
  }

 private:
  std::int64_t period_;
  Recursion last_;
  std::int64_t calls_ = 0;  ///< since the last with all samples, that one included
};

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

/// An estimator of agents whose clients take turns: its memory is of those who sit there, and
/// starts anew with the next round.
class OfRound final : public GradientEstimator {
 public:
  OfRound(std::unique_ptr<GradientEstimator> inner, const Participation& participation)
      : inner_(std::move(inner)), turn_(&participation) {}

  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    if (turn_.has_changed()) inner_->forget();
    inner_->estimate(sample, point, oracle, outputs);
  }

  void visit_state(StateVisitor& visitor) override {
    inner_->visit_state(visitor);
    visitor.within("turn", turn_);
  }

 private:
  std::unique_ptr<GradientEstimator> inner_;
  Turn turn_;
};

std::string whole(double value) {
  return text(std::fixed, std::setprecision(0), value);
}

void require_memory(const EstimatorOptions& options, const EstimatorContext& context) {
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

std::unique_ptr<GradientEstimator> make_saga(const EstimatorOptions& options,
                                             const EstimatorContext& context) {
  require(context.sub_batch_seed.has_value(), ErrorKind::usage,
          "estimator.name = saga: this problem has no sub-batches (its gradients are not sums over "
          "fixed samples); choose storm or momentum");
  require_memory(options, context);
  return std::make_unique<Saga>(options.saga_batches, context);
}

std::unique_ptr<GradientEstimator> make_reuse(const EstimatorOptions& options,
                                              const EstimatorContext& context) {
  require(!context.collective, ErrorKind::usage,
          "estimator.name = reuse: the directions of this method contain averages over all agents, "
          "for which all have to make the call; choose a method such as soba or f2sa");
  return std::make_unique<Reuse>(options.reuse_probability, context);
}

std::unique_ptr<GradientEstimator> make_storm(const EstimatorOptions& options,
                                              const EstimatorContext& context) {
  const bool plain = options.c == 1 && options.decay == 0;  // m and s_old have weight 0
  if (plain) return std::make_unique<Plain>();
  return std::make_unique<Storm>(options, context);
}

}  // namespace

std::unique_ptr<GradientEstimator> make_estimator(const EstimatorOptions& options,
                                                  const EstimatorContext& context) {
  auto estimator =
      find_entry(estimator_catalog(), options.name, "estimator").make(options, context);
  const bool rotates = context.participation != nullptr && context.participation->rotates();
  if (!rotates || options.name == "plain") return estimator;
  require(options.name != "saga", ErrorKind::usage,
          "estimator.name = saga: clients take turns, and a table for each of them would be as "
          "large as their samples; choose storm or plain");
  return std::make_unique<OfRound>(std::move(estimator), *context.participation);
}

void EstimatorOptions::visit(OptionVisitor& visitor) {
  std::vector<std::string> names;
  for (const auto& entry : estimator_catalog()) names.push_back(entry.name);
  visitor.choice("name", name, names, "how noise in the gradients is tamed");
  visitor("theta", theta, above_up_to(0, 1), "momentum: weight of the newest gradient");
  visitor("c", c, above_up_to(0, 1),
          "storm: weight of the newest gradient against the corrected old ones; 1 = plain");
  visitor("decay", decay, at_least(0),
          "storm: e in the weight c (1 + k / decay_offset)^-e of iteration k; 0 = constant");
  visitor("decay_offset", decay_offset, above(0), "storm: iterations before the weight falls");
  visitor("decay_start", decay_start, at_least(0),
          "storm: iterations of constant weight, from which k is counted");
  visitor("period", period, at_least(1),
          "sarah: calls from one with all samples to the next, in each of the method's stages");
  visitor("saga_batches", saga_batches, between(1, 1e6),
          "saga: fixed sub-batches of each agent's samples, B");
  visitor("saga_memory", saga_memory, above(0),
          "saga: most GB (1e9 bytes) that one table of gradients may take on a rank");
  visitor("reuse_probability", reuse_probability, between(0, 0.999),
          "reuse: probability with which an agent keeps its last gradients");
}

const std::vector<EstimatorEntry>& estimator_catalog() {
  static const std::vector<EstimatorEntry> entries = {
      {"plain", "the oracle's answer as it is", "m = O(s; xi)", "",
       [](const EstimatorOptions&, const EstimatorContext&) { return std::make_unique<Plain>(); }},
      {"momentum", "moving average of the answers, per component",
       "m <- (1 - theta) m + theta O(s; xi); first step m = O",
       "as in X. Chen, M. Huang, S. Ma, K. Balasubramanian, ICML 2023, arXiv:2210.12839",
       [](const EstimatorOptions& options, const EstimatorContext& context) {
         return std::make_unique<Momentum>(options.theta, context);
       }},
      {"storm",
       "moving average that follows the point: each sample is also evaluated at the previous one",
       "m <- O(s; xi) + (1 - c) (m - O(s_old; xi)); first step m = O",
       "A. Cutkosky, F. Orabona, NeurIPS 2019, arXiv:1905.10018", make_storm},
      {"saga",
       "sub-batches of the samples, corrected by a table with the last answer of each; no noise is "
       "left at a fixed point",
       "d = O_b - t_b + tbar; tbar <- tbar + (O_b - t_b) / B; t_b <- O_b; first step all t_b = O_b",
       "A. Defazio, F. Bach, S. Lacoste-Julien, NeurIPS 2014, arXiv:1407.0202; for bilevel: M. "
       "Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409",
       make_saga},
      {"sarah",
       "the answer for all samples now and then, followed in between by differences: each sample "
       "is "
       "also evaluated at the previous point",
       "every `period` calls m = O(s; all samples); otherwise m <- m + O(s; xi) - O(s_old; xi)",
       "L. Nguyen, J. Liu, K. Scheinberg, M. Takac, ICML 2017, arXiv:1703.00102; for bilevel: M. "
       "Dagreou, T. Moreau, S. Vaiter, P. Ablin, 2023, arXiv:2302.08766",
       [](const EstimatorOptions& options, const EstimatorContext& context) {
         return std::make_unique<Sarah>(options.period, context);
       }},
      {"reuse",
       "each agent keeps its last answers with some probability and spares the calls; no bias is "
       "left where they settle",
       "m_i = O_i(s; xi) with probability 1 - r, else m_i as it was; first call made by all",
       "as in arXiv:2605.31311", make_reuse},
  };
  return entries;
}

}  // namespace echelon
