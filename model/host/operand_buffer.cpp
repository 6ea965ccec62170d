// SPDX-License-Identifier: Apache-2.0
#include "model/host/operand_buffer.hpp"

#include <fmt/format.h>

#include <utility>

namespace solfege {

OperandBuffer::Place OperandBuffer::place(const PackedTensor& tensor, std::uint32_t first_word,
                                          int words, int pieces, std::uint32_t step) {
  const auto beat = static_cast<std::uint32_t>(beat_words_);
  Place place;
  place.first_word = first_word / beat * beat;
  const std::string key =
      fmt::format("{}@{}+{} {} times {}", tensor.name, first_word, words, pieces, step);
  place.is_resident = halves_[1 - next_half_].holds == key;
  place.half = place.is_resident ? 1 - next_half_ : next_half_;
  place.offset = place.half * depth_ / 2;
  place.base = place.offset + static_cast<int>(first_word - place.first_word);
  place.load_words =
      (first_word + static_cast<std::uint32_t>(words) - place.first_word + beat - 1) / beat * beat;
  if (place.is_resident) return place;
  next_half_ = 1 - next_half_;
  Half& half = halves_[place.half];
  half.holds = key;
  place.last_user = std::exchange(half.last_user, -1);
  return place;
}

}  // namespace solfege
