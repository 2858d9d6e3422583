#include <exception>
#include <new>
#include <string>
#include <variant>
#include <vector>

#include "echelon.h"
#include "echelon/embed/gossip.hpp"
#include "option_list.hpp"

using namespace echelon;
using namespace echelon::detail;

struct echelon_communicator {
  GossipCommunicator gossip;
  std::string certificate;
};

namespace {

/// A variable with the push-sum of the same length, which costs no memory before it is used.
template <class Scalar>
struct Vectors {
  GossipVariable<Scalar> mixed;
  PushSum<Scalar> push_sum;
};

}  // namespace

struct echelon_variable {
  std::variant<Vectors<float>, Vectors<double>> vectors;
};

namespace {

constexpr ErrorKind usage = ErrorKind::usage;

std::string& last_error() {
  thread_local std::string text;
  return text;
}

int failed(ErrorKind kind, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {  // no memory for the text
    last_error().clear();
  }
  return static_cast<int>(kind);
}

/// Runs `body`; errors become numbers.
template <class Body>
int guarded(const Body& body) noexcept {
  try {
    body();
    return ECHELON_OK;
  } catch (const Error& error) {
    return failed(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(ErrorKind::internal, "memory ran out; use shorter variables or more machines");
  } catch (const std::exception& error) {
    return failed(ErrorKind::internal, error.what());
  } catch (...) {
    return failed(ErrorKind::internal, "an unknown exception");
  }
}

template <class Pointer>
Pointer given(Pointer pointer, const char* function, const char* what) {
  require(pointer != nullptr, usage, function, ": ", what, " is NULL; pass one");
  return pointer;
}

std::size_t length(const char* function, std::int64_t size) {
  require(size >= 0, usage, function, ": a size of ", size, " is out of range; use 0 or more");
  return static_cast<std::size_t>(size);
}

echelon_communicator* made(GossipCommunicator gossip) {
  std::string certificate = gossip.certificate().summary();
  return new echelon_communicator{std::move(gossip), std::move(certificate)};
}

/// `path` is that of a graph file, for the topology that reads one.
echelon_communicator* from_topology(const char* function, MPI_Comm comm, const char* topology,
                                    const char* path, const char* const* options) {
  OptionList list(function, "network", options);
  list.set("topology", topology);
  if (path != nullptr) list.set(file_topology().path_option, path);
  TopologyOptions network;
  HostOptions host;
  list.read(network);
  list.read(host);
  list.require_all_read(part_axes(network));
  require(!list.has("agents"), usage, function,
          ": agents cannot be chosen (there is one per rank); leave the option out");
  return made(GossipCommunicator(comm, std::move(network), host.gossip));
}

MixingMatrix matrix_from(AgentId agents, const std::int64_t* row_begin, const std::int32_t* senders,
                         const double* weights) {
  require(row_begin[0] == 0, ErrorKind::bad_data, "mixing matrix: row_begin[0] is ", row_begin[0],
          "; the first row begins at 0");
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(agents));
  for (AgentId i = 0; i < agents; ++i) {
    require(row_begin[i] <= row_begin[i + 1], ErrorKind::bad_data, "mixing matrix: row ", i,
            " ends before it begins (row_begin falls from ", row_begin[i], " to ", row_begin[i + 1],
            "); row_begin must not decrease");
    for (std::int64_t k = row_begin[i]; k < row_begin[i + 1]; ++k) {
      rows[static_cast<std::size_t>(i)].push_back({senders[k], weights[k]});
    }
  }
  std::string about_rows;
  try {
    return MixingMatrix(rows, Sums::rows);
  } catch (const Error& error) {
    about_rows = error.what();
  }
  try {
    return MixingMatrix(rows, Sums::columns);
  } catch (const Error&) {
    throw Error(ErrorKind::bad_data, about_rows);  // rows are what most people mean
  }
}

echelon_communicator* from_matrix(const char* function, MPI_Comm comm,
                                  const std::int64_t* row_begin, const std::int32_t* senders,
                                  const double* weights, const char* const* options) {
  OptionList list(function, "network", options);
  HostOptions host;
  list.read(host);
  list.require_all_read();
  given(row_begin, function, "row_begin");
  given(senders, function, "senders");
  given(weights, function, "weights");
  const auto make = [&](AgentId agents) {
    return periodic({matrix_from(agents, row_begin, senders, weights)});
  };
  return made(GossipCommunicator(comm, make, host.gossip));
}

bool asks_for_compression(const OptionList& list) {
  for (const auto& option : describe_options(CompressedMixingOptions())) {
    if (list.has(option.name)) return true;
  }
  for (const CompressorEntry& entry : compressor_catalog()) {
    for (const auto& option : describe_options(entry.options)) {
      if (list.has(option.name)) return true;
    }
  }
  return false;
}

template <class Scalar>
GossipVariable<Scalar> mixed_of(GossipCommunicator& gossip, const char* name, std::int64_t size,
                                OptionList& list) {
  if (asks_for_compression(list)) {
    CompressedMixingOptions compressed;
    list.read(compressed);
    list.require_all_read();
    return gossip.variable<Scalar>(name, size, compressed.mixing);
  }
  PlainMixing mixing;
  list.read(mixing);
  list.require_all_read();
  return gossip.variable<Scalar>(name, size, mixing.mixing());
}

template <class Scalar>
echelon_variable* variable_of(GossipCommunicator& gossip, const char* name, std::int64_t size,
                              OptionList& list) {
  auto mixed = mixed_of<Scalar>(gossip, name, size, list);
  return new echelon_variable{
      Vectors<Scalar>{std::move(mixed), gossip.push_sum<Scalar>(name, size)}};
}

template <class Scalar>
Vectors<Scalar>& vectors(const char* function, echelon_variable* variable) {
  auto* found = std::get_if<Vectors<Scalar>>(&given(variable, function, "the variable")->vectors);
  require(found != nullptr, usage, function,
          ": the variable is of the other type; call the function of its type");
  return *found;
}

template <class Scalar>
std::span<Scalar> buffer(const char* function, Scalar* x, std::int64_t size) {
  return {given(x, function, "the buffer"), length(function, size)};
}

template <class Scalar>
int mean(const char* function, echelon_communicator* communicator, Scalar* x, std::int64_t size) {
  return guarded([&] {
    given(communicator, function, "the communicator");
    communicator->gossip.mean(buffer(function, x, size));
  });
}

template <class Scalar>
int mix(const char* function, echelon_variable* variable, Scalar* x, std::int64_t size) {
  return guarded([&] { vectors<Scalar>(function, variable).mixed.mix(buffer(function, x, size)); });
}

template <class Scalar>
int start(const char* function, echelon_variable* variable, const Scalar* x, std::int64_t size) {
  return guarded(
      [&] { vectors<Scalar>(function, variable).mixed.start(buffer(function, x, size)); });
}

template <class Scalar>
int finish(const char* function, echelon_variable* variable, Scalar* x, std::int64_t size) {
  return guarded(
      [&] { vectors<Scalar>(function, variable).mixed.finish(buffer(function, x, size)); });
}

template <class Scalar>
int push_sum(const char* function, echelon_variable* variable, Scalar* x, std::int64_t size,
             int rounds) {
  return guarded([&] {
    Vectors<Scalar>& of = vectors<Scalar>(function, variable);
    of.push_sum.mix(buffer(function, x, size), rounds);
  });
}

/// MPI_COMM_NULL before MPI_Init, when MPI would end the program.
MPI_Comm from_fortran(MPI_Fint comm) {
  int initialized = 0;
  return MPI_Initialized(&initialized) == MPI_SUCCESS && initialized != 0 ? MPI_Comm_f2c(comm)
                                                                          : MPI_COMM_NULL;
}

template <class Created, class Make>
int created_by(const char* function, Created** created, const Make& make) {
  return guarded([&] {
    given(created, function, "the place for the result");
    *created = make();
  });
}

}  // namespace

const char* echelon_version(void) {
  return version();
}

const char* echelon_last_error(void) {
  return last_error().c_str();
}

int echelon_create(MPI_Comm comm, const char* topology, const char* const* options,
                   echelon_communicator** created) {
  return created_by("echelon_create", created, [&] {
    return from_topology("echelon_create", comm, given(topology, "echelon_create", "the topology"),
                         nullptr, options);
  });
}

int echelon_create_from_file(MPI_Comm comm, const char* path, const char* const* options,
                             echelon_communicator** created) {
  constexpr auto function = "echelon_create_from_file";
  return created_by(function, created, [&] {
    return from_topology(function, comm, file_topology().name.c_str(),
                         given(path, function, "the path"), options);
  });
}

int echelon_create_from_matrix(MPI_Comm comm, const int64_t* row_begin, const int32_t* senders,
                               const double* weights, const char* const* options,
                               echelon_communicator** created) {
  constexpr auto function = "echelon_create_from_matrix";
  return created_by(function, created, [&] {
    return from_matrix(function, comm, row_begin, senders, weights, options);
  });
}

int echelon_create_fortran(MPI_Fint comm, const char* topology, const char* const* options,
                           echelon_communicator** created) {
  return echelon_create(from_fortran(comm), topology, options, created);
}

int echelon_create_from_matrix_fortran(MPI_Fint comm, const int64_t* row_begin,
                                       const int32_t* senders, const double* weights,
                                       const char* const* options, echelon_communicator** created) {
  return echelon_create_from_matrix(from_fortran(comm), row_begin, senders, weights, options,
                                    created);
}

void echelon_free(echelon_communicator* communicator) {
  delete communicator;
}

int echelon_mean_double(echelon_communicator* communicator, double* x, int64_t size) {
  return mean("echelon_mean_double", communicator, x, size);
}

int echelon_mean_float(echelon_communicator* communicator, float* x, int64_t size) {
  return mean("echelon_mean_float", communicator, x, size);
}

const char* echelon_certificate(const echelon_communicator* communicator) {
  return communicator == nullptr ? nullptr : communicator->certificate.c_str();
}

int64_t echelon_bytes_sent(const echelon_communicator* communicator) {
  return communicator == nullptr ? 0 : communicator->gossip.traffic().bytes;
}

int echelon_variable_create(echelon_communicator* communicator, const char* name, int64_t size,
                            int type, const char* const* options, echelon_variable** created) {
  constexpr auto function = "echelon_variable_create";
  return created_by(function, created, [&] {
    GossipCommunicator& gossip = given(communicator, function, "the communicator")->gossip;
    given(name, function, "the name");
    require(type == ECHELON_FLOAT || type == ECHELON_DOUBLE, usage, function, ": there is no type ",
            type, "; use ECHELON_FLOAT or ECHELON_DOUBLE");
    OptionList list(function, "consensus", options);
    return type == ECHELON_FLOAT ? variable_of<float>(gossip, name, size, list)
                                 : variable_of<double>(gossip, name, size, list);
  });
}

void echelon_variable_free(echelon_variable* variable) {
  delete variable;
}

int echelon_mix_double(echelon_variable* variable, double* x, int64_t size) {
  return mix("echelon_mix_double", variable, x, size);
}

int echelon_mix_float(echelon_variable* variable, float* x, int64_t size) {
  return mix("echelon_mix_float", variable, x, size);
}

int echelon_start_double(echelon_variable* variable, const double* x, int64_t size) {
  return start("echelon_start_double", variable, x, size);
}

int echelon_start_float(echelon_variable* variable, const float* x, int64_t size) {
  return start("echelon_start_float", variable, x, size);
}

int echelon_finish_double(echelon_variable* variable, double* x, int64_t size) {
  return finish("echelon_finish_double", variable, x, size);
}

int echelon_finish_float(echelon_variable* variable, float* x, int64_t size) {
  return finish("echelon_finish_float", variable, x, size);
}

int echelon_progress(echelon_variable* variable) {
  return guarded([&] {
    given(variable, "echelon_progress", "the variable");
    std::visit([](auto& of) { of.mixed.progress(); }, variable->vectors);
  });
}

int echelon_push_sum_double(echelon_variable* variable, double* x, int64_t size, int rounds) {
  return push_sum("echelon_push_sum_double", variable, x, size, rounds);
}

int echelon_push_sum_float(echelon_variable* variable, float* x, int64_t size, int rounds) {
  return push_sum("echelon_push_sum_float", variable, x, size, rounds);
}

int64_t echelon_rounds(const echelon_variable* variable) {
  if (variable == nullptr) return 0;
  return std::visit([](const auto& of) { return static_cast<int64_t>(of.mixed.round()); },
                    variable->vectors);
}
