#pragma once
/// Who takes part in which round, who answers in time, and how long it takes by a simulated clock.
/// Pure, serial and deterministic: the same on every rank, and after a restart.
///
/// The agents of a run are seats. With more clients than seats, each seat has a group of clients (a
/// random partition, sizes differ by at most one), one of which takes it in each round: state lives
/// with the seats and the server, not with clients. Every client takes part equally often, and a
/// client always sits on the same rank, where its data are; two clients of one group never meet.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "echelon/core/agents.hpp"
#include "echelon/core/options.hpp"
#include "echelon/core/part.hpp"
#include "echelon/core/state.hpp"
#include "echelon/participation/policy.hpp"

namespace echelon {

class ClientStates;

using ClientId = std::int64_t;

/// Section `participation`. Asynchronous policies read neither `clients` nor anything else of
/// sampled clients; spreads of times are read if some time is not 0.
struct ParticipationOptions {
  std::int64_t clients = 0;
  double probability = 1;
  double dropout = 0;
  double return_seconds = 0;
  std::int64_t minimum = 1;
  std::string weighting = "normalized";
  std::string availability;
  Chosen<PolicyEntry> policy{policy_catalog(), "wait-for-all"};
  double compute_seconds = 0;
  double compute_sigma = 0;
  double client_sigma = 0;
  double link_seconds = 0;
  double link_rate = 0;
  std::string speeds;
  double memory = 0;

  void visit(OptionVisitor& visitor);
  /// True if anything of this section is asked for.
  bool is_on(AgentId seats) const;
  /// True if the simulated clock moves.
  bool is_timed() const;
  bool is_asynchronous() const { return policy->is_asynchronous(); }
};

/// Rounds in which clients are there: [first, last], both counted from 0.
struct Availability {
  struct Interval {
    ClientId client;
    std::int64_t first, last;
  };
  std::int64_t rounds = 0;  ///< covered by the trace; 0 = no trace, all are there always
  std::vector<Interval> intervals{};
};

/// How fast clients are; empty = all alike, by the options.
struct ClientSpeeds {
  std::vector<double> compute_seconds{};  ///< of one local step, one number per client
  std::vector<double> link_seconds{};     ///< of one way, likewise
};

/// What a round is made of besides the options.
struct RoundShape {
  std::int64_t local_steps = 1;
  double message_bytes = 0;  ///< one way, per participant
  std::int64_t rounds = 0;   ///< that the run will make
};

class Participation {
 public:
  /// Throws a usage error where options contradict each other, the trace or the speeds.
  Participation(const ParticipationOptions& options, AgentId seats, const RoundShape& shape,
                std::uint64_t seed, Availability availability = {}, ClientSpeeds speeds = {});

  AgentId seats() const { return seats_; }
  const RoundShape& shape() const { return shape_; }
  ClientId clients() const { return clients_; }
  /// More clients than seats: who sits changes from round to round.
  bool rotates() const { return clients_ > seats_; }
  bool is_asynchronous() const { return options_.is_asynchronous(); }
  /// Every seat answers in every round, and all count alike: the exact mean is that of the round.
  bool is_full() const;

  std::int64_t group_size(AgentId seat) const;
  std::int64_t largest_group() const { return (clients_ + seats_ - 1) / seats_; }
  /// The client at `place` of the seat's group.
  ClientId client(AgentId seat, std::int64_t place) const;

  /// Goes to the round of this iteration; earlier rounds are replayed if it was not there yet.
  void begin(std::uint64_t iteration);
  /// For a run that goes on after this iteration: the clock and the seats as they were there.
  void replay(std::uint64_t iteration);
  /// A variable of which each client has a value of its own. Where a round begins, `leave` is
  /// called while those of the last one still sit, which stores their values in `states`, then
  /// `enter`.
  void follow(std::string variable, std::shared_ptr<ClientStates> states,
              std::function<void()> leave, std::function<void()> enter);
  /// The values of all clients now, those that sit included; nullptr if there is no such variable.
  const ClientStates* states(const std::string& variable) const;
  /// For one vector per client of the given seats; in a file if all that are made would take more
  /// than half of the memory that the options allow.
  std::shared_ptr<ClientStates> make_states(const std::vector<AgentId>& seats,
                                            std::int64_t dimension) const;
  /// Bytes that a rank may take.
  double memory_limit() const;

  // Of the present round.
  // -------------------------------------------------------------------------------------------------
  std::uint64_t round() const { return static_cast<std::uint64_t>(next_round_ - 1); }
  /// Place of the client that sits there; -1 = nobody.
  std::int64_t place(AgentId seat) const { return present_[index(seat)].place; }
  /// True if its answer reaches the server in time (asynchronous: in this iteration).
  bool answers(AgentId seat) const { return present_[index(seat)].answers; }
  /// Of an answer in the server's mean: sum of weight x answer. All 0 in a skipped round.
  double weight(AgentId seat) const { return present_[index(seat)].weight; }
  std::int64_t answering() const { return answering_; }
  /// All weights that are not 0 are equal.
  bool is_uniform() const { return is_uniform_; }
  bool is_skipped() const { return is_skipped_; }

  // Since the beginning, the present round included.
  // ----------------------------------------------------------------------
  double seconds() const { return seconds_; }  ///< simulated
  std::int64_t answers_in_all() const { return answers_in_all_; }
  std::int64_t skipped_rounds() const { return skipped_rounds_; }
  /// Largest age of a report when the server used it, in its steps (asynchronous).
  std::int64_t largest_staleness() const { return largest_staleness_; }

 private:
  struct Present {
    std::int64_t place = -1;
    bool answers = false;
    double weight = 0;
    double seconds = 0;  ///< until the answer is there
  };
  struct Follower {
    std::string variable;
    std::shared_ptr<ClientStates> states;
    std::function<void()> leave, enter;
  };
  struct Job {  ///< of an agent, asynchronous
    double done = 0;
    std::int64_t number = 0;
    std::int64_t version = 0;  ///< the server's step whose value it works on
  };

  static std::size_t index(AgentId seat) { return static_cast<std::size_t>(seat); }
  void check() const;
  void index_availability(std::vector<Availability::Interval> intervals);
  bool is_there(ClientId client, std::int64_t round) const;
  void simulate(std::int64_t round);
  void take_seat(AgentId seat, std::int64_t round, Present& present) const;
  double duration(ClientId client, std::int64_t job) const;
  /// Selects the answers that the server uses; returns how many seconds the round takes.
  double close_round();
  void weigh();
  void simulate_asynchronous(std::int64_t step);

  ParticipationOptions options_;
  AgentId seats_;
  ClientId clients_;
  RoundShape shape_;
  std::uint64_t seed_;
  std::int64_t trace_rounds_;
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> there_;  ///< by client, sorted
  ClientSpeeds speeds_;
  std::vector<std::int64_t> order_;  ///< of the clients; group of seat s: places s, s + S, ...
  std::vector<Present> present_;
  std::vector<Job> jobs_;
  std::vector<Follower> followers_;
  mutable double states_in_memory_ = 0;  ///< bytes of states of clients handed out so far
  std::int64_t next_round_ = 0;
  std::int64_t answering_ = 0;
  bool is_uniform_ = true;
  bool is_skipped_ = false;
  double seconds_ = 0;
  std::int64_t answers_in_all_ = 0;
  std::int64_t skipped_rounds_ = 0;
  std::int64_t largest_staleness_ = 0;
};

/// For memories of those who sit in the seats: tells them when others have sat down.
class Turn {
 public:
  /// nullptr: nobody takes turns.
  explicit Turn(const Participation* participation)
      : participation_(participation != nullptr && participation->rotates() ? participation
                                                                            : nullptr) {}

  /// True at the first call in a round, where clients take turns.
  bool has_changed() {
    if (participation_ == nullptr) return false;
    const auto now = static_cast<std::int64_t>(participation_->round());
    const bool changed = now != round_;
    round_ = now;
    return changed;
  }
  void visit_state(StateVisitor& visitor) {
    if (participation_ != nullptr) visitor.replicated("round", round_);
  }

 private:
  const Participation* participation_;
  std::int64_t round_ = -1;
};

}  // namespace echelon
