// SPDX-License-Identifier: Apache-2.0
#include "model/schemes/ternary_weights.hpp"

namespace solfege {
namespace {

/// Ternary weights: alpha sign(w) where |w| > .7 mean |w|, else 0.
class Ternary : public TernaryWeights {
 public:
  const char* name() const override { return "ternary"; }
  const char* paper() const override {
    return "Li and Liu, Ternary Weight Networks, 2016, arXiv 1605.04711, eqs. 3 to 6";
  }
  const char* deviation() const override {
    return "alpha is 1.484 mean |w|, what eq. 4 gives for normal weights; weights of other than "
           "two bits, "
           "such as the first layer's, are DoReFa's";
  }

 protected:
  double least_factor() const override { return 0.7; }
  double alpha_factor() const override { return 1.484; }
};

}  // namespace

const Scheme& ternary_scheme() {
  static const Ternary scheme;
  return scheme;
}

}  // namespace solfege
