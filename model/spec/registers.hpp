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
  X(control, CONTROL, 0x00C, "WO", "bit 0: start, not after an error; bit 1: clear status and counters, reset engines; neither while busy") \
  X(status, STATUS, 0x010, "RO", "bit 0 busy, 1 done, 2 error; after an error 6:4 engine (see list), 15:8 code, 31:16 descriptor tag; else 0") \
  X(descriptor_base, DESCRIPTOR_BASE, 0x014, "RW", "address of the program's first descriptor, a multiple of 128")     \
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
  X(ILLEGAL_DESCRIPTOR, 1, "a descriptor no engine may run; engine fetch, the descriptor's tag")  \
  X(BUS, 2, "the memory answered with an error; the engine that asked, the tag of its descriptor (fetch: index in the program)") \
  X(DEADLOCK, 3, "nothing moves: a token or a drain that never comes; of the engines that hold a descriptor the one with the lowest tag") \
  X(PROGRAM, 4, "the program's address is no multiple of 128, or its end is beyond 2^32; engine fetch, tag 0")
/// Engines of the status register: X(NAME, number, meaning). The first four are those of queues and traces.
#define SOLFEGE_STATUS_ENGINES(X)              \
  X(ARRAY, 0, "array") X(STREAM, 1, "stream unit") X(DMA, 2, "DMA") X(TURNER, 3, "turner") \
  X(FETCH, 4, "descriptor fetch")
// clang-format on

constexpr std::uint32_t kDeviceId = 0x534F4C46;  // "SOLF"

namespace registers {
#define SOLFEGE_OFFSET(name, NAME, offset, access, meaning) constexpr std::uint32_t name = offset;
SOLFEGE_REGISTERS(SOLFEGE_OFFSET)
#undef SOLFEGE_OFFSET
}  // namespace registers

}  // namespace solfege
