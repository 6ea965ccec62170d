// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace solfege {

/// Control registers, byte offsets: X(name, NAME, offset, access, meaning). The Verilog constants
/// and the address map document are generated from this list.
// clang-format off
#define SOLFEGE_REGISTERS(X)                                                                        \
  X(id, ID, 0x000, "RO", "0x534F4C46")                                                              \
  X(config_hash, CONFIG_HASH, 0x004, "RO", "configuration hash, low word")                         \
  X(config_hash_high, CONFIG_HASH_HIGH, 0x008, "RO", "configuration hash, high word")              \
  X(control, CONTROL, 0x00C, "WO", "bit 0: start; bit 1: clear status and counters, reset engines") \
  X(status, STATUS, 0x010, "RO", "bit 0 busy, 1 done, 2 error; 15:8 error code; 31:16 descriptor tag") \
  X(descriptor_base, DESCRIPTOR_BASE, 0x014, "RW", "address of the program's first descriptor")     \
  X(descriptor_count, DESCRIPTOR_COUNT, 0x018, "RW", "descriptors of the program")                  \
  X(counters, COUNTERS, 0x040, "RO", "64-bit counters, see their list")
/// Counters from `counters` upwards, 8 bytes each, counting while a program runs.
#define SOLFEGE_COUNTERS(X)                                                                    \
  X(cycles, "cycles") X(array_active, "cycles the array engine advanced")                      \
  X(array_stall, "cycles it waited for the drain") X(stream_active, "cycles the stream unit advanced") \
  X(stream_stall, "cycles it waited for memory or the array") X(dma_active, "cycles the DMA advanced") \
  X(dma_stall, "cycles it waited for memory") X(turner_active, "cycles the turner advanced")   \
  X(turner_stall, "cycles it waited for memory") X(read_beats, "beats read") X(write_beats, "beats written")
#define SOLFEGE_ERRORS(X)                                               \
  X(ILLEGAL_DESCRIPTOR, 1, "a descriptor no engine may run")            \
  X(BUS, 2, "the memory answered with an error")                        \
  X(DEADLOCK, 3, "nothing moves: a token or a drain that never comes")
// clang-format on

constexpr std::uint32_t kDeviceId = 0x534F4C46;  // "SOLF"

namespace registers {
#define SOLFEGE_OFFSET(name, NAME, offset, access, meaning) constexpr std::uint32_t name = offset;
SOLFEGE_REGISTERS(SOLFEGE_OFFSET)
#undef SOLFEGE_OFFSET
}  // namespace registers

}  // namespace solfege
