#pragma once
/// Methods are written from variables, terms and a recursion:
///
///     class F2ba final : public ComposedMethod<F2baOptions> {
///      public:
///       using ComposedMethod::ComposedMethod;
///       void iterate(std::uint64_t k) override {
///         for (std::uint32_t t = 0; t < options.steps(); ++t) {
///           inner({.iteration = k, .step = t});
///           z.descend(options.gamma, gy_z);
///           y.descend(options.beta, fy / options.lambda + gy_y);
///         }
///         outer({.iteration = k, .step = options.steps()});
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
#include <functional>
#include <memory>
#include <optional>
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
    carried_.push_back([name = std::move(name), &part](StateVisitor& visitor) {
      visitor.within(name, part);
    });
  }
  void carry_block(std::string name, AgentMatrix& block);
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
  explicit MethodBase(const MethodContext& context);

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
  ComposedMethod(const MethodContext& context, const Options& its_options)
      : MethodBase(context), options(its_options) {}

 protected:
  const Options options;
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
  LowerCopy(MethodBase& method, const std::string& name);
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

  /// Uses the memory of `where`, of the same shape, from now on.
  void place(const AgentView& where);

 protected:
  Block(Block&& other) noexcept = default;

 private:
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

enum class By { x, y };

/// A block with the oracle that fills it. Points are named by the blocks that hold them.
class Term : public Block {
 public:
  enum class Kind { gradient, hessian_times, cross_times, value };

  Kind kind;
  Level level;
  By by;                            ///< of a gradient
  const AgentView* x;
  const AgentView* y;
  const AgentView* v = nullptr;     ///< of a product
  const Products* how = nullptr;    ///< of a product

  Term(Kind its_kind, Level its_level, By its_by, const AgentView& at_x, const AgentView& at_y,
       Index rows)
      : Block(rows, at_x.cols()), kind(its_kind), level(its_level), by(its_by), x(&at_x), y(&at_y) {}
  Term(Term&&) noexcept = default;
  using Block::operator=;
};

using Gradient = Term;
using Product = Term;
using Value = Term;

inline Gradient df_dx(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient, Level::upper, By::x, x, y, x.rows()};
}
inline Gradient df_dy(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient, Level::upper, By::y, x, y, y.rows()};
}
inline Gradient dg_dx(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient, Level::lower, By::x, x, y, x.rows()};
}
inline Gradient dg_dy(const AgentView& x, const AgentView& y) {
  return {Term::Kind::gradient, Level::lower, By::y, x, y, y.rows()};
}
/// H v = (d2g/dy2) v; `how` outlives the term.
Product hessian_times(const Products& how, const AgentView& x, const AgentView& y,
                      const AgentView& v);
/// J'v = (d2g/dxdy) v, the x-gradient of <grad_y g, v>.
Product cross_times(const Products& how, const AgentView& x, const AgentView& y,
                    const AgentView& v);
/// f or g, 1 x m.
inline Value value_of(Level level, const AgentView& x, const AgentView& y) {
  return {Term::Kind::value, level, By::x, x, y, 1};
}

/// One call of the oracles: which point and which outputs stand for the method's own. Estimators
/// also ask at earlier points and write elsewhere.
class Evaluation {
 public:
  Evaluation(const Sample& sample, std::span<const AgentView* const> variables, OraclePoint point,
             std::span<Block* const> terms, OracleOutputs outputs)
      : sample_(sample), variables_(variables), point_(point), terms_(terms), outputs_(outputs) {}

  const Sample& sample() const { return sample_; }
  /// Where the variable is at this call; a block that is no part of the point is itself.
  const AgentView& at(const AgentView& variable) const;
  /// Where this call writes the term; nullptr if it does not.
  AgentView* into(const Block& term) const;
  /// True if the point is where the variables are now.
  bool is_at_present() const;

 private:
  const Sample& sample_;
  std::span<const AgentView* const> variables_;
  OraclePoint point_;
  std::span<Block* const> terms_;
  OracleOutputs outputs_;
};

/// Terms that are evaluated together: points of a level are merged, so that one pass over the data
/// serves all of them; then products; then values.
class TermOracle {
 public:
  TermOracle(MethodBase& method, std::vector<Term*> terms);
  /// Writes the terms of an evaluation. Not collective.
  void operator()(const Evaluation& evaluation) const;
  /// The blocks at which the terms are taken, each once, in the order of the terms.
  const std::vector<const AgentView*>& variables() const { return variables_; }

 private:
  struct Point {  ///< of one level, with the terms that are its parts
    const AgentView* x;
    const AgentView* y;
    Term* gx = nullptr;
    Term* gy = nullptr;
    mutable std::optional<AgentMatrix> base{};  ///< x-gradient, for forward differences alone
  };
  struct ProductsAt {
    const AgentView* x;
    const AgentView* y;
    const AgentView* v;
    const Products* how;
    Term* hv = nullptr;
    Term* jv = nullptr;
    std::ptrdiff_t base = -1;  ///< number of the lower level's point with gradients there
  };
  void add(Term& term);
  void gradients(Level level, const std::vector<Point>& points, const Evaluation& evaluation) const;
  void product(const ProductsAt& product, const Evaluation& evaluation) const;

  BilevelProblem& problem_;
  std::vector<const AgentView*> variables_;
  std::vector<Point> upper_, lower_;
  std::vector<ProductsAt> products_;
  std::vector<Term*> values_;
};

/// Terms evaluated as they are, whatever the estimator.
class Direct {
 public:
  Direct(MethodBase& method, std::vector<Term*> terms);
  void operator()(const Sample& sample);

 private:
  TermOracle oracle_;
  std::vector<Block*> terms_;
};

/// Terms estimated together: one oracle call per level, one sample, one estimator.
class Together {
 public:
  /// `wanted`: whether the options of the method use it; if not, it holds nothing.
  Together(MethodBase& method, std::vector<Term*> terms, bool wanted = true);

  /// An oracle of the method's own, for what depends on variables in other ways than terms do.
  struct Own {
    std::vector<Block*> outputs;
    std::vector<const AgentView*> at;  ///< the variables that it depends on
    std::function<void(const Evaluation&)> evaluate;
    bool collective = false;  ///< it averages over agents, so that all agents have to take part
  };
  Together(MethodBase& method, Own own);

  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  /// Fills the terms. Collective if the oracle is.
  void operator()(const Sample& sample);

 private:
  void begin(MethodBase& method, bool collective);

  std::vector<Block*> terms_;
  std::vector<const AgentView*> variables_;
  std::function<void(const Evaluation&)> evaluate_;
  Oracle oracle_;
  std::unique_ptr<GradientEstimator> estimator_;
};

/// A MeanTracker whose components are blocks of the method: they lie in the tracker's memory, so
/// that oracles write straight into it. Construct it before the terms are used together.
class Means {
 public:
  /// `components` may contain nullptr, which is left out. Collective.
  Means(MethodBase& method, const std::string& name, const std::vector<Block*>& components);
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

/// Completes the texts of an entry by the options and the constructor of the method `M`.
template <class M>
MethodEntry method_entry(MethodEntry entry) {
  entry.options = typename M::Options{};
  entry.make = [](const MethodContext& context,
                  const PartOptions& options) -> std::unique_ptr<Method> {
    return std::make_unique<M>(context, options.as<typename M::Options>());
  };
  return entry;
}

}  // namespace echelon
