// SPDX-License-Identifier: Apache-2.0
#include "model/data/batches.hpp"

#include <numeric>
#include <utility>

#include "model/data/dataset.hpp"

namespace solfege {

Batches::Batches(const Images& images, int batch, std::uint64_t seed, std::uint64_t first_step)
    : images_(images),
      batch_(batch),
      random_(seed ^ 0x6261746368ull),  // "batch"
      order_(static_cast<std::size_t>(images.count())) {
  std::iota(order_.begin(), order_.end(), 0);
  // Each epoch's order is made from that of the one before.
  const auto steps = static_cast<std::uint64_t>(per_epoch());
  for (std::uint64_t epoch = 0; epoch <= first_step / steps; ++epoch) shuffle();
  position_ = static_cast<std::size_t>(first_step % steps) * static_cast<std::size_t>(batch);
}

int Batches::per_epoch() const { return images_.count() / batch_; }

void Batches::next(std::vector<std::uint8_t>& pixels, std::vector<std::uint8_t>& labels) {
  if (position_ + static_cast<std::size_t>(batch_) > order_.size()) shuffle();
  const auto size = static_cast<std::size_t>(images_.height) *
                    static_cast<std::size_t>(images_.width) *
                    static_cast<std::size_t>(images_.channels);
  pixels.clear();
  labels.clear();
  for (int i = 0; i < batch_; ++i) {
    const int index = order_[position_++];
    pixels.insert(pixels.end(), images_.image(index), images_.image(index) + size);
    labels.push_back(images_.labels[static_cast<std::size_t>(index)]);
  }
}

void Batches::shuffle() {
  position_ = 0;
  for (std::size_t i = order_.size(); i > 1; --i)
    std::swap(order_[i - 1], order_[random_.next() % i]);
}

}  // namespace solfege
