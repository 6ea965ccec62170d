// SPDX-License-Identifier: Apache-2.0
#include "model/base/worker_pool.hpp"

#include <algorithm>

namespace solfege {

WorkerPool::WorkerPool(int workers) {
  if (workers <= 0) workers = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int worker = 1; worker < workers; ++worker)
    threads_.emplace_back([this, worker] { serve(worker); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::take_parts(int worker) {
  try {
    for (int part = next_++; part < parts_; part = next_++) (*work_)(worker, part);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    next_ = parts_;
  }
}

void WorkerPool::serve(int worker) {
  std::uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    take_parts(worker);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--busy_ == 0) finished_.notify_one();
  }
}

void WorkerPool::run(int parts, const std::function<void(int, int)>& work) {
  if (threads_.empty() || parts <= 1) {
    for (int part = 0; part < parts; ++part) work(0, part);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    parts_ = parts;
    next_ = 0;
    failure_ = nullptr;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  start_.notify_all();
  take_parts(0);
  std::unique_lock<std::mutex> lock(mutex_);
  finished_.wait(lock, [&] { return busy_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace solfege
