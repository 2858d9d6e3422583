#include "echelon/runtime/runner.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "echelon/core/catalog.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Finds the first column that is not finite, or so large that its square overflows.
class DivergenceFinder final : public StateVisitor {
 public:
  explicit DivergenceFinder(const AgentSet& agents) : agents_(agents) {}
  std::int64_t agent = std::numeric_limits<std::int64_t>::max();
  std::string state;

 private:
  void visit(const std::string& name, AgentMatrix& block) override {
    for (Index i = 0; i < block.cols(); ++i) {
      // NaN and infinity survive the norm, in any position.
      if (block.col(i).squaredNorm() < std::numeric_limits<double>::infinity()) continue;
      const std::int64_t here = agents_.local[static_cast<std::size_t>(i)];
      if (here < agent) {
        agent = here;
        state = name;
      }
    }
  }
  void visit(const std::string&, double&) override {}
  void visit(const std::string&, std::int64_t&) override {}
  void visit(const std::string&, Eigen::MatrixXd&) override {}

  const AgentSet& agents_;
};

const Column participation_columns[] = {
    {"simulated_seconds", "s", "on the virtual clock, at the end of the present round"},
    {"answers", "1", "participants' answers that the server has used"},
    {"skipped_rounds", "1", "rounds with too few answers, which changed nothing"},
    {"largest_staleness", "1",
     "largest age of a report that was used, in steps of the server (asynchronous policies)"},
};

}  // namespace

std::string status_text(Status status) {
  switch (status) {
    case Status::iterations_done:
      return "done";
    case Status::time_up:
      return "time is up";
    case Status::target_reached:
      return "target reached";
    case Status::interrupted:
      return "interrupted";
    case Status::diverged:
      return "diverged";
  }
  return "";
}

void RunOptions::visit(OptionVisitor& visitor) {
  visitor.operational(true);
  visitor("iterations", iterations, at_least(0),
          "iterations in total, those before a restart included");
  visitor("seconds", seconds, at_least(0),
          "stop after this much wall time of this invocation; 0 = no limit");
  visitor("target", target,
          "stop when a figure of a report is reached, such as `distance_to_solution <= 1e-8`; "
          "empty = none");
  visitor("check_every", check_every, at_least(1), "iterations between checks for divergence");
  visitor("checkpoint_every", checkpoint_every, at_least(0),
          "iterations between checkpoints; 0 = by time alone");
  visitor("checkpoint_seconds", checkpoint_seconds, at_least(0),
          "seconds between checkpoints; 0 = by iterations alone");
  visitor("trace", trace,
          "record a timeline of iterations A to B-1 of all ranks, as `A:B`; trace.json in the run "
          "directory, for Perfetto; empty = none");
  visitor("trace_megabytes", trace_megabytes, between(1, 4096),
          "most megabytes of the timeline, of all ranks together");
  visitor.operational(false);
}

Runner::Runner(Method& method, BilevelProblem& problem, Network& network, Evaluator& evaluator,
               const RunOptions& options, const MetricsOptions& metrics,
               Participation* participation)
    : method_(method),
      problem_(problem),
      network_(network),
      evaluator_(evaluator),
      participation_(participation),
      options_(options),
      report_every_(metrics.every) {
  columns_ = {{"iteration", "1", "iterations made"},
              {"seconds", "s", "wall time, pauses between restarts excluded"}};
  const auto& figures = evaluator.columns();
  columns_.insert(columns_.end(), figures.begin(), figures.begin() + Evaluator::general_figures);
  columns_.push_back(
      {"gradient_calls", "1", "gradients of one f_i or g_i at one point, sum over agents"});
  columns_.push_back({"product_calls", "1", "exact second-order products, sum over agents"});
  columns_.push_back(
      {"value_calls", "1", "values of one f_i or g_i at one point, sum over agents"});
  columns_.push_back(
      {"bytes_sent", "B", "what agents sent to each other, as if each had a machine of its own"});
  if (participation_ != nullptr) {
    columns_.insert(columns_.end(), std::begin(participation_columns),
                    std::end(participation_columns));
  }
  columns_.insert(columns_.end(), figures.begin() + Evaluator::general_figures, figures.end());
  parse_target();
  parse_trace();
}

void Runner::parse_trace() {
  const std::string& range = options_.trace;
  if (range.empty()) return;
  const auto number = [&](const char* from, const char* to, std::int64_t& value) {
    const auto parsed = std::from_chars(from, to, value);
    return parsed.ec == std::errc() && parsed.ptr == to;
  };
  const auto colon = range.find(':');
  const bool good = colon != std::string::npos &&
                    number(range.data(), range.data() + colon, trace_begin_) &&
                    number(range.data() + colon + 1, range.data() + range.size(), trace_end_) &&
                    trace_begin_ >= 0 && trace_end_ > trace_begin_;
  require(good, ErrorKind::usage, "run.trace: `", range,
          "` is not of the form A:B with 0 <= A < B (the iterations to record), such as 100:120");
}

void Runner::follow_trace(const RunHooks& hooks, bool at_the_end) {
  const Communicator& ranks = network_.communicator();
  const bool wanted = !at_the_end && iteration_ >= trace_begin_ && iteration_ < trace_end_;
  if (wanted == tracing_) return;
  tracing_ = wanted;
  if (wanted) {
    const auto bytes = static_cast<std::size_t>(options_.trace_megabytes) * 1'000'000;
    ranks.barrier("the begin of a timeline");  // so that the clocks of all ranks start together
    Trace::start(bytes / static_cast<std::size_t>(ranks.size()));
    return;
  }
  Trace::stop();
  const std::string own = Trace::take(ranks.rank(), text("rank ", ranks.rank()));
  std::string json = R"({"displayTimeUnit":"ms","traceEvents":[)";
  const auto parts = ranks.gather_all(own);
  for (std::size_t r = 0; r < parts.size(); ++r) json += (r > 0 ? ",\n" : "\n") + parts[r];
  if (ranks.rank() == 0) hooks.trace(json + "\n]}\n");
}

void Runner::parse_target() {
  const std::string& rule = options_.target;
  if (rule.empty()) return;
  const auto at = rule.find_first_of("<>");
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.name);
  const std::string grammar =
      "run.target: `" + rule + "` is not of the form `column <= number` or `column >= number`";
  require(at != std::string::npos && at + 1 < rule.size() && rule[at + 1] == '=', ErrorKind::usage,
          grammar);
  const std::string name = rule.substr(0, rule.find_last_not_of(' ', at - (at > 0 ? 1 : 0)) + 1);
  const auto begin = rule.find_first_not_of(' ', at + 2);
  Target target;
  target.at_most = rule[at] == '<';
  require(begin != std::string::npos, ErrorKind::usage, grammar);
  const auto parsed = std::from_chars(rule.data() + begin, rule.data() + rule.size(), target.value);
  require(parsed.ec == std::errc() && parsed.ptr == rule.data() + rule.size(), ErrorKind::usage,
          grammar);
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), ErrorKind::usage, "run.target: there is no column `", name,
          "`; the nearest is `", nearest_name(name, names), "`");
  target.column = static_cast<std::size_t>(found - names.begin());
  require(evaluator_.exists(name), ErrorKind::usage, "run.target: ", name,
          " has no figure in this run, so the target would never be met (a hypergradient needs "
          "metrics.hypergradient = yes, "
          "a distance a known solution)");
  target_ = target;
}

double Runner::figure(std::string_view column) const {
  const Column& found = find_entry(columns_, column, "column");
  if (cells_.empty()) return no_figure;
  return *(cells_.end() - static_cast<std::ptrdiff_t>(columns_.size()) +
           (&found - columns_.data()));
}

Eigen::MatrixXd Runner::table() const {
  const auto width = static_cast<Index>(columns_.size());
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Rows>(cells_.data(), static_cast<Index>(cells_.size()) / width, width);
}

double Runner::elapsed() const {
  return elapsed_before_ + seconds_since(begin_);
}

void Runner::collect_counts() {
  const OracleCounts oracle = problem_.counts();
  const std::int64_t bytes = network_.traffic().bytes;
  std::int64_t fresh[] = {oracle.gradients - own_calls_.gradients,
                          oracle.products - own_calls_.products, oracle.values - own_calls_.values,
                          bytes - own_bytes_};
  network_.communicator().sum(fresh, "the counts of a report");
  calls_.gradients += fresh[0];
  calls_.products += fresh[1];
  calls_.values += fresh[2];
  bytes_ += fresh[3];
  own_calls_ = oracle;
  own_bytes_ = bytes;
}

void Runner::report(const RunHooks& hooks) {
  const TraceSpan span("run", "report");
  collect_counts();
  const ClientStates* const clients_y =
      participation_ == nullptr ? nullptr : participation_->states("y");
  const std::vector<double> figures = evaluator_.evaluate(method_.x(), method_.y(), clients_y);
  // Clocks differ between ranks, and a target may be one of time.
  const std::string seconds = network_.communicator().broadcast(number_text(elapsed()), 0);
  std::vector<double> row{static_cast<double>(iteration_), std::stod(seconds)};
  row.insert(row.end(), figures.begin(), figures.begin() + Evaluator::general_figures);
  row.push_back(static_cast<double>(calls_.gradients));
  row.push_back(static_cast<double>(calls_.products));
  row.push_back(static_cast<double>(calls_.values));
  row.push_back(static_cast<double>(bytes_));
  if (participation_ != nullptr) {
    const bool begun = iteration_ > 0;
    row.push_back(begun ? participation_->seconds() : 0);
    row.push_back(begun ? static_cast<double>(participation_->answers_in_all()) : 0);
    row.push_back(begun ? static_cast<double>(participation_->skipped_rounds()) : 0);
    row.push_back(begun ? static_cast<double>(participation_->largest_staleness()) : 0);
  }
  row.insert(row.end(), figures.begin() + Evaluator::general_figures, figures.end());
  cells_.insert(cells_.end(), row.begin(), row.end());
  hooks.report(row);
}

bool Runner::target_met() const {
  if (!target_ || cells_.empty()) return false;
  const double reached = figure(columns_[target_->column].name);
  return target_->at_most ? reached <= target_->value : reached >= target_->value;
}

std::string Runner::find_divergence() {
  const TraceSpan span("run", "check for divergence");
  DivergenceFinder finder(network_.agents());
  method_.visit_state(finder);
  std::int64_t first = -finder.agent;
  network_.communicator().maximum({&first, 1}, "the check for divergence");
  if (-first == std::numeric_limits<std::int64_t>::max()) return "";
  std::int64_t culprit = finder.agent == -first ? network_.communicator().rank() : -1;
  network_.communicator().maximum({&culprit, 1}, "the check for divergence");
  const std::string state =
      network_.communicator().broadcast(finder.state, static_cast<int>(culprit));
  return text("`", state, "` of agent ", -first, " is not finite at iteration ", iteration_,
              "; smaller steps may help, and so may looking for NaN in the data");
}

bool Runner::has_diverged(Outcome& outcome) {
  if (checked_ == iteration_) return false;
  checked_ = iteration_;
  outcome.detail = find_divergence();
  if (outcome.detail.empty()) return false;
  outcome.status = Status::diverged;
  outcome.iteration = iteration();
  return true;
}

void Runner::save(const RunHooks& hooks) {
  if (saved_ == iteration_) return;
  const TraceSpan span("run", "checkpoint");
  saved_ = iteration_;
  collect_counts();
  hooks.checkpoint(static_cast<std::uint64_t>(iteration_), elapsed());
  last_save_ = Clock::now();
}

OverlappedMaximum::Numbers Runner::wishes(Requests& requests) {
  const bool first_rank = network_.communicator().rank() == 0;  // clocks differ; one decides
  const bool save_due = first_rank && options_.checkpoint_seconds > 0 &&
                        seconds_since(last_save_) >= options_.checkpoint_seconds;
  if (save_due) last_save_ = Clock::now();  // it is granted one iteration later, and asked for once
  const bool time_up =
      first_rank && options_.seconds > 0 && seconds_since(begin_) >= options_.seconds;
  return {requests.checkpoint.exchange(false) || save_due, requests.leave.load(), time_up};
}

void Runner::iterate() {
  const TraceSpan span("run", "iteration");
  try {
    if (participation_ != nullptr) participation_->begin(iteration());
    method_.iterate(iteration());
    ++iteration_;
  } catch (const Error& error) {
    throw Error(error.kind(), text("iteration ", iteration_ + 1, ": ", error.what()),
                error.on_all_ranks());
  }
}

Outcome Runner::run(const RunHooks& hooks, Requests& requests) {
  begin_ = last_save_ = Clock::now();
  saved_ = checked_ = -1;
  if (participation_ != nullptr && iteration_ > 0) participation_->replay(iteration() - 1);
  OverlappedMaximum agreement(network_.communicator());
  Outcome outcome;
  // A report off the regular grid is not part of the state, so that a resumed run has the table of
  // an unbroken one.
  std::int64_t reported = cells_.empty() ? -1 : static_cast<std::int64_t>(figure("iteration"));
  const auto report_once = [&] {
    if (reported != iteration_) report(hooks);
    reported = iteration_;
  };
  const auto finish = [&](Status status) {
    agreement.finish();
    follow_trace(hooks, true);
    if (has_diverged(outcome)) return outcome;
    save(hooks);
    if (status != Status::interrupted) report_once();  // leaving is urgent
    outcome.status = status;
    outcome.iteration = iteration();
    return outcome;
  };
  if (iteration_ == 0) report_once();
  if (target_met()) return finish(Status::target_reached);
  while (iteration_ < options_.iterations) {
    if (trace_begin_ >= 0) follow_trace(hooks, false);
    iterate();
    const bool report_due = iteration_ % report_every_ == 0;
    const bool save_due =
        options_.checkpoint_every > 0 && iteration_ % options_.checkpoint_every == 0;
    const bool check_due = iteration_ == 1 || iteration_ % options_.check_every == 0;
    if ((report_due || save_due || check_due) && has_diverged(outcome)) {
      agreement.finish();
      return outcome;
    }
    if (report_due) report_once();
    hooks.progress(iteration());
    if (report_due && target_met()) {
      outcome.detail = options_.target;
      return finish(Status::target_reached);
    }
    const auto [save_wanted, leave, time_up] = agreement.exchange(wishes(requests));
    if (leave != 0) return finish(Status::interrupted);
    if (time_up != 0) return finish(Status::time_up);
    if (save_wanted == 0 && !save_due) continue;
    if (has_diverged(outcome)) {
      agreement.finish();
      return outcome;
    }
    save(hooks);
  }
  return finish(Status::iterations_done);
}

void Runner::visit_state(StateVisitor& visitor) {
  visitor.within("method", method_);
  visitor.replicated("iteration", iteration_);
  visitor.replicated("gradient_calls", calls_.gradients);
  visitor.replicated("product_calls", calls_.products);
  visitor.replicated("value_calls", calls_.values);
  visitor.replicated("bytes_sent", bytes_);
  Eigen::MatrixXd reports = table();
  visitor.replicated("reports", reports);
  cells_.clear();
  for (Index r = 0; r < reports.rows(); ++r) {
    for (Index c = 0; c < reports.cols(); ++c) cells_.push_back(reports(r, c));
  }
}

}  // namespace echelon
