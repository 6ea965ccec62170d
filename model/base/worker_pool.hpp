// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace solfege {

/// Threads that wait for work between calls, for work too short to start threads for each time.
/// One caller at a time.
class WorkerPool {
 public:
  /// `workers` includes the caller; 0: as many as the machine has.
  explicit WorkerPool(int workers = 0);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int workers() const { return static_cast<int>(threads_.size()) + 1; }
  /// Calls work(worker, part) once for each part 0 .. parts - 1, on any worker in any order, and
  /// returns after the last; a call's first exception is thrown again. Parts a worker gets are
  /// ascending. The caller is worker 0.
  void run(int parts, const std::function<void(int worker, int part)>& work);

 private:
  void serve(int worker);
  void take_parts(int worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  std::uint64_t round_ = 0;  ///< counts calls of run()
  int busy_ = 0;             ///< threads still in this round
  bool stop_ = false;
  const std::function<void(int, int)>* work_ = nullptr;
  int parts_ = 0;
  std::atomic<int> next_{0};
  std::exception_ptr failure_;
};

}  // namespace solfege
