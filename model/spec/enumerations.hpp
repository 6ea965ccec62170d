// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace solfege {

// The enumerations of the descriptor, each one list X(kName, NAME, value, "meaning",
// attributes...). From the lists come the C++ enumerations, their names in messages and reports,
// the checks of their range, the constants of sf_descriptor.vh and sf_driver.h, and the attributes,
// which are the answers to what several parts of the program ask of a value. An attribute is a
// member of the enumeration's Traits, in the order of the list.
// clang-format off

/// Macro-operations of the device. Attribute: the engine that runs them.
#define SOLFEGE_OPCODES(X)                                                                        \
  X(kLoad, LOAD, 1, "memory to an operand buffer", Engine::kDma)                                  \
  X(kGemm, GEMM, 2, "products of bit-planes, summed in the array", Engine::kArray)                \
  X(kStream, STREAM, 3, "a pass over elements", Engine::kStream)                                  \
  X(kTranspose, TRANSPOSE, 4, "packed planes, rows and lanes exchanged", Engine::kTurner)         \
  X(kUnfold, UNFOLD, 5, "packed planes, lanes along channels to lanes along output pixels", Engine::kTurner)

/// Which window of the two spatial indices (p: tile, t: contraction) meets the operand index d, from
/// an origin o.
#define SOLFEGE_WINDOW_MODES(X)                                                                   \
  X(kForward, FORWARD, 0, "d = o + stride * p + t")                                               \
  X(kBackwardInput, BACKWARD_INPUT, 1, "d = (o + p - t) / stride where it divides")               \
  X(kBackwardWeight, BACKWARD_WEIGHT, 2, "d = o + stride * t + p")

/// Elements in memory. Attribute: bytes of one. The tag is the place of a pooled maximum in its
/// window, and travels with the value.
#define SOLFEGE_ELEMENT_TYPES(X)                                                                  \
  X(kUnsigned8, UNSIGNED8, 0, "8 bits", 1)                                                        \
  X(kSigned16, SIGNED16, 1, "16 bits, two's complement", 2)                                       \
  X(kSigned32, SIGNED32, 2, "32 bits, two's complement", 4)                                       \
  X(kTagged, TAGGED, 3, "a signed 16-bit value below a tag in bits 23:16, the rest 0", 4)

/// Where the results of a pass go. Attributes: bytes of an element in memory, 0 if none is written;
/// whether the results must be narrow.
#define SOLFEGE_DESTINATIONS(X)                                                                   \
  X(kNone, NONE, 0, "nowhere", 0, false)                                                          \
  X(kSigned16, SIGNED16, 1, "memory, 16 bits", 2, true)                                           \
  X(kSigned32, SIGNED32, 2, "memory, 32 bits", 4, false)                                          \
  X(kTable, TABLE, 3, "a table of the stream unit", 0, false)                                     \
  X(kTagged, TAGGED, 4, "memory, 16 bits with a tag", 4, true)

/// What a pass sums per channel beside y. Both read 16 bits.
#define SOLFEGE_SECOND_SUMS(X)                                                                    \
  X(kNone, NONE, 0, "nothing")                                                                    \
  X(kSquare, SQUARE, 1, "squares of y")                                                           \
  X(kDot, DOT, 2, "y times z")

/// What x is multiplied by, as a function of z. Its value has 16 fraction bits.
#define SOLFEGE_SLOPE_FUNCTIONS(X)                                                                \
  X(kNone, NONE, 0, "1")                                                                          \
  X(kTanh, TANH, 1, "1 - tanh^2 z, of weights")                                                   \
  X(kTriangle, TRIANGLE, 2, "1 - |z|, at least 0, of pre-activations")

/// Where a factor comes from.
#define SOLFEGE_SCALARS(X)                                                                        \
  X(kConstant, CONSTANT, 0, "the descriptor")                                                     \
  X(kChannel, CHANNEL, 1, "a table, by channel")                                                  \
  X(kSample, SAMPLE, 2, "the table of samples")

/// Tables of the stream unit. Attribute: whether it has one word a channel.
#define SOLFEGE_TABLES(X)                                                                         \
  X(kScaleX, SCALE_X, 0, "factors of x", true)                                                    \
  X(kScaleZ, SCALE_Z, 1, "factors of z", true)                                                    \
  X(kOffset, OFFSET, 2, "offsets of y", true)                                                     \
  X(kMaskLow, MASK_LOW, 3, "least z that passes the mask", true)                                  \
  X(kMaskHigh, MASK_HIGH, 4, "greatest z that passes the mask", true)                             \
  X(kThreshold, THRESHOLD, 5, "threshold trees", false)                                           \
  X(kSample, SAMPLE, 6, "maxima or factors of samples", false)

/// How a result becomes a code. Attributes: the code has quantizer_bits; it counts thresholds; it
/// is rounded at random against the sample's maximum M_s.
#define SOLFEGE_QUANTIZERS(X)                                                                     \
  X(kRaw, RAW, 0, "two's complement of the result", false, false, false)                          \
  X(kThreshold, THRESHOLD, 1, "the number of thresholds reached (f_A, f_W)", true, true, false)   \
  X(kStochastic, STOCHASTIC, 2, "f_G: the code c", true, false, true)                             \
  X(kStochasticScaled, STOCHASTIC_SCALED, 3, "f_G: M_s (2c - n_G), two's complement", true, false, true)

/// The enumerations: E(Name, PREFIX of the constants, bits of the constants, list, title).
#define SOLFEGE_ENUMERATIONS(E)                                                                   \
  E(Opcode, OPCODE, 4, SOLFEGE_OPCODES, "Opcodes")                                                \
  E(WindowMode, WINDOW, 2, SOLFEGE_WINDOW_MODES, "Window modes")                                        \
  E(ElementType, TYPE, 4, SOLFEGE_ELEMENT_TYPES, "Element types")                                          \
  E(Destination, DESTINATION, 4, SOLFEGE_DESTINATIONS, "Destinations of results")                             \
  E(SecondSum, SECOND_SUM, 4, SOLFEGE_SECOND_SUMS, "Second sums")                                  \
  E(SlopeFunction, SLOPE_FUNCTION, 4, SOLFEGE_SLOPE_FUNCTIONS, "Slopes")                          \
  E(Scalar, SCALAR, 4, SOLFEGE_SCALARS, "Sources of factors")                                                 \
  E(Table, TABLE, 5, SOLFEGE_TABLES, "Tables of the stream unit")                                                     \
  E(Quantizer, QUANTIZER, 4, SOLFEGE_QUANTIZERS, "Quantizers")

/// Engines, in the order of queues, traces and the status register: X(kName, NAME, number, meaning).
#define SOLFEGE_ENGINES(X)                                                                        \
  X(kArray, ARRAY, 0, "array") X(kStream, STREAM, 1, "stream unit") X(kDma, DMA, 2, "DMA")        \
  X(kTurner, TURNER, 3, "turner")
// clang-format on

#define SOLFEGE_MEMBER(kName, NAME, value, ...) kName = value,
enum Engine : int { SOLFEGE_ENGINES(SOLFEGE_MEMBER) };
#define SOLFEGE_COUNT(...) +1
constexpr int kEngines = SOLFEGE_ENGINES(SOLFEGE_COUNT);
#undef SOLFEGE_COUNT
#define SOLFEGE_ENUMERATION(Enum, PREFIX, bits, LIST, title) \
  enum class Enum : std::uint32_t { LIST(SOLFEGE_MEMBER) };
SOLFEGE_ENUMERATIONS(SOLFEGE_ENUMERATION)
#undef SOLFEGE_ENUMERATION
#undef SOLFEGE_MEMBER

// is_valid(value): it is one of the list; a descriptor's bits may hold others. name(value): its
// NAME, or "?".
#define SOLFEGE_VALID(kName, NAME, value, ...) case value:
#define SOLFEGE_NAME(kName, NAME, value, ...) \
  case value:                                 \
    return #NAME;
#define SOLFEGE_ENUMERATION(Enum, PREFIX, bits, LIST, title)                      \
  constexpr bool is_valid(Enum one) {                                             \
    switch (static_cast<std::uint32_t>(one)) { LIST(SOLFEGE_VALID) return true; } \
    return false;                                                                 \
  }                                                                               \
  constexpr const char* name(Enum one) {                                          \
    switch (static_cast<std::uint32_t>(one)) { LIST(SOLFEGE_NAME) }               \
    return "?";                                                                   \
  }
SOLFEGE_ENUMERATIONS(SOLFEGE_ENUMERATION)
#undef SOLFEGE_ENUMERATION
#undef SOLFEGE_VALID
#undef SOLFEGE_NAME

/// The number that stands for a value in a descriptor.
template <typename Enum>
constexpr std::uint32_t number(Enum one) {
  return static_cast<std::uint32_t>(one);
}

struct OpcodeTraits {
  Engine engine;
};
struct ElementTypeTraits {
  int bytes;
};
struct DestinationTraits {
  int bytes;  ///< of an element in memory; 0: none is written
  bool narrow;
};
struct TableTraits {
  bool per_channel;
};
struct QuantizerTraits {
  bool coded;       ///< the code has quantizer_bits bits, 1 to 8
  bool compares;    ///< reads the threshold table
  bool stochastic;  ///< draws random numbers, and reads the sample table
};

// traits(value): its attributes; all 0 for a value that is not valid.
#define SOLFEGE_TRAITS(kName, NAME, value, meaning, ...) \
  case value:                                            \
    return {__VA_ARGS__};
#define SOLFEGE_ENUMERATION(Enum, LIST)                               \
  constexpr Enum##Traits traits(Enum one) {                           \
    switch (static_cast<std::uint32_t>(one)) { LIST(SOLFEGE_TRAITS) } \
    return {};                                                        \
  }
SOLFEGE_ENUMERATION(Opcode, SOLFEGE_OPCODES)
SOLFEGE_ENUMERATION(ElementType, SOLFEGE_ELEMENT_TYPES)
SOLFEGE_ENUMERATION(Destination, SOLFEGE_DESTINATIONS)
SOLFEGE_ENUMERATION(Table, SOLFEGE_TABLES)
SOLFEGE_ENUMERATION(Quantizer, SOLFEGE_QUANTIZERS)
#undef SOLFEGE_ENUMERATION
#undef SOLFEGE_TRAITS

#define SOLFEGE_PER_CHANNEL(kName, NAME, value, meaning, per_channel) +(per_channel ? 1 : 0)
/// Tables with a word a channel; they come first.
constexpr int kChannelTables = SOLFEGE_TABLES(SOLFEGE_PER_CHANNEL);
#undef SOLFEGE_PER_CHANNEL

/// The lists as data, for the generated files.
struct EnumerationMember {
  const char* name;  ///< without its enumeration's prefix
  std::uint32_t value;
  const char* meaning;
};
struct Enumeration {
  const char* prefix;
  int bits;
  const char* title;
  std::vector<EnumerationMember> members;
};
const std::vector<Enumeration>& enumerations();

/// Planes of M (2c - n), a code of f_G with `bits` bits times its sample's M < 2^15, with the sign:
/// what Quantizer::kStochasticScaled writes. bits.wide always allows as many.
constexpr int scaled_planes(int bits) { return bits + 16; }

}  // namespace solfege
