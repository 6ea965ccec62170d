// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

/// XXH64 of these bytes, with seed 0.
std::uint64_t fingerprint(const void* bytes, std::size_t count);

/// A fingerprint as 16 hexadecimal digits.
std::string hexadecimal(std::uint64_t fingerprint);

/// The fingerprint of texts, in hexadecimal; where one ends and the next begins counts.
std::string content_hash(const std::vector<std::string>& texts);

}  // namespace solfege
