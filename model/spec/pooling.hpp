// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

namespace solfege {

/// Windows of an axis that one pass can take: `count` of them, `step` windows apart, all of the
/// same `size` once their padding is cut off.
struct WindowRun {
  int first = 0, count = 0, step = 1;  ///< windows
  int start = 0, size = 0;             ///< pixels of the map, of the first window
};

/// Pooling windows along one axis of a map. As many as fit, so pixels at the end may have none.
struct PoolingAxis {
  int map = 1;                            ///< pixels
  int size = 1, stride = 1, padding = 0;  ///< of the windows; padding at most size / 2

  int windows() const { return (map + 2 * padding - size) / stride + 1; }
  bool overlaps() const { return size > stride && windows() > 1; }
  /// Every pixel lies in exactly one window.
  bool tiles() const {
    return padding == 0 && windows() * size == map && (size == stride || windows() == 1);
  }

  /// All windows: each run has those of one size, and, where they have to be `disjoint`, every so
  /// manieth.
  std::vector<WindowRun> runs(bool disjoint) const {
    std::vector<WindowRun> list;
    for (int w = 0; w < windows();) {
      const auto start = [&](int k) { return std::max(0, k * stride - padding); };
      const auto end = [&](int k) { return std::min(map, k * stride - padding + size); };
      const auto is_whole = [&](int k) { return end(k) - start(k) == size; };
      WindowRun run{w, 1, 1, start(w), end(w) - start(w)};
      while (is_whole(w) && w + run.count < windows() && is_whole(w + run.count)) ++run.count;
      w += run.count;
      const int phases = disjoint ? std::min(run.count, (run.size + stride - 1) / stride) : 1;
      for (int phase = 0; phase < phases; ++phase)
        list.push_back({run.first + phase, (run.count - phase + phases - 1) / phases, phases,
                        run.start + phase * stride, run.size});
    }
    return list;
  }
};

/// Pooling windows over a map.
struct Pooling {
  PoolingAxis y, x;
  int windows() const { return y.windows() * x.windows(); }
  bool overlaps() const { return y.overlaps() || x.overlaps(); }
  bool tiles() const { return y.tiles() && x.tiles(); }
};

}  // namespace solfege
