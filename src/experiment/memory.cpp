#include "echelon/experiment/memory.hpp"

#include <cstring>

#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

std::string MemoryEstimate::text() const {
  std::string parts = "data " + scaled_text(data, "B") + ", state " + scaled_text(state, "B");
  if (clients > 0) parts += ", states of clients " + scaled_text(clients, "B");
  parts += ", buffers " + scaled_text(buffers, "B");
  if (clients_in_file > 0) {
    parts += "; in a file " + scaled_text(clients_in_file, "B") + " of states of clients";
  }
  return scaled_text(total(), "B") + " (" + parts + ")";
}

MemoryEstimate tightest(const Communicator& communicator, const MemoryEstimate& own) {
  std::string bytes(sizeof own, '\0');
  std::memcpy(bytes.data(), &own, sizeof own);
  MemoryEstimate result = own;
  bool first = true;
  for (const std::string& theirs : communicator.gather_all(bytes)) {
    MemoryEstimate one;
    std::memcpy(&one, theirs.data(), sizeof one);
    if (first || one.limit - one.total() < result.limit - result.total()) result = one;
    first = false;
  }
  return result;
}

void require_fits(const MemoryEstimate& estimate) {
  if (estimate.total() <= estimate.limit) return;
  const std::string machine =
      echelon::text(scaled_text(estimate.free, "B"), " free for ", estimate.ranks, " rank",
                    estimate.ranks == 1 ? "" : "s", " of its machine");
  fail(ErrorKind::usage, "memory: rank ", estimate.rank, " would take ", estimate.text(),
       ", but may take ", scaled_text(estimate.limit, "B"),
       " (participation.memory, or what is free: ", machine,
       "); choose fewer agents or clients, or more ranks on other machines");
}

}  // namespace echelon
