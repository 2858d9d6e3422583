#pragma once
/// In which words tests of methods describe runs, and what they ask of them.

#include <gtest/gtest.h>

#include <string>

#include "contract/compositions.hpp"

namespace echelon::testing_support {

// Functions, since tests of other files may run before constants of this one exist.

/// One agent, exact means, no reports on the way.
inline Settings exactly() {
  return {
      {"consensus.strategy", "all-reduce"}, {"network.agents", "1"}, {"metrics.every", "1000000"}};
}

inline Settings method(const std::string& name, std::int64_t iterations) {
  return {{"method.name", name}, {"run.iterations", std::to_string(iterations)}};
}

/// Of problem `analytic`.
inline Settings instance(const std::string& name, int start = 0) {
  return exactly() + Settings{{"problem.name", "analytic"},
                              {"problem.instance", name},
                              {"problem.start", std::to_string(start)}};
}

inline double error_of(const Settings& settings) {
  return run(settings).at("distance_to_solution");
}

/// The means of x and y at the end, and how far the agents' x are from it.
struct Ending {
  VectorXd x, y;
  double consensus_error = 0;
};

/// Collective.
inline Ending end_of(const Settings& settings, MPI_Comm comm = MPI_COMM_WORLD) {
  Experiment experiment(Communicator(comm), configuration_of(settings), FileDataSource());
  Requests requests;
  const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::iterations_done))
      << outcome.detail;
  return {experiment.network().mean_for_report(experiment.method().x()),
          experiment.network().mean_for_report(experiment.method().y()),
          experiment.runner().figure("consensus_error_x")};
}

/// The message of the usage error that a composition or its run meets; empty if it meets none.
inline std::string refusal(const Settings& settings) {
  try {
    run(settings);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
    return error.what();
  }
  return "";
}

}  // namespace echelon::testing_support
