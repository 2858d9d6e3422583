#include "echelon/comm/network.hpp"

#include <algorithm>

#include "echelon/comm/mixer.hpp"

namespace echelon {

std::vector<int> deal_agents(AgentId agents, int ranks) {
  std::vector<int> owner(static_cast<std::size_t>(agents));
  for (std::size_t a = 0; a < owner.size(); ++a) {
    // agent a belongs to the rank r with  floor(n r / R) <= a < floor(n (r+1) / R)
    owner[a] = static_cast<int>(((static_cast<std::int64_t>(a) + 1) * ranks - 1) / agents);
  }
  return owner;
}

Network::Network(Communicator communicator, MixingMatrix matrix, std::vector<int> owner)
    : communicator_(std::move(communicator)),
      matrix_(std::move(matrix)),
      certificate_(certify(matrix_)),
      owner_(std::move(owner)) {
  const int ranks = communicator_.size();
  if (owner_.empty()) owner_ = deal_agents(matrix_.agents(), ranks);
  require(owner_.size() == static_cast<std::size_t>(matrix_.agents()), ErrorKind::usage,
          "the list of owners has ", owner_.size(), " entries for ", matrix_.agents(),
          " agents; give one rank per agent");
  agents_.total = matrix_.agents();
  for (AgentId a = 0; a < agents_.total; ++a) {
    const int rank = owner_[static_cast<std::size_t>(a)];
    require(rank >= 0 && rank < ranks, ErrorKind::usage, "agent ", a, " is given to rank ", rank,
            "; ranks are 0 to ", ranks - 1);
    if (rank == communicator_.rank()) agents_.local.push_back(a);
  }
  plan_ = std::make_shared<ExchangePlan>(matrix_, agents_, owner_, communicator_.rank());
  reduction_ = std::make_unique<TreeReduction>(agents_, owner_, communicator_.rank(), ranks);
  for (AgentId receiver = 0; receiver < agents_.total; ++receiver) {
    for (const auto& entry : matrix_.row(receiver)) {
      const bool own = owner_[static_cast<std::size_t>(entry.sender)] == communicator_.rank();
      if (own && entry.sender != receiver) ++edges_from_own_;
    }
  }
}

Network::~Network() = default;

Mixer Network::mixer(std::string name, Index dimension) {
  return {*this, std::move(name), dimension};
}

void Network::count_round(Index dimension, std::int64_t rank_bytes) {
  traffic_.bytes += edges_from_own_ * dimension * static_cast<std::int64_t>(sizeof(double));
  traffic_.messages += edges_from_own_;
  traffic_.rank_bytes += rank_bytes;
}

void Network::mean(const AgentView& local, VectorXd& mean) {
  reduction_->sum(communicator_, local, mean);
  mean /= static_cast<double>(agents_.total);
  // On machines of their own, all agents but one send a partial sum up the tree and hear the
  // result: 2 (n - 1) d numbers.
  const bool root_here = !agents_.local.empty() && agents_.local.front() == 0;
  const std::int64_t senders = agents_.count() - (root_here ? 1 : 0);
  traffic_.messages += 2 * senders;
  traffic_.bytes += 2 * senders * local.rows() * static_cast<std::int64_t>(sizeof(double));
  traffic_.rank_bytes += reduction_->last_bytes();
}

VectorXd Network::sum_for_report(const AgentView& local) {
  VectorXd sum;
  reduction_->sum(communicator_, local, sum);
  return sum;
}

VectorXd Network::mean_for_report(const AgentView& local) {
  return sum_for_report(local) / static_cast<double>(agents_.total);
}

AgentMatrix& Network::scratch(const std::string& name, Index dimension) {
  const auto key = std::make_pair(name, dimension);
  auto found = scratch_.find(key);
  if (found == scratch_.end()) {
    found = scratch_.emplace(key, AgentMatrix(dimension, agents_.count())).first;
  }
  return found->second;
}

std::shared_ptr<Exchange> Network::acquire(Index dimension) {
  auto& idle = idle_exchanges_[dimension];
  if (idle.empty()) return make_message_exchange(communicator_, plan_, dimension);
  auto exchange = std::move(idle.back());
  idle.pop_back();
  return exchange;
}

void Network::release(std::shared_ptr<Exchange> exchange) {
  idle_exchanges_[exchange->dimension()].push_back(std::move(exchange));
}

std::int64_t Network::buffer_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [key, block] : scratch_) {
    bytes += static_cast<std::int64_t>(sizeof(double)) * block.outerStride() * block.cols();
  }
  for (const auto& [dimension, exchanges] : idle_exchanges_) {
    for (const auto& exchange : exchanges) bytes += exchange->buffer_bytes();
  }
  return bytes;
}

}  // namespace echelon
