#include "state_shard.hpp"

#include <algorithm>
#include <set>

#include "echelon/core/error.hpp"
#include "hdf5_writer.hpp"

namespace echelon::detail {

namespace {

constexpr const char* agents_path = "agents";
constexpr const char* per_agent_prefix = "per_agent/";
constexpr const char* replicated_prefix = "replicated/";

class Saver final : public StateVisitor {
 public:
  Saver(Hdf5Writer& out, Index agents, bool with_replicated)
      : out_(out), agents_(agents), with_replicated_(with_replicated) {}

 protected:
  void visit(const std::string& name, AgentMatrix& state) override {
    require(state.cols() == agents_, ErrorKind::internal, "state ", name, ": has ", state.cols(),
            " columns for ", agents_, " agents");
    if (agents_ == 0) return;
    out_.begin_rows(per_agent_prefix + name, agents_, state.rows(),
                    {"1", "state by agent, a row per agent"});
    out_.part(0, 0, agents_, state.rows(), state.data(), state.outerStride());
    out_.end_rows();
  }
  void visit(const std::string& name, double& value) override {
    if (with_replicated_) out_.scalar(replicated_prefix + name, value, about_);
  }
  void visit(const std::string& name, std::int64_t& value) override {
    if (with_replicated_) out_.scalar(replicated_prefix + name, value, about_);
  }
  void visit(const std::string& name, Eigen::MatrixXd& table) override {
    if (with_replicated_) out_.table(replicated_prefix + name, table, about_);
  }

 private:
  Hdf5Writer& out_;
  Index agents_;
  bool with_replicated_;
  About about_{"1", "state that all agents share"};
};

}  // namespace

FileDigest write_state_shard(const std::filesystem::path& path, const AgentSet& agents,
                             bool with_replicated, const VisitState& visit) {
  Hdf5Writer out(path);
  out.attribute("format", std::string("echelon checkpoint shard 1"));
  out.vector(agents_path, std::span<const AgentId>(agents.local), {"1", "agent of each row"});
  Saver saver(out, agents.count(), with_replicated);
  visit(saver);
  return out.finish();
}

/// Checks names and shapes, and in a second pass reads.
class StateReader::Visitor final : public StateVisitor {
 public:
  Visitor(const StateReader& from, bool reading) : from_(from), reading_(reading) {}

  /// Nothing may be left that no state asked for.
  void require_all_visited() const {
    if (from_.replicated_) require_visited(*from_.replicated_, replicated_prefix);
    for (const Source& source : from_.sources_) require_visited(*source.file, per_agent_prefix);
  }

 protected:
  void visit(const std::string& name, AgentMatrix& state) override {
    const std::string path = per_agent_prefix + name;
    visited_.insert(path);
    require(state.cols() == from_.local_agents_, ErrorKind::internal, "state ", name, ": has ",
            state.cols(), " columns for ", from_.local_agents_, " agents");
    for (const Source& source : from_.sources_) {
      const DatasetShape expected{
          ElementKind::real, sizeof(double), {source.agents, static_cast<hsize_t>(state.rows())}};
      require_shape(*source.file, path, expected);
      if (!reading_) continue;
      for (const Run& run : source.runs) {
        source.file->rows(path, run.row, static_cast<hsize_t>(run.count),
                          state.data() + run.column * state.outerStride(),
                          static_cast<hsize_t>(state.outerStride()));
      }
    }
  }
  void visit(const std::string& name, double& value) override {
    const std::string path = checked(name, {ElementKind::real, sizeof(double), {}});
    if (reading_) value = from_.replicated_->real(path);
  }
  void visit(const std::string& name, std::int64_t& value) override {
    const std::string path = checked(name, {ElementKind::integer, sizeof(std::int64_t), {}});
    if (reading_) value = from_.replicated_->integer(path);
  }
  /// The number of rows is part of the state; the number of columns is not, unless there is nothing
  /// to compare with.
  void visit(const std::string& name, Eigen::MatrixXd& table) override {
    const std::string path = replicated_prefix + name;
    const Hdf5Reader& file = *from_.replicated_;
    const DatasetShape& found = file.shape(path);
    DatasetShape expected{
        ElementKind::real, sizeof(double), {0, static_cast<hsize_t>(table.cols())}};
    if (found.extents.size() == 2) {
      expected.extents[0] = found.extents[0];
      if (table.size() == 0) expected.extents[1] = found.extents[1];
    }
    checked(name, expected);
    if (!reading_) return;
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows(
        static_cast<Index>(expected.extents[0]), static_cast<Index>(expected.extents[1]));
    file.rows(path, 0, expected.extents[0], rows.data(), expected.extents[1]);
    table = rows;
  }

 private:
  std::string checked(const std::string& name, const DatasetShape& expected) {
    const std::string path = replicated_prefix + name;
    visited_.insert(path);
    require_shape(*from_.replicated_, path, expected);
    return path;
  }

  static void require_shape(const Hdf5Reader& file, const std::string& path,
                            const DatasetShape& expected) {
    const auto found = file.datasets().find(path);
    require(found != file.datasets().end(), ErrorKind::bad_data, file.file(), ": `", path,
            "` is missing (the checkpoint was written by another composition or version)");
    const DatasetShape& shape = found->second;
    require(shape.kind == expected.kind && shape.element_bytes == expected.element_bytes,
            ErrorKind::bad_data, file.file(), ": `", path,
            "` holds another kind of numbers (the checkpoint was written by another version)");
    require(shape.extents == expected.extents, ErrorKind::bad_data, file.file(), ": `", path,
            "` is ", shape.text(), " instead of ", expected.text(),
            " (the checkpoint was written for another problem)");
  }

  void require_visited(const Hdf5Reader& file, const std::string& prefix) const {
    for (const auto& [path, shape] : file.datasets()) {
      require(!path.starts_with(prefix) || visited_.count(path) > 0, ErrorKind::bad_data,
              file.file(), ": `", path,
              "` is not known here (the checkpoint was written by another composition or version)");
    }
  }

  const StateReader& from_;
  bool reading_;
  std::set<std::string> visited_;
};

StateReader::StateReader(const std::filesystem::path& folder, const Manifest& manifest,
                         const AgentSet& agents)
    : local_agents_(agents.count()),
      replicated_(std::make_unique<Hdf5Reader>(folder / manifest.shards.front().name)) {
  for (const ShardEntry& shard : manifest.shards) add_source(folder / shard.name, shard, agents);
}

void StateReader::add_source(const std::filesystem::path& path, const ShardEntry& shard,
                             const AgentSet& agents) {
  Source source;
  source.agents = shard.agents.size();
  std::size_t row = 0;
  for (std::size_t column = 0; column < agents.local.size(); ++column) {
    while (row < shard.agents.size() && shard.agents[row] < agents.local[column]) ++row;
    if (row == shard.agents.size()) break;
    if (shard.agents[row] != agents.local[column]) continue;
    const bool extends =
        !source.runs.empty() &&
        source.runs.back().row + static_cast<hsize_t>(source.runs.back().count) == row &&
        source.runs.back().column + source.runs.back().count == static_cast<Index>(column);
    if (!extends) source.runs.push_back({row, static_cast<Index>(column), 0});
    ++source.runs.back().count;
  }
  if (source.runs.empty()) return;
  source.file = std::make_unique<Hdf5Reader>(path);
  require(source.file->agent_ids(agents_path, shard.agents.size()) == shard.agents,
          ErrorKind::bad_data, path.string(), ": `", agents_path, "` differs from the manifest");
  sources_.push_back(std::move(source));
}

void StateReader::restore(const VisitState& visit) const {
  Visitor check(*this, false);
  visit(check);
  check.require_all_visited();
  Visitor read(*this, true);
  visit(read);
}

}  // namespace echelon::detail
