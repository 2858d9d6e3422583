#pragma once
/// What the executable can do. Each returns its exit code or throws an Error.

#include "arguments.hpp"
#include "echelon/runtime/runner.hpp"

namespace echelon::cli {

constexpr int exit_done = 0;
constexpr int exit_diverged = 3;
constexpr int exit_damaged = 65;
constexpr int exit_interrupted = 75;

/// Collective over MPI_COMM_WORLD, which must be initialized.
int run(const Arguments& arguments, Requests& requests);
int resume(const Arguments& arguments, Requests& requests);

int sweep(const Arguments& arguments);
int list(const Arguments& arguments);
int describe(const Arguments& arguments);
int topology(const Arguments& arguments);
int inspect(const Arguments& arguments);

std::string help_text();

}  // namespace echelon::cli
