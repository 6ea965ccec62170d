// SPDX-License-Identifier: Apache-2.0
#include "cost/gates/vectors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace solfege {

Vectors::Vectors(std::vector<Port> ports) : ports_(std::move(ports)) {
  for (std::size_t port = 0; port < ports_.size(); ++port) {
    first_word_.push_back(words_);
    words_ += words(port);
  }
}

void Vectors::step() {
  const auto size = static_cast<std::size_t>(words_);
  values_.resize(values_.size() + size);
  if (cycles_++ > 0)
    std::copy(values_.end() - 2 * words_, values_.end() - words_, values_.end() - words_);
}

void Vectors::set(std::size_t port, std::uint64_t value, int word) {
  const int width = ports_.at(port).width;
  if (cycles_ == 0 || word < 0 || word >= words(port))
    throw std::out_of_range(fmt::format("word {} of port {}, which has {} bits, in cycle {}", word,
                                        ports_[port].name, width, cycles_));
  const int bits = width - 64 * word;
  if (bits < 64) value &= (std::uint64_t{1} << bits) - 1;
  values_[(cycles_ - 1) * static_cast<std::size_t>(words_) +
          static_cast<std::size_t>(first_word_[port] + word)] = value;
}

void Vectors::set_bits(std::size_t port, int at, std::uint64_t value, int bits) {
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  const int word = at / 64, first = at % 64;
  const auto kept = [&](int w) { return get(cycles_ - 1, port, w); };
  set(port, (kept(word) & ~(mask << first)) | (value & mask) << first, word);
  if (const int below = 64 - first; bits > below)
    set(port, (kept(word + 1) & ~(mask >> below)) | (value & mask) >> below, word + 1);
}

std::uint64_t Vectors::get(std::size_t cycle, std::size_t port, int word) const {
  if (cycle >= cycles_ || word < 0 || word >= words(port))
    throw std::out_of_range(
        fmt::format("word {} of port {} in cycle {} of {}", word, port, cycle, cycles_));
  return values_[cycle * static_cast<std::size_t>(words_) +
                 static_cast<std::size_t>(first_word_[port] + word)];
}

std::size_t Vectors::port(const std::string& name) const {
  for (std::size_t i = 0; i < ports_.size(); ++i)
    if (ports_[i].name == name) return i;
  throw std::out_of_range(fmt::format("the vectors have no port {}", name));
}

}  // namespace solfege
