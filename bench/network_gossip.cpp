// Seconds and bytes per round of several ways to agree, between hosts: one agent per rank, one rank
// per host, DIMENSION numbers per agent.
//
//     mpirun -n R bench_network_gossip DIMENSION [INTERFACE]
//
// One line per way. `sent_bytes` is what left INTERFACE per round and host, headers and
// acknowledgements included; 0 without INTERFACE. `ratio` is to the first way, pair by pair.

#include <fstream>
#include <functional>
#include <memory>

#include "echelon/consensus/strategy.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/topology/topologies.hpp"
#include "network_bench.hpp"

namespace {

using namespace bench;

struct Way {
  const char* name;
  std::function<void()> round;                          ///< not measured if empty
  std::function<echelon::Traffic()> traffic = nullptr;  ///< what the library counts, if it does
};

struct Setting {
  Index dimension;
  int rank = rank_of(MPI_COMM_WORLD);
  int size = size_of(MPI_COMM_WORLD);
};

/// A network and a block of its agents, which live as long as the way that uses them.
struct Agents {
  Agents(const Setting& setting, const char* topology)
      : network(echelon::Communicator(MPI_COMM_WORLD), schedule(setting, topology)),
        x(setting.dimension, 1),
        mean(setting.dimension) {
    fill(x, setting.rank);
  }
  static echelon::SharedSchedule schedule(const Setting& setting, const char* topology) {
    echelon::TopologyOptions options;
    options.agents = setting.size;
    options.topology = topology;
    return echelon::make_schedule(options);
  }
  echelon::Network network;
  AgentMatrix x;
  echelon::VectorXd mean;
};

Way all_reduce(const Setting& setting) {
  auto agents = std::make_shared<Agents>(setting, "ring");
  return {"all-reduce", [=] { agents->network.mean(agents->x, agents->mean); },
          [=] { return agents->network.traffic(); }};
}

Way gossip(const char* name, const Setting& setting, const char* topology) {
  auto agents = std::make_shared<Agents>(setting, topology);
  auto mixer = std::make_shared<echelon::Mixer>(agents->network.mixer("x", setting.dimension));
  return {name, [=] { (*mixer)(agents->x, agents->x); }, [=] { return agents->network.traffic(); }};
}

/// Gossip with reference points: of the difference to what neighbors know, the largest tenth is
/// sent.
Way compressed_ring(const Setting& setting) {
  auto agents = std::make_shared<Agents>(setting, "ring");
  const echelon::Chosen<echelon::StrategyEntry> choco(echelon::strategy_catalog(), "choco");
  std::shared_ptr<echelon::ConsensusStrategy> strategy =
      choco->make({agents->network, "x", setting.dimension, choco.options(), 1});
  strategy->begin(agents->x);
  auto still = std::make_shared<AgentMatrix>(setting.dimension, 1);
  return {"ring, top 10 %", [=] { strategy->advance(agents->x, *still, 0); },
          [=] { return agents->network.traffic(); }};
}

/// Plain MPI for comparison
Way plain_all_reduce(const Setting& setting) {
  const auto count = static_cast<std::size_t>(setting.dimension);
  auto x = std::make_shared<Buffer>(count, setting.rank);
  auto sum = std::make_shared<Buffer>(count);
  return {"MPI_Allreduce", [=] {
            MPI_Allreduce(x->data(), sum->data(), static_cast<int>(count), MPI_DOUBLE, MPI_SUM,
                          MPI_COMM_WORLD);
          }};
}

/// Whole vectors by Isend and Irecv; `senders` and `receivers` of round k.
template <class Senders, class Receivers>
Way plain_exchange(const char* name, const Setting& setting, Senders senders, Receivers receivers) {
  const auto count = static_cast<std::size_t>(setting.dimension);
  auto x = std::make_shared<Buffer>(count, setting.rank);
  auto received = std::make_shared<Buffer>(2 * count);
  auto round = std::make_shared<int>(0);
  return {name, [=] {
            std::vector<MPI_Request> requests;
            double* place = received->data();
            for (const int sender : senders(*round)) {
              MPI_Irecv(place, static_cast<int>(count), MPI_DOUBLE, sender, 0, MPI_COMM_WORLD,
                        &requests.emplace_back());
              place += count;
            }
            for (const int receiver : receivers(*round)) {
              MPI_Isend(x->data(), static_cast<int>(count), MPI_DOUBLE, receiver, 0, MPI_COMM_WORLD,
                        &requests.emplace_back());
            }
            MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
            ++*round;
          }};
}

Way plain_ring(const Setting& setting) {
  const int n = setting.size;
  const int i = setting.rank;
  const auto neighbors = [=](int) { return std::vector<int>{(i + n - 1) % n, (i + 1) % n}; };
  return plain_exchange("plain MPI ring", setting, neighbors, neighbors);
}

Way plain_one_peer(const Setting& setting) {
  const int n = setting.size;
  const int i = setting.rank;
  int hops = 0;  // 1, 2, 4, .. below n
  while ((1 << hops) < n) ++hops;
  const auto hop = [=](int round) { return 1 << (round % hops); };
  return plain_exchange(
      "plain MPI one-peer", setting,
      [=](int round) { return std::vector<int>{(i + n - hop(round)) % n}; },
      [=](int round) { return std::vector<int>{(i + hop(round)) % n}; });
}

double sent_bytes(const std::string& interface) {
  if (interface.empty()) return 0;
  double bytes = 0;
  std::ifstream("/sys/class/net/" + interface + "/statistics/tx_bytes") >> bytes;
  return bytes;
}

double mean_over_ranks(double value) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return value / size_of(MPI_COMM_WORLD);
}

/// Of one way, per round.
struct Result {
  std::vector<double> seconds;
  std::vector<double> sent;  ///< mean over hosts
  double counted = 0;        ///< mean over agents, of the last round
  double counted_by_rank = 0;
};

/// Two rounds, since one-peer alternates; all ways in turn, again and again.
std::vector<Result> measure(const std::vector<Way>& ways, const std::string& interface,
                            int repetitions) {
  constexpr int rounds = 2;
  std::vector<Result> results(ways.size());
  for (const Way& way : ways) {
    if (way.round) way.round();  // connects
    if (way.round) way.round();
  }
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t w = 0; w < ways.size(); ++w) {
      const Way& way = ways[w];
      if (!way.round) continue;
      const auto traffic = [&] { return way.traffic ? way.traffic() : echelon::Traffic{}; };
      const echelon::Traffic counted = traffic();
      MPI_Barrier(MPI_COMM_WORLD);
      const double sent = sent_bytes(interface);
      results[w].seconds.push_back(time(MPI_COMM_WORLD, way.round, rounds) / rounds);
      MPI_Barrier(MPI_COMM_WORLD);
      results[w].sent.push_back(mean_over_ranks(sent_bytes(interface) - sent) / rounds);
      const auto per_round = [&](std::int64_t after, std::int64_t before) {
        return mean_over_ranks(static_cast<double>(after - before)) / rounds;
      };
      results[w].counted = per_round(traffic().bytes, counted.bytes);
      results[w].counted_by_rank = per_round(traffic().rank_bytes, counted.rank_bytes);
    }
  }
  return results;
}

void print(const Way& way, const Result& result, const Result& first) {
  std::vector<double> ratios;
  for (std::size_t k = 0; k < result.seconds.size(); ++k) {
    ratios.push_back(result.seconds[k] / first.seconds[k]);
  }
  std::printf(
      "{\"way\": \"%s\", \"seconds\": %.6g, \"ratio\": %.4f, \"low\": %.4f, \"high\": %.4f, "
      "\"sent_bytes\": %.0f, \"counted_bytes\": %.0f, \"counted_rank_bytes\": %.0f}\n",
      way.name, quantile(result.seconds, 0.5), quantile(ratios, 0.5), quantile(ratios, 0.1),
      quantile(ratios, 0.9), quantile(result.sent, 0.5), result.counted, result.counted_by_rank);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  MPI_Init(&argc, &argv);
  {
    const Setting setting{std::atoll(argv[1])};
    const std::vector<Way> ways = {all_reduce(setting),
                                   gossip("ring", setting, "ring"),
                                   gossip("one-peer exponential", setting, "one-peer-exponential"),
                                   compressed_ring(setting),
                                   plain_all_reduce(setting),
                                   plain_ring(setting),
                                   plain_one_peer(setting)};
    const std::vector<Result> results = measure(ways, argc > 2 ? argv[2] : "", 5);
    if (setting.rank == 0) {
      for (std::size_t w = 0; w < ways.size(); ++w) {
        if (ways[w].round) print(ways[w], results[w], results[0]);
      }
    }
  }
  MPI_Finalize();
}
