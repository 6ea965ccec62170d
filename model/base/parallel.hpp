// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace solfege {

// Threads for the float reference. Work is cut into pieces by the problem's shape alone, and sums
// over pieces are added in their order, so no result depends on the number of threads.

/// Pieces that slices() cuts a range into, and so the most threads it can keep busy.
constexpr int kSlices = 16;

/// Threads to use from now on; 0 (the default): as many as the machine has.
void set_thread_count(int threads);

/// Calls f(0) to f(count - 1), each once, in no particular order, and returns after the last; the
/// first exception of a call is thrown again. `work` estimates the operations of all calls
/// together: where they would take less time than starting threads, the caller makes them all.
void parallel_for(int count, double work, const std::function<void(int)>& f);

/// Cuts 0 to count - 1 into kSlices consecutive ranges (empty ones at small counts) and calls
/// f(slice, first, last) for each, `last` excluded.
void parallel_slices(std::size_t count, double work,
                     const std::function<void(int, std::size_t, std::size_t)>& f);

}  // namespace solfege
