#include "echelon/problem/client_problem.hpp"

#include <algorithm>
#include <utility>

namespace echelon {

namespace {

/// Of an id in an ascending list.
std::size_t position_of(const std::vector<AgentId>& ids, AgentId id) {
  return static_cast<std::size_t>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin());
}

}  // namespace

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
    : ProblemDecorator(std::move(seats), std::move(clients)),
      participation_(std::move(participation)) {
  for (const AgentId seat : agents().local) {
    std::vector<int>& group = groups_.emplace_back();
    for (std::int64_t place = 0; place < participation_->group_size(seat); ++place) {
      const auto id = static_cast<AgentId>(participation_->client(seat, place));
      group.push_back(static_cast<int>(position_of(inner()->agents().local, id)));
    }
  }
}

int ClientProblem::client(AgentId seat, std::int64_t place) const {
  return groups_[position_of(agents().local, seat)][static_cast<std::size_t>(place)];
}

bool ClientProblem::takes_part(int local) const {
  return participation_->answers(agents().local[static_cast<std::size_t>(local)]) &&
         ProblemDecorator::takes_part(local);
}

int ClientProblem::inner_agent(int local) const {
  const auto own = static_cast<std::size_t>(local);
  const std::int64_t place = participation_->place(agents().local[own]);
  return groups_[own][static_cast<std::size_t>(std::max<std::int64_t>(0, place))];
}

}  // namespace echelon
