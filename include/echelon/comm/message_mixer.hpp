#pragma once
/// Messages of equal size from every agent to its neighbors: what compressed variables and numbers
/// of other types travel in.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/comm/mixer.hpp"

namespace echelon {

/// Like Mixer, but with bytes: `fill(i, message)` writes the message of local agent i, and
/// `take(i, received)` is given all messages that i hears. The bytes of a message are counted as
/// they are; between ranks they travel in multiples of 8.
class MessageMixer {
 public:
  /// One message that an agent hears, its own among them if its self weight is not 0; ascending by
  /// sender.
  struct Received {
    AgentId sender;
    double weight;
    const std::byte* message;
  };

  MessageMixer(Network& network, std::string name, std::size_t bytes, Mixing mixing = {});

  /// fill(int local_agent, std::span<std::byte> message); in parallel over agents.
  template <class Fill>
  void start(const Fill& fill) {
    begin_round();
    parallel_for(network_->agents().count(), [&](int i) { fill(i, message_of(i)); });
    send();
  }
  void progress() {
    if (exchange_ && !progress_.is_running()) exchange_->progress();
  }
  /// take(int local_agent, std::span<const Received> received); in parallel over agents.
  template <class Take>
  void finish(const Take& take) {
    receive();
    parallel_for(network_->agents().count(), [&](int i) { take(i, received_by(i)); });
    end_round();
  }
  template <class Fill, class Take>
  void operator()(const Fill& fill, const Take& take) {
    start(fill);
    finish(take);
  }

  std::uint64_t round() const { return static_cast<std::uint64_t>(round_); }
  void visit_state(StateVisitor& visitor) { visitor.replicated("round", round_); }

 private:
  void begin_round();
  std::span<std::byte> message_of(int agent);
  void send();
  void receive();
  std::span<const Received> received_by(int agent) const;
  void end_round();

  Network* network_;
  std::string name_;
  std::size_t bytes_;
  Mixing mixing_;
  std::int64_t round_ = 0;
  std::shared_ptr<Exchange> exchange_;
  std::vector<Received> received_;  ///< of all local agents, as the plan's terms
  detail::ProgressThread progress_;
};

}  // namespace echelon
