// SPDX-License-Identifier: Apache-2.0
#include "model/timing/watchdog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/spec/registers.hpp"

namespace solfege {
namespace {

constexpr int kTokens = kSemaphores;

const char* token_name(int token) {
#define SOLFEGE_CASE(kName, bit, name, meaning) \
  if (token == bit) return name;
  SOLFEGE_SEMAPHORES(SOLFEGE_CASE)
#undef SOLFEGE_CASE
  return "7";
}

class Standstill {
 public:
  Standstill(const Program& program, const std::vector<bool>& retired, std::size_t fetched)
      : program_(program), retired_(retired), fetched_(fetched) {
    heads_.fill(program.operations.size());
    for (std::size_t i = 0; i < program.operations.size(); ++i) {
      const Descriptor& d = program.operations[i].descriptor;
      std::size_t& head = heads_[static_cast<std::size_t>(d.engine())];
      if (!retired[i])
        head = std::min(head, i);
      else
        for (int token = 0; token < kTokens; ++token)
          tokens_[static_cast<std::size_t>(token)] += static_cast<int>(d.signal_mask >> token & 1) -
                                                      static_cast<int>(d.wait_mask >> token & 1);
    }
  }

  std::string text() const {
    std::vector<std::string> lines;
    for (int engine = 0; engine < kEngines; ++engine)
      if (has(engine))
        lines.push_back(
            fmt::format("{}: {} {}", engine_name(engine), place(head(engine)), wait(engine)));
    if (lines.empty()) return "every descriptor has retired, and the device does not end";
    return fmt::format("{}", fmt::join(lines, "; "));
  }

 private:
  std::size_t head(int engine) const { return heads_[static_cast<std::size_t>(engine)]; }
  bool has(int engine) const { return head(engine) < program_.operations.size(); }
  const Descriptor& descriptor(int engine) const {
    return program_.operations[head(engine)].descriptor;
  }

  std::string place(std::size_t index) const {
    const Operation& operation = program_.operations[index];
    if (operation.label.empty()) return fmt::format("descriptor {}", index);
    return fmt::format("descriptor {} ({} {}: {})", index, operation.layer, operation.pass,
                       operation.label);
  }

  /// The first token that the engine's head waits for and that is not there, or -1.
  int missing_token(int engine) const {
    for (int token = 0; token < kTokens; ++token)
      if ((descriptor(engine).wait_mask >> token & 1) != 0 &&
          tokens_[static_cast<std::size_t>(token)] <= 0)
        return token;
    return -1;
  }
  bool started(int engine) const {
    return has(engine) && head(engine) < fetched_ && missing_token(engine) < 0;
  }

  std::string wait(int engine) const {
    if (head(engine) >= fetched_) return "has not been fetched";
    if (const int token = missing_token(engine); token >= 0) {
      const std::string what = fmt::format("waits for token {}", token_name(token));
      for (std::size_t i = 0; i < program_.operations.size(); ++i)
        if (!retired_[i] && (program_.operations[i].descriptor.signal_mask >> token & 1) != 0)
          return fmt::format("{} of {} in the {}", what, place(i),
                             engine_name(program_.operations[i].descriptor.engine()));
      return what + ", which no descriptor left gives";
    }
    if (engine == kArray && descriptor(kArray).drain &&
        !(started(kStream) && descriptor(kStream).x_from_array))
      return "waits for the stream unit to drain its tile";
    if (engine == kStream && descriptor(kStream).x_from_array && !started(kArray))
      return "waits for a tile of the array";
    if (engine == kArray) return "does not finish";
    if (engine == kStream && descriptor(kStream).x_from_array)
      return "does not finish: it waits for the array's tiles or for memory";
    return "does not finish: it waits for memory";
  }

  const Program& program_;
  const std::vector<bool>& retired_;
  std::size_t fetched_;
  std::array<std::size_t, kEngines> heads_{};
  std::array<int, kTokens> tokens_{};  ///< signalled and not yet waited for, by retired descriptors
};

}  // namespace

Patience patience_for(const ProgramTiming& predicted, double stall_probability) {
  constexpr std::uint64_t kMargin = 20000;
  std::uint64_t longest = 0;
  for (const OperationTiming& operation : predicted.operations)
    longest = std::max(longest, operation.end - operation.start);
  // A transfer passes up to five channels, each of which pauses p / (1 - p) cycles on average.
  const double factor = 4 * (1 + 5 * stall_probability / (1 - stall_probability));
  auto bound = [&](std::uint64_t cycles) {
    return kMargin + static_cast<std::uint64_t>(factor * static_cast<double>(cycles));
  };
  return {bound(predicted.cycles), bound(longest)};
}

std::string describe_standstill(const Program& program, const std::vector<bool>& retired,
                                std::size_t fetched) {
  return Standstill(program, retired, fetched).text();
}

}  // namespace solfege
