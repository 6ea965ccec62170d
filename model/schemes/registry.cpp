// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "model/schemes/scheme.hpp"

namespace solfege {

// The table of schemes: X(name) for a file that defines name_scheme().
// clang-format off
#define SOLFEGE_SCHEMES(X) \
  X(dorefa) \
  X(binary_connect) \
  X(bnn) \
  X(xnor_net) \
  X(wrpn) \
  X(wage) \
  X(pact) \
  X(hwgq) \
  X(fqn) \
  X(bi_real) \
  X(any_precision) \
  X(qcode) \
  X(two_step) \
  X(progressive) \
  X(guided) \
  X(ternary) \
  X(bitnet)
// clang-format on

#define SOLFEGE_DECLARE(name) const Scheme& name##_scheme();
SOLFEGE_SCHEMES(SOLFEGE_DECLARE)
#undef SOLFEGE_DECLARE

const std::vector<const Scheme*>& schemes() {
  static const std::vector<const Scheme*> all = {
#define SOLFEGE_ENTRY(name) &name##_scheme(),
      SOLFEGE_SCHEMES(SOLFEGE_ENTRY)
#undef SOLFEGE_ENTRY
  };
  return all;
}

const std::vector<MissingScheme>& missing_schemes() {
  static const char* const codebook =
      "levels of a codebook are no affine function of bit planes: each code would need a look-up "
      "of its level in front of a multiplier, where planes need an AND";
  static const std::vector<MissingScheme> all = {
      {"clip_q", "Tung and Mori, CLIP-Q, CVPR 2018", codebook},
      {"k_quantile", "Baskin et al., UNIQ, 2018, arXiv 1804.10969", codebook}};
  return all;
}

const Scheme* find_scheme(std::string_view name) {
  for (const Scheme* scheme : schemes())
    if (scheme->name() == name) return scheme;
  return nullptr;
}

const Scheme& scheme_of(const Layer& layer) {
  const Scheme* scheme = find_scheme(layer.scheme);
  if (scheme == nullptr) throw std::logic_error("no scheme is called " + layer.scheme);
  return *scheme;
}

OutputCodes output_codes(const Network& network, int k) {
  if (k < 0) return {kUnsignedCodes, 1.0 / code_levels(network.layers.front().input_bits)};
  const Layer& layer = network.layers[static_cast<std::size_t>(k)];
  if (!layer.is_average)
    return {scheme_of(layer).activation_reading(layer),
            scheme_of(layer).activation_codes(layer).step / (1.0 - layer.dropout)};
  // The same range of values, in codes of another width.
  const OutputCodes in = output_codes(network, network.input_of(k));
  const int bits = layer.input_bits - (in.reading.is_signed ? 1 : 0);
  const double largest = in.step * (in.reading.step * code_levels(bits) + in.reading.offset);
  const bool is_signed = in.reading.is_signed || in.reading.offset < 0;
  return {is_signed ? kSignedCodes : kUnsignedCodes,
          largest / code_levels(layer.output_bits - (is_signed ? 1 : 0))};
}

bool is_guided(const Network& network, const Layer& layer) {
  return network.curriculum == Curriculum::kGuided && layer.batch_norm && layer.pool == 1 &&
         scheme_of(layer).curriculum() == Curriculum::kGuided;
}

std::string scheme_names() {
  std::string names;
  for (const Scheme* scheme : schemes())
    names += (names.empty() ? "" : ", ") + std::string(scheme->name());
  return names;
}

double Scheme::parameter(const Layer& layer, std::string_view name) const {
  const auto given = layer.scheme_parameters.find(std::string(name));
  if (given != layer.scheme_parameters.end()) return given->second;
  for (const SchemeParameter& parameter : parameters())
    if (parameter.name == name) return parameter.value;
  throw std::logic_error("the scheme has no such parameter");
}

}  // namespace solfege
