#include <mpi.h>

#include <echelon/testing.hpp>

#include "parts.hpp"

using namespace echelon;

TEST(Outside, Problem) {
  const ProblemEntry& entry = problem_catalog().at("shifted-mean");
  const FileDataSource no_data;
  const auto problem = entry.make({AgentSet{3, {0, 1, 2}}, no_data, 1, true}, entry.options);
  contract::check_gradients(*problem);
}

TEST(Outside, Method) {
  contract::check_method("double-loop");
  contract::check_method("double-loop",
                         {{"method.products", "exact"}, {"consensus.strategy", "exact-diffusion"}});
  contract::check_method("double-loop",
                         {{"network.topology", "wheel"}, {"network.weights", "timid"}});
}

TEST(Outside, Strategy) {
  contract::check_strategy({strategy_catalog(), "lazy-gossip"});
}

TEST(Outside, Topology) {
  contract::check_topology({topology_catalog(), "wheel"});
}

TEST(Outside, Compressor) {
  contract::check_compressor({compressor_catalog(), "group-max"});
}

TEST(Outside, Estimator) {
  contract::check_estimator({estimator_catalog(), "window"});
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  outside::add_parts();
  const int failed = RUN_ALL_TESTS();
  MPI_Finalize();
  return failed;
}
