#pragma once
/// The problem of the clients, seen from the seats that they take in turn.

#include <memory>
#include <vector>

#include "echelon/participation/participation.hpp"
#include "echelon/problem/decorator.hpp"

namespace echelon {

/// The clients of the local seats as a set of agents, whose ids are those of clients. With as many
/// seats as clients these are the agents themselves.
AgentSet clients_of(const Participation& participation, const AgentSet& seats);

/// Whose functions the agents of a problem evaluate in turn. Reports are about all of them.
class Clients : public Facet {
 public:
  /// Agent = client.
  virtual const BilevelProblem& clients() const = 0;
  virtual const Participation& participation() const = 0;
  /// Local number, in `clients()`, of a client of a local seat's group; the seat by its id.
  virtual int client(AgentId seat, std::int64_t place) const = 0;
};

/// Agent = seat. Calls go to the client that sits there in the present round, with the client's own
/// samples; a seat whose answer will not be heard takes no part.
class ClientProblem final : public ProblemDecorator, public Clients {
 public:
  /// `clients` is made for clients_of(participation, seats).
  ClientProblem(AgentSet seats, std::unique_ptr<BilevelProblem> clients,
                std::shared_ptr<const Participation> participation);

  bool takes_part(int local) const override;

  const BilevelProblem& clients() const override { return *inner(); }
  const Participation& participation() const override { return *participation_; }
  int client(AgentId seat, std::int64_t place) const override;

 private:
  /// Who sits there.
  int inner_agent(int local) const override;

  std::shared_ptr<const Participation> participation_;
  std::vector<std::vector<int>> groups_;  ///< local numbers of the clients of each local seat
};

}  // namespace echelon
