// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/reduce_lane.hpp"

namespace solfege {
namespace {

std::uint64_t extended(std::uint32_t value) {
  return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
}

}  // namespace

void ReduceLane::clock(const ReduceElement& element, Vectors* vectors) {
  Row& row = rows_[row_];
  const bool keep = taken_ && element.take && mode_.sums && element.row == row_;
  vectors->step();
  std::size_t port = 0;
  for (const std::uint64_t value :
       {std::uint64_t{element.take}, std::uint64_t{mode_.second}, std::uint64_t{mode_.absolute},
        std::uint64_t{mode_.dot}, std::uint64_t{element.inside}, std::uint64_t{element.y},
        std::uint64_t{element.z}, std::uint64_t{again_}, std::uint64_t{keep},
        std::uint64_t{row.seen}, row.sum, row.second})
    vectors->set(port++, value);

  if (taken_ && mode_.sums) {
    Row sums = again_ ? kept_ : row;
    sums.sum += mode_.absolute ? value_ : extended(value_);
    if (mode_.second) sums.second += extended(product_);
    sums.seen = true;
    (keep ? kept_ : row) = sums;
  }
  again_ = keep;
  taken_ = element.take;
  if (!element.take) return;
  row_ = element.row;
  const std::uint32_t y = element.inside ? element.y : 0;
  value_ = mode_.absolute && static_cast<std::int32_t>(y) < 0 ? 0u - y : y;
  if (mode_.second) {
    const std::int32_t a = static_cast<std::int16_t>(y);
    const std::int32_t b = static_cast<std::int16_t>(mode_.dot ? element.z : element.y);
    product_ = static_cast<std::uint32_t>(a * b);
  }
}

}  // namespace solfege
