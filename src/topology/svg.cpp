#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <vector>

#include "echelon/core/error.hpp"
#include "echelon/topology/certificate.hpp"
#include "echelon/topology/pictures.hpp"
#include "layout.hpp"
#include "sweeps.hpp"

namespace echelon {

namespace {

using detail::Layout;
using detail::Point;

constexpr double width = 800;
constexpr double margin = 20;
constexpr double header = 64;  // title and caption
constexpr AgentId most_agents_drawn = 2000;
constexpr AgentId most_labeled = 64;

std::string escaped(const std::string& raw) {
  std::string result;
  for (const char letter : raw) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(letter) < 32 ? ' ' : letter;
    }
  }
  return result;
}

std::string caption_of(const Certificate& certificate) {
  std::ostringstream caption;
  caption << std::setprecision(3) << certificate.agents
          << (certificate.agents == 1 ? " agent, " : " agents, ")
          << (certificate.connected ? "" : "not ") << "connected, "
          << (certificate.symmetric             ? "symmetric"
              : certificate.doubly_stochastic() ? "doubly stochastic"
              : certificate.row_stochastic      ? "row-stochastic"
                                                : "column-stochastic")
          << " weights";
  if (certificate.period == 0) caption << ", drawn anew at every round";
  if (certificate.period > 1) caption << ", repeats after " << certificate.period << " rounds";
  if (std::isfinite(certificate.rounds_to_1e6) && certificate.agents > 1) {
    caption << ", spectral gap " << certificate.spectral_gap;
  }
  return caption.str();
}

/// One square of the picture.
struct Panel {
  double left;
  double top;
  double size;
  double radius;  ///< of an agent
};

Point place(const Panel& panel, const Point& point) {
  const double inset = panel.radius + 0.06 * panel.size;
  const double scale = panel.size - 2 * inset;
  return {panel.left + inset + scale * point.x, panel.top + inset + scale * point.y};
}

double radius_for(double size, AgentId agents) {
  const double spacing = size / std::sqrt(static_cast<double>(agents));
  return std::clamp(0.13 * spacing, 1.2, agents <= most_labeled ? 13.0 : 6.0);
}

void draw_line(std::ostream& out, const Point& from, const Point& to, const Point& bend,
               const std::string& style) {
  out << "<path d=\"M" << from.x << ' ' << from.y << " Q" << bend.x << ' ' << bend.y << ' ' << to.x
      << ' ' << to.y << '"' << style << "/>\n";
}

Point toward(const Point& from, const Point& to, double length) {
  const double distance = std::max(1e-9, std::hypot(to.x - from.x, to.y - from.y));
  return {from.x + (to.x - from.x) / distance * length,
          from.y + (to.y - from.y) / distance * length};
}

struct Edge {
  AgentId sender;
  AgentId receiver;
  double weight;
  bool arrow;
  bool both_ways;
};

std::string style_of(const Edge& edge, double heaviest, double thickness) {
  std::ostringstream style;
  style << std::fixed << std::setprecision(2) << " stroke=\""
        << (edge.weight < 0 ? "#b5483a" : "#33567d") << "\" stroke-opacity=\""
        << 0.2 + 0.7 * std::abs(edge.weight) / heaviest << "\" stroke-width=\"" << thickness << '"';
  return style.str();
}

/// An edge around the border of a lattice, as two stubs that leave it.
bool goes_around(const Layout& layout, const Edge& edge) {
  if (layout.columns == 0) return false;
  const AgentId along = std::abs(edge.sender % layout.columns - edge.receiver % layout.columns);
  const AgentId across = std::abs(edge.sender / layout.columns - edge.receiver / layout.columns);
  return along + across > 1;
}

void draw_edge(std::ostream& out, const Panel& panel, const Layout& layout, const Edge& edge,
               double heaviest) {
  const Point from = place(panel, layout.points[static_cast<std::size_t>(edge.sender)]);
  const Point to = place(panel, layout.points[static_cast<std::size_t>(edge.receiver)]);
  const double thickness = std::clamp(panel.radius / 5, 0.5, 2.0);
  const std::string plain = style_of(edge, heaviest, thickness);
  const std::string style = edge.arrow ? plain + " marker-end=\"url(#arrow)\"" : plain;
  if (goes_around(layout, edge)) {
    const double spur = panel.radius + 0.045 * panel.size;
    const Point out_end = toward(from, to, -spur);
    const Point in_start = toward(to, from, -spur);
    const Point in_end = toward(to, from, -panel.radius - (edge.arrow ? 1 : 0));
    draw_line(out, from, out_end, from, plain + " stroke-dasharray=\"3 2\"");
    draw_line(out, in_start, in_end, in_start, style + " stroke-dasharray=\"3 2\"");
    return;
  }
  const double sag = edge.arrow && edge.both_ways ? 0.12 : 0;
  const Point bend = {(from.x + to.x) / 2 + sag * (to.y - from.y),
                      (from.y + to.y) / 2 - sag * (to.x - from.x)};
  const double clear = panel.radius + (edge.arrow ? 1 : 0);
  draw_line(out, toward(from, bend, panel.radius), toward(to, bend, clear), bend, style);
}

std::vector<Edge> edges_of(const MixingMatrix& matrix) {
  const bool arrows = !matrix.is_symmetric();
  const detail::Neighbors senders = detail::senders_of(matrix);
  std::vector<Edge> edges;
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [j, weight] : matrix.row(i)) {
      if (j == i || (!arrows && j > i)) continue;
      edges.push_back({j, i, weight, arrows, std::ranges::binary_search(senders.of(j), i)});
    }
  }
  return edges;
}

void draw_agents(std::ostream& out, const Panel& panel, const Layout& layout) {
  const auto agents = static_cast<AgentId>(layout.points.size());
  const bool labeled = agents <= most_labeled && panel.radius >= 5;
  for (AgentId i = 0; i < agents; ++i) {
    const auto [x, y] = place(panel, layout.points[static_cast<std::size_t>(i)]);
    out << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"" << panel.radius << "\"/>\n";
    if (!labeled) continue;
    out << "<text class=\"agent\" font-size=\"" << panel.radius << "\" x=\"" << x << "\" y=\""
        << y + 0.36 * panel.radius << "\">" << i << "</text>\n";
  }
}

/// Edges under agents.
void draw_panel(std::ostream& out, const Panel& panel, const Layout& layout,
                const MixingMatrix& matrix) {
  const std::vector<Edge> edges = edges_of(matrix);
  double heaviest = 1e-300;
  for (const Edge& edge : edges) heaviest = std::max(heaviest, std::abs(edge.weight));
  out << "<g fill=\"none\">\n";
  for (const Edge& edge : edges) draw_edge(out, panel, layout, edge, heaviest);
  out << "</g>\n<g fill=\"#f7f4ec\" stroke=\"#1f2d3d\" stroke-width=\""
      << std::clamp(panel.radius / 8, 0.3, 1.5) << "\">\n";
  draw_agents(out, panel, layout);
  out << "</g>\n";
}

/// The edges of the rounds together, both ways.
detail::Neighbors all_edges(const MixingSchedule& schedule, std::uint64_t rounds) {
  detail::Neighbors all = detail::senders_of(*schedule.at(0));
  for (std::uint64_t k = 1; k < rounds; ++k) {
    all = detail::union_of(all, detail::senders_of(*schedule.at(k)));
  }
  return detail::union_of(all, detail::reversed(all));
}

void open_picture(std::ostream& out, double height, double radius, const std::string& title,
                  const std::string& caption) {
  const double arrow = std::clamp(0.8 * radius, 3.0, 9.0);
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
      << "\" viewBox=\"0 0 " << width << ' ' << height << "\">\n<title>" << escaped(title)
      << "</title>\n<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9.5\" refY=\"5\" "
         "markerUnits=\"userSpaceOnUse\" orient=\"auto\" markerWidth=\""
      << arrow << "\" markerHeight=\"" << arrow
      << "\"><path d=\"M0 1.5 L10 5 L0 8.5 z\" fill=\"#33567d\" stroke=\"none\"/></marker></defs>\n"
         "<style>text{font-family:Helvetica,Arial,sans-serif;fill:#1f2d3d;stroke:none}"
         ".agent{text-anchor:middle}.round{text-anchor:middle;font-size:13px}</style>\n"
         "<rect width=\"100%\" height=\"100%\" fill=\"#fdfcf9\"/>\n<text x=\""
      << margin << "\" y=\"32\" font-size=\"20\" font-weight=\"bold\">" << escaped(title)
      << "</text>\n<text x=\"" << margin << "\" y=\"54\" font-size=\"13\" fill-opacity=\"0.75\">"
      << caption << "</text>\n";
}

/// As square as the panels allow.
std::uint64_t columns_for(std::uint64_t panels) {
  std::uint64_t columns = 1;
  while (columns * columns < panels) ++columns;
  return columns;
}

}  // namespace

std::string to_svg(const MixingSchedule& schedule, const std::string& title) {
  constexpr std::uint64_t most_panels = 12;
  constexpr std::uint64_t panels_of_random = 4;
  constexpr std::uint64_t most_laid_out = 64;
  const AgentId agents = schedule.agents();
  require(agents <= most_agents_drawn, ErrorKind::usage, "picture: there are ", agents,
          " agents (nothing could be told apart); at most ", most_agents_drawn, " can be drawn");
  const std::uint64_t period = schedule.period() == 0 ? panels_of_random : schedule.period();
  const std::uint64_t panels = std::min(period, most_panels);
  const std::uint64_t columns = columns_for(panels);
  const std::uint64_t rows = (panels + columns - 1) / columns;
  const double label = panels > 1 ? 22 : 0;
  const double size = (width - 2 * margin) / static_cast<double>(columns);
  const double height = header + static_cast<double>(rows) * (size + label) + margin;
  const Layout layout = detail::layout_of(all_edges(schedule, std::min(period, most_laid_out)));
  const double radius = radius_for(size, agents);

  std::ostringstream out;
  out << std::fixed << std::setprecision(1);
  open_picture(out, height, radius, title, caption_of(certify(schedule)));
  for (std::uint64_t k = 0; k < panels; ++k) {
    const Panel panel = {margin + static_cast<double>(k % columns) * size,
                         header + static_cast<double>(k / columns) * (size + label) + label, size,
                         radius};
    if (panels > 1) {
      out << "<text class=\"round\" x=\"" << panel.left + size / 2 << "\" y=\"" << panel.top - 4
          << "\">round " << k << "</text>\n";
    }
    draw_panel(out, panel, layout, *schedule.at(k));
  }
  out << "</svg>\n";
  return out.str();
}

}  // namespace echelon
