// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace solfege {

/// Depths of the RTL's pipelines and queues that its models must know: X(kName, NAME, value,
/// "meaning"). The Verilog takes them from sf_descriptor.vh.
// clang-format off
#define SOLFEGE_PIPELINE(X)                                                                       \
  X(kLaneStages, LANE_STAGES, 18, "stages of a stream lane")                                      \
  X(kResultStage, RESULT_STAGE, 7, "the stage whose y is the result: stored, reduced, quantized") \
  X(kCoderStages, CODER_STAGES, 10, "stages of its coders, from the result to the code")            \
  X(kBeatsAhead, BEATS_AHEAD, 16, "beats that a stream reader asks for before they are used")     \
  X(kChunksAhead, CHUNKS_AHEAD, 64, "chunks of them that it has in mind")                         \
  X(kPlaneBeats, PLANE_BEATS, 8, "beats of planes that are held for the rest of their bytes")     \
  X(kTurnedBeats, TURNED_BEATS, 32, "beats of unfolded planes that are held likewise")            \
  X(kRepeatedElements, REPEATED_ELEMENTS, 1024, "elements of z that are kept to come again")      \
  X(kUnfoldAnswers, UNFOLD_ANSWERS, 16, "beats that the unfolding asks for before they are used") \
  X(kUnfoldTags, UNFOLD_TAGS, 32, "pixels that its asker is ahead")                               \
  X(kUnfoldBlocks, UNFOLD_BLOCKS, 4, "blocks that its asker is ahead")                            \
  X(kBurstBeats, BURST_BEATS, 16, "beats of the longest burst")                                   \
  X(kLowWords, LOW_WORDS, 128, "words of one weight that an element sums before it flushes")       \
  X(kDeadlockCycles, DEADLOCK_CYCLES, 1024, "cycles without progress that are a deadlock")
// clang-format on

#define SOLFEGE_CONSTANT(kName, NAME, value, meaning) constexpr std::uint32_t kName = value;
SOLFEGE_PIPELINE(SOLFEGE_CONSTANT)
#undef SOLFEGE_CONSTANT

static_assert(kLaneStages == kResultStage + kCoderStages + 1,
              "a lane ends with its choice of code");

// States of the RTL that are no constants there.
/// sf_gemm: the preparer's states from the base of a tile, and from the start, to a tile that is
/// ready.
constexpr int kTileBase = 3, kTileReady = 8;
constexpr int kTileInterval = kTileReady - kTileBase + 1;  ///< the shortest between tiles
/// sf_unfold: cycles in the states before it runs, ten of products and one more.
constexpr unsigned kUnfoldPreparation = 21;

}  // namespace solfege
