#include "echelon/consensus/compressed_exchange.hpp"

#include <algorithm>
#include <cmath>

#include "echelon/core/compensated_sum.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/parallel.hpp"
#include "strategies.hpp"

namespace echelon {

namespace {

std::span<double> column(AgentMatrix& block, int i) {
  return {block.col(i).data(), static_cast<std::size_t>(block.rows())};
}

bool columns_equal(const AgentView& block) {
  for (Index i = 1; i < block.cols(); ++i) {
    if (block.col(i) != block.col(0)) return false;
  }
  return true;
}

}  // namespace

CompressedExchange::CompressedExchange(const StrategyContext& context, const std::string& name,
                                       std::shared_ptr<const Compressor> compressor)
    : network_(context.network),
      compressor_(std::move(compressor)),
      mixer_(context.network, context.variable + " (" + name + ", compressed)",
             compressor_->bytes(context.dimension)),
      seed_(context.seed),
      stream_(detail::stream_of(context.variable + "/" + name)),
      scale_(1 / (1 + compressor_->variance(context.dimension))),
      reference_(context.dimension, context.network.agents().count()),
      difference_(context.dimension, context.network.agents().count()),
      rounding_(context.dimension, context.network.agents().count()),
      sent_(context.dimension, context.network.agents().count()) {}

void CompressedExchange::begin(const AgentView& value) {
  ECHELON_ASSERT(columns_equal(value));
  reference_.copy_from(value);
  difference_.setZero();
  rounding_.setZero();
}

void CompressedExchange::send(const AgentView& v) {
  round_ = mixer_.round();
  mixer_.start([&](int i, std::span<std::byte> message) {
    const MessageKey from = key(network_.agents().local[static_cast<std::size_t>(i)]);
    sent_.col(i) = v.col(i) - reference_.col(i);
    compressor_->encode(column(sent_, i), from, message);
    compressor_->decode(message, from, column(sent_, i));
    sent_.col(i) *= scale_;
    reference_.col(i) += sent_.col(i);
  });
}

void CompressedExchange::receive() {
  AgentMatrix& decoded = network_.scratch("decoded", reference_.rows());
  mixer_.finish([&](int i, std::span<const MessageMixer::Received> received) {
    for (const MessageMixer::Received& from : received) {
      if (from.sender == network_.agents().local[static_cast<std::size_t>(i)]) continue;
      const std::span<double> theirs = column(decoded, i);
      compressor_->decode({from.message, compressor_->bytes(reference_.rows())}, key(from.sender),
                          theirs);
      add_difference(i, from.weight, theirs.data(), sent_.col(i).data());
    }
    settle_rounding(i);
  });
}

void CompressedExchange::add_difference(int agent, double weight, const double* theirs,
                                        const double* own) {
  double* const sum = difference_.col(agent).data();
  double* const lost = rounding_.col(agent).data();
  for (Index r = 0; r < reference_.rows(); ++r) {
    add_compensated(sum[r], weight * (scale_ * theirs[r] - own[r]), lost[r]);
  }
}

/// D as good as one number can be, the rest below it.
void CompressedExchange::settle_rounding(int agent) {
  double* const sum = difference_.col(agent).data();
  double* const lost = rounding_.col(agent).data();
  for (Index r = 0; r < reference_.rows(); ++r) {
    double rest = 0;
    add_compensated(sum[r], lost[r], rest);
    lost[r] = rest;
  }
}

void CompressedExchange::visit_state(StateVisitor& visitor) {
  visitor.within("messages", mixer_);
  visitor.per_agent("reference", reference_);
  visitor.per_agent("difference", difference_);
  visitor.per_agent("rounding", rounding_);
}

std::shared_ptr<const Compressor> compressor_of(const StrategyContext& context) {
  return make_compressor(context.options.as<CompressedOptions>().compressor, context.dimension);
}

double consensus_step(const StrategyContext& context, const Compressor& compressor) {
  const double chosen = context.options.as<CompressedOptions>().consensus_step;
  require(chosen >= 0 && chosen <= 1, ErrorKind::usage, "consensus.consensus_step = ", chosen,
          ": out of range; choose a value in (0, 1], or 0 for one that suits the compressor");
  if (chosen > 0) return chosen;
  return compressor.gossip_step(context.dimension);
}

}  // namespace echelon
