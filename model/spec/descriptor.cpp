// SPDX-License-Identifier: Apache-2.0
#include "model/spec/descriptor.hpp"

#include <fmt/format.h>

#include <algorithm>
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

int field_words() {
  int words = 0;
  for (int engine = 0; engine < kEngines; ++engine)
    words = std::max(words, field_words(static_cast<Engine>(engine)));
  return words;
}

int field_words(Engine engine) {
  int words = 0;
#define SOLFEGE_WORD(name, word, lsb, width, Type) words = std::max(words, (word) + 1);
  SOLFEGE_COMMON_FIELDS(SOLFEGE_WORD)
  switch (engine) {
    case Engine::kDma:
      SOLFEGE_LOAD_FIELDS(SOLFEGE_WORD)
      break;
    case Engine::kArray:
      SOLFEGE_GEMM_FIELDS(SOLFEGE_WORD)
      break;
    case Engine::kStream:
      SOLFEGE_STREAM_FIELDS(SOLFEGE_WORD)
      break;
    case Engine::kTurner:
      SOLFEGE_TURN_FIELDS(SOLFEGE_WORD)
      break;
  }
#undef SOLFEGE_WORD
  return words;
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

EncodedDescriptor Descriptor::encode() const {
  EncodedDescriptor encoded{}, used{};
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

namespace {

std::uint32_t twos_complement(int value, int bits) {
  if (value < -(1 << (bits - 1)) || value >= 1 << (bits - 1))
    throw std::logic_error(fmt::format("an operand's reading: {} exceeds {} bits", value, bits));
  return static_cast<std::uint32_t>(value) & ((1u << bits) - 1);
}

std::int64_t extended(std::uint32_t value, int bits) {
  return static_cast<std::int32_t>(value << (32 - bits)) >> (32 - bits);
}

constexpr int kAffineBits = 10, kAffineLanesBits = 18;

}  // namespace

void Descriptor::read_operands(const PlaneReading& rows, const PlaneReading& columns) {
  row_signed = rows.is_signed;
  column_signed = columns.is_signed;
  const int step = rows.step * columns.step;
  for (affine_shift = 0; 1 << affine_shift < step;) ++affine_shift;
  if (1 << affine_shift != step || affine_shift > 3)
    throw std::logic_error("an operand's reading: its step is not 1, 2 or 4");
  affine_row = twos_complement(rows.step * columns.offset, kAffineBits);
  affine_column = twos_complement(rows.offset * columns.step, kAffineBits);
  affine_lanes = twos_complement(rows.offset * columns.offset, kAffineLanesBits);
}

AffineProduct Descriptor::affine() const {
  return {static_cast<int>(affine_shift), extended(affine_row, kAffineBits),
          extended(affine_column, kAffineBits), extended(affine_lanes, kAffineLanesBits)};
}

Descriptor Descriptor::decode(const EncodedDescriptor& words) {
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
