// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/spec/descriptor.hpp"

namespace solfege {

/// A group of row planes by a plane of the columns: what the array multiplies over all taps and
/// words before the next pair.
struct PlanePair {
  std::uint32_t row_plane, row_planes;  ///< the group's first plane, and how many
  std::uint32_t column_plane;
  bool flush;  ///< the next pair has another weight or sign
};

/// First planes and sizes of the groups of row planes, of at most `planes`. The plane of signed
/// rows that weighs negatively is a group of its own.
inline std::vector<std::pair<std::uint32_t, std::uint32_t>> plane_groups(const Descriptor& d,
                                                                         int planes) {
  const auto step = static_cast<std::uint32_t>(planes);
  const std::uint32_t plain = d.row_planes - (d.row_signed ? 1 : 0);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> groups;
  for (std::uint32_t plane = 0; plane < plain; plane += step)
    groups.emplace_back(plane, std::min(step, plain - plane));
  if (d.row_signed) groups.emplace_back(plain, 1);
  return groups;
}

/// A GEMM's pairs in their order: by ascending weight of the groups, had each `planes` planes.
inline std::vector<PlanePair> plane_pairs(const Descriptor& d, int planes) {
  const auto groups = plane_groups(d, planes);
  const auto step = static_cast<std::uint32_t>(planes);
  std::vector<PlanePair> pairs;
  const std::uint32_t weights = step * static_cast<std::uint32_t>(groups.size()) + d.column_planes;
  for (std::uint32_t weight = 0; weight < weights; ++weight) {
    const std::size_t before = pairs.size();
    for (std::uint32_t group = 0; group < groups.size() && group * step <= weight; ++group)
      if (const std::uint32_t column = weight - group * step; column < d.column_planes)
        pairs.push_back(
            {groups[group].first, groups[group].second, column, d.row_signed || d.column_signed});
    if (pairs.size() > before) pairs.back().flush = true;
  }
  return pairs;
}

}  // namespace solfege
