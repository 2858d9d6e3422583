#include "echelon/problem/client_problem.hpp"

#include <algorithm>
#include <utility>

namespace echelon {

AgentSet clients_of(const Participation& participation, const AgentSet& seats) {
  AgentSet clients{static_cast<AgentId>(participation.clients()), {}};
  for (const AgentId seat : seats.local) {
    for (std::int64_t place = 0; place < participation.group_size(seat); ++place) {
      clients.local.push_back(static_cast<AgentId>(participation.client(seat, place)));
    }
  }
  std::sort(clients.local.begin(), clients.local.end());
  return clients;
}

ClientProblem::ClientProblem(AgentSet seats, std::unique_ptr<BilevelProblem> clients,
                             std::shared_ptr<const Participation> participation)
    : BilevelProblem(std::move(seats)),
      clients_(std::move(clients)),
      participation_(std::move(participation)) {
  const std::vector<AgentId>& ids = clients_->agents().local;
  for (const AgentId seat : agents().local) {
    std::vector<int>& group = groups_.emplace_back();
    for (std::int64_t place = 0; place < participation_->group_size(seat); ++place) {
      const auto id = static_cast<AgentId>(participation_->client(seat, place));
      group.push_back(static_cast<int>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin()));
    }
  }
}

int ClientProblem::client(int local, std::int64_t place) const {
  return groups_[static_cast<std::size_t>(local)][static_cast<std::size_t>(place)];
}

bool ClientProblem::takes_part(int local) const {
  return participation_->answers(agents().local[static_cast<std::size_t>(local)]);
}

int ClientProblem::client(int local) const {
  const AgentId seat = agents().local[static_cast<std::size_t>(local)];
  return client(local, std::max<std::int64_t>(0, participation_->place(seat)));
}

}  // namespace echelon
