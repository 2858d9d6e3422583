#include "echelon/problem/partition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>
#include <span>
#include <utility>

#include "echelon/core/agents.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"

namespace echelon {

namespace {

using Samples = std::vector<std::int64_t>;

const std::vector<std::string>& partition_names() {
  static const std::vector<std::string> names{
      "even", "label-shards", "dirichlet", "dirichlet-sizes", "power-law", "natural"};
  return names;
}

constexpr std::int64_t most_shards_per_agent = 1000;
constexpr double largest_exponent = 100;
/// In place of a label, for draws of sizes.
constexpr std::uint64_t no_label = 256;

Range alpha_range() {
  return {.low = 0, .low_open = true, .high_open = true};
}

/// What a stream of draws is for.
enum Stream : std::uint64_t { shuffle = 0, shards = 1, proportions = 2, top_up = 3, ranking = 4 };

Draws draws_for(std::uint64_t seed, Stream stream, std::size_t agent = 0, std::uint64_t label = 0) {
  return {seed, Purpose::partition, static_cast<AgentId>(agent), label, stream};
}

/// Sizes of `parts` parts of `total` things; they differ by at most one, larger ones first.
std::vector<std::size_t> even_sizes(std::size_t total, std::size_t parts) {
  std::vector<std::size_t> sizes(parts, total / parts);
  for (std::size_t i = 0; i < total % parts; ++i) ++sizes[i];
  return sizes;
}

void append(Samples& out, std::span<const std::int64_t> more) {
  out.insert(out.end(), more.begin(), more.end());
}

/// Consecutive parts of these sizes.
std::vector<Samples> cut(const Samples& shuffled, const std::vector<std::size_t>& sizes) {
  std::vector<Samples> dealt(sizes.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    append(dealt[i], std::span(shuffled).subspan(begin, sizes[i]));
    begin += sizes[i];
  }
  return dealt;
}

std::vector<Samples> deal_label_shards(const std::vector<std::uint8_t>& labels, Samples shuffled,
                                       std::size_t agents, std::size_t shards_per_agent,
                                       std::uint64_t seed) {
  std::stable_sort(shuffled.begin(), shuffled.end(), [&](std::int64_t a, std::int64_t b) {
    return labels[static_cast<std::size_t>(a)] < labels[static_cast<std::size_t>(b)];
  });
  const std::size_t parts = agents * shards_per_agent;
  const std::vector<std::size_t> sizes = even_sizes(shuffled.size(), parts);
  const Samples turn =
      draws_for(seed, Stream::shards).permutation(static_cast<std::int64_t>(parts));
  std::vector<Samples> dealt(agents);
  std::size_t begin = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t agent = static_cast<std::size_t>(turn[part]) / shards_per_agent;
    append(dealt[agent], std::span(shuffled).subspan(begin, sizes[part]));
    begin += sizes[part];
  }
  return dealt;
}

/// One draw of Dirichlet(alpha, ..., alpha): normalized Gamma draws, in logarithms scaled by the
/// largest.
std::vector<double> draw_proportions(std::size_t agents, double alpha, std::uint64_t label,
                                     std::uint64_t seed) {
  std::vector<double> share(agents);
  for (std::size_t i = 0; i < agents; ++i) {
    share[i] = draws_for(seed, Stream::proportions, i, label).log_gamma(alpha);
  }
  const double largest = *std::max_element(share.begin(), share.end());
  if (!std::isfinite(
          largest)) {  // alpha so small that even logarithms overflow: one agent has it all
    std::fill(share.begin(), share.end(), 0.0);
    share[draws_for(seed, Stream::proportions, agents, label).below(agents)] = 1;
    return share;
  }
  double sum = 0;
  for (double& s : share) {
    s = std::exp(s - largest);
    sum += s;
  }
  for (double& s : share) s /= sum;
  return share;
}

/// Whole numbers that add up to `total`, by the method of largest remainders; ties go to the lower
/// agent.
std::vector<std::size_t> round_shares(const std::vector<double>& share, std::size_t total) {
  std::vector<std::size_t> counts(share.size());
  std::vector<double> remainder(share.size());
  std::size_t left = total;
  for (std::size_t i = 0; i < share.size(); ++i) {
    const double exact = share[i] * static_cast<double>(total);
    counts[i] =
        std::min(static_cast<std::size_t>(exact), left);  // the shares may add up to 1 + rounding
    remainder[i] = exact - static_cast<double>(counts[i]);
    left -= counts[i];
  }
  std::vector<std::size_t> order(share.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  for (std::size_t k = 0; left > 0; k = (k + 1) % order.size(), --left) ++counts[order[k]];
  return counts;
}

std::vector<Samples> deal_dirichlet(const std::vector<std::uint8_t>& labels,
                                    const Samples& shuffled, std::size_t agents, double alpha,
                                    std::uint64_t seed) {
  std::array<Samples, 256> by_label;
  for (const std::int64_t sample : shuffled) {
    by_label[labels[static_cast<std::size_t>(sample)]].push_back(sample);
  }
  std::vector<Samples> dealt(agents);
  for (std::size_t label = 0; label < by_label.size(); ++label) {
    const std::span<const std::int64_t> samples = by_label[label];
    if (samples.empty()) continue;
    const std::vector<std::size_t> counts =
        round_shares(draw_proportions(agents, alpha, label, seed), samples.size());
    std::size_t begin = 0;
    for (std::size_t i = 0; i < agents; ++i) {
      append(dealt[i], samples.subspan(begin, counts[i]));
      begin += counts[i];
    }
  }
  return dealt;
}

/// Proportional to the agents' ranks to the power of minus `exponent`.
std::vector<double> power_law(std::size_t agents, double exponent, std::uint64_t seed) {
  const Samples rank =
      draws_for(seed, Stream::ranking).permutation(static_cast<std::int64_t>(agents));
  std::vector<double> share(agents);
  double sum = 0;
  for (std::size_t i = 0; i < agents; ++i) {
    share[i] = std::pow(static_cast<double>(rank[i] + 1), -exponent);
    sum += share[i];
  }
  for (double& s : share) s /= sum;
  return share;
}

/// Such as `u17, u42 and 3 more`, of the ids of one agent.
std::string some_ids(const SampleOrigins& origins, std::size_t agent, std::size_t agents) {
  std::string out;
  std::size_t shown = 0;
  std::size_t more = 0;
  for (std::size_t k = agent; k < origins.ids.size(); k += agents) {
    if (shown == 2) {
      ++more;
      continue;
    }
    out += (shown++ > 0 ? ", " : "") + origins.ids[k];
  }
  return more > 0 ? text(out, " and ", more, " more") : out;
}

std::vector<Samples> deal_natural(const SampleOrigins& origins, std::size_t agents,
                                  std::int64_t minimum) {
  ECHELON_ASSERT(!origins.ids.empty());
  require(origins.ids.size() >= agents, ErrorKind::usage, "problem.partition: natural deals ",
          origins.ids.size(), " ids to ", agents,
          " agents (an id is never divided); choose at most ", origins.ids.size(), " agents");
  std::vector<Samples> dealt(agents);
  for (std::size_t sample = 0; sample < origins.of.size(); ++sample) {
    dealt[static_cast<std::size_t>(origins.of[sample]) % agents].push_back(
        static_cast<std::int64_t>(sample));
  }
  const std::int64_t least = std::max<std::int64_t>(minimum, 1);
  for (std::size_t i = 0; i < agents; ++i) {
    require(std::ssize(dealt[i]) >= least, ErrorKind::usage,
            "problem.partition: natural gives agent ", i, " (id ", some_ids(origins, i, agents),
            ") ", dealt[i].size(), " training samples, but it needs ", least,
            "; choose fewer agents, a lower problem.minimum_samples, or more samples to train");
  }
  return dealt;
}

/// Agents below `minimum` receive random samples, each from the agent that has most at that moment
/// (lowest id if several).
void raise_to_minimum(std::vector<Samples>& dealt, std::size_t minimum, std::uint64_t seed) {
  const auto is_smaller_donor = [](const std::pair<std::size_t, std::size_t>& a,
                                   const std::pair<std::size_t, std::size_t>& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::vector<std::pair<std::size_t, std::size_t>> above;  // size, agent
  for (std::size_t i = 0; i < dealt.size(); ++i) {
    if (dealt[i].size() > minimum) above.emplace_back(dealt[i].size(), i);
  }
  std::priority_queue donors(is_smaller_donor, std::move(above));
  for (std::size_t i = 0; i < dealt.size(); ++i) {
    Draws draws = draws_for(seed, Stream::top_up, i);
    while (dealt[i].size() < minimum) {
      ECHELON_ASSERT(!donors.empty());
      const std::size_t donor = donors.top().second;
      donors.pop();
      Samples& from = dealt[donor];
      std::swap(from[draws.below(from.size())], from.back());
      dealt[i].push_back(from.back());
      from.pop_back();
      if (from.size() > minimum) donors.emplace(from.size(), donor);
    }
  }
}

void check(const PartitionOptions& options, std::int64_t samples, std::int64_t agents) {
  const auto& names = partition_names();
  require(std::find(names.begin(), names.end(), options.partition) != names.end(), ErrorKind::usage,
          "problem.partition: there is no partition called `", options.partition,
          "`; the nearest is `", nearest_name(options.partition, names), "`");
  require(agents >= 1 && agents <= std::numeric_limits<AgentId>::max(), ErrorKind::usage,
          "problem.partition: samples cannot be dealt to ", agents,
          " agents; at least 1 is needed");
  require(alpha_range().contains(options.dirichlet_alpha), ErrorKind::usage,
          "problem.dirichlet_alpha: ", options.dirichlet_alpha, " is not a finite number above 0");
  require(options.shards_per_agent >= 1 && options.shards_per_agent <= most_shards_per_agent,
          ErrorKind::usage, "problem.shards_per_agent: ", options.shards_per_agent,
          " is not in [1, ", most_shards_per_agent, "]");
  require(options.power_exponent >= 0 && options.power_exponent <= largest_exponent,
          ErrorKind::usage, "problem.power_exponent: ", options.power_exponent, " is not in [0, ",
          largest_exponent, "]");
  require(options.minimum_samples >= 0, ErrorKind::usage,
          "problem.minimum_samples: ", options.minimum_samples, " is below 0");
  require(options.minimum_samples <= samples / agents, ErrorKind::usage,
          "problem.minimum_samples: ", options.minimum_samples, " for each of ", agents,
          " agents is too much (there are ", samples, " samples); at most ", samples / agents,
          " is possible");
}

}  // namespace

void PartitionOptions::visit(OptionVisitor& visitor) {
  visitor.choice(
      "partition", partition, partition_names(),
      "how samples are dealt to agents: even = at random in equal parts; label-shards = "
      "sorted by label and cut into shards; dirichlet = each label in random proportions; "
      "dirichlet-sizes = at random, sizes in random proportions; power-law = at random, sizes as "
      "powers of a rank; natural = by the samples' ids, such as their writers");
  visitor("dirichlet_alpha", dirichlet_alpha, alpha_range(),
          "concentration of dirichlet and dirichlet-sizes: small = few agents share a label (the "
          "samples), large = all agents alike");
  visitor("shards_per_agent", shards_per_agent,
          between(1, static_cast<double>(most_shards_per_agent)),
          "shards that each agent receives in the label-shards partition");
  visitor("power_exponent", power_exponent, between(0, largest_exponent),
          "e of the power-law partition, sizes as rank^-e: 0 = all alike");
  visitor("minimum_samples", minimum_samples, at_least(0),
          "an agent that would get fewer samples receives some of the agents with most (natural: "
          "is refused)");
  visitor("partition_file", partition_file,
          "natural: text file with the id of one sample per line; empty = the data's own (qid: in "
          "LIBSVM files)");
  const auto only_for = [&](std::string_view option, const std::vector<std::string>& rules) {
    std::string all;
    for (const std::string& rule : rules) {
      if (rule == partition) return;
      all += (all.empty() ? "" : " or ") + rule;
    }
    visitor.unread(option, "if problem.partition is " + all);
  };
  only_for("dirichlet_alpha", {"dirichlet", "dirichlet-sizes"});
  only_for("shards_per_agent", {"label-shards"});
  only_for("power_exponent", {"power-law"});
}

std::vector<std::vector<std::int64_t>> deal_samples(const std::vector<std::uint8_t>& labels,
                                                    std::int64_t agents,
                                                    const PartitionOptions& options,
                                                    std::uint64_t seed,
                                                    const SampleOrigins& origins) {
  const auto samples = static_cast<std::int64_t>(labels.size());
  check(options, samples, agents);
  const auto parts = static_cast<std::size_t>(agents);
  Samples shuffled = draws_for(seed, Stream::shuffle).permutation(samples);
  std::vector<Samples> dealt;
  if (options.partition == "even") {
    dealt = cut(shuffled, even_sizes(shuffled.size(), parts));
  } else if (options.partition == "label-shards") {
    dealt = deal_label_shards(labels, std::move(shuffled), parts,
                              static_cast<std::size_t>(options.shards_per_agent), seed);
  } else if (options.partition == "dirichlet") {
    dealt = deal_dirichlet(labels, shuffled, parts, options.dirichlet_alpha, seed);
  } else if (options.partition == "natural") {
    return deal_natural(origins, parts, options.minimum_samples);
  } else {
    const bool by_power = options.partition == "power-law";
    const auto share = by_power ? power_law(parts, options.power_exponent, seed)
                                : draw_proportions(parts, options.dirichlet_alpha, no_label, seed);
    dealt = cut(shuffled, round_shares(share, shuffled.size()));
  }
  raise_to_minimum(dealt, static_cast<std::size_t>(options.minimum_samples), seed);
  for (Samples& list : dealt) std::sort(list.begin(), list.end());
  return dealt;
}

}  // namespace echelon
