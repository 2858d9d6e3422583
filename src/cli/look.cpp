#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "commands.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/experiment/cost.hpp"
#include "echelon/experiment/preset.hpp"
#include "echelon/io/graph_file.hpp"
#include "echelon/io/inspect.hpp"
#include "echelon/method/estimator.hpp"
#include "echelon/method/method.hpp"
#include "echelon/problem/catalog.hpp"
#include "echelon/topology/certificate.hpp"
#include "echelon/topology/pictures.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon::cli {

namespace {

struct Shown {
  std::string kind;
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::string section;
  std::vector<OptionDescription> options;
  std::vector<std::string> facts;
};

std::string need_text(NetworkNeed need) {
  switch (need) {
    case NetworkNeed::nothing:
      return "nothing of the network";
    case NetworkNeed::connected:
      return "a connected network, directed or not";
    case NetworkNeed::doubly_stochastic:
      return "a connected network with doubly stochastic weights";
    default:
      return "a connected network with symmetric weights";
  }
}

/// For formulas: which symbols have which length.
constexpr const char* shapes_text =
    "shapes, per agent: x, fx, gx and directions u of x in R^p; y, fy, gy and all else of the "
    "lower level (z, v, w, yhat, theta, y_j) in R^q; H = d2g/dy2 is q x q, J = d(gy)/dx is "
    "q x p; f, g, h, multipliers and steps are numbers; p and q are the problem's";

/// What a method takes into account of a lower level besides its smooth part.
std::string serves_text(const LowerLevel& serves) {
  if (serves.equalities) return "lower levels with linear equality constraints";
  if (serves.inequalities) return "lower levels with linear inequality constraints";
  std::string text = "smooth lower levels";
  if (serves.set) text += ", also kept in a box, a ball or a simplex";
  if (serves.nonsmooth) text += ", also with a nonsmooth term that has a proximal map";
  return text;
}

/// How what the strategies' names say becomes steps.
std::string means_text(const MethodEntry& method) {
  if (method.always_exact) {
    return "means: exact and first, whatever the strategies; all agents take the same step";
  }
  if (method.means_first) {
    return "means: first, then combined; any strategy but all-reduce stands for dynamic average "
           "consensus";
  }
  return "means: of directions, as the strategies say";
}

std::string calls_text(const CompositionCost& cost) {
  std::string text = cost.gradients.text() + " gradients";
  if (!cost.products.is_zero()) text += ", " + cost.products.text() + " exact products";
  if (!cost.values.is_zero()) text += ", " + cost.values.text() + " values";
  switch (cost.varies) {
    case Varies::exact:
      return text;
    case Varies::at_least:
      return "at least " + text;
    case Varies::at_most:
      return "at most " + text;
    default:
      return text + " on average";
  }
}

Shown shown_preset(const Preset& preset) {
  Configuration configuration;
  configuration.set("run.preset", preset.name, "describe");
  GeneralOptions general;
  general.read_from(configuration);
  const MethodEntry& method = *general.method;
  const CompositionCost cost = cost_of(general);
  std::string composition = "method " + method.name;
  for (const auto& [role, name] : {std::pair{Role::upper, "x"}, std::pair{Role::lower, "y"},
                                   std::pair{Role::auxiliary, "auxiliaries"}}) {
    composition += text(", ", name, " by ", general.consensus.entry(role).name);
  }
  composition += ", estimator " + general.estimator->name;
  std::vector<std::string> facts{origin_text(preset.origin),
                                 "composition: " + composition,
                                 "numbers sent per agent and iteration: " + cost.traffic_text(),
                                 "oracle calls per agent and iteration: " + calls_text(cost),
                                 shapes_text,
                                 "assumes: " + method.assumes,
                                 "serves: " + serves_text(method.serves)};
  if (!preset.note.empty()) facts.push_back("note: " + preset.note);
  std::string settings = "settings, which a configuration may override:";
  for (const auto& [key, value] : preset.settings) settings += "\n  " + key + " = " + value;
  facts.push_back(settings);
  return {"presets", preset.name, preset.summary, method.formula, preset.reference, "", {}, facts};
}

template <class Entry>
std::vector<std::string> aliases_of(const Entry& entry) {
  if constexpr (requires { entry.aliases; }) {
    std::string names;
    for (const auto& alias : entry.aliases) names += (names.empty() ? "" : ", ") + alias;
    if (!names.empty()) return {"also called " + names};
  }
  return {};
}

/// `options_of(entry)` describes what is read with that part.
template <class Entry, class Describe>
void add_parts(std::vector<Shown>& all, const std::string& kind, const std::string& section,
               const PartList<Entry>& parts, const Describe& options_of) {
  for (const Entry& entry : parts) {
    all.push_back({kind, entry.name, entry.summary, entry.formula, entry.reference, section,
                   options_of(entry), aliases_of(entry)});
  }
}

template <class Entry>
void add_parts(std::vector<Shown>& all, const std::string& kind, const std::string& section,
               const PartList<Entry>& parts) {
  add_parts(all, kind, section, parts,
            [](const Entry& entry) { return describe_options(entry.options); });
}

std::vector<Shown> everything() {
  std::vector<Shown> all;
  for (const auto& entry : problem_catalog()) {
    all.push_back({"problems",
                   entry.name,
                   entry.summary,
                   entry.formula,
                   entry.reference,
                   "problem",
                   describe_options(entry.options),
                   {}});
  }
  for (const auto& entry : method_catalog()) {
    all.push_back(
        {"methods",
         entry.name,
         entry.summary,
         entry.formula,
         entry.reference,
         "method",
         describe_options(entry.options),
         {shapes_text, "assumes: " + entry.assumes, "fails: " + entry.fails,
          "serves: " + serves_text(entry.serves), means_text(entry),
          std::string("data kernels run in ") + (entry.uses_products ? "double" : "float") +
              " unless problem.precision says otherwise"}});
  }
  for (const auto& entry : strategy_catalog()) {
    const StrategyTraits traits = entry.traits(entry.options);
    all.push_back({"consensus",
                   entry.name,
                   entry.summary,
                   entry.recursion,
                   entry.reference,
                   "consensus",
                   describe_options(entry.options),
                   {"asks for " + need_text(traits.need) +
                        (traits.changing_network ? ", which may change from round to round"
                                                 : ", the same at every round"),
                    "vectors sent per step: " +
                        number_text(traits.vectors_sent / static_cast<double>(traits.local_steps)),
                    std::string("constant steps on heterogeneous agents: ") +
                        (traits.exact_on_heterogeneous ? "exact" : "biased")}});
  }
  add_parts(all, "aggregation", "consensus", aggregation_catalog());
  add_parts(all, "compressors", "consensus", compressor_catalog());
  add_parts(all, "estimators", "estimator", estimator_catalog());
  add_parts(all, "steps", "steps", step_rule_catalog());
  add_parts(all, "attacks", "attack", attack_catalog());
  add_parts(all, "topologies", "network", topology_catalog(), [](const TopologyEntry& entry) {
    TopologyOptions network;
    network.topology = entry.name;
    return describe_options(network);
  });
  add_parts(all, "weights", "network", weights_catalog());
  add_parts(all, "policies", "participation", policy_catalog(), [](const PolicyEntry& entry) {
    ParticipationOptions participation;
    participation.policy = entry.name;
    return describe_options(participation);
  });
  for (const auto& preset : preset_catalog()) all.push_back(shown_preset(preset));
  return all;
}

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> names = {
      "problems",   "methods", "consensus", "aggregation", "compressors", "estimators",
      "topologies", "weights", "policies",  "steps",       "attacks",     "presets"};
  return names;
}

void print_options(const std::vector<OptionDescription>& options, const std::string& section) {
  for (const auto& option : options) {
    const std::string key = section + "." + option.name;
    std::printf("  %-30s %s%s%s, default %s\n      %s\n", key.c_str(), option.type.c_str(),
                option.range.empty() ? "" : " ", option.range.c_str(),
                option.value.empty() ? "empty" : option.value.c_str(), option.help.c_str());
  }
}

void print(const Shown& shown) {
  std::printf("%s (%s)\n%s\n\n  %s\n", shown.name.c_str(), shown.kind.c_str(),
              shown.summary.c_str(), shown.formula.c_str());
  for (const auto& fact : shown.facts) std::printf("\n%s", fact.c_str());
  if (!shown.facts.empty()) std::printf("\n");
  if (!shown.reference.empty()) std::printf("\nreference: %s\n", shown.reference.c_str());
  if (!shown.options.empty()) {
    std::printf("\noptions\n");
    print_options(shown.options, shown.section);
  }
}

void refuse_options(const Arguments& arguments) {
  if (arguments.options.empty()) return;
  fail(ErrorKind::usage, "`echelon ", arguments.command, "` has no option --",
       arguments.options.front().first, "; see `echelon --help`");
}

}  // namespace

int list(const Arguments& arguments) {
  refuse_options(arguments);
  require(arguments.words.size() <= 1, ErrorKind::usage, "`echelon list` takes at most one word");
  if (!arguments.words.empty()) {
    const std::string& word = arguments.words.front();
    const bool known = std::find(kinds().begin(), kinds().end(), word) != kinds().end();
    require(known, ErrorKind::usage, "there is no list of `", word, "`; the nearest is `",
            nearest_name(word, kinds()), "`");
  }
  for (const auto& kind : kinds()) {
    if (!arguments.words.empty() && kind != arguments.words.front()) continue;
    std::printf("%s\n", kind.c_str());
    for (const auto& shown : everything()) {
      if (shown.kind == kind)
        std::printf("  %-16s %s\n", shown.name.c_str(), shown.summary.c_str());
    }
  }
  return exit_done;
}

int describe(const Arguments& arguments) {
  refuse_options(arguments);
  require(arguments.words.size() == 1, ErrorKind::usage,
          "`echelon describe` takes one name; `echelon list` shows them");
  const auto all = everything();
  const std::string& name = arguments.words.front();
  find_entry(
      all, name,
      "problem, method, strategy, compressor, estimator, topology, weights, policy or preset");
  bool first = true;
  for (const Shown& shown : all) {  // a preset may be called as its method
    if (shown.name != name) continue;
    if (!first) std::printf("\n");
    first = false;
    print(shown);
  }
  return exit_done;
}

void write_text(const std::string& path, const std::string& content) {
  require(!std::filesystem::exists(path), ErrorKind::cannot_create, path,
          ": exists already; choose another name");
  std::ofstream file(path);
  require(file.good(), ErrorKind::cannot_create, path, ": cannot be created");
  file << content << std::flush;
  require(file.good(), ErrorKind::input_output, path, ": cannot be written");
}

int topology(const Arguments& arguments) {
  require(arguments.words.size() == 1, ErrorKind::usage,
          "`echelon topology` takes a name of `echelon list topologies` or a graph file");
  const std::string& word = arguments.words.front();
  Configuration configuration;
  std::string picture;
  std::string copy;
  for (const auto& [key, value] : arguments.options) {
    if (key == "svg") {
      picture = value;
    } else if (key == "write") {
      copy = value;
    } else {
      configuration.set(key.find('.') == std::string::npos ? "network." + key : key, value,
                        "command line");
    }
  }
  const TopologyEntry* named = topology_catalog().find(word);
  const TopologyEntry& chosen = named != nullptr && !named->read ? *named : file_topology();
  configuration.set("network.topology", chosen.name, "command line");
  if (chosen.read) configuration.set("network." + chosen.path_option, word, "command line");
  TopologyOptions options;
  configuration.read("network", options);
  configuration.require_all_read(part_axes(options));
  const SharedSchedule schedule = make_schedule(options, configuration.has("network.agents"));
  if (!picture.empty()) write_text(picture, to_svg(*schedule, word));
  if (!copy.empty()) write_graph(copy, *schedule->at(0));
  std::fprintf(stderr, "%s\n", certify(*schedule).summary().c_str());
  if (picture.empty() && copy.empty()) std::printf("%s", to_dot(*schedule->at(0)).c_str());
  return exit_done;
}

int inspect(const Arguments& arguments) {
  refuse_options(arguments);
  require(arguments.words.size() == 1, ErrorKind::usage,
          "`echelon inspect` takes a run directory or an HDF5 file");
  const auto report = echelon::inspect(arguments.words.front());
  std::printf("%s", report.text.c_str());
  return report.sound ? exit_done : exit_damaged;
}

std::string help_text() {
  return R"(Echelon: decentralized bilevel optimization over MPI

  echelon run CONFIG.ini [--section.key VALUE ...]     one run; works alone and under mpirun or srun
  echelon run --dry-run CONFIG.ini [...]               what that run would be: composition, memory, traffic; writes nothing
  echelon resume RUN_DIR [--run.iterations N ...]      continue from the newest good checkpoint, on any number of ranks
  echelon sweep CONFIG.ini --vary section.key=a,b,c [--vary ...] [--seeds N] [--jobs J] [--output DIR]
                                                       every combination in a run directory of its own, and a table of them all; J at
                                                       once; --command "mpirun -n 4" starts each; --dry-run lists them, --task I makes one;
                                                       the same command again goes on. echelon sweep --table DIR shows the table
  echelon list [problems|methods|consensus|aggregation|compressors|estimators|steps|attacks|topologies|weights|policies|presets]
  echelon describe NAME                                formula, reference, and options with defaults
  echelon topology NAME|FILE [--agents N ...]          certificate (standard error) and DOT graph (standard output); --svg FILE draws
                                                       a picture, --write FILE saves the weights (.txt, .mtx, .graph, .graphml)
  echelon inspect RUN_DIR|FILE.h5                      what is inside, checksums verified
  echelon COMMAND ... --plugin FILE                    with the parts of a shared library as well, by all commands; runs and sweeps keep
                                                       it as run.plugin

A normal run starts by saying what memory it takes, and refuses to start where it would not fit (participation.memory).
Every key of a configuration is an option: the command line beats ECHELON_SECTION_KEY in the environment, which beats
the file, which beats the default.
Exit codes: 0 done; 2 usage or configuration; 3 diverged; 65 bad data; 66 missing input; 70 internal error; 73 cannot create
output; 74 input or output failed; 75 interrupted and resumable; 76 a peer is silent.
Signals: USR1 saves a checkpoint and goes on; TERM, INT and USR2 save and leave with 75; a second one leaves at once.

Options of every run, with defaults:

)";
}

}  // namespace echelon::cli
