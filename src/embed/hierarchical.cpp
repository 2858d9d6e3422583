#include "echelon/embed/hierarchical.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <new>
#include <vector>

#include "echelon/comm/mixer.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/trace.hpp"
#include "hierarchy.hpp"

namespace echelon {

namespace {

constexpr auto usage = ErrorKind::usage;
constexpr auto longest = std::numeric_limits<std::int32_t>::max();

/// What MPI would end the program for.
MPI_Comm checked(MPI_Comm comm) {
  int initialized = 0;
  int finalized = 0;
  check_mpi(MPI_Initialized(&initialized), "MPI_Initialized");
  check_mpi(MPI_Finalized(&finalized), "MPI_Finalized");
  require(
      initialized != 0 && finalized == 0, usage,
      "hierarchical communicator: MPI is not initialized (or finalized already); use it between "
      "MPI_Init and MPI_Finalize");
  require(
      comm != MPI_COMM_NULL, usage,
      "hierarchical communicator: the communicator is MPI_COMM_NULL; only its members take part");
  int inter = 0;
  check_mpi(MPI_Comm_test_inter(comm, &inter), "MPI_Comm_test_inter");
  require(inter == 0, usage,
          "hierarchical communicator: this is an inter-communicator; merge its groups first");
  return comm;
}

Graph generated_graph(TopologyOptions topology, AgentId nodes) {
  const TopologyOptions usual;
  require(topology.weights->has_group_form, usage,
          "hierarchical communicator: weights = ", topology.weights->name,
          " (between nodes they follow from the nodes' sizes); use `", usual.weights->name, "`");
  require(!topology.lazy, usage,
          "hierarchical communicator: the topology is lazy (the weights between nodes follow from "
          "the nodes' sizes); switch it off");
  topology.agents = nodes;
  topology.weights = usual.weights;
  const SharedSchedule schedule = make_schedule(topology);
  require(schedule->fixed(), usage, "hierarchical communicator: topology ", topology.topology->name,
          " changes from round to round; choose a fixed one without failures");
  return schedule->at(0)->graph();
}

}  // namespace

// HierarchicalVariable

/// A round: own <- mean inside the node; the first rank mixes own; the others copy it.
class HierarchicalVariable::State {
 public:
  State(std::shared_ptr<detail::Hierarchy> hierarchy, std::string name, Index size)
      : hierarchy_(std::move(hierarchy)), name_(std::move(name)), size_(size), own_(size, 1) {
    if (hierarchy_->between) mixer_.emplace(*hierarchy_->between, name_, size);
    if (hands_out() && hierarchy_->machine.whole()) make_window();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // After a stall MPI may still write the numbers: leave it the memory.
    if (broadcast_ != MPI_REQUEST_NULL) static_cast<void>(new AgentMatrix(std::move(own_)));
  }

  const std::string& name() const { return name_; }
  Index size() const { return size_; }
  std::uint64_t round() const { return static_cast<std::uint64_t>(round_); }

  void require_ready(std::size_t given, bool under_way, const char* call) const {
    require(given == static_cast<std::size_t>(size_), usage, "variable `", name_,
            "`: the buffer holds ", given, " numbers; it must hold ", size_);
    require(under_way == under_way_, usage, "variable `", name_, "`: ", call,
            under_way ? " without a round under way; call start first"
                      : " while a round is under way; call finish first");
  }

  template <class Scalar>
  void start(std::span<const Scalar> x) {
    for (Index r = 0; r < size_; ++r) {
      own_(r, 0) = static_cast<double>(x[static_cast<std::size_t>(r)]);
    }
    hierarchy_->sums.sum(own_, mean_);
    own_.col(0) = mean_ / hierarchy_->inside.size();
    if (mixer_) mixer_->start(own_);
    under_way_ = true;
  }
  void progress() {
    if (mixer_ && under_way_) mixer_->progress();
  }
  template <class Scalar>
  void finish(std::span<Scalar> x) {
    if (mixer_) mixer_->finish(own_);
    const double* result = own_.data();
    if (hands_out()) result = window_ ? through_window() : by_messages();
    for (Index r = 0; r < size_; ++r) {
      x[static_cast<std::size_t>(r)] = static_cast<Scalar>(result[r]);
    }
    ++round_;
    under_way_ = false;
  }

 private:
  struct Header {
    alignas(64) std::atomic<std::int64_t> written{0};  ///< rounds
  };

  /// With one node the mean inside is the result.
  bool hands_out() const { return hierarchy_->nodes() > 1 && hierarchy_->inside.size() > 1; }
  void make_window() {
    const auto bytes = sizeof(Header) + sizeof(double) * static_cast<std::size_t>(size_);
    window_ = SharedWindow::create(hierarchy_->machine, hierarchy_->is_first() ? bytes : 0);
    if (!window_) return;
    if (hierarchy_->is_first()) new (window_->part(0)) Header;
    hierarchy_->inside.barrier("shared memory of a node");
  }

  // The first rank overwrites the window only in the next round, after the sum inside the node: by
  // then all others have taken part in that sum, thus read the last result.
  const double* through_window() {
    Header& header = *std::launder(reinterpret_cast<Header*>(window_->part(0)));
    auto* const numbers = reinterpret_cast<double*>(window_->part(0) + sizeof(Header));
    if (hierarchy_->is_first()) {
      std::copy_n(own_.data(), size_, numbers);
      header.written.store(round_ + 1, std::memory_order_release);
      return numbers;
    }
    const TraceSpan span("wait", "wait for", name_);
    hierarchy_->inside.wait_until(
        [&] { return header.written.load(std::memory_order_acquire) > round_; },
        [&] { return awaited(); }, hierarchy_->machine.spins());
    return numbers;
  }
  const double* by_messages() {
    const TraceSpan span("wait", "wait for", name_);
    check_mpi(MPI_Ibcast(own_.data(), static_cast<int>(size_), MPI_DOUBLE, 0,
                         hierarchy_->inside.handle(), &broadcast_),
              "MPI_Ibcast");
    hierarchy_->inside.wait_all({&broadcast_, 1}, [&](std::size_t) { return awaited(); });
    return own_.data();
  }
  std::string awaited() const {
    return text("the first rank of node ", hierarchy_->node(), " to hand out variable `", name_,
                "`");
  }

  std::shared_ptr<detail::Hierarchy> hierarchy_;
  std::string name_;
  Index size_;
  AgentMatrix own_;
  VectorXd mean_;
  std::optional<Mixer> mixer_;            ///< on the first rank of the node
  std::unique_ptr<SharedWindow> window_;  ///< header and numbers, all of the first rank
  MPI_Request broadcast_ = MPI_REQUEST_NULL;
  std::int64_t round_ = 0;
  bool under_way_ = false;
};

HierarchicalVariable::HierarchicalVariable(std::shared_ptr<detail::Hierarchy> hierarchy,
                                           std::string name, Index size)
    : state_(std::make_unique<State>(std::move(hierarchy), std::move(name), size)) {}
HierarchicalVariable::HierarchicalVariable(HierarchicalVariable&& other) noexcept = default;
HierarchicalVariable& HierarchicalVariable::operator=(HierarchicalVariable&& other) noexcept =
    default;
HierarchicalVariable::~HierarchicalVariable() = default;

void HierarchicalVariable::mix(std::span<double> x) {
  state_->require_ready(x.size(), false, "mix");
  state_->start(std::span<const double>(x));
  state_->finish(x);
}
void HierarchicalVariable::mix(std::span<float> x) {
  state_->require_ready(x.size(), false, "mix");
  state_->start(std::span<const float>(x));
  state_->finish(x);
}
void HierarchicalVariable::start(std::span<const double> x) {
  state_->require_ready(x.size(), false, "start");
  state_->start(x);
}
void HierarchicalVariable::start(std::span<const float> x) {
  state_->require_ready(x.size(), false, "start");
  state_->start(x);
}
void HierarchicalVariable::progress() {
  state_->progress();
}
void HierarchicalVariable::finish(std::span<double> x) {
  state_->require_ready(x.size(), true, "finish");
  state_->finish(x);
}
void HierarchicalVariable::finish(std::span<float> x) {
  state_->require_ready(x.size(), true, "finish");
  state_->finish(x);
}

const std::string& HierarchicalVariable::name() const {
  return state_->name();
}
Index HierarchicalVariable::size() const {
  return state_->size();
}
std::uint64_t HierarchicalVariable::round() const {
  return state_->round();
}

// HierarchicalCommunicator

HierarchicalCommunicator::HierarchicalCommunicator(MPI_Comm comm, const MakeGraph& make,
                                                   const HierarchicalOptions& options)
    : hierarchy_(std::make_shared<detail::Hierarchy>(
          Communicator(checked(comm), options.stall_seconds), make, options)) {}

HierarchicalCommunicator::HierarchicalCommunicator(MPI_Comm comm, TopologyOptions topology,
                                                   const HierarchicalOptions& options)
    : HierarchicalCommunicator(
          comm, [&](AgentId nodes) { return generated_graph(topology, nodes); }, options) {}

int HierarchicalCommunicator::rank() const {
  return hierarchy_->ranks.rank();
}
int HierarchicalCommunicator::size() const {
  return hierarchy_->ranks.size();
}
int HierarchicalCommunicator::nodes() const {
  return hierarchy_->nodes();
}
int HierarchicalCommunicator::node() const {
  return hierarchy_->node();
}
int HierarchicalCommunicator::node_size() const {
  return hierarchy_->inside.size();
}
bool HierarchicalCommunicator::is_first() const {
  return hierarchy_->is_first();
}

HierarchicalVariable HierarchicalCommunicator::variable(std::string name, Index size) {
  std::int64_t most[] = {size, -size};
  hierarchy_->ranks.maximum(most, "all ranks to make or mix a variable");
  detail::require_same(
      most[0] == -most[1],
      text("variable `", name, "`: between ", -most[1], " and ", most[0],
           " numbers on different ranks (it is equally long everywhere); pass the same "
           "size on all ranks"));
  detail::require_same(size >= 1 && size <= longest, text("variable `", name, "`: a size of ", size,
                                                          " is out of range; use 1 to ", longest));
  return {hierarchy_, std::move(name), size};
}

template <class Scalar>
void HierarchicalCommunicator::mix_any(std::span<Scalar> x) {
  const auto size = static_cast<Index>(x.size());
  std::int64_t changed = !latest_ || latest_->size() != size ? 1 : 0;
  hierarchy_->ranks.maximum({&changed, 1}, "all ranks to mix a vector");
  if (changed != 0) latest_.emplace(variable("vector", size));
  latest_->mix(x);
}

void HierarchicalCommunicator::mix(std::span<double> x) {
  mix_any(x);
}
void HierarchicalCommunicator::mix(std::span<float> x) {
  mix_any(x);
}

const MixingMatrix& HierarchicalCommunicator::node_matrix() const {
  return hierarchy_->weights;
}

MixingMatrix HierarchicalCommunicator::equivalent_matrix() const {
  const auto& [node_of, sizes] = hierarchy_->groups;
  require(size() <= most_equivalent_ranks, usage, "hierarchical communicator: the matrix of ",
          size(), " ranks is too large (at most ", most_equivalent_ranks,
          "); look at the one between nodes");
  std::vector<std::vector<AgentId>> members(sizes.size());
  for (std::size_t i = 0; i < node_of.size(); ++i) {
    members[static_cast<std::size_t>(node_of[i])].push_back(static_cast<AgentId>(i));
  }
  std::vector<std::vector<MixingMatrix::Entry>> rows;
  for (const int g : node_of) {
    const double own = sizes[static_cast<std::size_t>(g)];
    auto& row = rows.emplace_back();
    for (const auto& [h, weight] : hierarchy_->weights.row(g)) {
      const double theirs = sizes[static_cast<std::size_t>(h)];
      const double entry =
          g == h ? weight / own : detail::flow(hierarchy_->graph, sizes, g, h) / (own * theirs);
      for (const AgentId j : members[static_cast<std::size_t>(h)]) row.push_back({j, entry});
    }
  }
  return MixingMatrix(rows);
}

Certificate HierarchicalCommunicator::certificate() const {
  return certify(equivalent_matrix());
}

Traffic HierarchicalCommunicator::traffic() const {
  return hierarchy_->between ? hierarchy_->between->traffic() : Traffic{};
}

}  // namespace echelon
