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

/// Of clients that are sampled and may stay away.
void visit_sampling(OptionVisitor& visitor, ParticipationOptions& options) {
  visitor("clients", options.clients, at_least(0),
          "clients that take turns in the agents' seats; 0 = the agents themselves");
  visitor("probability", options.probability, above_up_to(0, 1),
          "probability that a slot is filled in a round; a client takes part with this probability "
          "times agents / clients");
  visitor("dropout", options.dropout, between(0, 1),
          "probability that a participant leaves in mid-round");
  if (options.dropout > 0) {
    visitor("return_seconds", options.return_seconds, at_least(0),
            "a participant that left comes back and answers this much later; 0 = it does not");
  } else {
    visitor.unread("return_seconds", "if dropout is above 0");
  }
  visitor("minimum", options.minimum, at_least(1),
          "smallest number of answers with which a round counts; others change nothing and are "
          "counted as skipped");
  visitor.choice("weighting", options.weighting, {"normalized", "unbiased"},
                 "weights of answers: group sizes, scaled to sum 1; or group sizes divided by the "
                 "probability that a slot is filled, which sum to 1 in the mean");
  visitor("availability", options.availability,
          "trace of who is there in which round (docs/file-formats.md); empty = everybody, always");
}

void visit_clock(OptionVisitor& visitor, ParticipationOptions& options) {
  visitor("speeds", options.speeds,
          "file of the clients' compute_seconds and link_seconds (docs/file-formats.md); empty = "
          "by the options");
  if (options.speeds.empty()) {
    visitor("compute_seconds", options.compute_seconds, at_least(0),
            "simulated seconds of a local step (median)");
    visitor("link_seconds", options.link_seconds, at_least(0), "simulated latency of one way");
  } else {
    visitor.unread("compute_seconds", "if speeds is empty");
    visitor.unread("link_seconds", "if speeds is empty");
  }
  visitor("link_rate", options.link_rate, at_least(0),
          "simulated bytes per second of a link; 0 = no limit");
  if (options.is_timed()) {
    visitor("compute_sigma", options.compute_sigma, at_least(0),
            "log-normal spread of the time of each answer, the link included");
    visitor("client_sigma", options.client_sigma, at_least(0),
            "log-normal spread of the speed of clients, which they keep");
  } else {
    const char* const timed =
        "if there are times: compute_seconds, link_seconds, link_rate or speeds";
    visitor.unread("compute_sigma", timed);
    visitor.unread("client_sigma", timed);
  }
}

/// Names of policies under which clients are sampled.
std::string synchronous_policies() {
  std::string names;
  for (const PolicyEntry& policy : policy_catalog()) {
    if (!policy.is_asynchronous()) names += (names.empty() ? "" : ", ") + policy.name;
  }
  return names;
}

}  // namespace

void ParticipationOptions::visit(OptionVisitor& visitor) {
  policy.visit(visitor, "policy", "when the server goes on (`echelon list policies`)");
  if (is_asynchronous()) {
    for (const char* const name : {"clients", "probability", "dropout", "return_seconds", "minimum",
                                   "weighting", "availability"}) {
      visitor.unread(name, "by " + synchronous_policies() + "; this run uses " + policy->name);
    }
  } else {
    visit_sampling(visitor, *this);
  }
  visit_clock(visitor, *this);
  visitor.operational(true);
  visitor("memory", memory, at_least(0),
          "most GB (1e9 bytes) that a rank may take for the run, checked before it starts; state "
          "of clients beyond half of it goes to a file; 0 = what the machine has free, divided by "
          "its ranks");
  visitor.operational(false);
}

bool ParticipationOptions::is_on(AgentId seats) const {
  const bool rotates = clients > seats;
  return rotates || probability < 1 || dropout > 0 || !availability.empty() || minimum > 1 ||
         !policy->uses_all_responses || is_timed() || clients > 0;
}

bool ParticipationOptions::is_timed() const {
  return compute_seconds > 0 || link_seconds > 0 || link_rate > 0 || !speeds.empty();
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
  const PolicyEntry& policy = *options_.policy;
  policy.check(options_.policy.options(), seats_);
  const bool simple = options_.clients <= seats_ && options_.probability == 1 &&
                      options_.dropout == 0 && trace_rounds_ == 0;
  require(!is_asynchronous() || simple, ErrorKind::usage, "participation.policy = ", policy.name,
          " is for agents that are always there; leave out participation.clients, probability, "
          "dropout and availability, or choose one of ",
          synchronous_policies());
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
  return always && options_.policy->uses_all_responses && clients_ % seats_ == 0;
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
  std::vector<double> times;
  for (const auto& answer : answers) times.push_back(answer.first);
  const RoundEnd end = options_.policy->end_round(options_.policy.options(), times, left);
  for (std::size_t i = end.used; i < answers.size(); ++i) {
    present_[index(answers[i].second)].answers = false;
  }
  answering_ = static_cast<std::int64_t>(end.used);
  return end.seconds;
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

// Every agent works all the time; who has reported goes on from the server's new value.
void Participation::simulate_asynchronous(std::int64_t step) {
  if (step == 0) {
    for (AgentId s = 0; s < seats_; ++s) jobs_[index(s)].done = duration(s, 0);
  }
  std::vector<Report> reports;
  for (const Job& own : jobs_) reports.push_back({own.done, step - own.version});
  const double now = options_.policy->next_step(options_.policy.options(), reports, seconds_);
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
  seconds_ = now;
  answers_in_all_ += answering_;
}

}  // namespace echelon
