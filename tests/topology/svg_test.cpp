#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/topology/pictures.hpp"

#include "mixing_matrices.hpp"

namespace echelon {
namespace {

using namespace testing_support;

using Edges = std::vector<std::pair<AgentId, AgentId>>;

std::string picture(const MixingMatrix& matrix, const std::string& title = "a network") {
  return to_svg(Rounds({matrix}, 1), title);
}

Graph undirected(AgentId agents, Edges edges) {
  const std::size_t count = edges.size();
  for (std::size_t k = 0; k < count; ++k) edges.emplace_back(edges[k].second, edges[k].first);
  return Graph(agents, edges);
}

Graph tree(AgentId agents) {
  Edges edges;
  for (AgentId i = 1; i < agents; ++i) edges.emplace_back(i, (i - 1) / 2);
  return undirected(agents, edges);
}

Graph torus(AgentId rows, AgentId columns) {
  Edges edges;
  for (AgentId i = 0; i < rows * columns; ++i) {
    edges.emplace_back(i, i / columns * columns + (i + 1) % columns);
    edges.emplace_back(i, (i + columns) % (rows * columns));
  }
  return undirected(rows * columns, edges);
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

struct Place {
  double x;
  double y;
};

std::vector<Place> places(const std::string& svg) {
  std::vector<Place> result;
  const std::string head = "<circle cx=\"";
  for (auto at = svg.find(head); at != std::string::npos; at = svg.find(head, at + 1)) {
    std::string numbers = svg.substr(at + head.size(), 40);
    std::ranges::replace_if(
        numbers, [](char c) { return c != '.' && (c < '0' || c > '9'); }, ' ');
    std::istringstream stream(numbers);
    Place place{};
    stream >> place.x >> place.y;
    result.push_back(place);
  }
  return result;
}

double nearest_pair(const std::vector<Place>& all) {
  double nearest = 1e9;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      nearest = std::min(nearest, std::hypot(all[i].x - all[j].x, all[i].y - all[j].y));
    }
  }
  return nearest;
}

/// All tags closed in order; no stray `<` or `&`.
bool well_formed(const std::string& svg) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < svg.size(); ++at) {
    if (svg[at] == '&' && svg.find(';', at) > at + 5) return false;
    if (svg[at] != '<') continue;
    const auto end = svg.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = svg.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos || count(tag, "\"") % 2 != 0) return false;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != tag) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty();
}

TEST(Svg, IsWellFormedAndSelfContained) {
  for (const AgentId agents : {1, 2, 3, 7, 64, 65, 300}) {
    const std::string svg = picture(metropolis_weights(tree(agents)), "a < b & \"c\" > d");
    EXPECT_TRUE(well_formed(svg)) << agents;
    EXPECT_EQ(places(svg).size(), static_cast<std::size_t>(agents));
    EXPECT_NE(svg.find("a &lt; b &amp; &quot;c&quot; &gt; d"), std::string::npos);
    EXPECT_EQ(svg.find("href"), std::string::npos);
    EXPECT_EQ(count(svg, "<path") - 1, static_cast<std::size_t>(agents - 1));  // and the arrowhead
  }
}

TEST(Svg, AgentsKeepApartWithinThePicture) {
  for (const Graph& graph : {tree(63), tree(500), torus(9, 11), undirected(40, [] {
                               Edges edges;
                               for (AgentId i = 1; i < 40; ++i) edges.emplace_back(0, i);
                               return edges;
                             }())}) {
    const auto all = places(picture(metropolis_weights(graph)));
    for (const auto& [x, y] : all) {
      EXPECT_TRUE(x > 0 && x < 800 && y > 0 && y < 900);
    }
    EXPECT_GT(nearest_pair(all), 0.15 * 760 / std::sqrt(graph.agents())) << graph.agents();
  }
}

TEST(Svg, LatticesAreGrids) {
  const auto all = places(picture(metropolis_weights(torus(4, 6))));
  ASSERT_EQ(all.size(), 24U);
  const double step = all[1].x - all[0].x;
  EXPECT_GT(step, 50);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_NEAR(all[i].x, all[0].x + step * static_cast<double>(i % 6), 0.6);
    EXPECT_NEAR(all[i].y, all[0].y + step * static_cast<double>(i / 6), 0.6);
  }
}

TEST(Svg, RingsAreCircles) {
  Edges edges;
  for (AgentId i = 0; i < 12; ++i) edges.emplace_back(i, (i + 1) % 12);
  const auto all = places(picture(metropolis_weights(undirected(12, edges))));
  for (const auto& [x, y] : all) {
    EXPECT_NEAR(std::hypot(x - (all[0].x + all[6].x) / 2, y - (all[0].y + all[6].y) / 2),
                std::abs(all[0].y - all[6].y) / 2, 0.5);
  }
}

TEST(Svg, ArrowsShowOnlyWhereWeightsAreNotSymmetric) {
  EXPECT_EQ(count(picture(metropolis_weights(tree(7))), "marker-end"), 0U);
  const Graph directed(3, Edges{{0, 1}, {1, 2}, {2, 0}, {1, 0}});
  EXPECT_EQ(count(picture(uniform_weights(directed)), "marker-end"), 4U);
}

TEST(Svg, HeavierEdgesAreDarker) {
  using Rows = std::vector<std::vector<MixingMatrix::Entry>>;
  const std::string svg = picture(MixingMatrix(
      Rows{{{0, 0.4}, {1, 0.1}, {2, 0.5}}, {{0, 0.1}, {1, 0.9}}, {{0, 0.5}, {2, 0.5}}}));
  EXPECT_NE(svg.find("stroke-opacity=\"0.34\""), std::string::npos);
  EXPECT_NE(svg.find("stroke-opacity=\"0.90\""), std::string::npos);
}

TEST(Svg, PeriodsHaveAPanelPerRoundWithTheSamePlaces) {
  const Graph first = undirected(4, {{0, 1}, {2, 3}});
  const Graph second = undirected(4, {{1, 2}, {0, 3}});
  const std::vector<MixingMatrix> both = {metropolis_weights(first), metropolis_weights(second)};
  const std::string svg = to_svg(Rounds(both, 2), "two rounds");
  EXPECT_TRUE(well_formed(svg));
  EXPECT_NE(svg.find(">round 0<"), std::string::npos);
  EXPECT_NE(svg.find(">round 1<"), std::string::npos);
  EXPECT_EQ(svg.find(">round 2<"), std::string::npos);
  const auto all = places(svg);
  ASSERT_EQ(all.size(), 8U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(all[i + 4].x - all[i].x, all[4].x - all[0].x, 0.11);
    EXPECT_NEAR(all[i + 4].y, all[i].y, 0.11);
  }
  EXPECT_EQ(count(to_svg(Rounds(both, 40), "many"), ">round "), 12U);
}

TEST(Svg, IsTheSameEveryTime) {
  const MixingMatrix matrix = metropolis_weights(tree(90));
  EXPECT_EQ(picture(matrix), picture(matrix));
}

TEST(Svg, RefusesWhatNobodyCouldSee) {
  try {
    picture(metropolis_weights(tree(2001)));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("at most 2000"), std::string::npos);
  }
}

}  // namespace
}  // namespace echelon
