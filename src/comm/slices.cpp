#include "echelon/comm/slices.hpp"

#include <algorithm>

#include "echelon/core/parallel.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

namespace {

constexpr int numbers_tag = 4;
constexpr int results_tag = 5;
/// Coordinates that a rank folds at a time.
constexpr Index rows_at_a_time = 4096;

}  // namespace

CoordinateFolds::CoordinateFolds(const AgentSet& agents, const std::vector<int>& owner,
                                 const Communicator& communicator)
    : communicator_(communicator),
      agents_of_(static_cast<std::size_t>(communicator.size())),
      agents_(agents.total),
      outgoing_(agents_of_.size()),
      incoming_(agents_of_.size()) {
  for (AgentId a = 0; a < agents.total; ++a) {
    agents_of_[static_cast<std::size_t>(owner[static_cast<std::size_t>(a)])].push_back(a);
  }
}

Index CoordinateFolds::begin_of(const Piece& piece, int rank) const {
  return piece.from + piece.rows * rank / communicator_.size();
}

void CoordinateFolds::operator()(const AgentView& local, const CoordinateFold& fold,
                                 VectorXd& result) {
  const TraceSpan span("reduce", "coordinates of all agents");
  const Index rows = local.rows();
  result.resize(rows);
  last_bytes_ = 0;
  const Index step = rows_at_a_time * communicator_.size();
  for (Index from = 0; from < rows; from += step) {
    const Piece piece{from, std::min(step, rows - from)};
    trade_numbers(local, piece);
    fold_own(piece, fold, result.data());
    trade_results(piece, result.data());
  }
}

/// Fills `incoming_` with the own slice of every rank's columns.
void CoordinateFolds::trade_numbers(const AgentView& local, const Piece& piece) {
  const int me = communicator_.rank();
  const Index own_rows = begin_of(piece, me + 1) - begin_of(piece, me);
  std::vector<MPI_Request> requests;
  for (int r = 0; r < communicator_.size(); ++r) {
    const auto at = static_cast<std::size_t>(r);
    incoming_[at].resize(agents_of_[at].size() * static_cast<std::size_t>(own_rows));
    if (r == me || incoming_[at].empty()) continue;
    requests.emplace_back();
    check_mpi(MPI_Irecv(incoming_[at].data(), static_cast<int>(incoming_[at].size()), MPI_DOUBLE, r,
                        numbers_tag, communicator_.handle(), &requests.back()),
              "MPI_Irecv");
  }
  for (int r = 0; r < communicator_.size(); ++r) {
    const auto at = static_cast<std::size_t>(r);
    const Index begin = begin_of(piece, r);
    const Index rows = begin_of(piece, r + 1) - begin;
    std::vector<double>& slice = r == me ? incoming_[at] : outgoing_[at];
    slice.resize(static_cast<std::size_t>(local.cols() * rows));
    for (Index i = 0; i < local.cols(); ++i) {
      std::copy_n(local.data() + i * local.outerStride() + begin, rows, slice.data() + i * rows);
    }
    if (r == me || slice.empty()) continue;
    requests.emplace_back();
    check_mpi(MPI_Isend(slice.data(), static_cast<int>(slice.size()), MPI_DOUBLE, r, numbers_tag,
                        communicator_.handle(), &requests.back()),
              "MPI_Isend");
    last_bytes_ += static_cast<std::int64_t>(slice.size() * sizeof(double));
  }
  communicator_.wait_all(requests, [](std::size_t) { return "coordinates of all agents"; });
}

void CoordinateFolds::fold_own(const Piece& piece, const CoordinateFold& fold, double* out) {
  const Index begin = begin_of(piece, communicator_.rank());
  const Index rows = begin_of(piece, communicator_.rank() + 1) - begin;
  numbers_.resize(static_cast<std::size_t>(rows * agents_));
  for (std::size_t r = 0; r < agents_of_.size(); ++r) {
    const double* column = incoming_[r].data();
    for (const AgentId agent : agents_of_[r]) {
      for (Index k = 0; k < rows; ++k) {
        numbers_[static_cast<std::size_t>(k * agents_ + agent)] = column[k];
      }
      column += rows;
    }
  }
  const auto n = static_cast<std::size_t>(agents_);
  parallel_for(static_cast<int>(rows), [&](int k) {
    out[begin + k] = fold({numbers_.data() + static_cast<std::size_t>(k) * n, n});
  });
}

void CoordinateFolds::trade_results(const Piece& piece, double* out) {
  const int me = communicator_.rank();
  std::vector<MPI_Request> requests;
  const auto each_other = [&](const auto& body) {
    for (int r = 0; r < communicator_.size(); ++r) {
      if (r != me) body(r);
    }
  };
  each_other([&](int r) {
    const Index rows = begin_of(piece, r + 1) - begin_of(piece, r);
    if (rows == 0) return;
    requests.emplace_back();
    check_mpi(MPI_Irecv(out + begin_of(piece, r), static_cast<int>(rows), MPI_DOUBLE, r,
                        results_tag, communicator_.handle(), &requests.back()),
              "MPI_Irecv");
  });
  const Index own = begin_of(piece, me + 1) - begin_of(piece, me);
  each_other([&](int r) {
    if (own == 0) return;
    requests.emplace_back();
    check_mpi(MPI_Isend(out + begin_of(piece, me), static_cast<int>(own), MPI_DOUBLE, r,
                        results_tag, communicator_.handle(), &requests.back()),
              "MPI_Isend");
    last_bytes_ += own * static_cast<std::int64_t>(sizeof(double));
  });
  communicator_.wait_all(requests, [](std::size_t) { return "folded coordinates"; });
}

}  // namespace echelon
