// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/spec/enumerations.hpp"

namespace solfege {

/// Control registers, byte offsets: X(name, NAME, offset, access, meaning). The Verilog constants
/// and the address map document are generated from this list.
// clang-format off
#define SOLFEGE_REGISTERS(X)                                                                        \
  X(id, ID, 0x000, "RO", "0x534F4C46")                                                              \
  X(config_hash, CONFIG_HASH, 0x004, "RO", "configuration hash, low word")                         \
  X(config_hash_high, CONFIG_HASH_HIGH, 0x008, "RO", "configuration hash, high word")              \
  X(control, CONTROL, 0x00C, "WO", "see the list of its bits; nothing while busy") \
  X(status, STATUS, 0x010, "RO", "see the list of its fields") \
  X(descriptor_base, DESCRIPTOR_BASE, 0x014, "RW", "address of the program's first descriptor, a multiple of 256")     \
  X(descriptor_count, DESCRIPTOR_COUNT, 0x018, "RW", "descriptors of the program")                  \
  X(counters, COUNTERS, 0x040, "RO", "64-bit counters, see their list")
/// Bits of the control register: X(name, NAME, bit, meaning).
#define SOLFEGE_CONTROL_BITS(X)                                                                     \
  X(start, START, 0, "start the program; not after an error")                                      \
  X(clear, CLEAR, 1, "clear status and counters, reset the engines")
/// Fields of the status register: X(name, NAME, least significant bit, width, meaning).
#define SOLFEGE_STATUS_FIELDS(X)                                                                    \
  X(busy, BUSY, 0, 1, "a program runs") X(done, DONE, 1, 1, "it has ended")                        \
  X(error, ERROR, 2, 1, "it has stopped with an error")                                            \
  X(engine, ENGINE, 4, 3, "of the error, see the list of engines; else 0")                         \
  X(code, CODE, 8, 8, "of the error, see the list of error codes; else 0")                         \
  X(tag, TAG, 16, 16, "of the descriptor at fault; else 0")
/// Counters from `counters` upwards, 8 bytes each, counting while a program runs.
#define SOLFEGE_COUNTERS(X)                                                                    \
  X(cycles, "cycles") X(array_active, "cycles the array engine advanced")                      \
  X(array_stall, "cycles it waited for the drain") X(stream_active, "cycles the stream unit advanced") \
  X(stream_stall, "cycles it waited for memory or the array") X(dma_active, "cycles the DMA advanced") \
  X(dma_stall, "cycles it waited for memory") X(turner_active, "cycles the turner advanced")   \
  X(turner_stall, "cycles it waited for memory") X(read_beats, "beats read") X(write_beats, "beats written")
/// Error codes: X(kName, NAME, code, meaning).
#define SOLFEGE_ERRORS(X)                                               \
  X(kIllegalDescriptor, ILLEGAL_DESCRIPTOR, 1, "a descriptor no engine may run; engine fetch, the descriptor's tag")  \
  X(kBus, BUS, 2, "the memory answered with an error; the engine that asked, the tag of its descriptor (fetch: index in the program)") \
  X(kDeadlock, DEADLOCK, 3, "nothing moves: a token or a drain that never comes; of the engines that hold a descriptor the one with the lowest tag") \
  X(kProgram, PROGRAM, 4, "the program's address is no multiple of 256, or its end is beyond 2^32; engine fetch, tag 0")
/// Engines of the status register: X(kName, NAME, number, meaning).
#define SOLFEGE_STATUS_ENGINES(X) SOLFEGE_ENGINES(X) X(kFetch, FETCH, kEngines, "descriptor fetch")
// clang-format on

constexpr std::uint32_t kDeviceId = 0x534F4C46;  // "SOLF"

constexpr int kFetch = kEngines;  ///< follows the engines in the status register

/// NAME and meaning of an error code; a name of an engine.
constexpr const char* error_name(int code) {
#define SOLFEGE_CASE(kName, NAME, number, meaning) \
  if (code == number) return #NAME ": " meaning;
  SOLFEGE_ERRORS(SOLFEGE_CASE)
#undef SOLFEGE_CASE
  return "unknown";
}
constexpr const char* engine_name(int engine) {
#define SOLFEGE_CASE(kName, NAME, number, meaning) \
  if (engine == number) return meaning;
  SOLFEGE_STATUS_ENGINES(SOLFEGE_CASE)
#undef SOLFEGE_CASE
  return "unknown";
}
enum class ErrorCode : std::uint32_t {
#define SOLFEGE_CODE(kName, NAME, number, meaning) kName = number,
  SOLFEGE_ERRORS(SOLFEGE_CODE)
#undef SOLFEGE_CODE
};

/// The status register.
struct Status {
#define SOLFEGE_MEMBER(name, NAME, lsb, width, meaning) int name = 0;
  SOLFEGE_STATUS_FIELDS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER
  static constexpr Status decode(std::uint32_t word) {
    Status s;
#define SOLFEGE_GET(name, NAME, lsb, width, meaning) \
  s.name = static_cast<int>(word >> (lsb) & ((1u << (width)) - 1));
    SOLFEGE_STATUS_FIELDS(SOLFEGE_GET)
#undef SOLFEGE_GET
    return s;
  }
};

namespace registers {
#define SOLFEGE_OFFSET(name, NAME, offset, access, meaning) constexpr std::uint32_t name = offset;
SOLFEGE_REGISTERS(SOLFEGE_OFFSET)
#undef SOLFEGE_OFFSET
#define SOLFEGE_BIT(name, NAME, bit, meaning) constexpr std::uint32_t control_##name = 1u << bit;
SOLFEGE_CONTROL_BITS(SOLFEGE_BIT)
#undef SOLFEGE_BIT
constexpr std::uint32_t counter_bytes = 8;
#define SOLFEGE_COUNT(name, meaning) +1
constexpr std::uint32_t counter_count = SOLFEGE_COUNTERS(SOLFEGE_COUNT);
#undef SOLFEGE_COUNT
}  // namespace registers

/// The device's own counters, as read from its registers after a run.
struct Counters {
#define SOLFEGE_MEMBER(name, meaning) std::uint64_t name = 0;
  SOLFEGE_COUNTERS(SOLFEGE_MEMBER)
#undef SOLFEGE_MEMBER
};

}  // namespace solfege
