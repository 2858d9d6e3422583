#pragma once
/// A data source in memory: images in ten noisy clusters, and sparse rows that a linear rule
/// separates roughly.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/random.hpp"
#include "echelon/problem/data.hpp"

namespace echelon {

class MemorySource final : public DataSource {
 public:
  MemorySource(std::int64_t rows, std::int64_t features) : features_(features) {
    for (std::int64_t i = 0; i < rows; ++i) {
      Draws draws(7, Purpose::problem_data, 0, static_cast<std::uint64_t>(i));
      const auto label = static_cast<std::uint8_t>(draws.below(10));
      labels.push_back(label);
      for (std::int64_t d = 0; d < features; ++d) {
        const double center = d % 10 == label ? 0.7 : 0.2;
        images.push_back(static_cast<float>(center + 0.3 * draws.uniform()));
      }
      double score = 0;
      for (std::int32_t d = 0; d < features; ++d) {
        if (draws.uniform() > 0.3) continue;
        const double value = draws.normal();
        sparse.columns.push_back(d);
        sparse.values.push_back(static_cast<float>(value));
        score += (d % 2 == 0 ? 1 : -1) * value;
      }
      sparse.offsets.push_back(std::ssize(sparse.columns));
      binary_labels.push_back(score + draws.normal() > 0 ? 1 : 0);
    }
    sparse.features = features;
    image_count = rows;
  }

  std::vector<std::uint8_t> idx_labels(const std::string&) const override { return labels; }
  std::int64_t idx_count(const std::string&) const override { return image_count; }
  DenseData idx_images(const std::string&, std::span<const std::int64_t> rows) const override {
    DenseData result;
    result.features = features_;
    for (const std::int64_t i : rows) {
      const auto first = images.begin() + i * features_;
      result.values.insert(result.values.end(), first, first + features_);
    }
    return result;
  }
  LibsvmSummary libsvm_summary(const std::string&) const override {
    return {binary_labels, features_, ids};
  }
  std::vector<std::string> sample_ids(const std::string&) const override { return ids; }
  SparseData libsvm_rows(const std::string&, std::int64_t features,
                         std::span<const std::int64_t> rows) const override {
    SparseData result;
    result.features = features;
    for (const std::int64_t i : rows) {
      const auto row = static_cast<std::size_t>(i);
      for (auto k = static_cast<std::size_t>(sparse.offsets[row]);
           k < static_cast<std::size_t>(sparse.offsets[row + 1]); ++k) {
        result.columns.push_back(sparse.columns[k]);
        result.values.push_back(sparse.values[k]);
      }
      result.offsets.push_back(std::ssize(result.columns));
    }
    return result;
  }

  std::vector<std::uint8_t> labels;
  std::vector<float> images;
  std::int64_t image_count = 0;
  SparseData sparse;
  std::vector<std::uint8_t> binary_labels;
  std::vector<std::string> ids;

 private:
  std::int64_t features_;
};

inline AgentSet all_agents(AgentId total) {
  AgentSet agents{total, {}};
  for (AgentId i = 0; i < total; ++i) agents.local.push_back(i);
  return agents;
}

}  // namespace echelon
