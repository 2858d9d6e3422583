#pragma once
/// Small configurations of everything that is registered, and one call to run them.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/file_data_source.hpp"

namespace echelon::testing_support {

using Settings = std::map<std::string, std::string>;

inline Settings operator+(Settings a, const Settings& b) {
  for (const auto& [key, value] : b) a[key] = value;
  return a;
}

/// A small instance of each registered problem; fails for one that nobody has added here.
inline Settings small_problem(const std::string& name) {
  const std::string data = std::string(ECHELON_SOURCE_DIR) + "/examples/data/";
  const Settings base{{"problem.name", name}};
  if (name == "quadratic")
    return base + Settings{{"problem.upper_dimension", "5"}, {"problem.lower_dimension", "7"}};
  if (name == "p-q") return base + Settings{{"problem.heterogeneity", "0.5"}};
  if (name == "finite-sum") {
    return base + Settings{{"problem.instance", "qg-1"}, {"problem.batch", "2"}};
  }
  if (name == "log-cosh") return base;
  if (name == "ridge") {
    return base + Settings{{"problem.train", "20"}, {"problem.validation", "14"}};
  }
  if (name == "sparse-regression") {
    return base + Settings{{"problem.train", "20"}, {"problem.validation", "14"}};
  }
  if (name == "analytic") return base + Settings{{"problem.heterogeneity", "0.1"}};
  if (name == "hyper-cleaning") {
    return base + Settings{{"problem.images", data + "mnist/t10k-images-idx3-ubyte.gz"},
                           {"problem.labels", data + "mnist/t10k-labels-idx1-ubyte.gz"},
                           {"problem.train", "90"},
                           {"problem.validation", "40"},
                           {"problem.test", "30"},
                           {"method.alpha", "10"}};
  }
  if (name == "client-softmax") {
    return base + Settings{{"problem.images", data + "mnist/t10k-images-idx3-ubyte.gz"},
                           {"problem.labels", data + "mnist/t10k-labels-idx1-ubyte.gz"},
                           {"problem.test", "9800"},
                           {"problem.client_train", "9"},
                           {"problem.client_validation", "5"},
                           {"problem.client_test", "4"},
                           {"problem.dirichlet_alpha", "0.5"}};
  }
  if (name == "regularization") {
    return base + Settings{{"problem.data", data + "a9a/a9a.t.gz"}, {"problem.precision", "float"}};
  }
  if (name == "hyper-representation") {
    return base + Settings{{"problem.images", data + "mnist/t10k-images-idx3-ubyte.gz"},
                           {"problem.labels", data + "mnist/t10k-labels-idx1-ubyte.gz"},
                           {"problem.samples", "60"},
                           {"problem.hidden", "3-4"}};
  }
  if (name == "demodulation") {
    return base + Settings{{"problem.devices", "9"},
                           {"problem.pilots_per_symbol", "1"},
                           {"problem.payload_per_symbol", "2"},
                           {"problem.hidden", "4"},
                           {"problem.proximity", "0.5"},
                           {"problem.test_devices", "4"},
                           {"problem.test_payload_per_symbol", "2"},
                           {"problem.adaptation_steps", "3"}};
  }
  ADD_FAILURE() << "no small configuration of problem `" << name << "`";
  return base;
}

/// A small problem that a registered method is made for.
inline Settings problem_for(const MethodEntry& method) {
  if (method.serves.equalities) {
    return small_problem("analytic") + Settings{{"problem.instance", "p-q-eq"}};
  }
  if (method.serves.inequalities) {
    return small_problem("analytic") + Settings{{"problem.instance", "clark-westerberg"}};
  }
  if (method.name == "bvfim") {  // needs a bound on the values of g
    return small_problem("analytic") + Settings{{"problem.instance", "sine"}};
  }
  return small_problem(method.name == "aid-woodfisher" ? "ridge" : "quadratic");
}

inline Configuration configuration_of(const Settings& settings) {
  Configuration configuration;
  for (const auto& [key, value] : settings) configuration.set(key, value, "test");
  return configuration;
}

/// Collective over `comm`: runs without files and returns the last report by column name.
inline std::map<std::string, double> run(const Settings& settings, MPI_Comm comm = MPI_COMM_WORLD,
                                         Status expected = Status::iterations_done) {
  Experiment experiment(Communicator(comm), configuration_of(settings), FileDataSource());
  Requests requests;
  const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(expected)) << outcome.detail;
  std::map<std::string, double> last;
  const auto& table = experiment.runner().table();
  const auto& columns = experiment.runner().columns();
  for (std::size_t c = 0; c < columns.size(); ++c)
    last[columns[c].name] = table(table.rows() - 1, static_cast<Index>(c));
  return last;
}

}  // namespace echelon::testing_support
