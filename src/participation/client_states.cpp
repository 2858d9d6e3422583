#include "echelon/participation/client_states.hpp"

#include <utility>

#include "echelon/core/parallel.hpp"

namespace echelon {

ClientStates::ClientStates(const Participation& participation, std::vector<AgentId> seats,
                           Index dimension, bool in_file)
    : participation_(&participation), seats_(std::move(seats)), dimension_(dimension) {
  const Index rows = dimension * participation.largest_group();
  const auto columns = static_cast<Index>(seats_.size());
  states_ = in_file ? AgentMatrix::in_file(rows, columns) : AgentMatrix(rows, columns);
}

double ClientStates::bytes(const Participation& participation, std::size_t seats, Index dimension) {
  return static_cast<double>(seats) * static_cast<double>(participation.largest_group()) *
         static_cast<double>(dimension) * sizeof(double);
}

void ClientStates::fill(const VectorXd& state) {
  const auto group = static_cast<Index>(participation_->largest_group());
  parallel_for(static_cast<int>(states_.cols()), [&](int i) {
    for (Index place = 0; place < group; ++place) {
      states_.col(i).segment(place * dimension_, dimension_) = state;
    }
  });
}

void ClientStates::load(AgentView& columns) const {
  parallel_for(static_cast<int>(columns.cols()), [&](int i) {
    const std::int64_t place = participation_->place(seats_[static_cast<std::size_t>(i)]);
    if (place >= 0) columns.col(i) = state(i, place);
  });
}

void ClientStates::store(const AgentView& columns) {
  parallel_for(static_cast<int>(columns.cols()), [&](int i) {
    const AgentId seat = seats_[static_cast<std::size_t>(i)];
    if (!participation_->answers(seat)) return;
    states_.col(i).segment(participation_->place(seat) * dimension_, dimension_) = columns.col(i);
  });
}

}  // namespace echelon
