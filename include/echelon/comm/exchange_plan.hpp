#pragma once
/// Who sends which agents' columns to whom under one mixing matrix.

#include <cstdint>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"
#include "echelon/topology/mixing_matrix.hpp"

namespace echelon {

/// Seen from one rank. Slots number the columns that its agents read:
///
///     own agents 0 .. local-1        foreign agents that own agents hear, ascending by id
///     +----+----+----+----+          +----+----+----+
///     | a0 | a1 | a2 | a3 |          | b7 | c2 | c9 |
///     +----+----+----+----+          +----+----+----+
///       ^ published: those that foreign agents hear
struct ExchangePlan {
  struct Peer {
    int rank;
    std::vector<int> send;     ///< places among the published agents, ascending by agent
    std::vector<int> receive;  ///< foreign slots, from 0; ascending by agent
    std::vector<int> theirs;   ///< the places of the received agents among the peer's published
    AgentId first_agent = 0;   ///< of the edges to that rank, for messages to people
  };
  /// One neighbor's column; its own for the self weight.
  struct Term {
    int slot;
    AgentId sender;
    double weight;
  };

  int local = 0;
  int foreign = 0;
  std::vector<int> published;  ///< own slots, ascending
  std::vector<int> place;      ///< of each own agent among the published; -1 if it is not
  std::vector<Peer> peers;     ///< ascending by rank
  /// Terms of own agent i: offsets[i] .. offsets[i+1], ascending by sender.
  std::vector<std::size_t> offsets;
  std::vector<Term> terms;
  std::int64_t edges_from_own = 0;  ///< messages of a round if each agent had a machine of its own

  /// In which order the own agents are mixed, so that few columns are alive at once. Before agent
  /// order[t] is mixed, columns evaluated[0 .. needed[t]) are evaluated; each keeps its place in a
  /// ring of `window` columns until it was read for the last time. A window of 0 says that nobody
  /// looked for an order.
  struct Sweep {
    std::vector<int> order;
    std::vector<int> evaluated;
    std::vector<int> needed;
    std::vector<int> ring_place;  ///< of each own agent that is not published
    int window = 0;
  };
  Sweep sweep;

  ExchangePlan(const MixingMatrix& matrix, const AgentSet& agents, const std::vector<int>& owner,
               int rank, bool find_order);

 private:
  void find_narrow_order();
  Sweep sweep_in(std::vector<int> order) const;
};

}  // namespace echelon
