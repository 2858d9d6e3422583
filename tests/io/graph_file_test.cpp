#include "echelon/io/graph_file.hpp"

#include <gtest/gtest.h>

#include <set>

#include "data_files.hpp"
#include "echelon/io/edge_list.hpp"
#include "echelon/topology/topologies.hpp"

namespace echelon {
namespace {

using testing::expect_error;
using testing::read_bytes;
using testing::TemporaryFolder;
using Entries = std::vector<std::vector<MixingMatrix::Entry>>;

const std::vector<std::string> weight_formats = {".txt", ".mtx", ".graphml"};

void expect_same_bits(const MixingMatrix& a, const MixingMatrix& b) {
  ASSERT_EQ(a.agents(), b.agents());
  for (AgentId i = 0; i < a.agents(); ++i) {
    ASSERT_EQ(a.row(i).size(), b.row(i).size());
    for (std::size_t k = 0; k < a.row(i).size(); ++k) {
      EXPECT_EQ(a.row(i)[k].sender, b.row(i)[k].sender);
      EXPECT_EQ(a.row(i)[k].weight, b.row(i)[k].weight);
    }
  }
}

std::vector<std::pair<AgentId, AgentId>> edges_of(const Graph& graph) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (AgentId i = 0; i < graph.agents(); ++i) {
    for (const AgentId j : graph.senders(i)) edges.emplace_back(i, j);
  }
  return edges;
}

bool all_reach_agent_0(const Graph& graph) {
  std::set<AgentId> seen = {0};
  std::vector<AgentId> open = {0};
  while (!open.empty()) {
    const AgentId i = open.back();
    open.pop_back();
    for (const AgentId j : graph.senders(i)) {
      if (seen.insert(j).second) open.push_back(j);
    }
  }
  return seen.size() == static_cast<std::size_t>(graph.agents());
}

Graph reversed(const Graph& graph) {
  auto edges = edges_of(graph);
  for (auto& [receiver, sender] : edges) std::swap(receiver, sender);
  return Graph(graph.agents(), edges);
}

class GraphFileTest : public ::testing::Test {
 protected:
  /// `name` is there to choose the format.
  GraphFile read(const std::string& name, const std::string& content) const {
    return read_graph(folder_.write(name, content));
  }
  void expect_bad(const std::string& name, const std::string& content, int line,
                  const std::string& part) const {
    SCOPED_TRACE(content);
    expect_error(ErrorKind::bad_data, {text(folder_.path(name), ":", line, ": "), part},
                 [&] { read(name, content); });
  }
  void expect_round_trips(const MixingMatrix& matrix) {
    for (const auto& format : weight_formats) {
      const std::string path = folder_.path(text("round_trip_", count_++, format));
      write_graph(path, matrix);
      const GraphFile file = read_graph(path);
      ASSERT_TRUE(file.weights) << format;
      expect_same_bits(*file.weights, matrix);
      EXPECT_EQ(edges_of(file.graph), edges_of(matrix.graph()));
    }
    const std::string path = folder_.path(text("round_trip_", count_++, ".metis"));
    if (matrix.graph().is_undirected()) {
      write_graph(path, matrix);
      const GraphFile file = read_graph(path);
      EXPECT_FALSE(file.weights);
      EXPECT_EQ(edges_of(file.graph), edges_of(matrix.graph()));
    } else {
      expect_error(ErrorKind::usage, {path, "directed"}, [&] { write_graph(path, matrix); });
      EXPECT_FALSE(std::filesystem::exists(path));
    }
  }

  TemporaryFolder folder_;
  int count_ = 0;
};

const std::string mtx = "%%MatrixMarket matrix coordinate ";

TEST_F(GraphFileTest, MatrixMarketCoordinatesGiveTheMatrixAsItIs) {
  const MixingMatrix expected(Entries{{{0, 0.5}, {2, 0.5}}, {{1, 1.0}}, {{1, 0.25}, {2, 0.75}}});
  const auto general = read("w.mtx", mtx +
                                         "real general\n% comment\n\n3 3 6\n1 1 .5\n3 2 0.25\n2 2 "
                                         "1e0\n1 3 5e-1\n3 3 0.75\n3 1 0\n");
  ASSERT_TRUE(general.weights);
  expect_same_bits(*general.weights, expected);
  EXPECT_EQ(edges_of(general.graph), (decltype(edges_of(general.graph)){{0, 2}, {2, 1}}));

  const auto symmetric =
      read("s.MTX",
           "%%matrixmarket MATRIX Coordinate Real Symmetric\r\n2 2 3\r\n1 1 0.25\r\n2 1 "
           "0.75\r\n2 2 0.25\r\n");
  expect_same_bits(*symmetric.weights,
                   MixingMatrix(Entries{{{0, 0.25}, {1, 0.75}}, {{0, 0.75}, {1, 0.25}}}));
  const auto permutation = read("p.mtx", mtx + "integer general\n2 2 2\n1 2 1\n2 1 1\n");
  expect_same_bits(*permutation.weights, MixingMatrix(Entries{{{1, 1.0}}, {{0, 1.0}}}));
}

TEST_F(GraphFileTest, MatrixMarketArraysComeColumnByColumn) {
  const auto file =
      read("a.mtx", "%%MatrixMarket matrix array real general\n2 2\n0.75\n0.5\n0.25\n0.5\n");
  expect_same_bits(*file.weights,
                   MixingMatrix(Entries{{{0, 0.75}, {1, 0.25}}, {{0, 0.5}, {1, 0.5}}}));
}

TEST_F(GraphFileTest, MatrixMarketPatternsAreGraphs) {
  const auto directed = read("d.mtx", mtx + "pattern general\n3 3 3\n1 2\n2 2\n3 1\n");
  EXPECT_FALSE(directed.weights);
  EXPECT_EQ(edges_of(directed.graph), (decltype(edges_of(directed.graph)){{0, 1}, {2, 0}}));
  const auto symmetric = read("s.mtx", mtx + "pattern symmetric\n3 3 2\n2 1\n3 2\n");
  EXPECT_EQ(edges_of(symmetric.graph),
            (decltype(edges_of(symmetric.graph)){{0, 1}, {1, 0}, {1, 2}, {2, 1}}));
}

TEST_F(GraphFileTest, RefusesMalformedMatrixMarket) {
  const auto bad = [&](const std::string& content, int line, const std::string& part) {
    expect_bad("w.mtx", content, line, part);
  };
  bad("", 1, "first line");
  bad("1 1 1\n", 1, "first line");
  bad(std::string("\0\xff\x1b\n\n", 5), 1, "first line");
  bad(mtx + "complex general\n", 1, "cannot be read");
  bad(mtx + "real hermitian\n", 1, "cannot be read");
  bad("%%MatrixMarket matrix array pattern general\n", 1, "cannot be read");
  bad("%%MatrixMarket vector coordinate real general\n", 1, "cannot be read");
  bad(mtx + "real general\n% only comments\n", 2, "before the size line");
  const std::string real = mtx + "real general\n";
  bad(real + "2 2\n", 2, "size line");
  bad(real + "2 3 1\n", 2, "2 rows and 3 columns");
  bad(real + "0 0 0\n", 2, "0 rows");
  bad(real + "1000000000000 1000000000000 1\n", 2, "1000000000000 rows");
  bad(real + "99999999999999999999 99999999999999999999 1\n", 2, "size line");
  bad(real + "2 2 1000000000000\n", 2, "room for 4");
  bad(real + "2 2 -1\n", 2, "room for 4");
  bad(real + "10000000 10000000 1000000000000\n1 1 1\n", 3, "ends after 1 of 1000000000000");
  bad("%%MatrixMarket matrix array real general\n10000000 10000000\n1\n", 3, "ends after 1");
  bad(real + "2 2 2\n1 1 1\n", 3, "ends after 1 of 2");
  bad(real + "2 2 2\n1 1 1\n2 2 1\n2 1 0\n", 5, "more entries than the 2");
  bad(real + "2 2 2\n1 1\n", 3, "not an entry");
  bad(real + "2 2 2\n1 1 1 1\n", 3, "not an entry");
  bad(real + "2 2 2\n1 1 x\n", 3, "not an entry");
  bad(real + "2 2 2\n0 1 1\n", 3, "index 0 is out of range");
  bad(real + "2 2 2\n1 3 1\n", 3, "index 3 is out of range");
  bad(real + "2 2 2\n1 1 -1\n", 3, "-1 is not a finite number >= 0");
  bad(real + "2 2 2\n1 1 nan\n", 3, "finite");
  bad(real + "2 2 3\n1 1 1\n2 2 0.5\n1 1 0.5\n", 5, "agents 1 and 1 was given in line 3 already");
  bad(mtx + "pattern symmetric\n2 2 2\n2 1\n1 2\n", 4, "line 3 already");
  bad(real + "2 2 3\n1 1 0.5\n1 2 0.6\n2 2 1\n", 4, "agent 1 sum to 1.1 here");
  bad(real + "2 2 3\n1 2 0.5\n2 2 1\n2 1 0\n", 3, "agent 1 sum to 0.5");
  bad(real + "2 2 1\n1 1 1\n", 2, "agent 2 sum to 0");
  bad(mtx + "integer symmetric\n3 3 2\n2 1 1\n3 2 1\n", 4, "`pattern`");
  bad("%%MatrixMarket matrix array real general\n1 1\nx\n", 3, "not a number");
  bad("%%MatrixMarket matrix array real general\n1 1\n1 0\n", 3, "more entries");
}

TEST_F(GraphFileTest, MetisListsNeighborsFromOne) {
  const auto path = read("p.graph", "% a path and one alone\n4 2\n2\n% between\n1 3\n2\n\n");
  EXPECT_FALSE(path.weights);
  EXPECT_EQ(path.graph.agents(), 4);
  EXPECT_EQ(edges_of(path.graph), (decltype(edges_of(path.graph)){{0, 1}, {1, 0}, {1, 2}, {2, 1}}));
}

TEST_F(GraphFileTest, MetisWeightsAreSkipped) {
  const auto expected = edges_of(read("p.metis", "3 2\n2\n3 1\n2\n").graph);
  EXPECT_EQ(expected.size(), 4u);
  for (const std::string content : {
           "3 2 1\n2 7\n1 7 3 9\n2 9\n",          // weights of edges
           "3 2 10\n5 2\n0 1 3\n6 2\n",           // of agents
           "3 2 010 2\n5 5 2\n0 1 1 3\n6 6 2\n",  // two of each agent
           "3 2 100\n4 2\n4 1 3\n4 2\n",          // sizes
           "3 2 111 2\n4 1 1 2 8\n4 1 1 1 8 3 8\n4 1 1 2 8\n",
           "3 2 000\r\n2\r\n1 3\r\n2\r\n\r\n",
       }) {
    EXPECT_EQ(edges_of(read("w.metis", content).graph), expected) << content;
  }
}

TEST_F(GraphFileTest, RefusesMalformedMetis) {
  const auto bad = [&](const std::string& content, int line, const std::string& part) {
    expect_bad("g.graph", content, line, part);
  };
  bad("", 1, "before its first line");
  bad("% nothing\n", 1, "before its first line");
  bad("\n3 2\n", 1, "not the first line");
  bad("3\n", 1, "not the first line");
  bad("3 2 0 0 0\n", 1, "not the first line");
  bad("\x7f\x01\x02 ELF\n", 1, "not the first line");
  bad("0 0\n", 1, "0 agents");
  bad("1000000000000 1\n", 1, "1000000000000 agents");
  bad("3 1000000000000\n", 1, "at most 3");
  bad("3 -1\n", 1, "at most 3");
  bad("10000000 1000000000000\n2\n1\n", 3, "ends after 2 of 10000000");
  bad("3 2 2\n", 1, "fmt");
  bad("3 2 0011\n", 1, "fmt");
  bad("3 2 011 0\n", 1, "ncon is 0");
  bad("3 2 001 2\n", 1, "ncon is 2");
  bad("3 2 011 999999999\n", 1, "ncon");
  bad("3 2\n2\n1 3\n", 3, "ends after 2 of 3");
  bad("3 2\n2\n1 3\n2\n1\n", 5, "line more than the 3");
  bad("3 2\n2\n1 x\n2\n", 3, "not a list of neighbors");
  bad("3 2\n2\n1 4\n2\n", 3, "neighbor 4 is out of range");
  bad("3 2\n0\n1 3\n2\n", 2, "neighbor 0 is out of range");
  bad("3 2\n2\n1 2\n2\n", 3, "agent 2 is its own neighbor");
  bad("3 2\n2 2\n1 3\n2\n", 2, "agents 1 and 2 was given in line 2 already");
  bad("3 2\n2\n3\n2\n", 2, "agent 1 lists 2, which does not list it");
  bad("3 2\n2\n1\n2\n", 4, "agent 3 lists 2, which does not list it");
  bad("3 2\n\n1\n\n", 3, "agent 2 lists 1, which does not list it");
  bad("3 3\n2\n1 3\n2\n", 1, "3 edges, the lists have 2");
  bad("3 1\n2\n1 3\n2\n", 1, "1 edges, the lists have 2");
  bad("2 1 1\n2\n1 1\n", 2, "weight of an edge");
  bad("2 1 1\n2 0\n1 0\n", 2, "weight of an edge");
  bad("2 1 10\n1 2\n\n", 3, "weight of the agent");
  bad("2 1 10\n1 2\n0.5 1\n", 3, "weight of the agent");
}

std::string graphml(const std::string& direction, const std::string& body) {
  return "<?xml version='1.0' encoding='utf-8'?>\n"
         "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">"
         "<key id=\"d0\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\" />\n"
         "<graph edgedefault=\"" +
         direction + "\">\n" + body + "</graph></graphml>\n";
}

TEST_F(GraphFileTest, GraphmlArrowsPointToTheReceiver) {
  const auto file = read("g.graphml", graphml("directed",
                                              "<node id=\"0\"/><node id=\"1\"/><node id=\"2\"/>"
                                              "<edge source=\"0\" target=\"1\"/>\n"
                                              "<edge source=\"2\" target=\"0\" directed='true'/>"));
  EXPECT_FALSE(file.weights);
  EXPECT_EQ(edges_of(file.graph), (decltype(edges_of(file.graph)){{0, 2}, {1, 0}}));
}

TEST_F(GraphFileTest, GraphmlWeights) {
  const std::string nodes = "<node id=\"0\"/><node id=\"1\"/>";
  const auto directed = read(
      "d.graphml", graphml("directed", nodes + "<edge source='0' target='1'><data key='d0'> 0.25\n"
                                               "</data></edge><edge source='1' target='1'><data "
                                               "key='d0'>0.7<!-- c -->5</data></edge>"));
  expect_same_bits(*directed.weights, MixingMatrix(Entries{{{0, 1.0}}, {{0, 0.25}, {1, 0.75}}}));
  const auto undirected =
      read("u.graphml",
           graphml("undirected", nodes + "<edge id='e' source='0' target='1'><data "
                                         "key='d7'>red</data><data key='d0'>0.5</data></edge>"));
  expect_same_bits(*undirected.weights,
                   MixingMatrix(Entries{{{0, 0.5}, {1, 0.5}}, {{0, 0.5}, {1, 0.5}}}));
}

TEST_F(GraphFileTest, GraphmlNodesAreNumberedByAppearanceUnlessTheyAreIds) {
  const auto named = read("n.graphml", graphml("directed",
                                               "<node id='b &amp; c'/><node id='a'/><node id='1'/>"
                                               "<edge source='a' target='b &#38; c'/>"));
  EXPECT_EQ(edges_of(named.graph), (decltype(edges_of(named.graph)){{0, 1}}));
  const auto numbered = read("i.graphml", graphml("directed",
                                                  "<node id='2'/><node id='0'/><node id='1'/>"
                                                  "<edge source='0' target='2'/>"));
  EXPECT_EQ(edges_of(numbered.graph), (decltype(edges_of(numbered.graph)){{2, 0}}));
  const auto from_one = read("o.graphml", graphml("directed",
                                                  "<node id='2'/><node id='1'/><edge source='1' "
                                                  "target='2'/>"));
  EXPECT_EQ(edges_of(from_one.graph), (decltype(edges_of(from_one.graph)){{0, 1}}));
  const auto padded = read("z.graphml", graphml("directed",
                                                "<node id='01'/><node id='0'/><edge "
                                                "source='0' target='01'/>"));
  EXPECT_EQ(edges_of(padded.graph), (decltype(edges_of(padded.graph)){{0, 1}}));
}

TEST_F(GraphFileTest, GraphmlOfOtherProgramsIsSkippedWhereItMeansNothingHere) {
  const auto file = read(
      "y.graphml",
      "<graphml><desc>edge</desc><key id='k' for='node' attr.name='weight' attr.type='string'/>"
      "<key id='w' attr.name='weight' for='edge'><desc/><default>0.5</default></key>"
      "<graph id='G' edgedefault='undirected' parse.nodes='2'><data key='x'><y:z xmlns:y='u'>"
      "<edge/></y:z></data><node id='0'><data key='k'>heavy</data><port name='p'/></node>"
      "<node id='1'/><edge source='0' target='1'/></graph><data/></graphml>");
  expect_same_bits(*file.weights,
                   MixingMatrix(Entries{{{0, 0.5}, {1, 0.5}}, {{0, 0.5}, {1, 0.5}}}));
}

TEST_F(GraphFileTest, RefusesMalformedGraphml) {
  const auto bad = [&](const std::string& content, int line, const std::string& part) {
    expect_bad("g.graphml", content, line, part);
  };
  const auto bad_body = [&](const std::string& body, int line, const std::string& part) {
    bad(graphml("undirected", "<node id='0'/>\n<node id='1'/>\n" + body), line + 5, part);
  };
  bad("", 1, "not XML");
  bad(std::string("\0\x01\x02", 3), 1, "not XML");
  bad("<graphml>\n<graph", 2, "not XML");
  bad("0 1\n", 1, "not XML");
  bad("<svg/>", 1, "<graphml>");
  bad("<!DOCTYPE graphml [<!ENTITY a 'aaaa'>]>\n<graphml/>", 1, "DOCTYPE");
  bad("<graphml>\n<graph/></graphml>", 2, "edgedefault");
  bad("<graphml>&a;</graphml>", 1, "not XML (undefined entity)");
  expect_error(ErrorKind::bad_data, {"no nodes"}, [&] { read("e.graphml", "<graphml/>"); });
  bad(graphml("directed", "</graph><graph edgedefault='directed'>"), 4, "second graph");
  bad_body("<node id='1'/>", 1, "`1` was given already");
  bad_body("<node/>", 1, "no id");
  bad_body("<node id='2'>\n<graph/></node>", 2, "second graph");
  bad_body("<hyperedge/>", 1, "hyperedge");
  bad_body("<edge source='0'/>", 1, "lacks");
  bad_body("<edge source='0' target='\x1f'/>", 1, "not XML");
  bad_body("<edge source='0' target='a&#10;b'/>", 1, "no node `a?b`");
  bad_body("<edge source='0' target='1' directed='true'/>", 1, "not undirected");
  const std::string edge = "<edge source='0' target='1'>";
  bad_body(edge + "</edge>\n<edge source='1' target='0'/>", 2, "line 6 already");
  bad_body(edge + "\n<data key='d0'>x</data></edge>", 2, "not a number");
  bad_body(edge + "<data key='d0'>0.5 0.5</data></edge>", 1, "not a number");
  bad_body(edge + "<data key='d0'/></edge>", 1, "not a number");
  bad_body(edge + "<data key='d0'>-0.5</data></edge>", 1, "-0.5 is not a finite");
  bad_body(edge + "<data key='d0'>INF</data></edge>", 1, "finite");
  bad_body(edge + "<data key='d0'>" + std::string(2000, '1') + "</data></edge>", 1, "longer");
  bad_body(edge + "<data key='d0'>1</data><data key='d0'>1</data></edge>", 1, "two weights");
  bad_body(edge + "</edge>\n<edge source='0' target='0'><data key='d0'>1</data></edge>", 2,
           "has a weight and line 6 has none");
  bad_body(edge + "<data key='d0'>3</data></edge>", 1, "`0` sum to 3 here");
  bad_body(edge + "<data key='d0'>3</data></edge>", 1, "without the attribute");
  bad_body(edge +
               "<data key='d0'>0.5</data></edge>\n<edge source='0' target='0'><data "
               "key='d0'>0.4</data></edge>",
           2, "`0` sum to 0.9, its self weight included");
  bad("<graphml><key id='a' attr.name='weight' for='edge' attr.type='string'/></graphml>", 1,
      "type `string`");
  bad("<graphml><key attr.name='weight' for='edge'/></graphml>", 1, "no id");
  bad("<graphml><key id='a' attr.name='weight'/>\n<key id='b' attr.name='weight'/></graphml>", 2,
      "second key");
}

TEST_F(GraphFileTest, ColumnSumsAreTakenWhereRowSumsFail) {
  const std::string content = mtx + "real general\n2 2 3\n1 1 1\n1 2 0.5\n2 2 0.5\n";
  const auto file = read("c.mtx", content);
  ASSERT_TRUE(file.weights);
  EXPECT_FALSE(file.weights->sums_to_one(Sums::rows));
  EXPECT_TRUE(file.weights->sums_to_one(Sums::columns));
  EXPECT_EQ(file.weights->row(0)[1].weight, 0.5);
  expect_same_bits(*read("c.txt", "directed\n0 0 1\n0 1 0.5\n1 1 0.5\n").weights, *file.weights);
}

TEST_F(GraphFileTest, EveryFormatRoundTrips) {
  const std::vector<std::pair<AgentId, AgentId>> uneven = {{0, 1}, {1, 2}, {2, 0}, {0, 3}, {3, 2}};
  expect_round_trips(MixingMatrix(Entries{{{0, 1.0}}}));
  expect_round_trips(MixingMatrix(Entries{{{0, 1.0}}, {{1, 1.0}}, {{2, 1.0}}}));
  expect_round_trips(MixingMatrix(Entries{{{1, 0.1}, {2, 0.9}}, {{0, 1.0}}, {{2, 1.0}}}));
  expect_round_trips(MixingMatrix(Entries{{{1, 1.0}}, {{0, 1.0}}}));
  expect_round_trips(uniform_weights(Graph(4, uneven)));
  expect_round_trips(column_weights(Graph(4, uneven)));
  std::vector<std::pair<AgentId, AgentId>> star;
  for (AgentId i = 1; i < 1000; ++i) star.insert(star.end(), {{0, i}, {i, 0}});
  const Graph hub(1000, star);
  expect_round_trips(metropolis_weights(hub));
  expect_round_trips(uniform_weights(hub));
  expect_round_trips(column_weights(hub));
  expect_round_trips(lazy(max_degree_weights(hub)));
}

TEST_F(GraphFileTest, ALargeHubKeepsItsSums) {
  constexpr AgentId agents = 300000;
  std::string content = text("directed\nagents ", agents, "\n0 0 ", 0.1, "\n");
  for (AgentId i = 1; i < 2 * agents / 3; ++i) content += "0 " + std::to_string(i) + " 4.5e-06\n";
  // 199 999 weights of 4.5e-6 leave 4.5e-6; added up plainly they are off by more than 1e-12.
  content += "0 299999 4.5e-06\n";
  EXPECT_EQ(read("hub.txt", content).weights->row(0).size(), 200001u);
}

TEST_F(GraphFileTest, RefusesWhatIsNotThereAndWhatIsThereAlready) {
  const MixingMatrix alone(Entries{{{0, 1.0}}});
  const MixingMatrix negative(Entries{{{0, 1.5}, {1, -0.5}}, {{1, 1.0}}});
  for (const std::string format : {".txt", ".mtx", ".graph", ".metis", ".graphml", ""}) {
    SCOPED_TRACE(format);
    const std::string path = folder_.path("g" + format);
    expect_error(ErrorKind::missing_input, {path}, [&] { read_graph(path); });
    write_graph(path, alone);
    const std::string before = read_bytes(path);
    expect_error(ErrorKind::cannot_create, {path, "exists"}, [&] { write_graph(path, alone); });
    EXPECT_EQ(read_bytes(path), before);
    expect_error(ErrorKind::cannot_create, {"folder"},
                 [&] { write_graph(folder_.path("none/g" + format), alone); });
    std::filesystem::create_directory(folder_.path("folder" + format));
    expect_error(ErrorKind::bad_data, {"folder"},
                 [&] { read_graph(folder_.path("folder" + format)); });
    if (format == ".graph" || format == ".metis") continue;
    const std::string refused = folder_.path("negative" + format);
    expect_error(ErrorKind::bad_data, {"-0.5"}, [&] { write_graph(refused, negative); });
    EXPECT_FALSE(std::filesystem::exists(refused));
  }
  if (!std::filesystem::exists("/dev/full")) return;
  for (const std::string format : {".txt", ".mtx", ".graph", ".graphml"}) {
    const std::string path = folder_.path("full" + format);
    std::filesystem::create_symlink("/dev/full", path);
    expect_error(ErrorKind::input_output, {path, "full"}, [&] { write_graph(path, alone); });
  }
}

TEST_F(GraphFileTest, EveryFileOfTheCollectionReadsAndRoundTrips) {
  const std::filesystem::path collection = std::filesystem::path(ECHELON_SOURCE_DIR) / "topologies";
  const std::string list = read_bytes((collection / "README.md").string());
  std::set<std::string> formats;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(collection)) {
    const std::string name = entry.path().filename().string();
    if (name == "README.md") continue;
    SCOPED_TRACE(name);
    ++files;
    formats.insert(entry.path().extension().string());
    const GraphFile file = read_graph(entry.path().string());
    EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << "not in the README";
    EXPECT_NE(name.find(text("-", file.graph.agents())), std::string::npos);
    EXPECT_TRUE(all_reach_agent_0(file.graph) && all_reach_agent_0(reversed(file.graph)));
    if (file.weights) {
      expect_round_trips(*file.weights);
    } else if (file.graph.is_undirected()) {
      expect_round_trips(metropolis_weights(file.graph));
    } else {
      expect_round_trips(uniform_weights(file.graph));
      expect_round_trips(column_weights(file.graph));
    }
  }
  EXPECT_GE(files, 28);
  EXPECT_EQ(formats, (std::set<std::string>{".graph", ".graphml", ".mtx", ".txt"}));
}

TEST_F(GraphFileTest, MakeScheduleServesFilesAndGenerators) {
  TopologyOptions options;
  options.agents = 3;
  expect_same_bits(*make_schedule(options)->at(0),
                   metropolis_weights(Graph(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 0}, {0, 2}})));

  options.topology = "file";
  expect_error(ErrorKind::usage, {"network.file"}, [&] { make_schedule(options); });
  options.topology.set("file", folder_.write("ring.txt", "0 1\n1 2\n2 0\n"));
  options.lazy = true;
  auto ring = options;
  ring.topology = "ring";
  EXPECT_TRUE(make_schedule(options)->fixed());
  expect_same_bits(*make_schedule(options)->at(5), *make_schedule(ring)->at(5));

  options.agents = 4;
  expect_error(ErrorKind::usage, {"sizes do not match (the file has 3 agents, network.agents = 4)"},
               [&] { make_schedule(options); });
  EXPECT_EQ(make_schedule(options, false)->agents(), 3);
  options.cycle = topology_cycle("star");
  expect_error(ErrorKind::usage, {"network.cycle"}, [&] { make_schedule(options, false); });
}

TEST_F(GraphFileTest, MakeScheduleTakesWeightsAsTheyAre) {
  TopologyOptions options;
  options.topology = "file";
  options.agents = 2;
  options.topology.set("file", folder_.write("weights.txt", "0 1 0.25\n"));
  EXPECT_EQ(make_schedule(options)->at(0)->row(0)[0].weight, 0.75);
  options.lazy = true;
  expect_error(ErrorKind::usage, {"network.lazy"}, [&] { make_schedule(options); });
  options.lazy = false;
  options.link_failure = 0.5;
  const auto failing = make_schedule(options);
  std::set<double> self_weights;
  for (std::uint64_t round = 0; round < 30; ++round) {
    self_weights.insert(failing->at(round)->row(0)[0].weight);
  }
  EXPECT_EQ(self_weights, (std::set<double>{0.75, 1.0}));
}

TEST_F(GraphFileTest, MakeScheduleTakesColumnSumsOnRequest) {
  TopologyOptions options;
  options.topology = "file";
  options.agents = 2;
  options.topology.set("file", folder_.write("columns.txt", "directed\n0 0 1\n0 1 0.5\n1 1 0.5\n"));
  expect_error(ErrorKind::usage, {"columns.txt", "network.weights = column"},
               [&] { make_schedule(options); });
  options.weights = "column";
  EXPECT_EQ(make_schedule(options)->at(0)->row(0)[1].weight, 0.5);
  options.topology.set("file", folder_.write("rows.txt", "directed\n0 0 1\n1 0 0.5\n1 1 0.5\n"));
  expect_error(ErrorKind::usage, {"rows.txt", "columns do not sum to 1"},
               [&] { make_schedule(options); });
  options.weights = "uniform";  // would not be used
  expect_error(ErrorKind::usage, {"rows.txt", "leave network.weights out"},
               [&] { make_schedule(options); });
}

}  // namespace
}  // namespace echelon
