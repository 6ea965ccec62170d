// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/spec/config.hpp"
#include "model/spec/descriptor.hpp"
#include "model/spec/geometry.hpp"

namespace solfege {

/// A condition that every descriptor of some opcodes meets. The device refuses the others: an
/// engine would run on for ever, leave a memory of its own, or write wrong data without a word.
struct LegalityRule {
  const char* what;  ///< what must hold, as an English clause
  bool (*holds)(const Descriptor&, const Geometry&);
};

/// All rules of an opcode, in a fixed order; none for what is no opcode. They are the only
/// statement of what is legal: GoldenDevice throws at what breaks one, rtl/device/sf_fetch.v
/// refuses it with error 1, and tests/rtl/device/sf_fetch_test.cpp holds the two together.
///
/// What no single descriptor shows stays with the program: extents in memory (addresses are 32 bits
/// and wrap; an address without memory is answered with an error), tokens, and that the tiles which
/// are drained are those which are computed.
const std::vector<LegalityRule>& legality_rules(Opcode opcode);

/// The first rule that `descriptor` breaks, as text, or nullptr if it is legal.
const char* broken_rule(const Descriptor& descriptor, const Config& config);

}  // namespace solfege
