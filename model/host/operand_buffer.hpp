// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <numeric>
#include <string>

#include "model/host/tiler.hpp"
#include "model/spec/geometry.hpp"
#include "model/spec/program.hpp"

namespace solfege {

/// What the scheduler knows of an operand buffer: one half is loaded while the array reads the
/// other. A half holds words of one tensor.
class OperandBuffer {
 public:
  /// Of the array's columns, or of its rows.
  OperandBuffer(const Geometry& geometry, bool columns)
      : columns_(columns),
        depth_(geometry.side(columns).depth),
        beat_words_(geometry.side(columns).beat_words) {}

  bool columns() const { return columns_; }
  /// The words that half of the buffer takes, or each of so many pieces of it, of a tensor whose
  /// pixels have `pixel_words` words. Whole pixels are asked for; where one begins within a beat,
  /// the words before it in that beat are loaded too.
  int half_words(int pixel_words, int pieces = 1) const {
    return depth_ / 2 / pieces / beat_words_ * beat_words_ -
           (beat_words_ - std::gcd(pixel_words, beat_words_));
  }
  int beat_words() const { return beat_words_; }
  BufferRoom room(int pixel_words) const { return {half_words(pixel_words), beat_words_}; }

  /// Where words of a tensor are, or go.
  struct Place {
    int half = 0;
    int base = 0;                  ///< address of the first wanted word
    bool is_resident = false;      ///< else they must be loaded:
    std::uint32_t first_word = 0;  ///< of the tensor, where a beat begins
    std::uint32_t load_words = 0;  ///< of a piece: whole beats
    int offset = 0;                ///< address of first_word
    int last_user = -1;  ///< the operation that must have read what is overwritten; -1: none
  };
  /// Finds `words` words from `first_word` of the tensor, or takes the half that was used longer
  /// ago for them. Or `pieces` such runs of words, `step` words apart in the tensor and load_words
  /// in the buffer; the step is one of whole beats.
  Place place(const PackedTensor& tensor, std::uint32_t first_word, int words, int pieces = 1,
              std::uint32_t step = 0);
  /// Operation `index` reads this place.
  void use(const Place& place, int index) { halves_[place.half].last_user = index; }

 private:
  struct Half {
    std::string holds;
    int last_user = -1;  ///< since it was loaded
  };

  bool columns_;
  int depth_, beat_words_;
  int next_half_ = 0;
  Half halves_[2];
};

}  // namespace solfege
