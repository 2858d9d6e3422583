#include "echelon/comm/exchange.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "echelon/core/parallel.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

namespace {

constexpr int exchange_tag = 1;
/// Long columns travel in pieces: below the length at which TCP transports start to negotiate.
constexpr Index message_bytes = 48 * 1024;
constexpr std::size_t most_known_wires = 64;

constexpr auto bytes_of(Index numbers) {
  return static_cast<std::int64_t>(numbers) * static_cast<std::int64_t>(sizeof(double));
}

/// Strips that travel in one message of `columns` columns.
int strips_per_message(std::size_t columns) {
  const Index strip_bytes =
      Exchange::strip_rows * static_cast<Index>(sizeof(double) * std::max<std::size_t>(1, columns));
  return static_cast<int>(std::max<Index>(1, message_bytes / strip_bytes));
}

/// `rows` numbers of each of some columns, `stride` numbers apart.
MPI_Datatype columns_type(Index rows, Index stride, const std::vector<int>& columns) {
  MPI_Datatype piece, column, type;
  check_mpi(MPI_Type_contiguous(static_cast<int>(rows), MPI_DOUBLE, &piece), "MPI_Type_contiguous");
  check_mpi(MPI_Type_create_resized(piece, 0, static_cast<MPI_Aint>(bytes_of(stride)), &column),
            "MPI_Type_create_resized");
  check_mpi(MPI_Type_create_indexed_block(static_cast<int>(columns.size()), 1, columns.data(),
                                          column, &type),
            "MPI_Type_create_indexed_block");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  MPI_Type_free(&piece);
  MPI_Type_free(&column);
  return type;
}

}  // namespace

/// Written by their owner, read by the others on the node; each on a cache line of its own.
struct Exchange::Counters {
  alignas(64) std::atomic<std::int64_t> published{0};  ///< strips, over all rounds
  alignas(64) std::atomic<std::int64_t> consumed{0};   ///< strips, over all rounds
  alignas(64) std::atomic<std::int64_t> finished{0};   ///< rounds
  std::int64_t capacity = 0;                           ///< columns of each block behind
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

Exchange::Wires::~Wires() {
  int finalized = 0;
  if (MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0) return;
  for (auto& type : types) MPI_Type_free(&type);
}

Exchange::Exchange(const Communicator& communicator, const Node& node, Index dimension,
                   int capacity)
    : communicator_(communicator),
      node_(node),
      dimension_(dimension),
      stride_(padded_rows(dimension)),
      capacity_(capacity) {
  require(dimension <= INT32_MAX, ErrorKind::usage, "a variable of ", dimension,
          " numbers per agent is too long (at most 2147483647)");
  if (node_.size() > 1) {
    const std::int64_t block = bytes_of(stride_) * capacity;
    window_ = SharedWindow::create(node_, sizeof(Counters) + 2 * static_cast<std::size_t>(block));
  }
  if (window_) {
    new (window_->part(node_.rank())) Counters;
    counters(node_.rank()).capacity = capacity;
    node_.communicator()->barrier("shared memory of a node");
  } else {
    private_outgoing_ = AgentMatrix(dimension, capacity);
  }
}

Exchange::~Exchange() {
  const auto pending = [](const std::vector<MPI_Request>& requests) {
    return std::any_of(requests.begin(), requests.end(),
                       [](MPI_Request request) { return request != MPI_REQUEST_NULL; });
  };
  if (!pending(send_requests_) && !pending(receive_requests_)) return;
  // Leave the memory to MPI, which may still use it.
  static_cast<void>(new AgentMatrix(std::move(private_outgoing_)));
  static_cast<void>(new AgentMatrix(std::move(ghosts_)));
  static_cast<void>(window_.release());
}

Exchange::Counters& Exchange::counters(int position) const {
  return *std::launder(reinterpret_cast<Counters*>(window_->part(position)));
}

double* Exchange::block_of(int position, Index block) const {
  auto* columns = reinterpret_cast<double*>(window_->part(position) + sizeof(Counters));
  return columns + block * stride_ * counters(position).capacity;
}

void Exchange::add_messages(Wires& wires, std::size_t p, bool send) const {
  const auto& peer = plan_->peers[p];
  const std::size_t count = send ? peer.send.size() : peer.receive.size();
  if (count == 0 || shares_memory_with(peer.rank)) return;
  std::vector<int> columns = peer.send;
  if (!send) {  // received columns lie next to each other
    wires.ghost[p] = wires.ghosts;
    columns.clear();
    for (std::size_t c = 0; c < count; ++c) {
      columns.push_back(static_cast<int>(wires.ghosts + static_cast<Index>(c)));
    }
    wires.ghosts += static_cast<Index>(count);
  }
  const int step = strips_per_message(count);
  Index rows_of_type = 0;
  for (int strip = 0; strip < strips(); strip += step) {
    const Index from = strip * strip_rows;
    const Index rows = std::min<Index>(step * strip_rows, dimension_ - from);
    if (rows != rows_of_type) wires.types.push_back(columns_type(rows, stride_, columns));
    rows_of_type = rows;
    (send ? wires.sends : wires.receives)
        .push_back({wires.types.back(), p, from, strip, std::min(strip + step, strips()) - 1});
  }
}

Exchange::Wires& Exchange::wires_for(const std::shared_ptr<const ExchangePlan>& plan) {
  auto& known = known_wires_[plan.get()];
  if (known) return *known;
  if (known_wires_.size() > most_known_wires) {
    known_wires_.clear();
    return wires_for(plan);
  }
  known = std::make_unique<Wires>();
  known->plan = plan;
  known->ghost.resize(plan->peers.size());
  for (std::size_t p = 0; p < plan->peers.size(); ++p) {
    add_messages(*known, p, true);
    add_messages(*known, p, false);
  }
  std::stable_sort(known->sends.begin(), known->sends.end(),
                   [](const auto& a, const auto& b) { return a.last_strip < b.last_strip; });
  std::stable_sort(known->receives.begin(), known->receives.end(),
                   [](const auto& a, const auto& b) { return a.first_strip < b.first_strip; });
  return *known;
}

void Exchange::begin(std::shared_ptr<const ExchangePlan> plan, const std::string& variable,
                     Pace pace) {
  plan_ = std::move(plan);
  variable_ = variable;
  // Ranks that wait for each other's cores had better write all they have before they yield.
  cycles_ = pace == Pace::strip_by_strip && window_ && node_.whole() && node_.spins() > 0;
  consumed_strips_ = 0;
  wires_ = &wires_for(plan_);
  ECHELON_ASSERT(static_cast<int>(plan_->published.size()) <= capacity_);
  const auto block = static_cast<std::size_t>(round_ % 2);
  if (window_) {
    // Who read this block two rounds ago must have finished that round.
    for (const auto& [position, peer] : readers_[block]) {
      const auto& finished = counters(position).finished;
      communicator_.wait_until(
          [&] { return finished.load(std::memory_order_acquire) >= round_ - 1; },
          [&, at = peer] {
            return text("rank ", at, " to read what it was sent of variable `", variable_, "`");
          },
          node_.spins());
    }
    readers_[block].clear();
    outgoing_ = block_of(node_.rank(), static_cast<Index>(block));
  } else {
    outgoing_ = private_outgoing_.data();
  }
  locate_foreign_columns();
  post_receives();
}

void Exchange::locate_foreign_columns() {
  if (ghosts_.cols() < wires_->ghosts) ghosts_ = AgentMatrix(dimension_, wires_->ghosts);
  const auto block = static_cast<std::size_t>(round_ % 2);
  foreign_.assign(static_cast<std::size_t>(plan_->foreign), nullptr);
  node_senders_.clear();
  for (std::size_t p = 0; p < plan_->peers.size(); ++p) {
    const auto& peer = plan_->peers[p];
    const bool shared = shares_memory_with(peer.rank);
    if (shared && !peer.send.empty()) {
      readers_[block].emplace_back(node_.position_of(peer.rank),
                                   static_cast<std::size_t>(peer.rank));
    }
    if (peer.receive.empty()) continue;
    if (!shared) {
      for (std::size_t c = 0; c < peer.receive.size(); ++c) {
        foreign_[static_cast<std::size_t>(peer.receive[c])] =
            ghosts_.data() + (wires_->ghost[p] + static_cast<Index>(c)) * stride_;
      }
      continue;
    }
    node_senders_.push_back(static_cast<int>(p));
    const int position = node_.position_of(peer.rank);
    const auto* columns = block_of(position, static_cast<Index>(block));
    for (std::size_t c = 0; c < peer.receive.size(); ++c) {
      foreign_[static_cast<std::size_t>(peer.receive[c])] = columns + peer.theirs[c] * stride_;
    }
  }
}

void Exchange::post_receives() {
  receive_requests_.assign(wires_->receives.size(), MPI_REQUEST_NULL);
  send_requests_.clear();
  for (std::size_t k = 0; k < wires_->receives.size(); ++k) {
    const auto& message = wires_->receives[k];
    check_mpi(MPI_Irecv(ghosts_.data() + message.first_row, 1, message.type,
                        plan_->peers[message.peer].rank, exchange_tag, communicator_.handle(),
                        &receive_requests_[k]),
              "MPI_Irecv");
  }
}

bool Exchange::has_room(int strip) const {
  if (!cycles_ || strip < cycle_strips) return true;
  const int must_be_consumed = strip - cycle_strips + 1;
  if (consumed_strips_ < must_be_consumed) return false;  // own agents read it as well
  const auto& readers = readers_[static_cast<std::size_t>(round_ % 2)];
  return std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
    const auto consumed = counters(reader.first).consumed.load(std::memory_order_acquire);
    return consumed >= round_ * strips() + must_be_consumed;
  });
}

void Exchange::wait_for_room(int strip) {
  communicator_.wait_until(
      [&] { return has_room(strip); },
      [&] { return text("the readers of variable `", variable_, "` to take what they were sent"); },
      node_.spins());
}

void Exchange::consumed(int count) {
  consumed_strips_ = count;
  if (cycles_) {
    counters(node_.rank()).consumed.store(round_ * strips() + count, std::memory_order_release);
  }
}

void Exchange::publish(int count) {
  if (window_) {
    counters(node_.rank()).published.store(round_ * strips() + count, std::memory_order_release);
  }
  for (std::size_t k = send_requests_.size();
       k < wires_->sends.size() && wires_->sends[k].last_strip < count; ++k) {
    const auto& message = wires_->sends[k];
    send_requests_.emplace_back();
    check_mpi(
        MPI_Isend(outgoing_ + message.first_row, 1, message.type, plan_->peers[message.peer].rank,
                  exchange_tag, communicator_.handle(), &send_requests_.back()),
        "MPI_Isend");
  }
}

bool Exchange::ready(int count) {
  for (const int p : node_senders_) {
    const int position = node_.position_of(plan_->peers[static_cast<std::size_t>(p)].rank);
    const auto published = counters(position).published.load(std::memory_order_acquire);
    if (published < round_ * strips() + count) return false;
  }
  const auto end = std::find_if(wires_->receives.begin(), wires_->receives.end(),
                                [&](const Message& m) { return m.first_strip >= count; });
  const auto wanted = static_cast<int>(end - wires_->receives.begin());
  if (wanted == 0) return true;
  int done = 0;
  check_mpi(MPI_Testall(wanted, receive_requests_.data(), &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
  return done != 0;
}

std::string Exchange::edge_to(std::size_t p) const {
  const auto& peer = plan_->peers[p];
  return text("the exchange of variable `", variable_, "` with rank ", peer.rank,
              " (edge to agent ", peer.first_agent, ")");
}

void Exchange::wait(int count) {
  if (ready(count)) return;
  const TraceSpan span("wait", "wait for", variable_);
  const auto describe = [&] {
    for (const int p : node_senders_) {
      const int position = node_.position_of(plan_->peers[static_cast<std::size_t>(p)].rank);
      const auto published = counters(position).published.load(std::memory_order_acquire);
      if (published < round_ * strips() + count) return edge_to(static_cast<std::size_t>(p));
    }
    for (std::size_t k = 0; k < receive_requests_.size(); ++k) {
      int finished = 0;
      check_mpi(MPI_Request_get_status(receive_requests_[k], &finished, MPI_STATUS_IGNORE),
                "MPI_Request_get_status");
      if (finished == 0) return edge_to(wires_->receives[k].peer);
    }
    return std::string("an exchange");
  };
  const int spins = receive_requests_.empty() ? node_.spins() : 200;
  communicator_.wait_until([&] { return ready(count); }, describe, spins);
}

void Exchange::end() {
  if (!send_requests_.empty()) {
    communicator_.wait_all(send_requests_,
                           [&](std::size_t k) { return edge_to(wires_->sends[k].peer); });
    send_requests_.clear();
  }
  receive_requests_.clear();
  ++round_;
  if (window_) counters(node_.rank()).finished.store(round_, std::memory_order_release);
}

void Exchange::progress() {
  // Any call of MPI moves everything, so one request of each kind is asked for. Open MPI looks at
  // its sockets at every eighth call only; as long as something arrives, more is worth asking for.
  constexpr int idle_calls = 16;
  const auto next_done = [](std::vector<MPI_Request>& requests) {
    const auto open = std::find_if(requests.begin(), requests.end(),
                                   [](MPI_Request request) { return request != MPI_REQUEST_NULL; });
    int done = 0;
    if (open != requests.end()) {
      check_mpi(MPI_Test(&*open, &done, MPI_STATUS_IGNORE), "MPI_Test");
    }
    return done != 0;
  };
  for (int idle = 0; idle < idle_calls; ++idle) {
    if (next_done(receive_requests_) || next_done(send_requests_)) idle = 0;
  }
}

AgentMatrix& Exchange::unpublished() {
  if (unpublished_.cols() < plan_->local) unpublished_ = AgentMatrix(dimension_, plan_->local);
  return unpublished_;
}

void Exchange::reserve_rings(int columns) {
  const Index all = Index{columns} * thread_count();
  if (ring_.cols() < all) ring_ = AgentMatrix(std::min(dimension_, strip_rows), all);
}

double* Exchange::ring(int columns) {
  return ring_.data() + Index{columns} * thread_index() * ring_.outerStride();
}

std::int64_t Exchange::bytes_per_round() const {
  std::int64_t columns = 0;
  for (const auto& peer : plan_->peers) columns += static_cast<std::int64_t>(peer.send.size());
  return columns * bytes_of(dimension_);
}

std::int64_t Exchange::buffer_bytes() const {
  const Index columns = private_outgoing_.cols() + ghosts_.cols() + unpublished_.cols();
  return columns * bytes_of(stride_) + ring_.cols() * bytes_of(ring_.outerStride()) +
         (window_ ? static_cast<std::int64_t>(window_->bytes()) : 0);
}

}  // namespace echelon
