#include "echelon/participation/participation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/process_memory.hpp"
#include "echelon/core/random.hpp"
#include "echelon/participation/client_states.hpp"

namespace echelon {

namespace {

/// What a stream of draws is for.
enum Stream : std::uint64_t { groups = 0, seat = 1, speed = 2, job = 3 };

const char* const policies = "wait-for-all, cut-off, over-commit, bounded-staleness";

}  // namespace

void ParticipationOptions::visit(OptionVisitor& visitor) {
  visitor("clients", clients, at_least(0),
          "clients that take turns in the agents' seats; 0 = the agents themselves");
  visitor("probability", probability, above_up_to(0, 1),
          "with which a seat is taken in a round; each client takes part with this times agents / "
          "clients");
  visitor("dropout", dropout, between(0, 1), "probability that a participant leaves in mid-round");
  visitor("return_seconds", return_seconds, at_least(0),
          "a participant that left comes back and answers this much later; 0 = it does not");
  visitor("minimum", minimum, at_least(1),
          "answers without which a round changes nothing (it is counted as skipped)");
  visitor.choice("weighting", weighting, {"normalized", "unbiased"},
                 "of answers: by group sizes, to sum 1; or divided by the probability of a seat to "
                 "be taken, whose sum is 1 in the mean");
  visitor("availability", availability,
          "trace of who is there in which round (docs/file-formats.md); empty = everybody, always");
  visitor.choice("policy", policy, {"wait-for-all", "cut-off", "over-commit", "bounded-staleness"},
                 "when the server goes on: after all answers; at deadline_seconds; after wait_for "
                 "answers, later ones are lost; or step by step with wait_for reports, none older "
                 "than staleness");
  visitor("deadline_seconds", deadline_seconds, at_least(0),
          "cut-off: simulated seconds after which the server goes on");
  visitor("wait_for", wait_for, at_least(0),
          "over-commit, bounded-staleness: answers that the server waits for");
  visitor("staleness", staleness, at_least(0),
          "bounded-staleness: most steps of the server that a report may be behind");
  visitor("compute_seconds", compute_seconds, at_least(0),
          "simulated seconds of a local step (median)");
  visitor("compute_sigma", compute_sigma, at_least(0),
          "log-normal spread of the time of each answer, the link included");
  visitor("client_sigma", client_sigma, at_least(0),
          "log-normal spread of the speed of clients, which they keep");
  visitor("link_seconds", link_seconds, at_least(0), "simulated latency of one way");
  visitor("link_rate", link_rate, at_least(0),
          "simulated bytes per second of a link; 0 = no limit");
  visitor("speeds", speeds,
          "file of the clients' compute_seconds and link_seconds (docs/file-formats.md); empty = "
          "by the options");
  visitor.operational(true);
  visitor("memory", memory, at_least(0),
          "most GB (1e9 bytes) that a rank may take for the run, checked before it starts; state "
          "of clients beyond half of it goes to a file; 0 = what the machine has free, divided by "
          "its ranks");
  visitor.operational(false);
}

bool ParticipationOptions::is_on(AgentId seats) const {
  const bool rotates = clients > seats;
  const bool timed = compute_seconds > 0 || link_seconds > 0 || link_rate > 0 || !speeds.empty();
  return rotates || probability < 1 || dropout > 0 || !availability.empty() || minimum > 1 ||
         policy != "wait-for-all" || timed || clients > 0;
}

Participation::Participation(const ParticipationOptions& options, AgentId seats,
                             const RoundShape& shape, std::uint64_t seed, Availability availability,
                             ClientSpeeds speeds)
    : options_(options),
      seats_(seats),
      clients_(options.clients == 0 ? seats : options.clients),
      shape_(shape),
      seed_(seed),
      trace_rounds_(availability.rounds),
      speeds_(std::move(speeds)),
      present_(static_cast<std::size_t>(seats)) {
  check();
  index_availability(std::move(availability.intervals));
  if (rotates()) {
    order_ = Draws(seed_, Purpose::participation, 0, 0, groups).permutation(clients_);
  }
  if (is_asynchronous()) jobs_.resize(static_cast<std::size_t>(seats));
}

void Participation::check() const {
  require(clients_ >= seats_, ErrorKind::usage, "participation.clients = ", clients_,
          ": fewer clients than participants in a round (network.agents = ", seats_,
          "); choose network.agents <= ", clients_);
  require(options_.minimum <= seats_, ErrorKind::usage,
          "participation.minimum = ", options_.minimum, " answers of ", seats_,
          " participants (network.agents): no round could count; choose at most ", seats_);
  const auto of_clients = [&](const std::vector<double>& numbers, const char* what) {
    const auto count = static_cast<ClientId>(numbers.size());
    require(numbers.empty() || count == clients_, ErrorKind::bad_data, options_.speeds, ": ", what,
            " of ", count, " clients, but the run has ", clients_, "; give one line per client");
  };
  of_clients(speeds_.compute_seconds, "speeds");
  of_clients(speeds_.link_seconds, "links");
  require(trace_rounds_ == 0 || trace_rounds_ >= shape_.rounds, ErrorKind::usage,
          "participation.availability: ", options_.availability, " ends after ", trace_rounds_,
          " rounds, but the run makes ", shape_.rounds,
          "; choose run.iterations <= ", trace_rounds_ * shape_.local_steps, " or a longer trace");
  const std::string& policy = options_.policy;
  require(policy != "cut-off" || options_.deadline_seconds > 0, ErrorKind::usage,
          "participation.policy = cut-off with participation.deadline_seconds = 0: no answer could "
          "arrive; give the seconds that a round may take");
  const bool counts = policy == "over-commit" || policy == "bounded-staleness";
  require(!counts || (options_.wait_for >= 1 && options_.wait_for <= seats_), ErrorKind::usage,
          "participation.wait_for = ", options_.wait_for, ": policy ", policy,
          " waits for 1 to network.agents = ", seats_, " answers; choose a number in between");
  require(
      !is_asynchronous() || options_.staleness >= 1, ErrorKind::usage,
      "participation.staleness = 0: every report would have to be of the server's newest value, "
      "which is policy wait-for-all; choose 1 or more");
  const bool simple = options_.clients <= seats_ && options_.probability == 1 &&
                      options_.dropout == 0 && trace_rounds_ == 0;
  require(!is_asynchronous() || simple, ErrorKind::usage,
          "participation.policy = bounded-staleness is for agents that are always there; leave out "
          "participation.clients, probability, dropout and availability, or choose one of ",
          policies);
  require(options_.dropout < 1 || options_.return_seconds > 0, ErrorKind::usage,
          "participation.dropout = 1: nobody would ever answer; choose less than 1");
}

void Participation::index_availability(std::vector<Availability::Interval> intervals) {
  if (trace_rounds_ == 0) return;
  there_.resize(static_cast<std::size_t>(clients_));
  for (const auto& [client, first, last] : intervals) {
    require(client >= 0 && client < clients_, ErrorKind::bad_data, options_.availability,
            ": client ", client, " of a run with clients 0 to ", clients_ - 1,
            "; leave it out or raise participation.clients");
    there_[static_cast<std::size_t>(client)].emplace_back(first, last);
  }
  for (auto& own : there_) std::sort(own.begin(), own.end());
}

bool Participation::is_there(ClientId client, std::int64_t round) const {
  if (trace_rounds_ == 0) return true;
  const auto& own = there_[static_cast<std::size_t>(client)];
  return std::any_of(own.begin(), own.end(), [round](const auto& interval) {
    return interval.first <= round && round <= interval.second;
  });
}

bool Participation::is_full() const {
  const bool always = options_.probability == 1 && options_.dropout == 0 && trace_rounds_ == 0;
  return always && options_.policy == "wait-for-all" && clients_ % seats_ == 0;
}

std::int64_t Participation::group_size(AgentId seat) const {
  return (clients_ - seat + seats_ - 1) / seats_;
}

ClientId Participation::client(AgentId seat, std::int64_t place) const {
  const std::int64_t position = seat + place * seats_;
  return rotates() ? order_[static_cast<std::size_t>(position)] : position;
}

void Participation::begin(std::uint64_t iteration) {
  const auto k = static_cast<std::int64_t>(iteration);
  const std::int64_t round = k / shape_.local_steps;
  if (round < next_round_) return;
  while (next_round_ < round) simulate(next_round_++);
  // A run that goes on in mid-round has the values of those who sit there in its state.
  const bool begins = k % shape_.local_steps == 0;
  if (begins && round > 0) {
    for (const Follower& follower : followers_) follower.leave();
  }
  simulate(next_round_++);
  if (!begins) return;
  for (const Follower& follower : followers_) follower.enter();
}

void Participation::replay(std::uint64_t iteration) {
  const std::int64_t round = static_cast<std::int64_t>(iteration) / shape_.local_steps;
  while (next_round_ <= round) simulate(next_round_++);
}

double Participation::memory_limit() const {
  if (options_.memory > 0) return options_.memory * 1e9;
  return free_memory_bytes();
}

std::shared_ptr<ClientStates> Participation::make_states(const std::vector<AgentId>& seats,
                                                         std::int64_t dimension) const {
  const double bytes = ClientStates::bytes(*this, seats.size(), dimension);
  const bool in_file = states_in_memory_ + bytes > memory_limit() / 2;
  if (!in_file) states_in_memory_ += bytes;
  return std::make_shared<ClientStates>(*this, seats, dimension, in_file);
}

void Participation::follow(std::string variable, std::shared_ptr<ClientStates> states,
                           std::function<void()> leave, std::function<void()> enter) {
  followers_.push_back(
      {std::move(variable), std::move(states), std::move(leave), std::move(enter)});
}

const ClientStates* Participation::states(const std::string& variable) const {
  for (const Follower& follower : followers_) {
    if (follower.variable != variable) continue;
    follower.leave();
    return follower.states.get();
  }
  return nullptr;
}

double Participation::duration(ClientId client, std::int64_t number) const {
  const auto place = static_cast<std::size_t>(client);
  const auto agent = static_cast<AgentId>(client);
  const double compute =
      speeds_.compute_seconds.empty() ? options_.compute_seconds : speeds_.compute_seconds[place];
  const double latency =
      speeds_.link_seconds.empty() ? options_.link_seconds : speeds_.link_seconds[place];
  const double transfer = options_.link_rate > 0 ? shape_.message_bytes / options_.link_rate : 0;
  double time = static_cast<double>(shape_.local_steps) * compute + 2 * (latency + transfer);
  if (options_.client_sigma > 0) {
    time *= std::exp(options_.client_sigma *
                     Draws(seed_, Purpose::participation, agent, 0, speed).normal());
  }
  if (options_.compute_sigma > 0) {
    Draws draws(seed_, Purpose::participation, agent, static_cast<std::uint64_t>(number), job);
    time *= std::exp(options_.compute_sigma * draws.normal());
  }
  return time;
}

void Participation::simulate(std::int64_t round) {
  if (is_asynchronous()) {
    simulate_asynchronous(round);
    return;
  }
  for (AgentId s = 0; s < seats_; ++s) {
    present_[index(s)] = {};
    take_seat(s, round, present_[index(s)]);
  }
  seconds_ += close_round();
  weigh();
  answers_in_all_ += answering_;
  skipped_rounds_ += is_skipped_ ? 1 : 0;
}

void Participation::take_seat(AgentId s, std::int64_t round, Present& present) const {
  Draws draws(seed_, Purpose::participation, s, static_cast<std::uint64_t>(round), seat);
  if (draws.uniform() > options_.probability) return;
  const std::int64_t group = group_size(s);
  if (trace_rounds_ == 0) {
    present.place = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(group)));
  } else {
    std::vector<std::int64_t> there;
    for (std::int64_t place = 0; place < group; ++place) {
      if (is_there(client(s, place), round)) there.push_back(place);
    }
    if (there.empty()) return;
    present.place = there[draws.below(there.size())];
  }
  present.answers = true;
  present.seconds = duration(client(s, present.place), round);
  if (options_.dropout == 0 || draws.uniform() >= options_.dropout) return;
  present.answers = options_.return_seconds > 0;
  present.seconds += options_.return_seconds;
}

double Participation::close_round() {
  std::vector<std::pair<double, AgentId>> answers;
  double left = 0;  // when the server learns that those who left are lost
  for (AgentId s = 0; s < seats_; ++s) {
    const Present& present = present_[index(s)];
    if (present.answers) answers.emplace_back(present.seconds, s);
    if (present.place >= 0 && !present.answers) left = std::max(left, present.seconds);
  }
  std::sort(answers.begin(), answers.end());
  std::size_t heard = answers.size();
  double end = answers.empty() ? left : std::max(left, answers.back().first);
  if (options_.policy == "cut-off") {
    const double deadline = options_.deadline_seconds;
    heard = 0;
    while (heard < answers.size() && answers[heard].first <= deadline) ++heard;
    end = heard == answers.size() && left == 0 ? end : deadline;
  } else if (options_.policy == "over-commit") {
    heard = std::min(heard, static_cast<std::size_t>(options_.wait_for));
    if (heard == static_cast<std::size_t>(options_.wait_for)) end = answers[heard - 1].first;
  }
  for (std::size_t i = heard; i < answers.size(); ++i) {
    present_[index(answers[i].second)].answers = false;
  }
  answering_ = static_cast<std::int64_t>(heard);
  return end;
}

void Participation::weigh() {
  is_skipped_ = answering_ < options_.minimum || answering_ == 0;
  const bool normalized = options_.weighting == "normalized";
  std::int64_t represented = 0;  // clients whose group has an answer
  for (AgentId s = 0; s < seats_; ++s) {
    if (present_[index(s)].answers) represented += group_size(s);
  }
  const double whole = normalized ? static_cast<double>(represented)
                                  : options_.probability * static_cast<double>(clients_);
  is_uniform_ = clients_ % seats_ == 0;
  for (AgentId s = 0; s < seats_; ++s) {
    Present& present = present_[index(s)];
    const bool counts = present.answers && !is_skipped_;
    present.weight = counts ? static_cast<double>(group_size(s)) / whole : 0;
  }
}

// Every agent works all the time; a step of the server takes the reports that are there once
// `wait_for` of them are, and those of agents whose last report would become too old.
void Participation::simulate_asynchronous(std::int64_t step) {
  if (step == 0) {
    for (AgentId s = 0; s < seats_; ++s) jobs_[index(s)].done = duration(s, 0);
  }
  std::vector<double> done;
  for (const Job& own : jobs_) done.push_back(own.done);
  std::nth_element(done.begin(), done.begin() + (options_.wait_for - 1), done.end());
  double now = std::max(seconds_, done[static_cast<std::size_t>(options_.wait_for - 1)]);
  for (const Job& own : jobs_) {
    if (step - own.version >= options_.staleness) now = std::max(now, own.done);
  }
  answering_ = 0;
  for (AgentId s = 0; s < seats_; ++s) {
    Job& own = jobs_[index(s)];
    Present& present = present_[index(s)];
    present.place = 0;
    present.answers = own.done <= now;
    present.weight = 1 / static_cast<double>(seats_);
    if (!present.answers) continue;
    ++answering_;
    largest_staleness_ = std::max(largest_staleness_, step - own.version);
    own = {
        .done = now + duration(s, own.number + 1), .number = own.number + 1, .version = step + 1};
  }
  ECHELON_ASSERT(largest_staleness_ <= options_.staleness);
  seconds_ = now;
  answers_in_all_ += answering_;
}

}  // namespace echelon
