// SPDX-License-Identifier: Apache-2.0
#include "model/spec/descriptor.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <stdexcept>

namespace solfege {

const std::vector<DescriptorField>& descriptor_fields() {
  static const std::vector<DescriptorField> fields = {
#define SOLFEGE_ROW(name, word, lsb, width, Type) {#name, word, lsb, width},
      SOLFEGE_DESCRIPTOR_FIELDS(SOLFEGE_ROW)
#undef SOLFEGE_ROW
  };
  return fields;
}

std::string Descriptor::overflow() const {
  std::string found;
  auto look = [&](const char* field, int width, std::uint32_t value) {
    if (found.empty() && width < 32 && (value >> width) != 0)
      found = fmt::format("{} = {} of at most {}", field, value, (1u << width) - 1);
  };
#define SOLFEGE_LOOK(name, word, lsb, width, Type) \
  look(#name, width, static_cast<std::uint32_t>(this->name));
  SOLFEGE_DESCRIPTOR_FIELDS(SOLFEGE_LOOK)
#undef SOLFEGE_LOOK
  return found;
}

std::array<std::uint32_t, kDescriptorWords> Descriptor::encode() const {
  std::array<std::uint32_t, kDescriptorWords> encoded{};
  std::array<std::uint32_t, kDescriptorWords> used{};
  auto put = [&](const char* field, int word, int lsb, int width, std::uint32_t value) {
    // Fields of other opcodes share the words; they are zero in a well-made descriptor.
    if (value == 0) return;
    const std::uint32_t mask = width == 32 ? ~0u : ((1u << width) - 1) << lsb;
    if (width < 32 && (value >> width) != 0)
      throw std::logic_error(
          fmt::format("descriptor field {} = {} exceeds {} bits", field, value, width));
    if (used[static_cast<std::size_t>(word)] & mask)
      throw std::logic_error(fmt::format("descriptor field {} overlaps one already set", field));
    used[static_cast<std::size_t>(word)] |= mask;
    encoded[static_cast<std::size_t>(word)] |= value << lsb;
  };
#define SOLFEGE_PUT(name, word, lsb, width, Type) \
  put(#name, word, lsb, width, static_cast<std::uint32_t>(this->name));
  SOLFEGE_DESCRIPTOR_FIELDS(SOLFEGE_PUT)
#undef SOLFEGE_PUT
  return encoded;
}

Descriptor Descriptor::decode(const std::array<std::uint32_t, kDescriptorWords>& words) {
  Descriptor d;
#define SOLFEGE_GET(name, word, lsb, width, Type) \
  d.name = static_cast<Type>(words[word] >> (lsb) & (~0u >> (32 - (width))));
  SOLFEGE_COMMON_FIELDS(SOLFEGE_GET)
  switch (d.opcode) {
    case Opcode::kLoad:
      SOLFEGE_LOAD_FIELDS(SOLFEGE_GET)
      break;
    case Opcode::kGemm:
      SOLFEGE_GEMM_FIELDS(SOLFEGE_GET)
      break;
    case Opcode::kStream:
      SOLFEGE_STREAM_FIELDS(SOLFEGE_GET)
      break;
    case Opcode::kTranspose:
    case Opcode::kUnfold:
      SOLFEGE_TURN_FIELDS(SOLFEGE_GET)
      break;
  }
#undef SOLFEGE_GET
  return d;
}

}  // namespace solfege
