#pragma once
/// X <- X W^T for one variable: agent i receives sum_j w_ij x_j.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "echelon/comm/network.hpp"
#include "echelon/comm/progress_thread.hpp"
#include "echelon/comm/round.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/state.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

/// Collective; all ranks call their mixers in the same order. `pre` and `post` are Eigen
/// expressions of d x m blocks, used coefficient by coefficient: `out` may occur in both. (Only
/// between `start` and `finish` must what `post` uses stay as it is.) Each exchange uses the next
/// matrix of the network's schedule.
class Mixer {
 public:
  Mixer(Network& network, std::string name, Index dimension, Mixing mixing = {});

  /// out <- W pre, with W^t or its Chebyshev form if so chosen.
  template <class Pre>
  void operator()(AgentMatrix& out, const Pre& pre) {
    if (mixing_.rounds == 1) {
      round([&](int i, Index from, Index rows, double* to) { write(pre, i, from, rows, to); },
            [&](int i, Index from, Index rows, const detail::Columns& columns) {
              columns.mix(i, from, rows, false, out.col(i).data() + from);
            });
    } else {
      several_rounds(out, pre);
    }
  }
  /// out <- W pre + post
  template <class Pre, class Post>
  void operator()(AgentMatrix& out, const Pre& pre, const Post& post) {
    if (mixing_.rounds == 1) {
      round([&](int i, Index from, Index rows, double* to) { write(pre, i, from, rows, to); },
            [&](int i, Index from, Index rows, const detail::Columns& columns) {
              double* const to = out.col(i).data() + from;
              write(post, i, from, rows, to);
              columns.mix(i, from, rows, true, to);
            });
    } else {
      AgentMatrix& added = network_->scratch("mixer: post", dimension_);
      each_agent([&](int i) { added.col(i) = post.col(i); });
      several_rounds(out, pre);
      each_agent([&](int i) { out.col(i) += added.col(i); });
    }
  }
  /// out_i <- sum_j w_ij (pre_j - pre_i) + post_i; the differences are formed before weighting, so
  /// that rounding vanishes with the disagreement.
  template <class Pre, class Post>
  void difference(AgentMatrix& out, const Pre& pre, const Post& post) {
    if (mixing_.rounds == 1) {
      round([&](int i, Index from, Index rows, double* to) { write(pre, i, from, rows, to); },
            [&](int i, Index from, Index rows, const detail::Columns& columns) {
              double* const to = out.col(i).data() + from;
              write(post, i, from, rows, to);
              columns.add_differences(i, from, rows, to);
            });
    } else {
      several_differences(out, pre, post);
    }
  }

  /// Sends; computation may go on until `finish`. One round, whatever Mixing says.
  template <class Pre>
  void start(const Pre& pre) {
    const TraceSpan span("mix", name_, "(start)");
    begin_round(Exchange::Pace::all_at_once);
    const int strips = exchange_->strips();
    for (int s = 0; s < strips; ++s) {
      write_published(
          s, [&](int i, Index from, Index rows, double* to) { write(pre, i, from, rows, to); });
      exchange_->publish(s + 1);
    }
    AgentMatrix& unpublished = exchange_->unpublished();
    each_agent([&](int i) {
      if (exchange_->plan().place[static_cast<std::size_t>(i)] < 0) unpublished.col(i) = pre.col(i);
    });
    if (exchange_->has_messages()) progress_.start(exchange_);
  }
  /// Lets messages under way go on. Worth calling now and then between `start` and `finish` if MPI
  /// was initialized without MPI_THREAD_MULTIPLE; with it, messages go on by themselves.
  void progress() {
    if (exchange_ && !progress_.is_running()) exchange_->progress();
  }
  void finish(AgentMatrix& out) {
    finish_round([&](int i, Index from, Index rows, const detail::Columns& columns) {
      columns.mix(i, from, rows, false, out.col(i).data() + from);
    });
  }
  template <class Post>
  void finish(AgentMatrix& out, const Post& post) {
    finish_round([&](int i, Index from, Index rows, const detail::Columns& columns) {
      double* const to = out.col(i).data() + from;
      write(post, i, from, rows, to);
      columns.mix(i, from, rows, true, to);
    });
  }

  const std::string& name() const { return name_; }
  std::uint64_t round() const { return static_cast<std::uint64_t>(round_); }
  void visit_state(StateVisitor& visitor) { visitor.replicated("round", round_); }

 private:
  template <class Expression>
  static void write(const Expression& expression, int i, Index from, Index rows, double* to) {
    Eigen::Map<VectorXd>(to, rows) = expression.col(i).segment(from, rows);
  }
  template <class Body>
  void each_agent(const Body& body) const {
    parallel_for(network_->agents().count(), body);
  }
  Index rows_of(int strip) const {
    return std::min(Exchange::strip_rows, dimension_ - strip * Exchange::strip_rows);
  }

  void begin_round(Exchange::Pace pace);
  void end_round();

  template <class Write>
  void write_published(int strip, const Write& write_rows) {
    const auto& published = exchange_->plan().published;
    const Index from = strip * Exchange::strip_rows;
    parallel_for(static_cast<int>(published.size()), [&](int place) {
      write_rows(published[static_cast<std::size_t>(place)], from, rows_of(strip),
                 exchange_->outgoing(place, from));
    });
  }

  /// One blocking exchange: `write_rows` evaluates what an agent sends, `combine` makes its result.
  template <class Write, class Combine>
  void round(const Write& write_rows, const Combine& combine) {
    const TraceSpan span("mix", name_);
    begin_round(Exchange::Pace::strip_by_strip);
    const int strips = exchange_->strips();
    exchange_->reserve_rings(exchange_->plan().sweep.window);
    if (detail::can_share_strips(*exchange_)) {
      parallel_for(strips, [&](int s) {
        detail::mix_through_ring(*exchange_, s * Exchange::strip_rows, rows_of(s), write_rows,
                                 combine);
      });
      end_round();
      return;
    }
    int written = 0;
    for (int s = 0; s < strips; ++s) {
      const Index from = s * Exchange::strip_rows;
      while (written < strips) {
        if (written <= s) {
          exchange_->wait_for_room(written);
        } else if (exchange_->ready(s + 1) || !exchange_->has_room(written)) {
          break;
        }
        write_published(written, write_rows);
        exchange_->publish(++written);
      }
      exchange_->wait(s + 1);
      if (detail::fits_ring(*exchange_)) {
        detail::mix_through_ring(*exchange_, from, rows_of(s), write_rows, combine);
      } else {
        detail::mix_whole_strip(*exchange_, from, rows_of(s), write_rows, combine);
      }
      exchange_->consumed(s + 1);
    }
    end_round();
  }

  template <class Combine>
  void finish_round(const Combine& combine) {
    const TraceSpan span("mix", name_, "(finish)");
    progress_.stop();
    const int strips = exchange_->strips();
    const detail::Columns columns(*exchange_);
    for (int s = 0; s < strips; ++s) {
      exchange_->wait(s + 1);
      each_agent([&](int i) { combine(i, s * Exchange::strip_rows, rows_of(s), columns); });
    }
    end_round();
  }

  template <class Pre>
  void several_rounds(AgentMatrix& out, const Pre& pre) {
    Mixer once = single();
    if (!mixing_.chebyshev) {
      once(out, pre);
      for (int t = 1; t < mixing_.rounds; ++t) once(out, out);
    } else {
      AgentMatrix& previous = network_->scratch("mixer: chebyshev", dimension_);
      each_agent([&](int i) { previous.col(i) = pre.col(i); });
      chebyshev(once, out, previous);
    }
    round_ = once.round_;
  }

  template <class Pre, class Post>
  void several_differences(AgentMatrix& out, const Pre& pre, const Post& post) {
    AgentMatrix& mixed = network_->scratch("mixer: mixed", dimension_);
    AgentMatrix& change = network_->scratch("mixer: change", dimension_);
    each_agent([&](int i) { mixed.col(i) = pre.col(i); });
    each_agent([&](int i) { out.col(i) = post.col(i); });
    if (mixing_.chebyshev) {
      each_agent([&](int i) { out.col(i) -= mixed.col(i); });
      several_rounds(mixed, mixed);
      each_agent([&](int i) { out.col(i) += mixed.col(i); });
      return;
    }
    Mixer once = single();
    for (int t = 0; t < mixing_.rounds; ++t) {
      once.difference(change, mixed, 0 * mixed);
      each_agent([&](int i) {
        mixed.col(i) += change.col(i);
        out.col(i) += change.col(i);
      });
    }
    round_ = once.round_;
  }

  Mixer single() const;
  /// The recursion of T_t(W / b) / T_t(1 / b) from `previous` = the vector itself.
  void chebyshev(Mixer& once, AgentMatrix& out, AgentMatrix& previous) const;

  Network* network_;
  std::string name_;
  Index dimension_;
  Mixing mixing_;
  std::int64_t round_ = 0;
  std::shared_ptr<Exchange> exchange_;
  detail::ProgressThread progress_;
};

}  // namespace echelon
