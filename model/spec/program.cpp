// SPDX-License-Identifier: Apache-2.0
#include "model/spec/program.hpp"

namespace solfege {

std::vector<std::uint32_t> Program::encode() const {
  std::vector<std::uint32_t> words;
  words.reserve(operations.size() * kDescriptorWords);
  std::uint32_t tag = 0;
  for (const Operation& operation : operations) {
    Descriptor descriptor = operation.descriptor;
    descriptor.tag = tag++ & 0xffffu;
    const auto encoded = descriptor.encode();
    words.insert(words.end(), encoded.begin(), encoded.end());
  }
  return words;
}

}  // namespace solfege
