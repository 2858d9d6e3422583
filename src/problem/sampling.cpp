#include "echelon/problem/sampling.hpp"

#include <numeric>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"

namespace echelon {

std::vector<SampleList> split_samples(std::int64_t total, std::span<const std::int64_t> sizes,
                                      std::uint64_t seed) {
  ECHELON_ASSERT(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) <= total);
  const SampleList order = Draws(seed, Purpose::split).permutation(total);
  std::vector<SampleList> parts;
  auto begin = order.begin();
  for (const std::int64_t size : sizes) {
    parts.emplace_back(begin, begin + size);
    begin += size;
  }
  return parts;
}

SampleList even_part(const SampleList& samples, AgentId agents, AgentId agent) {
  const auto count = static_cast<std::int64_t>(samples.size());
  return {samples.begin() + count * agent / agents, samples.begin() + count * (agent + 1) / agents};
}

SampleList pick(const SampleList& samples, const SampleList& positions) {
  SampleList picked;
  picked.reserve(positions.size());
  for (const std::int64_t k : positions) picked.push_back(samples[static_cast<std::size_t>(k)]);
  return picked;
}

std::vector<std::uint8_t> labels_of(const std::vector<std::uint8_t>& labels,
                                    const SampleList& samples) {
  std::vector<std::uint8_t> result;
  result.reserve(samples.size());
  for (const std::int64_t i : samples) result.push_back(labels[static_cast<std::size_t>(i)]);
  return result;
}

namespace {

std::uint64_t call_of(const Sample& sample) {
  return std::uint64_t{sample.stream} << 32 | sample.step;
}

}  // namespace

std::int64_t sub_batch_of(AgentId agent, const Sample& sample, std::uint64_t seed) {
  ECHELON_ASSERT(sample.batches >= 1 && sample.batch < sample.batches);
  if (sample.batch != Sample::each_its_own) return sample.batch;
  Draws draws(seed, Purpose::sub_batch, agent, sample.iteration, call_of(sample));
  return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(sample.batches)));
}

SampleDraw draw_samples(Level level, AgentId agent, const Sample& sample, std::int64_t count,
                        std::int64_t batch, std::uint64_t seed) {
  SampleDraw result;
  if (sample.full || count == 0) return result;
  if (sample.batches > 0) {
    result.everything = false;
    const std::int64_t first = sub_batch_of(agent, sample, seed);
    for (std::int64_t row = first; row < count; row += sample.batches) result.rows.push_back(row);
    result.scale = static_cast<double>(sample.batches);
    return result;
  }
  if (batch == 0) return result;
  constexpr std::uint64_t upper_stream = std::uint64_t{1} << 63;
  const std::uint64_t call = call_of(sample);
  Draws draws(seed, Purpose::minibatch, agent, sample.iteration,
              level == Level::upper ? call ^ upper_stream : call);
  result.everything = false;
  result.rows.resize(static_cast<std::size_t>(batch));
  for (std::int64_t& row : result.rows) {
    row = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(count)));
  }
  result.scale = static_cast<double>(count) / static_cast<double>(batch);
  return result;
}

void visit_precision(OptionVisitor& visitor, std::string& precision) {
  visitor.choice("precision", precision, {"auto", "float", "double"},
                 "arithmetic of gradients; auto: double if the method needs second-order products");
}

bool uses_double(const std::string& precision, bool wants_double) {
  return precision == "double" || (precision == "auto" && wants_double);
}

}  // namespace echelon
