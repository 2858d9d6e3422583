#pragma once
/// What problems on data sets share: seeded splits, dealing, minibatches, and the choice of
/// arithmetic.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"
#include "echelon/core/options.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

using SampleList = std::vector<std::int64_t>;

/// Disjoint random parts of 0 .. total-1 with the given sizes, in random order: a seeded
/// permutation, cut. The sizes must fit.
std::vector<SampleList> split_samples(std::int64_t total, std::span<const std::int64_t> sizes,
                                      std::uint64_t seed);

/// The agent's contiguous part of a list; parts differ by at most one sample.
SampleList even_part(const SampleList& samples, AgentId agents, AgentId agent);

/// samples[k] for k in `positions`.
SampleList pick(const SampleList& samples, const SampleList& positions);

/// labels[i] for i in `samples`.
std::vector<std::uint8_t> labels_of(const std::vector<std::uint8_t>& labels,
                                    const SampleList& samples);

/// The samples of one agent that take part in a call.
struct SampleDraw {
  bool everything = true;
  SampleList rows;   ///< local indices, with repetitions
  double scale = 1;  ///< makes a sum over `rows` an unbiased estimate of the sum over all

  const SampleList* selection() const { return everything ? nullptr : &rows; }
};

/// Which of the `sample.batches` parts an agent's calls are on: sample.batch, or a uniform draw
/// from (seed, agent, iteration, stream, step). f and g take the part of the same number.
std::int64_t sub_batch_of(AgentId agent, const Sample& sample, std::uint64_t seed);

/// `batch` of the agent's `count` samples, with replacement; all of them if batch is 0, the sample
/// is full, or there are none. f and g draw independently of each other. With sample.batches = B,
/// `batch` does not matter: rows b, b + B, b + 2 B, ... (none if b >= count), scale B.
SampleDraw draw_samples(Level level, AgentId agent, const Sample& sample, std::int64_t count,
                        std::int64_t batch, std::uint64_t seed);

/// Option `precision`: auto (double if the method differentiates gradients numerically), float,
/// double.
void visit_precision(OptionVisitor& visitor, std::string& precision);
bool uses_double(const std::string& precision, bool wants_double);

}  // namespace echelon
