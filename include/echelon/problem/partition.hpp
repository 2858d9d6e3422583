#pragma once
/// How samples are dealt to agents.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/problem/data.hpp"

namespace echelon {

struct PartitionOptions {
  std::string partition = "even";  ///< even, label-shards, dirichlet, dirichlet-sizes, power-law,
                                   ///< natural
  double dirichlet_alpha = 0.5;
  std::int64_t shards_per_agent = 2;
  double power_exponent = 1;
  std::int64_t minimum_samples = 0;
  std::string partition_file{};

  void visit(OptionVisitor& visitor);  ///< section `problem`
};

/// Where samples come from, such as their writers: ids in the order in which they appear first.
struct SampleOrigins {
  std::vector<std::string> ids;
  std::vector<std::int64_t> of;  ///< number of a sample's id

  /// Of the named samples; the ids keep their numbers.
  SampleOrigins subset(const std::vector<std::int64_t>& samples) const;
};

/// For partition `natural`: from option partition_file, or else from `data_ids`, those that the
/// data themselves bring; empty for other partitions. Throws usage errors if there are none or the
/// option would have no effect, bad_data for another number of ids than `samples`.
SampleOrigins origins_of(const PartitionOptions& options, const DataSource& source,
                         const std::vector<std::string>& data_ids, std::int64_t samples);

/// Deals the samples 0 .. labels.size()-1 to `agents` agents; each list ascending, every sample
/// dealt exactly once. A pure function of its arguments.
///   even: a seeded permutation cut into contiguous parts whose sizes differ by at most one.
///   label-shards: samples sorted by label (ties by the seeded permutation), cut into agents *
///   shards_per_agent parts, dealt at random
///     (H. B. McMahan et al., AISTATS 2017, arXiv:1602.05629).
///   dirichlet: each label's samples divided by proportions drawn from Dirichlet(alpha) (T.-M. H.
///   Hsu et al., 2019, arXiv:1909.06335). Ends for any
///     alpha > 0: the draws are in logarithms, and instead of redrawing, agents below
///     `minimum_samples` receive samples from the largest ones.
///   dirichlet-sizes: sizes in proportions drawn from Dirichlet(alpha), samples at random.
///   power-law: sizes in proportion to r^-exponent, r a seeded permutation of 1 .. agents.
///   natural: all samples of an id to one agent, that of number k to agent k mod agents.
/// Throws a usage error if agents * minimum_samples exceeds the number of samples; for `natural`
/// also if there are fewer ids than agents, or an agent's ids have fewer than `minimum_samples`
/// samples or none.
std::vector<std::vector<std::int64_t>> deal_samples(const std::vector<std::uint8_t>& labels,
                                                    std::int64_t agents,
                                                    const PartitionOptions& options,
                                                    std::uint64_t seed,
                                                    const SampleOrigins& origins = {});

/// Who got how much of what.
struct PartitionReport {
  std::string partition;             ///< with its parameters and the seed
  std::vector<int> labels;           ///< that occur, ascending
  std::vector<std::int64_t> counts;  ///< agents x labels, row by row
  std::vector<std::string> ids;      ///< of each agent, between blanks; empty unless `natural`
  std::int64_t agents = 0;

  std::int64_t size(std::int64_t agent) const;
  /// One line: least, median and most samples, and labels, of an agent.
  std::string summary() const;
  /// A line per agent: agent, samples, label_<l> for each label, ids.
  std::string csv() const;
};

/// What `deal_samples` gives each agent, and the report on it.
struct Partition {
  std::vector<std::vector<std::int64_t>> samples;  ///< of each agent, numbers in the list dealt
  PartitionReport report;
};

/// Deals some samples of a data set, `chosen` of `total`, with the labels of the chosen ones.
/// `data_ids` as in origins_of, of all samples.
Partition deal_chosen(const std::vector<std::int64_t>& chosen,
                      const std::vector<std::uint8_t>& labels, std::int64_t total,
                      std::int64_t agents, const PartitionOptions& options,
                      const DataSource& source, std::uint64_t seed,
                      const std::vector<std::string>& data_ids = {});

PartitionReport report_on(const std::vector<std::vector<std::int64_t>>& dealt,
                          const std::vector<std::uint8_t>& labels, const PartitionOptions& options,
                          std::uint64_t seed, const SampleOrigins& origins = {});

}  // namespace echelon
