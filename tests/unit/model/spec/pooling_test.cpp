// SPDX-License-Identifier: Apache-2.0
#include "model/spec/pooling.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <utility>

namespace solfege {
namespace {

/// (window, pixel) for all pixels of all windows, by the definition of a window.
std::multiset<std::pair<int, int>> members(const PoolingAxis& axis) {
  std::multiset<std::pair<int, int>> all;
  for (int first = -axis.padding, window = 0; first + axis.size <= axis.map + axis.padding;
       first += axis.stride, ++window)
    for (int pixel = first; pixel < first + axis.size; ++pixel)
      if (pixel >= 0 && pixel < axis.map) all.insert({window, pixel});
  return all;
}

std::multiset<std::pair<int, int>> members(const PoolingAxis& axis, const WindowRun& run) {
  std::multiset<std::pair<int, int>> all;
  for (int i = 0; i < run.count; ++i)
    for (int place = 0; place < run.size; ++place)
      all.insert({run.first + i * run.step, run.start + i * run.step * axis.stride + place});
  return all;
}

/// No two windows of the run share a pixel.
bool is_disjoint(const PoolingAxis& axis, const WindowRun& run) {
  std::set<int> pixels;
  for (const auto& [window, pixel] : members(axis, run))
    if (!pixels.insert(pixel).second) return false;
  return true;
}

}  // namespace

TEST_CASE("Runs of windows have every pixel of every window once", "[network]") {
  int overlapping = 0;
  for (int map = 1; map <= 9; ++map)
    for (int size = 1; size <= 5; ++size)
      for (int stride = 1; stride <= 6; ++stride)
        for (int padding = 0; padding <= size / 2; ++padding) {
          const PoolingAxis axis{map, size, stride, padding};
          if (size > map + 2 * padding) continue;
          CAPTURE(map, size, stride, padding);
          const auto expected = members(axis);
          CHECK(axis.windows() == expected.rbegin()->first + 1);
          for (const bool disjoint : {false, true}) {
            std::multiset<std::pair<int, int>> got;
            bool all_disjoint = true;
            for (const WindowRun& run : axis.runs(disjoint)) {
              got.merge(members(axis, run));
              all_disjoint = all_disjoint && is_disjoint(axis, run);
            }
            CHECK(got == expected);
            if (disjoint) CHECK(all_disjoint);
            // Windows of one size that overlap are one run where they may.
            if (!disjoint && padding == 0) {
              CHECK(axis.runs(false).size() == 1);
              CHECK(all_disjoint == !axis.overlaps());
              overlapping += axis.overlaps();
            }
          }
          std::multiset<int> pixels;
          for (const auto& [window, pixel] : expected) pixels.insert(pixel);
          bool once = padding == 0;
          for (int pixel = 0; pixel < map; ++pixel) once = once && pixels.count(pixel) == 1;
          CHECK(axis.tiles() == once);
        }
  CHECK(overlapping > 0);
}

}  // namespace solfege
