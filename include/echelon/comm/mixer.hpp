#pragma once
/// X <- X W^T for one variable: agent i receives sum_j w_ij x_j.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/network.hpp"
#include "echelon/core/parallel.hpp"

namespace echelon {

namespace detail {
/// out <- sum of terms' columns, rows [from, from + rows), as a chain of multiply-adds in ascending
/// order of agents.
void mix_rows(const Exchange& exchange, const ExchangePlan::Term* terms, std::size_t count,
              Index from, Index rows, double* out);
}  // namespace detail

/// Collective over neighboring ranks; all ranks start and finish their mixers in the same order.
/// `pre` and `post` are Eigen expressions of d x m blocks; `pre` is evaluated straight into the
/// outgoing columns. `out` must not occur in `pre` or `post`.
class Mixer {
 public:
  Mixer(Network& network, std::string name, Index dimension)
      : network_(&network), name_(std::move(name)), dimension_(dimension) {}

  /// out <- W pre
  template <class Pre>
  void operator()(AgentMatrix& out, const Pre& pre) {
    start(pre);
    finish(out);
  }
  /// out <- W pre + post
  template <class Pre, class Post>
  void operator()(AgentMatrix& out, const Pre& pre, const Post& post) {
    start(pre);
    finish(out, post);
  }

  /// Sends; computation may go on until `finish`.
  template <class Pre>
  void start(const Pre& pre) {
    exchange_ = network_->acquire(dimension_);
    AgentView& outgoing = exchange_->outgoing();
    parallel_for(static_cast<int>(outgoing.cols()), [&](int i) { outgoing.col(i) = pre.col(i); });
    exchange_->post();
  }
  void finish(AgentMatrix& out) {
    complete(out, [](int, Index, Index) {});
  }
  template <class Post>
  void finish(AgentMatrix& out, const Post& post) {
    complete(out, [&](int i, Index from, Index rows) {
      out.col(i).segment(from, rows) += post.col(i).segment(from, rows);
    });
  }

 private:
  static constexpr Index strip_rows = 2048;

  template <class AddPost>
  void complete(AgentMatrix& out, const AddPost& add_post) {
    exchange_->wait(name_);
    const ExchangePlan& plan = *network_->plan_;
    parallel_for(plan.local, [&](int i) {
      const auto begin = plan.offsets[static_cast<std::size_t>(i)];
      const auto count = plan.offsets[static_cast<std::size_t>(i) + 1] - begin;
      for (Index from = 0; from < dimension_; from += strip_rows) {
        const Index rows = std::min(strip_rows, dimension_ - from);
        detail::mix_rows(*exchange_, plan.terms.data() + begin, count, from, rows,
                         out.col(i).data() + from);
        add_post(i, from, rows);
      }
    });
    network_->count_round(dimension_, exchange_->bytes_per_round());
    network_->release(std::move(exchange_));
  }

  Network* network_;
  std::string name_;
  Index dimension_;
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace echelon
