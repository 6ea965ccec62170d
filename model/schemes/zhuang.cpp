// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/dorefa.hpp"

namespace solfege {
namespace {

/// The three trainings of one paper, with DoReFa-Net's quantizers.
class Zhuang : public Dorefa {
 public:
  const char* paper() const override {
    return "Zhuang et al., Towards Effective Low-bitwidth CNNs, CVPR 2018, arXiv 1711.00205";
  }
};

/// Weights of few bits first, then activations too (section 3.2).
class TwoStep : public Zhuang {
 public:
  const char* name() const override { return "two_step"; }
  const char* deviation() const override {
    return "activations of the first phase have the most bits that the configuration holds, up to "
           "8";
  }
  Curriculum curriculum() const override { return Curriculum::kPhases; }
  std::vector<Precision> precisions() const override { return {{0, 8}, {}}; }
};

/// From many bits to few (section 3.3).
class Progressive : public Zhuang {
 public:
  const char* name() const override { return "progressive"; }
  const char* deviation() const override {
    return "8 bits and 4 come first, not 32 and 16, and no more than the configuration holds";
  }
  Curriculum curriculum() const override { return Curriculum::kPhases; }
  std::vector<Precision> precisions() const override { return {{8, 8}, {4, 4}, {}}; }
};

/// With a teacher of 8 bits that is trained beside it (section 3.4).
class Guided : public Zhuang {
 public:
  const char* name() const override { return "guided"; }
  const char* deviation() const override {
    return "the teacher has 8 bits, or the activations' most, not 32; all layers with batch norm "
           "and "
           "without pooling are guided, by the mean square of differences of p";
  }
  std::vector<SchemeParameter> parameters() const override {
    return {{"guidance", "weight of the differences", 0.5, 0.0, 100.0}};
  }
  bool keeps_preactivation(const Layer& layer) const override {
    return layer.batch_norm && layer.pool == 1;
  }
  Curriculum curriculum() const override { return Curriculum::kGuided; }
  std::vector<Precision> precisions() const override { return {{}, {8, 8}}; }
  double guidance(const Layer& last) const override { return parameter(last, "guidance"); }
};

}  // namespace

const Scheme& two_step_scheme() {
  static const TwoStep scheme;
  return scheme;
}
const Scheme& progressive_scheme() {
  static const Progressive scheme;
  return scheme;
}
const Scheme& guided_scheme() {
  static const Guided scheme;
  return scheme;
}

}  // namespace solfege
