// SPDX-License-Identifier: Apache-2.0
#include "model/timing/least_traffic.hpp"

#include <algorithm>
#include <array>

namespace solfege {

void LeastTraffic::unite(Intervals& intervals, std::uint64_t begin, std::uint64_t bytes) {
  std::uint64_t end = begin + bytes;
  auto next = intervals.upper_bound(begin);
  if (next != intervals.begin() && std::prev(next)->second >= begin) {
    --next;
    begin = next->first;
  }
  while (next != intervals.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = intervals.erase(next);
  }
  intervals[begin] = end;
}

void LeastTraffic::read_elements(const Descriptor& d, bool strides_b, std::uint32_t address,
                                 ElementType type) {
  const std::array<std::uint32_t, 5> counts = {d.count1, d.count2, d.count3, d.count4, d.count5};
  const std::array<std::uint32_t, 5> strides =
      strides_b ? std::array<std::uint32_t, 5>{d.stride_b1, d.stride_b2, d.stride_b3, d.stride_b4,
                                               d.stride_b5}
                : std::array<std::uint32_t, 5>{d.stride_a1, d.stride_a2, d.stride_a3, d.stride_a4,
                                               d.stride_a5};
  std::uint64_t chunks = d.count0;
  for (std::size_t loop = 0; loop < counts.size(); ++loop)
    // Rows and column groups of the array's tiles, loops 1 and 3, need no stride.
    if (strides[loop] != 0 || (d.x_from_array && (loop == 0 || loop == 2))) chunks *= counts[loop];
  std::uint64_t& bytes = elements_[{address, d.chunk_first}];
  bytes = std::max(bytes, chunks * static_cast<std::uint64_t>(geometry_.config.stream_lanes *
                                                              traits(type).bytes));
}

void LeastTraffic::add(const Operation& operation) {
  const Descriptor& d = operation.descriptor;
  const auto word_bytes = [this](bool columns) {
    return static_cast<std::uint64_t>(geometry_.side(columns).word_bytes);
  };
  switch (d.opcode) {
    case Opcode::kLoad:
      unite(loaded_, d.load_address, d.load_words * word_bytes(d.load_to_columns));
      break;
    case Opcode::kStream:
      if (!d.x_from_array) read_elements(d, false, d.x_address, d.x_type);
      if (d.z_enable) read_elements(d, d.z_strides_b, d.z_address, d.z_type);
      break;
    case Opcode::kTranspose:
    case Opcode::kUnfold: {
      const auto group = static_cast<std::uint64_t>(geometry_.side(d.source_columns).group);
      const std::uint64_t groups = (d.source_rows + group - 1) / group;
      const std::uint64_t pixel_planes =
          d.opcode == Opcode::kTranspose
              ? d.plane_words
              : std::uint64_t{d.unfold_height} * d.unfold_width * d.unfold_planes;
      unite(loaded_, d.source_address,
            groups * pixel_planes * d.source_words * word_bytes(d.source_columns));
      break;
    }
    case Opcode::kGemm:
      break;
  }
  for (const Region& region : operation.writes) unite(written_, region.address, region.bytes);
}

std::uint64_t LeastTraffic::bytes() const {
  std::uint64_t sum = 0;
  for (const Intervals* intervals : {&loaded_, &written_})
    for (const auto& [begin, end] : *intervals) sum += end - begin;
  for (const auto& [place, bytes] : elements_) sum += bytes;
  return sum;
}

}  // namespace solfege
