// SPDX-License-Identifier: Apache-2.0
#include "model/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace solfege {
namespace {

std::atomic<int> thread_count{0};

/// Starting a thread takes as long as some ten thousand operations.
constexpr double kWorkOfThread = 1e5;

}  // namespace

void set_thread_count(int threads) { thread_count = threads; }

void parallel_for(int count, double work, const std::function<void(int)>& f) {
  int threads = thread_count;
  if (threads <= 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  threads = std::min(threads, count);
  if (work < threads * kWorkOfThread) threads = 1;
  if (threads == 1) {
    for (int i = 0; i < count; ++i) f(i);
    return;
  }
  std::atomic<int> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto run = [&] {
    try {
      for (int i = next++; i < count; i = next++) f(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run);
  run();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

void parallel_slices(std::size_t count, double work,
                     const std::function<void(int, std::size_t, std::size_t)>& f) {
  parallel_for(kSlices, work, [&](int slice) {
    f(slice, count * slice / kSlices, count * (slice + 1) / kSlices);
  });
}

}  // namespace solfege
