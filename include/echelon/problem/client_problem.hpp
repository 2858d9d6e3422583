#pragma once
/// The problem of the clients, seen from the seats that they take in turn.

#include <memory>

#include "echelon/participation/participation.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// The clients of the local seats as a set of agents, whose ids are those of clients. With as many
/// seats as clients these are the agents themselves.
AgentSet clients_of(const Participation& participation, const AgentSet& seats);

/// Agent = seat. Calls go to the client that sits there in the present round, with the client's own
/// samples; a seat whose answer will not be heard takes no part.
class ClientProblem final : public BilevelProblem {
 public:
  /// `clients` is made for clients_of(participation, seats).
  ClientProblem(AgentSet seats, std::unique_ptr<BilevelProblem> clients,
                std::shared_ptr<const Participation> participation);

  BilevelProblem& clients() { return *clients_; }
  const Participation& participation() const { return *participation_; }
  /// Local number, in the clients' problem, of a client of a local seat's group.
  int client(int local, std::int64_t place) const;

  Index upper_dimension() const override { return clients_->upper_dimension(); }
  Index lower_dimension() const override { return clients_->lower_dimension(); }
  VectorXd start_x() const override { return clients_->start_x(); }
  VectorXd start_y() const override { return clients_->start_y(); }
  const FeasibleSet& upper_set() const override { return clients_->upper_set(); }
  const FeasibleSet& lower_set() const override { return clients_->lower_set(); }
  const LinearConstraints* lower_constraints() const override {
    return clients_->lower_constraints();
  }
  bool has_nonsmooth_term() const override { return clients_->has_nonsmooth_term(); }
  void lower_prox(double t, const ConstVector& x, Vector y) const override {
    clients_->lower_prox(t, x, y);
  }
  bool has_exact_products() const override { return clients_->has_exact_products(); }
  bool takes_part(int local) const override;
  std::int64_t data_bytes() const override { return clients_->data_bytes(); }
  const PartitionReport* partition_report() const override { return clients_->partition_report(); }

  double value(Level level, int local, const Sample& sample, const ConstVector& x,
               const ConstVector& y) const override {
    return clients_->value(level, client(local), sample, x, y);
  }
  void gradient(Level level, int local, const Sample& sample,
                std::span<const AgentPoint> points) const override {
    clients_->gradient(level, client(local), sample, points);
  }
  void product(int local, const Sample& sample, const AgentProduct& product) const override {
    clients_->product(client(local), sample, product);
  }
  std::optional<HessianFactors> hessian_factors(int local, const ConstVector& x,
                                                const ConstVector& y) const override {
    return clients_->hessian_factors(client(local), x, y);
  }

 private:
  /// Local number, in the clients' problem, of who sits there.
  int client(int local) const;

  std::unique_ptr<BilevelProblem> clients_;
  std::shared_ptr<const Participation> participation_;
  std::vector<std::vector<int>> groups_;  ///< local numbers of the clients of each local seat
};

}  // namespace echelon
