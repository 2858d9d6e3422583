#include "echelon/comm/message_mixer.hpp"

namespace echelon {

namespace {

Index numbers_for(std::size_t bytes) {
  return static_cast<Index>((bytes + sizeof(double) - 1) / sizeof(double));
}

}  // namespace

MessageMixer::MessageMixer(Network& network, std::string name, std::size_t bytes, Mixing mixing)
    : network_(&network), name_(std::move(name)), bytes_(bytes), mixing_(mixing) {}

void MessageMixer::begin_round() {
  exchange_ = network_->acquire(numbers_for(bytes_));
  exchange_->begin(network_->plan(round(), mixing_), name_, Exchange::Pace::all_at_once);
  ++round_;
  static_cast<void>(exchange_->unpublished());  // made before threads ask for it
}

std::span<std::byte> MessageMixer::message_of(int agent) {
  const int place = exchange_->plan().place[static_cast<std::size_t>(agent)];
  double* column =
      place >= 0 ? exchange_->outgoing(place, 0) : exchange_->unpublished().col(agent).data();
  return {reinterpret_cast<std::byte*>(column), bytes_};
}

void MessageMixer::send() {
  exchange_->publish(exchange_->strips());
  if (exchange_->has_messages()) progress_.start(exchange_);
}

void MessageMixer::receive() {
  const TraceSpan span("mix", "messages of", name_);
  progress_.stop();
  exchange_->wait(exchange_->strips());
  const detail::Columns columns(*exchange_);
  received_.clear();
  for (const auto& term : exchange_->plan().terms) {
    received_.push_back(
        {term.sender, term.weight, reinterpret_cast<const std::byte*>(columns.at(term.slot, 0))});
  }
}

std::span<const MessageMixer::Received> MessageMixer::received_by(int agent) const {
  const auto& offsets = exchange_->plan().offsets;
  const auto begin = offsets[static_cast<std::size_t>(agent)];
  return {received_.data() + begin, offsets[static_cast<std::size_t>(agent) + 1] - begin};
}

void MessageMixer::end_round() {
  exchange_->end();
  network_->count_round(exchange_->plan(), static_cast<std::int64_t>(bytes_),
                        exchange_->bytes_per_round(), RoundNote::Kind::message);
  network_->release(std::move(exchange_));
}

}  // namespace echelon
