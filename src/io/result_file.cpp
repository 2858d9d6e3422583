#include "echelon/io/result_file.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "hdf5_writer.hpp"

namespace echelon {

using namespace detail;

namespace {

constexpr Index batch_bytes = Index{32} << 20;

/// One rectangle of an iterate: some agents, some components. Depends on the shape only, never on
/// ranks.
struct Batch {
  AgentId first_agent, agents;
  Index first_component, components;
};

/// Batches in row-major order that cut no chunk: whole agents, or parts of one if it alone is too
/// large.
std::vector<Batch> batches(AgentId agents, Index components) {
  std::vector<Batch> all;
  if (components == 0) return all;
  const ChunkShape chunk =
      chunk_shape(static_cast<hsize_t>(agents), static_cast<hsize_t>(components), sizeof(double));
  const auto whole = [](Index wanted, hsize_t unit) {
    return std::max<Index>(wanted / static_cast<Index>(unit), 1) * static_cast<Index>(unit);
  };
  const Index limit = batch_bytes / static_cast<Index>(sizeof(double));
  const Index rows = whole(limit / components, chunk.rows);
  const Index columns = components <= limit ? components : whole(limit, chunk.columns);
  for (Index row = 0; row < agents; row += rows) {
    for (Index column = 0; column < components; column += columns) {
      all.push_back({static_cast<AgentId>(row),
                     static_cast<AgentId>(std::min<Index>(rows, agents - row)), column,
                     std::min(columns, components - column)});
    }
  }
  return all;
}

/// The part of `batch` that lives here: for each agent its id, then its components.
std::string pack(const AgentSet& agents, const AgentView& value, const Batch& batch) {
  const auto first = std::lower_bound(agents.local.begin(), agents.local.end(), batch.first_agent);
  const auto last = std::lower_bound(first, agents.local.end(), batch.first_agent + batch.agents);
  const std::size_t column_bytes = static_cast<std::size_t>(batch.components) * sizeof(double);
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(last - first) * (sizeof(AgentId) + column_bytes));
  for (auto agent = first; agent != last; ++agent) {
    const Index column = agent - agents.local.begin();
    bytes.append(reinterpret_cast<const char*>(&*agent), sizeof(AgentId));
    bytes.append(reinterpret_cast<const char*>(value.data() + column * value.outerStride() +
                                               batch.first_component),
                 column_bytes);
  }
  return bytes;
}

std::vector<double> unpack(const std::vector<std::string>& parts, const Batch& batch) {
  const auto components = static_cast<std::size_t>(batch.components);
  const std::size_t record = sizeof(AgentId) + components * sizeof(double);
  std::vector<double> rows(static_cast<std::size_t>(batch.agents) * components);
  AgentId found = 0;
  for (const std::string& part : parts) {
    for (std::size_t at = 0; at + record <= part.size(); at += record) {
      AgentId agent = 0;
      std::memcpy(&agent, part.data() + at, sizeof(agent));
      const auto row = static_cast<std::size_t>(agent - batch.first_agent);
      std::memcpy(rows.data() + row * components, part.data() + at + sizeof(agent),
                  record - sizeof(agent));
      ++found;
    }
  }
  require(found == batch.agents, ErrorKind::internal, "result: ", found, " agents of ",
          batch.agents, " sent their columns");
  return rows;
}

void write_shared(Hdf5Writer& out, const ResultContent& content) {
  out.attribute("format", std::string("echelon result 1"));
  out.attribute("problem", content.problem);
  out.attribute("method", content.method);
  out.attribute("status", content.status);
  out.attribute("iterations", content.iterations);
  out.string("configuration", content.configuration,
             {"1", "the configuration that decides what is computed (INI)"});
  for (const auto& mean : content.means) {
    out.vector("mean/" + mean.name,
               {mean.value.data(), static_cast<std::size_t>(mean.value.size())},
               {"1", mean.description});
  }
}

void write_metrics(Hdf5Writer& out, const ResultContent& content) {
  const std::size_t columns = content.column_names.size();
  const auto& table = content.metrics;
  require(content.column_units.size() == columns && content.column_descriptions.size() == columns &&
              (table.rows() == 0 || static_cast<std::size_t>(table.cols()) == columns),
          ErrorKind::internal, "result: metrics and the names of their columns differ in number");
  for (std::size_t c = 0; c < columns; ++c) {
    VectorXd values(table.rows());
    if (table.rows() > 0) values = table.col(static_cast<Index>(c));
    out.vector("metrics/" + content.column_names[c],
               {values.data(), static_cast<std::size_t>(values.size())},
               {content.column_units[c], content.column_descriptions[c]});
  }
}

void write_topology(Hdf5Writer& out, const ResultContent& content) {
  std::vector<AgentId> receivers, senders;
  std::vector<double> weights;
  for (const auto& [receiver, sender, weight] : content.edges) {
    receivers.push_back(receiver);
    senders.push_back(sender);
    weights.push_back(weight);
  }
  out.vector("topology/receiver", std::span<const AgentId>(receivers),
             {"1", "agent that receives, per edge"});
  out.vector("topology/sender", std::span<const AgentId>(senders),
             {"1", "agent that sends, per edge"});
  out.vector("topology/weight", std::span<const double>(weights),
             {"1", "weight that the receiver applies to what the sender sends"});
}

void write_baselines(Hdf5Writer& out, const ResultContent& content) {
  for (const auto& baseline : content.baselines) {
    require(baseline.values.size() == content.baseline_columns.size(), ErrorKind::internal,
            "result: baseline ", baseline.name, " has ", baseline.values.size(), " values for ",
            content.baseline_columns.size(), " metrics");
    for (std::size_t c = 0; c < baseline.values.size(); ++c) {
      out.scalar("baselines/" + baseline.name + "/" + content.baseline_columns[c],
                 baseline.values[c], {"1", baseline.description});
    }
  }
}

}  // namespace

void write_result(const Communicator& communicator, const AgentSet& agents,
                  const std::filesystem::path& path, const ResultContent& content) {
  std::unique_ptr<Hdf5Writer> out;  // on rank 0
  const auto on_rank_0 = [&](const auto& action) {
    communicator.together([&] {
      if (communicator.rank() == 0) action();
    });
  };
  on_rank_0([&] {
    out = std::make_unique<Hdf5Writer>(path);
    write_shared(*out, content);
    write_metrics(*out, content);
    write_topology(*out, content);
    write_baselines(*out, content);
  });
  for (const auto& iterate : content.iterates) {
    const AgentView& value = *iterate.value;
    communicator.require_on_all(value.cols() == agents.count(), ErrorKind::internal,
                                text("result: ", iterate.name, " has ", value.cols(),
                                     " columns for ", agents.count(), " agents"));
    on_rank_0([&] {
      out->begin_rows("iterates/" + iterate.name, agents.total, value.rows(),
                      {"1", iterate.description});
    });
    for (const Batch& batch : batches(agents.total, value.rows())) {
      const auto parts = communicator.gather_all(pack(agents, value, batch));
      on_rank_0([&] {
        const std::vector<double> rows = unpack(parts, batch);
        out->part(batch.first_agent, batch.first_component, batch.agents, batch.components,
                  rows.data(), batch.components);
      });
    }
    on_rank_0([&] { out->end_rows(); });
  }
  on_rank_0([&] { out->finish(); });
}

}  // namespace echelon
