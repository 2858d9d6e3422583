// The Base-(k+1) graph: exact averaging in finitely many rounds with at most k neighbors at a time,
// for any number of agents. Source: Y. Takezawa, R. Sato, H. Bao, K. Niwa, M. Yamada, NeurIPS 2023,
// arXiv:2305.11420 (hyper-hypercube: Algorithm 1, simple graph: Algorithm 2, factored: Algorithm
// 3).

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "echelon/core/compensated_sum.hpp"
#include "echelon/core/error.hpp"
#include "generators.hpp"

namespace echelon::detail {

namespace {

struct WeightedEdge {
  AgentId i;
  AgentId j;
  double weight;
};
using WeightedEdges = std::vector<WeightedEdge>;

/// The agents first, first + stride, ..., first + (count - 1) stride.
struct Block {
  AgentId first;
  AgentId count;
  AgentId stride = 1;

  AgentId operator[](AgentId index) const { return first + index * stride; }
};

/// All exchange with all, and have their mean afterwards.
void add_clique(WeightedEdges& edges, const std::vector<AgentId>& members) {
  const double weight = 1.0 / static_cast<double>(members.size());
  for (std::size_t a = 0; a < members.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) edges.push_back({members[a], members[b], weight});
  }
}

/// As few factors between 2 and `largest` as possible whose product is n; none for n = 1, and none
/// if n has a prime factor above `largest`.
std::vector<AgentId> fewest_factors(AgentId n, AgentId largest) {
  struct Best {
    std::size_t count;
    AgentId last;
  };
  std::vector<AgentId> divisors;
  for (AgentId d = 1; d <= n / d; ++d) {
    if (n % d != 0) continue;
    divisors.push_back(d);
    if (d != n / d) divisors.push_back(n / d);
  }
  std::sort(divisors.begin(), divisors.end());
  std::map<AgentId, Best> best = {{1, {0, 1}}};
  for (const AgentId d : divisors) {
    for (const AgentId factor : divisors) {
      if (factor == 1 || factor > std::min(d, largest) || d % factor != 0) continue;
      const auto rest = best.find(d / factor);
      if (rest == best.end()) continue;
      const auto known = best.find(d);
      const std::size_t count = rest->second.count + 1;
      if (known == best.end() || count < known->second.count) best[d] = {count, factor};
    }
  }
  std::vector<AgentId> factors;
  if (!best.contains(n)) return factors;
  for (AgentId rest = n; rest > 1; rest /= factors.back()) factors.push_back(best[rest].last);
  return factors;
}

bool is_smooth(AgentId n, AgentId largest) {
  return n == 1 || !fewest_factors(n, largest).empty();
}

/// Agents are numbers with one digit per factor; at round r those exchange that differ in digit r.
class HyperHypercube {
 public:
  HyperHypercube(AgentId n, AgentId k) : n_(n), factors_(fewest_factors(n, k + 1)) {
    ECHELON_ASSERT(n == 1 || !factors_.empty());
  }
  std::size_t rounds() const { return factors_.size(); }
  /// Starts over after the last round.
  void add_round(WeightedEdges& edges, Block block, std::size_t round) const {
    if (factors_.empty()) return;
    round %= rounds();
    const AgentId hop =
        std::accumulate(factors_.begin(), factors_.begin() + static_cast<std::ptrdiff_t>(round),
                        AgentId{1}, std::multiplies<>());
    const AgentId size = factors_[round];
    std::vector<AgentId> members(static_cast<std::size_t>(size));
    for (AgentId start = 0; start < n_; ++start) {
      if (start / hop % size != 0) continue;
      for (AgentId m = 0; m < size; ++m) {
        members[static_cast<std::size_t>(m)] = block[start + m * hop];
      }
      add_clique(edges, members);
    }
  }

 private:
  AgentId n_;
  std::vector<AgentId> factors_;
};

/// With n = a_1 (k+1)^p_1 + a_2 (k+1)^p_2 + ..., p_1 > p_2 > ..., the agents form parts of a_l
/// (k+1)^p_l, and these form a_l pieces. First every part averages by a hyper-hypercube. Then, part
/// after part, all agents of the later parts exchange with one agent of every piece of this part,
/// weighted such that each piece, and the later parts together, have the mean of everything. Last,
/// every piece averages by a hyper-hypercube.
class SimpleBase {
 public:
  SimpleBase(AgentId n, AgentId k) : n_(n), k_(k) {
    if (is_smooth(n, k + 1)) {
      parts_.push_back({0, n, 1, HyperHypercube(n, k), HyperHypercube(1, k)});
      return;
    }
    AgentId size = 1;
    while (size <= n / (k + 1)) size *= k + 1;
    for (AgentId first = 0; first < n; size /= k + 1) {
      const AgentId pieces = (n - first) / size;
      if (pieces == 0) continue;
      parts_.push_back(
          {first, size, pieces, HyperHypercube(pieces * size, k), HyperHypercube(size, k)});
      first += pieces * size;
    }
  }

  std::size_t rounds() const {
    const std::size_t whole = parts_.front().whole.rounds();
    return parts_.size() == 1 ? whole : whole + 1 + parts_.front().piece.rounds();
  }

  void add_round(WeightedEdges& edges, AgentId first, std::size_t round) const {
    const std::size_t start = parts_.front().whole.rounds();
    for (std::size_t l = 0; l < parts_.size(); ++l) {
      const Part& part = parts_[l];
      if (round < start) {
        part.whole.add_round(edges, {first + part.first, part.pieces * part.size}, round);
      } else if (round == start + l && l + 1 < parts_.size()) {
        add_exchange(edges, first, part);
      } else if (round >= start + l) {
        const std::size_t spent = start + std::min(l + 1, parts_.size() - 1);
        add_pieces(edges, first, part, round - spent);
      }
    }
  }

 private:
  struct Part {
    AgentId first;
    AgentId size;  ///< of a piece
    AgentId pieces;
    HyperHypercube whole;
    HyperHypercube piece;
  };

  /// The agents of `part` that no later agent needs average among themselves, k + 1 at a time;
  /// their values are equal already, but what a method adds at every round is not.
  void add_exchange(WeightedEdges& edges, AgentId first, const Part& part) const {
    const AgentId later = part.first + part.pieces * part.size;
    const double weight = static_cast<double>(part.size) / static_cast<double>(n_ - part.first);
    for (AgentId i = later; i < n_; ++i) {
      for (AgentId piece = 0; piece < part.pieces; ++piece) {
        const AgentId partner = part.first + piece * part.size + (i - later);
        edges.push_back({first + i, first + partner, weight});
      }
    }
    std::vector<AgentId> idle;
    for (AgentId m = part.first; m < later; ++m) {
      if ((m - part.first) % part.size >= n_ - later) idle.push_back(first + m);
      if (idle.size() < static_cast<std::size_t>(k_) + 1 && m + 1 < later) continue;
      if (!idle.empty()) add_clique(edges, idle);
      idle.clear();
    }
  }

  void add_pieces(WeightedEdges& edges, AgentId first, const Part& part, std::size_t round) const {
    if (part.size == 1) {
      part.whole.add_round(edges, {first + part.first, part.pieces}, round);
    }
    for (AgentId piece = 0; piece < part.pieces; ++piece) {
      part.piece.add_round(edges, {first + part.first + piece * part.size, part.size}, round);
    }
  }

  AgentId n_;
  AgentId k_;
  std::vector<Part> parts_;
};

/// The largest divisor of n whose prime factors are all at most `largest`.
AgentId smooth_part(AgentId n, AgentId largest) {
  AgentId rest = n;
  for (AgentId factor = 2; factor <= std::min(rest, largest); ++factor) {
    while (rest % factor == 0) rest /= factor;
  }
  return n / rest;
}

/// With n = p q, p the smooth part of n: p copies of the simple graph on q agents, then q
/// hyper-hypercubes across the copies; or the simple graph on all, if that is shorter.
class Base {
 public:
  Base(AgentId n, AgentId k)
      : copies_(smooth_part(n, k + 1)),
        simple_(n / copies_, k),
        across_(copies_, k),
        size_(n / copies_) {
    SimpleBase whole(n, k);
    if (whole.rounds() >= rounds()) return;
    simple_ = std::move(whole);
    across_ = HyperHypercube(1, k);
    size_ = n;
    copies_ = 1;
  }

  std::size_t rounds() const { return simple_.rounds() + across_.rounds(); }

  WeightedEdges edges_at(std::size_t round) const {
    WeightedEdges edges;
    if (round < simple_.rounds()) {
      for (AgentId c = 0; c < copies_; ++c) simple_.add_round(edges, c * size_, round);
    } else {
      for (AgentId i = 0; i < size_; ++i) {
        across_.add_round(edges, {i, copies_, size_}, round - simple_.rounds());
      }
    }
    return edges;
  }

 private:
  AgentId copies_;
  SimpleBase simple_;
  HyperHypercube across_;
  AgentId size_;
};

MixingMatrix completed(AgentId n, const WeightedEdges& edges) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(n));
  std::vector<CompensatedSum> others(rows.size());
  const auto add = [&](AgentId receiver, AgentId sender, double weight) {
    rows[static_cast<std::size_t>(receiver)].push_back({sender, weight});
    others[static_cast<std::size_t>(receiver)].add(weight);
  };
  for (const auto& [i, j, weight] : edges) {
    add(i, j, weight);
    add(j, i, weight);
  }
  for (AgentId i = 0; i < n; ++i) add(i, i, 1 - others[static_cast<std::size_t>(i)].value());
  return MixingMatrix(rows);
}

struct BaseKOptions {
  std::int64_t degree = 4;

  void visit(OptionVisitor& visitor) {
    visitor("degree", degree, between(1, static_cast<double>(most_agents)),
            "most neighbors of an agent at a round");
  }
};

/// Nobody has more neighbors than there are others.
AgentId degree_of(AgentId n, const PartOptions& options) {
  const std::int64_t degree = options.as<BaseKOptions>().degree;
  return static_cast<AgentId>(std::min<std::int64_t>(degree, std::max(1, n - 1)));
}

std::uint64_t base_k_period(AgentId n, const PartOptions& options) {
  return std::max<std::uint64_t>(1, Base(n, degree_of(n, options)).rounds());
}

TopologyRound base_k(AgentId n, const PartOptions& options, std::uint64_t round) {
  const AgentId degree = degree_of(n, options);
  const Base base(n, degree);
  require_memory("base-k", n, static_cast<double>(base.rounds()) * static_cast<double>(n) * degree);
  if (base.rounds() == 0) return {Graph(n, {})};
  MixingMatrix matrix = completed(n, base.edges_at(round % base.rounds()));
  return {matrix.graph(), std::move(matrix)};
}

}  // namespace

std::vector<TopologyEntry> base_k_parts() {
  return {
      {.name = "base-k",
       .aliases = {"base-k-graph"},
       .summary = "changes; exact average in finitely many rounds, with at most `degree` neighbors",
       .formula = "the Base-(degree + 1) graph, with its own weights",
       .reference = "Y. Takezawa, R. Sato, H. Bao, K. Niwa, M. Yamada, NeurIPS 2023, "
                    "arXiv:2305.11420",
       .options = BaseKOptions{},
       .period = base_k_period,
       .make = base_k}};
}

}  // namespace echelon::detail
