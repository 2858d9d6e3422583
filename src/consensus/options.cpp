#include "echelon/consensus/strategy.hpp"

namespace echelon {

void StrategyOptions::visit(OptionVisitor& visitor) {
  visitor("mixing_rounds", mixing_rounds, between(1, 1000),
          "exchanges per mixing, W^rounds in place of W; read by gossip-*, clipped-gossip, gt-*, "
          "extra, exact-diffusion, push-*");
  visitor("chebyshev", chebyshev,
          "accelerate several mixing_rounds by a Chebyshev polynomial of W (symmetric, fixed "
          "networks); read by those that read mixing_rounds");
  visitor("lazy", lazy,
          "mix with (I + W) / 2; off: with W, whose eigenvalues must then be above -1/3; read by "
          "extra, exact-diffusion");
  visitor("consensus_step", consensus_step, between(0, 1),
          "how far agents move toward what they hear, in (0, 1]; 0 = chosen from compressor and "
          "network; read by compressed-tracking, choco");
  visitor("local_steps", local_steps, at_least(1),
          "steps of an agent between two rounds with the server; read by local-server, "
          "local-server-cv");
  visitor("server_step", server_step, above(0),
          "step of the server along the mean of the clients' moves; read by local-server, "
          "local-server-cv");
  visitor.choice("aggregation", aggregation,
                 {"mean", "median", "trimmed-mean", "centered-clipping"},
                 "what the server makes of the agents' answers; the last three bear some false "
                 "ones; read by all-reduce, local-server, local-server-cv, stale-server, and exact "
                 "means of methods that combine means");
  visitor(
      "trimmed_fraction", trimmed_fraction, Range{.low = 0, .high = 0.5, .high_open = true},
      "trimmed-mean: of the answers, left out at each side of a coordinate; mix_nearest: of the "
      "answers, that may be false; clipped-gossip: of the weight at an agent that attackers may "
      "have");
  visitor("mix_nearest", mix_nearest,
          "before median, trimmed-mean and centered-clipping: each answer becomes the mean of "
          "those nearest to it, itself among them, all but trimmed_fraction; for agents that "
          "differ much, or know different coordinates");
  visitor("clipping_radius", clipping_radius, at_least(0),
          "no agent moves the result of centered-clipping, or a neighbor in clipped-gossip, by "
          "more than its weight times this; 0 = from the distances of the round");
  visitor("clipping_rounds", clipping_rounds, between(1, 100),
          "centered-clipping: times that the center moves per call");
  compression.visit(visitor);
}

}  // namespace echelon
