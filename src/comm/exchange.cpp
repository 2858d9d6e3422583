#include "echelon/comm/exchange.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace echelon {

namespace {

int position_of(const std::vector<AgentId>& sorted, AgentId agent) {
  return static_cast<int>(std::lower_bound(sorted.begin(), sorted.end(), agent) - sorted.begin());
}

constexpr int exchange_tag = 1;

/// Owns an MPI datatype that covers some columns of a d x m block.
class ColumnsType {
 public:
  ColumnsType(Index dimension, const std::vector<int>& columns) {
    MPI_Datatype whole;
    MPI_Datatype column;
    check_mpi(MPI_Type_contiguous(static_cast<int>(dimension), MPI_DOUBLE, &whole),
              "MPI_Type_contiguous");
    const auto stride =
        static_cast<MPI_Aint>(padded_rows(dimension) * static_cast<Index>(sizeof(double)));
    check_mpi(MPI_Type_create_resized(whole, 0, stride, &column), "MPI_Type_create_resized");
    check_mpi(MPI_Type_create_indexed_block(static_cast<int>(columns.size()), 1, columns.data(),
                                            column, &type_),
              "MPI_Type_create_indexed_block");
    check_mpi(MPI_Type_commit(&type_), "MPI_Type_commit");
    MPI_Type_free(&whole);
    MPI_Type_free(&column);
  }
  ColumnsType(const ColumnsType&) = delete;
  ColumnsType& operator=(const ColumnsType&) = delete;
  ColumnsType(ColumnsType&& other) noexcept
      : type_(std::exchange(other.type_, MPI_DATATYPE_NULL)) {}
  ColumnsType& operator=(ColumnsType&&) = delete;
  ~ColumnsType() {
    int finalized = 0;
    if (type_ != MPI_DATATYPE_NULL && MPI_Finalized(&finalized) == MPI_SUCCESS && finalized == 0) {
      MPI_Type_free(&type_);
    }
  }
  MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

class MessageExchange final : public Exchange {
 public:
  MessageExchange(const Communicator& communicator, std::shared_ptr<const ExchangePlan> plan,
                  Index dimension)
      : communicator_(communicator),
        plan_(std::move(plan)),
        outgoing_(dimension, plan_->local),
        ghosts_(dimension, plan_->ghosts) {
    for (const auto& peer : plan_->peers) {
      send_types_.emplace_back(dimension, peer.send);
      receive_types_.emplace_back(dimension, peer.receive);
      bytes_ += static_cast<std::int64_t>(peer.send.size()) * dimension *
                static_cast<std::int64_t>(sizeof(double));
    }
  }

  AgentView& outgoing() override { return outgoing_; }

  void post() override {
    for (std::size_t p = 0; p < plan_->peers.size(); ++p) {
      const auto& peer = plan_->peers[p];
      if (peer.receive.empty()) continue;
      requests_.emplace_back();
      waits_for_.push_back(p);
      check_mpi(MPI_Irecv(ghosts_.data(), 1, receive_types_[p].get(), peer.rank, exchange_tag,
                          communicator_.handle(), &requests_.back()),
                "MPI_Irecv");
    }
    for (std::size_t p = 0; p < plan_->peers.size(); ++p) {
      const auto& peer = plan_->peers[p];
      if (peer.send.empty()) continue;
      requests_.emplace_back();
      waits_for_.push_back(p);
      check_mpi(MPI_Isend(outgoing_.data(), 1, send_types_[p].get(), peer.rank, exchange_tag,
                          communicator_.handle(), &requests_.back()),
                "MPI_Isend");
    }
  }

  void wait(const std::string& variable) override {
    if (requests_.empty()) return;
    communicator_.wait_all(requests_, [&](std::size_t i) {
      const auto& peer = plan_->peers[waits_for_[i]];
      return text("the exchange of variable `", variable, "` with rank ", peer.rank,
                  " (edge to agent ", peer.first_agent, ")");
    });
    requests_.clear();
    waits_for_.clear();
  }

  const double* column(const ExchangePlan::Term& term) const override {
    const AgentMatrix& block = term.source >= 0 ? outgoing_ : ghosts_;
    const Index position = term.source >= 0 ? term.source : -1 - term.source;
    return block.data() + position * block.outerStride();
  }

  Index dimension() const override { return outgoing_.rows(); }
  std::int64_t bytes_per_round() const override { return bytes_; }
  std::int64_t buffer_bytes() const override {
    return static_cast<std::int64_t>(sizeof(double)) * outgoing_.outerStride() *
           (outgoing_.cols() + ghosts_.cols());
  }

 private:
  const Communicator& communicator_;
  std::shared_ptr<const ExchangePlan> plan_;
  AgentMatrix outgoing_;
  AgentMatrix ghosts_;
  std::vector<ColumnsType> send_types_;
  std::vector<ColumnsType> receive_types_;
  std::vector<MPI_Request> requests_;
  std::vector<std::size_t> waits_for_;
  std::int64_t bytes_ = 0;
};

}  // namespace

ExchangePlan::ExchangePlan(const MixingMatrix& matrix, const AgentSet& agents,
                           const std::vector<int>& owner, int rank)
    : local(agents.count()) {
  const auto owner_of = [&](AgentId agent) { return owner[static_cast<std::size_t>(agent)]; };
  std::map<int, std::set<AgentId>> sent;
  std::map<int, std::set<AgentId>> received;
  for (AgentId receiver = 0; receiver < agents.total; ++receiver) {
    for (const auto& entry : matrix.row(receiver)) {
      const int from = owner_of(entry.sender);
      const int to = owner_of(receiver);
      if (from == to) continue;
      if (from == rank) sent[to].insert(entry.sender);
      if (to == rank) received[from].insert(entry.sender);
    }
  }
  std::vector<AgentId> foreign;
  std::set<int> ranks;
  for (const auto& [from, senders] : received) {
    foreign.insert(foreign.end(), senders.begin(), senders.end());
    ranks.insert(from);
  }
  for (const auto& [to, senders] : sent) ranks.insert(to);
  std::sort(foreign.begin(), foreign.end());
  ghosts = static_cast<int>(foreign.size());
  for (const int other : ranks) {
    Peer peer{other, {}, {}, 0};
    for (const AgentId agent : sent[other]) peer.send.push_back(position_of(agents.local, agent));
    for (const AgentId agent : received[other]) peer.receive.push_back(position_of(foreign, agent));
    peer.first_agent = received[other].empty() ? *sent[other].begin() : *received[other].begin();
    peers.push_back(std::move(peer));
  }
  offsets.push_back(0);
  for (const AgentId receiver : agents.local) {
    for (const auto& entry : matrix.row(receiver)) {
      const bool own = owner_of(entry.sender) == rank;
      const int source =
          own ? position_of(agents.local, entry.sender) : -1 - position_of(foreign, entry.sender);
      terms.push_back({source, entry.weight});
    }
    offsets.push_back(terms.size());
  }
}

std::unique_ptr<Exchange> make_message_exchange(const Communicator& communicator,
                                                std::shared_ptr<const ExchangePlan> plan,
                                                Index dimension) {
  require(dimension <= INT32_MAX, ErrorKind::usage, "a variable of ", dimension,
          " numbers per agent does not fit one message (at most 2147483647)");
  return std::make_unique<MessageExchange>(communicator, std::move(plan), dimension);
}

}  // namespace echelon
