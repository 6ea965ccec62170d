// SPDX-License-Identifier: Apache-2.0
// What a network's file may say. The parser (network_file.cpp) refuses every key that is not listed
// here, and the reference (`solfege reference`) prints the list.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace solfege {

constexpr int kMaxChannels = 65536;
constexpr int kMaxKernel = 64;
constexpr int kMaxSide = 1024;
constexpr int kMaxPool = 16;  ///< the place in a window travels in a tag of 8 bits
constexpr double kMaxDropout = 0.9;
constexpr double kMaxLearningRate = 10;
constexpr std::size_t kMaxName = 32;
constexpr std::string_view kInputRange =
    "[height, width] or [height, width, channels], 1 to 1024 each";

/// A key of a network's file.
struct NetworkKey {
  std::string name;
  bool top;                ///< of the file itself; otherwise of a [[layer]]
  bool conv, fc, average;  ///< of a layer: the types that take the key
  std::string type;        ///< "string", "integer", "number", "truth value" or "list"
  std::string range;
  std::string fallback;  ///< what holds when the file does not say
  std::string meaning;   ///< sentences
};
/// Every key, in the order in which messages name them: those of the file, then those of a layer.
const std::vector<NetworkKey>& network_keys();

}  // namespace solfege
