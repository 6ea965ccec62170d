// SPDX-License-Identifier: Apache-2.0
#include "model/base/hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

namespace solfege {

std::uint64_t fingerprint(const void* bytes, std::size_t count) { return XXH64(bytes, count, 0); }

std::string hexadecimal(std::uint64_t fingerprint) { return fmt::format("{:016x}", fingerprint); }

std::string content_hash(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += fmt::format("{} {}\n", text.size(), text);
  return hexadecimal(fingerprint(all.data(), all.size()));
}

}  // namespace solfege
