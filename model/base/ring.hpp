// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace solfege {

/// A queue in a fixed ring; a slot keeps its address until it is popped.
template <typename T>
class Ring {
 public:
  explicit Ring(std::size_t capacity = 1) { reset(capacity); }
  /// Drops the contents and makes room for `capacity` elements.
  void reset(std::size_t capacity) {
    std::size_t size = 1;
    while (size < capacity) size *= 2;
    slots_.resize(size);
    mask_ = size - 1;
    head_ = tail_ = 0;
  }
  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  std::size_t room() const { return slots_.size() - size(); }
  T& front() { return slots_[head_ & mask_]; }
  const T& front() const { return slots_[head_ & mask_]; }
  /// Appends a slot with whatever it held before and returns it.
  T& push() { return slots_[tail_++ & mask_]; }
  void pop() { ++head_; }

 private:
  std::vector<T> slots_;
  std::size_t mask_ = 0, head_ = 0, tail_ = 0;
};

}  // namespace solfege
