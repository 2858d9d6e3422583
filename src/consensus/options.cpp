#include "echelon/consensus/strategy.hpp"

namespace echelon {

void StrategyOptions::visit(OptionVisitor& visitor) {
  visitor("mixing_rounds", mixing_rounds, between(1, 1000),
          "exchanges per mixing, W^rounds in place of W; read by gossip-*, gt-*, extra, "
          "exact-diffusion, push-*");
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
  compression.visit(visitor);
}

}  // namespace echelon
