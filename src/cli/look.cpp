#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "commands.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/consensus/strategy.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/part.hpp"
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
  std::vector<std::string> aliases{};
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
    return {entry.aliases.begin(), entry.aliases.end()};
  } else {
    return {};
  }
}

/// `options_of(entry)` describes what is read with that part.
template <class Entry, class Describe>
void add_parts(std::vector<Shown>& all, const std::string& kind, const std::string& section,
               const PartList<Entry>& parts, const Describe& options_of) {
  for (const Entry& entry : parts) {
    all.push_back({kind,
                   entry.name,
                   entry.summary,
                   entry.formula,
                   entry.reference,
                   section,
                   options_of(entry),
                   {},
                   aliases_of(entry)});
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
  add_parts(all, "problems", "problem", problem_catalog());
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
              " unless problem.precision says otherwise"},
         aliases_of(entry)});
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
                        (traits.exact_on_heterogeneous ? "exact" : "biased")},
                   aliases_of(entry)});
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

void print(const Shown& shown) {
  std::printf("%s (%s)\n%s\n\n  %s\n", shown.name.c_str(), shown.kind.c_str(),
              shown.summary.c_str(), shown.formula.c_str());
  for (std::size_t a = 0; a < shown.aliases.size(); ++a) {
    std::printf("%s%s", a == 0 ? "\nalso called " : ", ", shown.aliases[a].c_str());
  }
  if (!shown.aliases.empty()) std::printf("\n");
  for (const auto& fact : shown.facts) std::printf("\n%s", fact.c_str());
  if (!shown.facts.empty()) std::printf("\n");
  if (!shown.reference.empty()) std::printf("\nreference: %s\n", shown.reference.c_str());
  if (!shown.options.empty()) {
    std::printf("\noptions\n");
    for (const auto& option : shown.options) {
      print_option(shown.section + "." + option.name, option);
    }
  }
}

}  // namespace

const std::vector<std::string>& component_kinds() {
  static const std::vector<std::string> names = {
      "problems",   "methods", "consensus", "aggregation", "compressors", "estimators",
      "topologies", "weights", "policies",  "steps",       "attacks",     "presets"};
  return names;
}

int list(const Arguments& arguments) {
  require(arguments.words.size() <= 1, ErrorKind::usage, "`echelon list` takes at most one word");
  if (!arguments.words.empty()) {
    const std::string& word = arguments.words.front();
    const bool known = std::any_of(
        component_kinds().begin(), component_kinds().end(),
        [&](const std::string& kind) { return detail::equal_but_for_case(kind, word); });
    require(known, ErrorKind::usage, "there is no list of `", word, "`; the nearest is `",
            nearest_name(word, component_kinds()), "`");
  }
  for (const auto& kind : component_kinds()) {
    if (!arguments.words.empty() && !detail::equal_but_for_case(kind, arguments.words.front()))
      continue;
    std::printf("%s\n", kind.c_str());
    for (const auto& shown : everything()) {
      if (shown.kind == kind)
        std::printf("  %-16s %s\n", shown.name.c_str(), shown.summary.c_str());
    }
  }
  return exit_done;
}

int describe(const Arguments& arguments) {
  require(arguments.words.size() == 1, ErrorKind::usage,
          "`echelon describe` takes one name; `echelon list` shows them");
  const auto all = everything();
  const std::string& name = arguments.words.front();
  bool first = true;
  for (const Shown& shown : all) {  // a preset may be called as its method
    if (!detail::is_called(shown, name)) continue;
    if (!first) std::printf("\n");
    first = false;
    print(shown);
  }
  if (first) find_entry(all, name, "component");
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
  require(arguments.words.size() == 1, ErrorKind::usage,
          "`echelon inspect` takes a run directory or an HDF5 file");
  const auto report = echelon::inspect(arguments.words.front());
  std::printf("%s", report.text.c_str());
  return report.sound ? exit_done : exit_damaged;
}

std::vector<OptionDescription> general_keys() {
  Configuration configuration;
  GeneralOptions().read_from(configuration);
  return configuration.declared();
}

std::vector<std::string> all_keys() {
  std::set<std::string> keys;
  for (const auto& option : general_keys()) keys.insert(option.name);
  for (const Shown& shown : everything()) {
    for (const auto& option : shown.options) keys.insert(shown.section + "." + option.name);
  }
  return {keys.begin(), keys.end()};
}

}  // namespace echelon::cli
