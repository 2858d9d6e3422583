// GraphML as networkx, igraph and Gephi write it. Source: U. Brandes, M. Eiglsperger, I. Herman,
// M. Himsolt, M. S. Marshall, Graph Drawing 2001.
#include <expat.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <numeric>
#include <type_traits>
#include <unordered_map>

#include "graph_format.hpp"

namespace echelon::detail {

namespace {

static_assert(std::is_same_v<XML_Char, char>, "an expat built for UTF-8 is needed");

/// Name and value in turns, up to a null pointer.
class Attributes {
 public:
  explicit Attributes(const XML_Char** list) : list_(list) {}
  /// Null if there is none.
  const char* find(std::string_view name) const {
    for (const XML_Char** at = list_; *at != nullptr; at += 2) {
      if (name == *at) return at[1];
    }
    return nullptr;
  }
  std::string text_of(std::string_view name) const {
    const char* value = find(name);
    return value == nullptr ? "" : value;
  }

 private:
  const XML_Char** list_;
};

/// Fit for a message: short and printable.
std::string quoted(std::string_view name) {
  constexpr std::size_t longest = 40;
  std::string shown(name.substr(0, longest));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return "`" + shown + (name.size() > longest ? "...`" : "`");
}

class Reader {
 public:
  explicit Reader(const std::string& path) : parser_(XML_ParserCreate(nullptr), XML_ParserFree) {
    if (parser_ == nullptr) throw std::bad_alloc();
    file_.path = path;
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), on_doctype);
    parse();
  }

  GraphFile finish() {
    require(!names_.empty(), ErrorKind::bad_data, file_.path,
            ": there are no nodes; each agent is a <node>");
    file_.agents = static_cast<AgentId>(names_.size());
    file_.completes_rows = true;
    file_.both_ways = "the graph is undirected";
    file_.without_weights = "without the attribute `weight` this is a graph";
    number_agents();
    file_.name = [names = std::move(names_)](AgentId i) {
      return quoted(names[static_cast<std::size_t>(i)]);
    };
    return assemble(std::move(file_));
  }

 private:
  enum class Place { key, weight_default, graphml, graph, node, edge, weight, skipped };

  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    if (!condition) fail_at(file_.path, line(), parts...);
  }
  std::int64_t line() const {
    return static_cast<std::int64_t>(XML_GetCurrentLineNumber(parser_.get()));
  }

  void parse() {
    std::ifstream stream = open_graph(file_.path);
    std::vector<char> buffer(1 << 16);
    for (bool more = true; more;) {
      stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      require(!stream.bad(), ErrorKind::input_output, file_.path, ": reading failed after line ",
              line(), "; check the disk");
      more = static_cast<bool>(stream);
      const auto status =
          XML_Parse(parser_.get(), buffer.data(), static_cast<int>(stream.gcount()), more ? 0 : 1);
      if (error_) std::rethrow_exception(error_);
      check(status == XML_STATUS_OK, "this is not XML (",
            XML_ErrorString(XML_GetErrorCode(parser_.get())), "); GraphML is");
    }
  }

  /// Exceptions wait until the parser, which is C, has returned.
  template <class Action>
  static void guarded(void* self, const Action& action) noexcept {
    auto& reader = *static_cast<Reader*>(self);
    if (reader.error_) return;
    try {
      action(reader);
    } catch (...) {
      reader.error_ = std::current_exception();
      XML_StopParser(reader.parser_.get(), XML_FALSE);
    }
  }
  static void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    guarded(self, [&](Reader& reader) {
      reader.places_.push_back(reader.enter(name, Attributes(attributes)));
    });
  }
  static void XMLCALL on_end(void* self, const XML_Char*) {
    guarded(self, [](Reader& reader) { reader.leave(); });
  }
  static void XMLCALL on_text(void* self, const XML_Char* characters, int count) {
    guarded(self, [&](Reader& reader) {
      reader.add_text({characters, static_cast<std::size_t>(count)});
    });
  }
  static void XMLCALL on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*,
                                 int) {
    guarded(self, [](Reader& reader) {
      reader.check(false, "there is a DOCTYPE (entities are not expanded); remove it");
    });
  }

  Place enter(std::string_view element, const Attributes& attributes) {
    if (places_.empty()) {
      check(element == "graphml", "the outermost element is not <graphml>; GraphML starts so");
      return Place::graphml;
    }
    const Place parent = places_.back();
    if (parent == Place::graphml && element == "key") return enter_key(attributes);
    if (parent == Place::key && element == "default") {
      text_.clear();
      return is_weight_key_ ? Place::weight_default : Place::skipped;
    }
    if (element == "graph" && parent != Place::skipped) return enter_graph(attributes);
    if (parent == Place::graph) {
      check(element != "hyperedge", "there is a <hyperedge>; edges join two agents");
      if (element == "node") return enter_node(attributes);
      if (element == "edge") return enter_edge(attributes);
    }
    if (parent == Place::edge && element == "data" && !weight_key_.empty() &&
        attributes.text_of("key") == weight_key_) {
      check(!has_weight_, "this edge has two weights; give one");
      text_.clear();
      return Place::weight;
    }
    return Place::skipped;
  }

  Place enter_key(const Attributes& attributes) {
    const std::string domain = attributes.text_of("for");
    is_weight_key_ = attributes.text_of("attr.name") == "weight" &&
                     (domain == "edge" || domain == "all" || domain.empty());
    if (!is_weight_key_) return Place::key;
    check(weight_key_.empty(), "there is a second key for weights of edges; one is right");
    weight_key_ = attributes.text_of("id");
    check(!weight_key_.empty(), "this key has no id; data refer to it");
    const std::string type = attributes.text_of("attr.type");
    check(type == "double" || type == "float" || type == "int" || type == "long" || type.empty(),
          "weights are of the type ", quoted(type), "; `double` is right");
    return Place::key;
  }

  Place enter_graph(const Attributes& attributes) {
    check(places_.back() == Place::graphml && !has_graph_,
          "there is a second graph; a file holds one");
    has_graph_ = true;
    edge_default_ = attributes.text_of("edgedefault");
    check(edge_default_ == "directed" || edge_default_ == "undirected",
          "edgedefault is neither `directed` nor `undirected`; it is one of them");
    file_.directed = edge_default_ == "directed";
    file_.header_line = line();
    return Place::graph;
  }

  Place enter_node(const Attributes& attributes) {
    const char* id = attributes.find("id");
    check(id != nullptr, "this node has no id; edges refer to it");
    check(static_cast<std::int64_t>(names_.size()) < most_agents, "there are more nodes than ",
          most_agents, "; that many agents can be read");
    const bool is_new = indices_.emplace(id, static_cast<AgentId>(names_.size())).second;
    if (!is_new) check(false, "the node ", quoted(id), " was given already; give it once");
    names_.emplace_back(id);
    return Place::node;
  }

  AgentId node_of(const char* id) const {
    check(id != nullptr, "this edge lacks its source or its target; it has both");
    const auto found = indices_.find(id);
    if (found == indices_.end()) {
      check(false, "there is no node ", quoted(id),
            " before this edge; nodes come before their edges");
    }
    return found->second;
  }

  Place enter_edge(const Attributes& attributes) {
    const AgentId sender = node_of(attributes.find("source"));
    const AgentId receiver = node_of(attributes.find("target"));
    const char* direction = attributes.find("directed");
    check(
        direction == nullptr || std::string_view(direction) == (file_.directed ? "true" : "false"),
        "this edge is not ", edge_default_, " as the others are; mixed graphs cannot be read");
    file_.edges.push_back({receiver, sender, 0, line()});
    has_weight_ = false;
    return Place::edge;
  }

  void add_text(std::string_view characters) {
    if (places_.empty()) return;
    if (places_.back() != Place::weight && places_.back() != Place::weight_default) return;
    text_ += characters;
    check(text_.size() <= 1000, "this weight is longer than 1000 characters; it is one number");
  }

  double weight_from_text() const {
    std::string_view rest = text_;
    const std::string_view word = next_word(rest);
    double weight = 0;
    check(parses(word, weight) && next_word(rest).empty(),
          "this weight is not a number; write one number");
    check(is_weight(weight), "the weight ", word, weights_are);
    return weight;
  }

  void leave() {
    const Place place = places_.back();
    places_.pop_back();
    if (place == Place::weight_default) {
      default_weight_ = weight_from_text();
    } else if (place == Place::weight) {
      file_.edges.back().weight = weight_from_text();
      has_weight_ = true;
    } else if (place == Place::edge) {
      leave_edge();
    }
  }

  void leave_edge() {
    const bool weighted = has_weight_ || default_weight_.has_value();
    if (!has_weight_ && weighted) file_.edges.back().weight = *default_weight_;
    if (file_.edges.size() == 1) file_.weighted = weighted;
    check(weighted == file_.weighted, "this edge has ", weighted ? "a" : "no", " weight and line ",
          file_.edges[0].line, " has ", weighted ? "none" : "one",
          "; give all edges a weight or none");
  }

  /// If the nodes are called 0 .. n-1 in any order, those are the ids.
  void number_agents() {
    std::vector<AgentId> ids(names_.size());
    for (std::size_t k = 0; k < names_.size(); ++k) {
      const bool is_id = parses(names_[k], ids[k]) && ids[k] >= 0 && ids[k] < file_.agents &&
                         std::to_string(ids[k]) == names_[k];
      if (!is_id) return;
    }
    for (FileEdge& edge : file_.edges) {
      edge.receiver = ids[static_cast<std::size_t>(edge.receiver)];
      edge.sender = ids[static_cast<std::size_t>(edge.sender)];
    }
    for (std::size_t i = 0; i < names_.size(); ++i) names_[i] = std::to_string(i);
  }

  std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&XML_ParserFree)> parser_;
  std::exception_ptr error_;
  FileGraph file_;
  std::vector<Place> places_;  ///< the elements that are open
  std::vector<std::string> names_;
  std::unordered_map<std::string, AgentId> indices_;
  std::string weight_key_;
  std::string edge_default_;
  std::string text_;
  std::optional<double> default_weight_;
  bool is_weight_key_ = false;
  bool has_graph_ = false;
  bool has_weight_ = false;
};

}  // namespace

GraphFile read_graphml(const std::string& path) {
  return Reader(path).finish();
}

void write_graphml(const std::string& path, const MixingMatrix& matrix) {
  require_no_negative(path, matrix);
  const bool undirected = matrix.is_symmetric();
  GraphOutput output(path);
  auto& stream = output.stream();
  stream << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<!-- weight w of an edge: its target receives w times the value of its source -->\n"
            "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
            "  <key id=\"w\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\"/>\n"
            "  <graph edgedefault=\""
         << (undirected ? "undirected" : "directed") << "\">\n";
  for (AgentId i = 0; i < matrix.agents(); ++i) stream << "    <node id=\"" << i << "\"/>\n";
  visit_weights(matrix, undirected, [&](AgentId i, AgentId j, double weight) {
    stream << "    <edge source=\"" << j << "\" target=\"" << i << "\"><data key=\"w\">"
           << exact_text(weight) << "</data></edge>\n";
  });
  stream << "  </graph>\n</graphml>\n";
  output.finish();
}

}  // namespace echelon::detail
