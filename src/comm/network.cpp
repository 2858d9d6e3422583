#include "echelon/comm/network.hpp"

#include <algorithm>

#include "echelon/comm/mixer.hpp"
#include "echelon/comm/reduction.hpp"

namespace echelon {

namespace {

constexpr std::uint64_t longest_kept_period = 64;  // beyond, plans are made when they are needed

AgentSet local_agents(AgentId total, const std::vector<int>& owner, const Communicator& ranks) {
  require(owner.size() == static_cast<std::size_t>(total), ErrorKind::usage,
          "the list of owners has ", owner.size(), " entries for ", total,
          " agents; give one rank per agent");
  AgentSet agents{total, {}};
  for (AgentId a = 0; a < total; ++a) {
    const int rank = owner[static_cast<std::size_t>(a)];
    require(rank >= 0 && rank < ranks.size(), ErrorKind::usage, "agent ", a, " is given to rank ",
            rank, "; ranks are 0 to ", ranks.size() - 1);
    if (rank == ranks.rank()) agents.local.push_back(a);
  }
  return agents;
}

}  // namespace

std::vector<int> deal_agents(AgentId agents, int ranks) {
  std::vector<int> owner(static_cast<std::size_t>(agents));
  for (std::size_t a = 0; a < owner.size(); ++a) {
    // agent a belongs to the rank r with  floor(n r / R) <= a < floor(n (r+1) / R)
    owner[a] = static_cast<int>(((static_cast<std::int64_t>(a) + 1) * ranks - 1) / agents);
  }
  return owner;
}

Network::Network(Communicator communicator, SharedSchedule schedule, std::vector<int> owner,
                 bool share_memory)
    : communicator_(std::move(communicator)),
      schedule_(std::move(schedule)),
      certificate_(certify(*schedule_)),
      agents_(local_agents(schedule_->agents(), owner, communicator_)),
      owner_(std::move(owner)),
      share_memory_(share_memory),
      node_(communicator_, share_memory) {
  reduction_ = std::make_unique<TreeReduction>(agents_, owner_, communicator_, node_);
  folds_ = std::make_unique<CoordinateFolds>(agents_, owner_, communicator_);
  capacity_ = agents_.count();
  if (schedule_->fixed()) capacity_ = static_cast<int>(plan(0, {})->published.size());
}

Network::Network(Communicator communicator, SharedSchedule schedule, const NetworkLayout& layout)
    : Network(std::move(communicator), schedule,
              layout.owner.empty() ? deal_agents(schedule->agents(), communicator.size())
                                   : layout.owner,
              layout.share_memory) {}

Network::Network(Communicator communicator, MixingMatrix matrix, const NetworkLayout& layout)
    : Network(std::move(communicator), periodic({std::move(matrix)}), layout) {}

Network::Network(const Network& agents, SharedSchedule schedule)
    : Network(agents.communicator_.duplicate(), std::move(schedule), agents.owner_,
              agents.share_memory_) {
  traffic_ = agents.traffic_;
  notes_ = agents.notes_;
}

Network::~Network() = default;

Mixer Network::mixer(std::string name, Index dimension, Mixing mixing) {
  std::int64_t most[] = {dimension, -dimension};
  communicator_.maximum(most, "all ranks to make a mixer");
  require(most[0] == -most[1], ErrorKind::usage, "variable `", name, "` has ", dimension,
          " numbers per agent here, and between ", -most[1], " and ", most[0],
          " on other ranks; it is equally long everywhere");
  return {*this, std::move(name), dimension, mixing};
}

std::shared_ptr<const ExchangePlan> Network::plan(std::uint64_t round, const Mixing& mixing) {
  const std::uint64_t period = schedule_->period();
  const bool repeats = period > 0 && period <= longest_kept_period;
  const std::uint64_t phase = period > 0 ? round % period : round;
  const auto key = std::make_tuple(phase, mixing.weights, mixing.lazy);
  const auto known = plans_.find(key);
  if (known != plans_.end()) return known->second;
  auto matrix = schedule_->at(round, mixing.weights);
  if (mixing.lazy) matrix = std::make_shared<const MixingMatrix>(lazy(*matrix));
  auto made =
      std::make_shared<const ExchangePlan>(*matrix, agents_, owner_, communicator_.rank(), repeats);
  // Different variables mix at the same round: the newest plan is kept even if it never returns.
  if (!repeats && plans_.size() > 16) plans_.clear();
  plans_.emplace(key, made);
  return made;
}

void Network::count_round(const ExchangePlan& plan, std::int64_t bytes, std::int64_t rank_bytes,
                          RoundNote::Kind kind) {
  traffic_->bytes += plan.edges_from_own * bytes;
  traffic_->messages += plan.edges_from_own;
  traffic_->rank_bytes += rank_bytes;
  if (notes_ != nullptr) notes_->push_back({kind, bytes});
}

void Network::mean(const AgentView& local, VectorXd& mean) {
  reduction_->sum(local, mean);
  mean /= static_cast<double>(agents_.total);
  count_server_round(local.rows(), -1, RoundNote::Kind::plain_mean);
  traffic_->rank_bytes += reduction_->last_bytes();
}

void Network::mean_at_server(const AgentView& local, VectorXd& mean, int speaking) {
  reduction_->sum(local, mean);
  mean /= static_cast<double>(agents_.total);
  count_server_round(local.rows(), speaking);
  traffic_->rank_bytes += reduction_->last_bytes();
}

void Network::fold_coordinates(const AgentView& local, const CoordinateFold& fold,
                               VectorXd& result) {
  (*folds_)(local, fold, result);
  traffic_->rank_bytes += folds_->last_bytes();
}

void Network::sum_at_server(const AgentView& local, VectorXd& sum) {
  reduction_->sum(local, sum);
  traffic_->rank_bytes += reduction_->last_bytes();
}

void Network::count_server_round(Index rows, int speaking, RoundNote::Kind kind) {
  const std::int64_t bytes = rows * static_cast<std::int64_t>(sizeof(double));
  if (notes_ != nullptr) notes_->push_back({kind, bytes});
  // On machines of their own, all agents but one send a partial sum up the tree (or what they have
  // to the server, which is one of them) and hear the result: 2 (n - 1) d numbers.
  const bool root_here = !agents_.local.empty() && agents_.local.front() == 0;
  const std::int64_t senders = speaking >= 0 ? speaking : agents_.count() - (root_here ? 1 : 0);
  traffic_->messages += 2 * senders;
  traffic_->bytes += 2 * senders * bytes;
}

VectorXd Network::sum_for_report(const AgentView& local) {
  VectorXd sum;
  reduction_->sum(local, sum);
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
  if (idle.empty()) return std::make_shared<Exchange>(communicator_, node_, dimension, capacity_);
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
