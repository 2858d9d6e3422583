#pragma once
/// Methods are written from variables, terms and a recursion:
///
///     class F2ba final : public ComposedMethod<F2baOptions> {
///      public:
///       using ComposedMethod::ComposedMethod;
///       void iterate(std::uint64_t k) override {
///         const Steps steps{k, options.inner_steps};
///         for (const Sample& step : steps) {
///           inner(step);
///           z.descend(options.gamma, gy_z);
///           y.descend(options.beta, fy / options.lambda + gy_y);
///         }
///         outer(steps.next());
///         x.descend(options.alpha, fx + options.lambda * (gx_y - gx_z));
///       }
///
///      private:
///       Upper x{*this, "x"};
///       Lower y{*this, "y"};
///       LowerCopy z{*this, "z"};
///       Gradient fy = df_dy(x, y), gy_y = dg_dy(x, y), gy_z = dg_dy(x, z);
///       Gradient fx = df_dx(x, y), gx_y = dg_dx(x, y), gx_z = dg_dx(x, z);
///       Together inner{*this, {&fy, &gy_y, &gy_z}}, outer{*this, {&fx, &gx_y, &gx_z}};
///     };
///
/// Variables, estimators, trackers and carried blocks register with the method in the order of its
/// members. Checkpoints, the memory estimate and the reported iterates follow from that; what an
/// iteration costs is counted, not declared.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "echelon/method/method.hpp"
#include "echelon/method/products.hpp"

namespace echelon {

/// What all methods of terms have in common.
class MethodBase : public Method {
 public:
  const AgentView& x() override { return *x_; }
  const AgentView& y() override { return *y_; }
  void visit_state(StateVisitor& visitor) final;

  /// `part.visit_state` is called under `name` from now on, in the order of these calls.
  template <class Part>
  void carry(std::string name, Part& part) {
    carried_.push_back(
        [name = std::move(name), &part](StateVisitor& visitor) { visitor.within(name, part); });
  }
  void carry_block(std::string name, AgentMatrix& block);
  /// What all ranks hold with the same bits.
  template <class Value>
  void carry_replicated(std::string name, Value& value) {
    carried_.push_back([name = std::move(name), &value](StateVisitor& visitor) {
      visitor.replicated(name, value);
    });
  }
  /// Estimators are called estimator_0, estimator_1, ...
  void carry_estimator(GradientEstimator& estimator);
  /// The iterates to report, unless others were given before.
  void report_x(const AgentView& block);
  void report_y(const AgentView& block);

  const MethodContext context;
  BilevelProblem& problem;
  Network& network;
  const Index p;  ///< length of x
  const Index q;  ///< length of y
  const int m;    ///< local agents

 protected:
  explicit MethodBase(const MethodContext& its_context);

 private:
  std::vector<std::function<void(StateVisitor&)>> carried_;
  int estimators_ = 0;
  const AgentView* x_ = nullptr;
  const AgentView* y_ = nullptr;
};

/// A method with its own options.
template <class MethodOptions>
class ComposedMethod : public MethodBase {
 public:
  using Options = MethodOptions;
  ComposedMethod(const MethodContext& its_context, const Options& its_options)
      : MethodBase(its_context), options(its_options) {}

 protected:
  const Options options;
};

/// The samples of `count` steps of iteration k, from step `first` on: the range of a loop.
class Steps {
 public:
  struct Iterator {
    Sample sample;
    const Sample& operator*() const { return sample; }
    Iterator& operator++() {
      ++sample.step;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return sample.step != other.sample.step; }
  };

  Steps(std::uint64_t k, std::int64_t count, std::uint32_t first = 0)
      : first_{.iteration = k, .step = first},
        next_{.iteration = k, .step = first + static_cast<std::uint32_t>(count)} {}
  Iterator begin() const { return {first_}; }
  Iterator end() const { return {next_}; }
  /// The sample after them.
  const Sample& next() const { return next_; }

 private:
  Sample first_, next_;
};

// Variables. Construction is collective. They register under their names.
// -------------------------------------------------------------------------------------------------

class MethodVariable : public ConsensusVariable {
 public:
  MethodVariable(const MethodVariable&) = delete;
  MethodVariable& operator=(const MethodVariable&) = delete;

 protected:
  MethodVariable(MethodBase& method, ConsensusVariable variable);
};

/// x: starts where the problem says and stays in its set.
class Upper final : public MethodVariable {
 public:
  Upper(MethodBase& method, const std::string& name);
  /// In another set, for methods that project x themselves.
  Upper(MethodBase& method, const std::string& name, FeasibleSet set);
};
/// y: likewise.
class Lower final : public MethodVariable {
 public:
  Lower(MethodBase& method, const std::string& name);
};
/// Another point of the lower level, with the strategy of auxiliaries.
class LowerCopy final : public MethodVariable {
 public:
  /// `restarts`: at y, at each iteration. Throws a usage error where the strategy does not allow
  /// it.
  LowerCopy(MethodBase& method, const std::string& name, bool restarts = false);
};
/// In the space of y, free; starts at 0.
class Auxiliary final : public MethodVariable {
 public:
  Auxiliary(MethodBase& method, const std::string& name);
};
// The same for methods that combine network means, see MethodContext::exact_means.
class UpperOfMeans final : public MethodVariable {
 public:
  UpperOfMeans(MethodBase& method, const std::string& name);
};
class LowerOfMeans final : public MethodVariable {
 public:
  LowerOfMeans(MethodBase& method, const std::string& name);
};
class AuxiliaryOfMeans final : public MethodVariable {
 public:
  AuxiliaryOfMeans(MethodBase& method, const std::string& name);
};
/// One number in `set` that starts at 0.
class MultiplierOfMeans final : public MethodVariable {
 public:
  MultiplierOfMeans(MethodBase& method, const std::string& name, FeasibleSet set);
};

// Blocks
// -------------------------------------------------------------------------------------------------

/// A d x m block of the method's own, used like any other in expressions. Its memory may lie in a
/// `Means`. What it holds is overwritten in each iteration before it is read.
class Block : public AgentView {
 public:
  Block(Index rows, Index columns);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  template <class Derived>
  Block& operator=(const Eigen::DenseBase<Derived>& expression) {
    AgentView::operator=(expression);
    return *this;
  }

  /// Shapes must agree.
  void copy_from(const AgentView& other) { AgentView::operator=(other); }
  /// Uses the memory of `where`, of the same shape, from now on.
  void place(const AgentView& where);

 private:
  void bind(double* data, Index rows, Index columns, Index stride);
  AgentMatrix own_;  ///< empty once the block lies elsewhere
};

/// A d x m block that goes on from iteration to iteration and is part of checkpoints; zero at the
/// start.
class Carried final : public AgentMatrix {
 public:
  /// Not `kept`: the block is scratch, with these options of the method.
  Carried(MethodBase& method, const std::string& name, Index rows, bool kept = true);
  using AgentMatrix::operator=;
};

// Terms: blocks that the oracles fill, each at a point.
// -------------------------------------------------------------------------------------------------

/// A block with the oracle that fills it. The blocks that hold its point are its arguments.
class Term final : public Block {
 public:
  enum class Kind { gradient_by_x, gradient_by_y, hessian_times, cross_times, value };

  Term(Kind its_kind, Level its_level, const AgentView& at_x, const AgentView& at_y, Index rows)
      : Block(rows, at_x.cols()), kind(its_kind), level(its_level), x(&at_x), y(&at_y) {}
  Term(Kind its_kind, const Products& with, const AgentView& at_x, const AgentView& at_y,
       const AgentView& at_v, Index rows)
      : Block(rows, at_x.cols()),
        kind(its_kind),
        level(Level::lower),
        x(&at_x),
        y(&at_y),
        v(&at_v),
        how(&with) {}
  using Block::operator=;

  const Kind kind;
  const Level level;
  const AgentView* const x;
  const AgentView* const y;
  const AgentView* const v = nullptr;   ///< of a product
  const Products* const how = nullptr;  ///< of a product
};

using Gradient = Term;
using Product = Term;
using Value = Term;

inline Gradient df_dx(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient_by_x, Level::upper, x, y, x.rows()};
}
inline Gradient df_dy(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient_by_y, Level::upper, x, y, y.rows()};
}
inline Gradient dg_dx(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient_by_x, Level::lower, x, y, x.rows()};
}
inline Gradient dg_dy(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient_by_y, Level::lower, x, y, y.rows()};
}
/// H v = (d2g/dy2) v; `how` outlives the term.
inline Product hessian_times(const Products& how, const AgentView& x, const AgentView& y,
                             const AgentView& v) {
  return {Term::Kind::hessian_times, how, x, y, v, y.rows()};
}
/// J'v = (d2g/dxdy) v, the x-gradient of <grad_y g, v>.
inline Product cross_times(const Products& how, const AgentView& x, const AgentView& y,
                           const AgentView& v) {
  return {Term::Kind::cross_times, how, x, y, v, x.rows()};
}
/// f or g of each agent, 1 x m.
inline Value value_of(Level level, const AgentView& x, const AgentView& y) {
  return {Term::Kind::value, level, x, y, 1};
}

/// One call of the oracles: which blocks stand for the method's variables and terms. Estimators
/// also ask at earlier points and write elsewhere.
class Evaluation {
 public:
  using Variables = std::vector<const AgentView*>;

  Evaluation(const Sample& sample, const Variables& variables, OraclePoint point,
             const std::vector<AgentView*>& terms, OracleOutputs outputs)
      : sample_(sample), variables_(variables), point_(point), terms_(terms), outputs_(outputs) {}

  const Sample& sample() const { return sample_; }
  /// The same call with another sample.
  Evaluation with(const Sample& sample) const {
    return {sample, variables_, point_, terms_, outputs_};
  }
  /// The same call with the sample of inner step t.
  Evaluation at_step(std::int64_t t) const {
    Sample sample = sample_;
    sample.step = static_cast<std::uint32_t>(t);
    return with(sample);
  }
  /// Where a variable is in this call; what is no variable of the oracle is where it is.
  const AgentView& at(const AgentView& variable) const;
  /// Where this call writes the term; what is no output of the oracle is written to itself.
  AgentView& into(AgentView& term) const;
  /// True if the variables are where they are now.
  bool is_here() const;
  /// True if the variables are where they are now and the terms are written to themselves.
  bool is_own() const {
    return point_.data() == variables_.data() && outputs_.data() == terms_.data();
  }

 private:
  Sample sample_;
  const Variables& variables_;
  OraclePoint point_;
  const std::vector<AgentView*>& terms_;
  OracleOutputs outputs_;
};

/// The standard oracle of some terms: points of a level are merged, so that one pass over the data
/// serves all of them; then products, then values. A product by forward differences starts from the
/// gradient at its point if that is one of the terms.
class TermOracle {
 public:
  TermOracle(BilevelProblem& problem, const std::vector<Term*>& terms);
  void operator()(const Evaluation& evaluation);
  /// The blocks at which the terms are taken, each once, in the order of the terms.
  const Evaluation::Variables& variables() const { return variables_; }

 private:
  struct Point {
    const AgentView* x;
    const AgentView* y;
    AgentView* gx = nullptr;  ///< the terms that are its parts
    AgentView* gy = nullptr;
  };
  struct ProductsAt {
    const AgentView* x;
    const AgentView* y;
    const AgentView* v;
    const Products* how;
    AgentView* hv = nullptr;
    AgentView* jv = nullptr;
    AgentView* gy = nullptr;  ///< gradient of g at (x, y), where it is one of the terms
    AgentView* gx = nullptr;  ///< likewise, or scratch where it is not
  };
  struct ValueAt {
    Level level;
    const AgentView* x;
    const AgentView* y;
    AgentView* out;
  };
  void add_variable(const AgentView* block);
  void add(Term& term);
  void add_gradient(Term& term);
  void add_product(Term& term);
  void find_bases();
  std::vector<EvaluationPoint> points(const std::vector<Point>& at, const Evaluation& call) const;

  BilevelProblem* problem_;
  Evaluation::Variables variables_;
  std::vector<Point> upper_, lower_;
  std::vector<ProductsAt> products_;
  std::vector<ValueAt> values_;
  std::deque<AgentMatrix> bases_;
  /// Of calls of the method's own, which are most.
  std::vector<EvaluationPoint> own_upper_, own_lower_;
};

/// Terms evaluated as they are, whatever the estimator. nullptr is left out.
class Direct {
 public:
  Direct(MethodBase& method, const std::vector<Term*>& terms);
  /// Not collective.
  void operator()(const Sample& sample);
  /// As part of an oracle of the method's own: at its point, into its outputs.
  void operator()(const Evaluation& call) { oracle_(call); }

 private:
  TermOracle oracle_;
  std::vector<AgentView*> terms_;
};

/// Terms estimated together: one oracle call per level, one sample, one estimator.
class Together {
 public:
  /// `wanted`: whether the options of the method use it; if not, it holds nothing.
  Together(MethodBase& method, const std::vector<Term*>& terms, bool wanted = true);

  /// An oracle of the method's own, for what depends on its variables in other ways than terms do.
  struct Own {
    std::vector<AgentView*> outputs;
    Evaluation::Variables at;  ///< the variables that it depends on
    std::function<void(const Evaluation&)> evaluate;
    bool collective = false;  ///< it averages over agents, so that all of them have to take part
  };
  Together(MethodBase& method, Own own);

  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  /// Fills the terms. Collective if the oracle is.
  void operator()(const Sample& sample);

 private:
  void begin(MethodBase& method, bool collective);

  std::vector<AgentView*> terms_;
  Evaluation::Variables variables_;
  std::unique_ptr<TermOracle> standard_;  ///< nullptr: an oracle of the method's own
  Oracle oracle_;
  std::unique_ptr<GradientEstimator> estimator_;
};

/// A MeanTracker whose components are blocks of the method: they lie in the tracker's memory, so
/// that oracles write straight into it. Construct it before the terms are used together.
class Means {
 public:
  /// `components` may contain nullptr, which is left out. Collective.
  Means(MethodBase& method, const std::string& name, std::vector<Block*> components);
  Means(const Means&) = delete;
  Means& operator=(const Means&) = delete;

  /// Collective, once all components are filled.
  void update();
  /// d x m: the mean of a component since the last update.
  AgentView operator()(const Block& component);

 private:
  void place();

  std::vector<Block*> components_;
  MeanTracker tracker_;
};

// Entries
// -------------------------------------------------------------------------------------------------

/// Completes the texts of an entry by the options and the constructor of the method `M`. Options
/// have a function `varies` where the calls of an iteration do.
template <class M>
MethodEntry method_entry(MethodEntry entry) {
  entry.options = typename M::Options{};
  entry.make = [](const MethodContext& context,
                  const PartOptions& options) -> std::unique_ptr<Method> {
    return std::make_unique<M>(context, options.as<typename M::Options>());
  };
  if constexpr (requires(const typename M::Options& options) { options.varies(); }) {
    entry.varies = [](const PartOptions& options) {
      return options.as<typename M::Options>().varies();
    };
  }
  return entry;
}

}  // namespace echelon
