#include "echelon/method/terms.hpp"

#include <algorithm>

#include "echelon/core/error.hpp"

namespace echelon {

MethodBase::MethodBase(const MethodContext& its_context)
    : context(its_context),
      problem(its_context.problem),
      network(its_context.network),
      p(problem.upper_dimension()),
      q(problem.lower_dimension()),
      m(network.agents().count()) {}

void MethodBase::visit_state(StateVisitor& visitor) {
  for (const auto& visit : carried_) visit(visitor);
}

void MethodBase::carry_block(std::string name, AgentMatrix& block) {
  carried_.push_back(
      [name = std::move(name), &block](StateVisitor& visitor) { visitor.per_agent(name, block); });
}

void MethodBase::carry_estimator(GradientEstimator& estimator) {
  carry("estimator_" + std::to_string(estimators_++), estimator);
}

void MethodBase::report_x(const AgentView& block) {
  if (x_ == nullptr) x_ = &block;
}

void MethodBase::report_y(const AgentView& block) {
  if (y_ == nullptr) y_ = &block;
}

// ConsensusVariable keeps its value where it is, so the base may move after construction.
MethodVariable::MethodVariable(MethodBase& method, ConsensusVariable variable)
    : ConsensusVariable(std::move(variable)) {
  method.carry(this->name(), static_cast<ConsensusVariable&>(*this));
}

Upper::Upper(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.upper_variable(name)) {
  method.report_x(*this);
}
Upper::Upper(MethodBase& method, const std::string& name, FeasibleSet set)
    : MethodVariable(method, method.context.upper_variable(name, std::move(set))) {
  method.report_x(*this);
}
Lower::Lower(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.lower_variable(name)) {
  method.report_y(*this);
}
LowerCopy::LowerCopy(MethodBase& method, const std::string& name, bool restarts)
    : MethodVariable(method, method.context.lower_copy(name)) {
  if (restarts) require_mappable("it restarts at y at each iteration");
}
Auxiliary::Auxiliary(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.auxiliary_variable(name, VectorXd::Zero(method.q))) {}
UpperOfMeans::UpperOfMeans(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.upper_variable_of_means(name)) {
  method.report_x(*this);
}
LowerOfMeans::LowerOfMeans(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.lower_variable_of_means(name)) {
  method.report_y(*this);
}
AuxiliaryOfMeans::AuxiliaryOfMeans(MethodBase& method, const std::string& name)
    : MethodVariable(method, method.context.auxiliary_variable_of_means(name)) {}
MultiplierOfMeans::MultiplierOfMeans(MethodBase& method, const std::string& name, FeasibleSet set)
    : MethodVariable(method, method.context.multiplier_of_means(name, std::move(set))) {}

Block::Block(Index rows, Index columns)
    : AgentView(nullptr, rows, columns, Eigen::OuterStride<>(padded_rows(rows))),
      own_(rows, columns) {
  bind(own_.data(), rows, columns, own_.outerStride());
}

void Block::place(const AgentView& where) {
  ECHELON_ASSERT(where.rows() == rows() && where.cols() == cols());
  bind(const_cast<double*>(where.data()), where.rows(), where.cols(), where.outerStride());
  own_ = AgentMatrix();
}

void Block::bind(double* data, Index rows, Index columns, Index stride) {
  new (static_cast<AgentView*>(this)) AgentView(data, rows, columns, Eigen::OuterStride<>(stride));
}

Carried::Carried(MethodBase& method, const std::string& name, Index rows, bool kept)
    : AgentMatrix(rows, method.m) {
  if (kept) method.carry_block(name, *this);
}

const AgentView& Evaluation::at(const AgentView& variable) const {
  for (std::size_t k = 0; k < point_.size(); ++k) {
    if (variables_[k] == &variable) return *point_[k];
  }
  return variable;
}

AgentView& Evaluation::into(AgentView& term) const {
  const auto found = std::find(terms_.begin(), terms_.end(), &term);
  return found == terms_.end() ? term : *outputs_[static_cast<std::size_t>(found - terms_.begin())];
}

bool Evaluation::is_here() const {
  return std::equal(point_.begin(), point_.end(), variables_.begin());
}

TermOracle::TermOracle(BilevelProblem& problem, const std::vector<Term*>& terms)
    : problem_(&problem) {
  for (Term* term : terms) {
    if (term != nullptr) add(*term);
  }
  find_bases();
}

void TermOracle::add_variable(const AgentView* block) {
  if (std::find(variables_.begin(), variables_.end(), block) == variables_.end()) {
    variables_.push_back(block);
  }
}

void TermOracle::add(Term& term) {
  add_variable(term.x);
  add_variable(term.y);
  if (term.v != nullptr) add_variable(term.v);
  switch (term.kind) {
    case Term::Kind::gradient_by_x:
    case Term::Kind::gradient_by_y:
      return add_gradient(term);
    case Term::Kind::hessian_times:
    case Term::Kind::cross_times:
      return add_product(term);
    case Term::Kind::value:
      values_.push_back({term.level, term.x, term.y, &term});
  }
}

void TermOracle::add_gradient(Term& term) {
  std::vector<Point>& points = term.level == Level::upper ? upper_ : lower_;
  auto point = std::find_if(points.begin(), points.end(), [&](const Point& other) {
    return other.x == term.x && other.y == term.y;
  });
  if (point == points.end()) point = points.insert(points.end(), Point{term.x, term.y});
  (term.kind == Term::Kind::gradient_by_x ? point->gx : point->gy) = &term;
}

void TermOracle::add_product(Term& term) {
  auto at = std::find_if(products_.begin(), products_.end(), [&](const ProductsAt& other) {
    return other.x == term.x && other.y == term.y && other.v == term.v && other.how == term.how;
  });
  if (at == products_.end()) {
    at = products_.insert(products_.end(), ProductsAt{term.x, term.y, term.v, term.how});
  }
  (term.kind == Term::Kind::hessian_times ? at->hv : at->jv) = &term;
}

void TermOracle::find_bases() {
  for (ProductsAt& product : products_) {
    if (!product.how->forward()) continue;
    for (Point& point : lower_) {
      if (point.x != product.x || point.y != product.y || point.gy == nullptr) continue;
      product.gy = point.gy;
      if (product.jv == nullptr) continue;
      if (point.gx == nullptr) {
        bases_.emplace_back(product.x->rows(), product.x->cols());
        point.gx = &bases_.back();
      }
      product.gx = point.gx;
    }
  }
}

std::vector<EvaluationPoint> TermOracle::points(const std::vector<Point>& at,
                                                const Evaluation& call) const {
  const auto output = [&](AgentView* term) {
    return term == nullptr ? nullptr : &call.into(*term);
  };
  std::vector<EvaluationPoint> points;
  points.reserve(at.size());
  for (const Point& point : at) {
    points.push_back({call.at(*point.x), call.at(*point.y), output(point.gx), output(point.gy)});
  }
  return points;
}

void TermOracle::operator()(const Evaluation& call) {
  std::vector<EvaluationPoint> upper, lower;
  if (call.is_own()) {
    upper.swap(own_upper_);
    lower.swap(own_lower_);
  }
  if (upper.empty()) upper = points(upper_, call);
  if (lower.empty()) lower = points(lower_, call);
  if (!upper.empty()) problem_->grad_f(call.sample(), upper);
  if (!lower.empty()) problem_->grad_g(call.sample(), lower);
  for (const ProductsAt& at : products_) {
    const auto output = [&](AgentView* term) {
      return term == nullptr ? nullptr : &call.into(*term);
    };
    (*at.how)(call.sample(), {call.at(*at.x), call.at(*at.y), call.at(*at.v), output(at.hv),
                              output(at.jv), output(at.gx), output(at.gy)});
  }
  for (const ValueAt& at : values_) {
    problem_->values(at.level, call.sample(), call.at(*at.x), call.at(*at.y), call.into(*at.out));
  }
  if (call.is_own()) {
    upper.swap(own_upper_);
    lower.swap(own_lower_);
  }
}

Direct::Direct(MethodBase& method, const std::vector<Term*>& terms)
    : oracle_(method.problem, terms), terms_(terms.begin(), terms.end()) {}

void Direct::operator()(const Sample& sample) {
  oracle_(Evaluation(sample, oracle_.variables(), oracle_.variables(), terms_, terms_));
}

Together::Together(MethodBase& method, const std::vector<Term*>& terms, bool wanted) {
  if (!wanted) return;
  terms_.assign(terms.begin(), terms.end());
  standard_ = std::make_unique<TermOracle>(method.problem, terms);
  variables_ = standard_->variables();
  oracle_ = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    (*standard_)(Evaluation(sample, variables_, at, terms_, out));
  };
  begin(method, false);
}

Together::Together(MethodBase& method, Own own)
    : terms_(std::move(own.outputs)), variables_(std::move(own.at)) {
  oracle_ = [this, evaluate = std::move(own.evaluate)](const Sample& sample, OraclePoint at,
                                                       OracleOutputs out) {
    evaluate(Evaluation(sample, variables_, at, terms_, out));
  };
  begin(method, own.collective);
}

void Together::begin(MethodBase& method, bool collective) {
  std::vector<Index> outputs, arguments;
  for (const AgentView* term : terms_) outputs.push_back(term->rows());
  for (const AgentView* variable : variables_) arguments.push_back(variable->rows());
  estimator_ = method.context.make_estimator(outputs, arguments, collective);
  method.carry_estimator(*estimator_);
}

void Together::operator()(const Sample& sample) {
  estimator_->estimate(sample, variables_, oracle_, terms_);
}

namespace {

std::vector<Block*> present(std::vector<Block*> blocks) {
  std::erase(blocks, nullptr);
  return blocks;
}

std::vector<Index> heights(const std::vector<Block*>& blocks) {
  std::vector<Index> rows;
  for (const Block* block : blocks) rows.push_back(block->rows());
  return rows;
}

}  // namespace

Means::Means(MethodBase& method, const std::string& name, std::vector<Block*> components)
    : components_(present(std::move(components))),
      tracker_(method.context.mean_tracker(name, heights(components_))) {
  method.carry(name, tracker_);
  place();
}

void Means::place() {
  for (std::size_t k = 0; k < components_.size(); ++k) {
    components_[k]->place(tracker_.component(k));
  }
}

void Means::update() {
  tracker_.update();
  place();
}

AgentView Means::operator()(const Block& component) {
  const auto found = std::find(components_.begin(), components_.end(), &component);
  ECHELON_ASSERT(found != components_.end());
  return tracker_.mean(static_cast<std::size_t>(found - components_.begin()));
}

}  // namespace echelon
