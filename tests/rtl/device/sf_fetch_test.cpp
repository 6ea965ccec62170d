// SPDX-License-Identifier: Apache-2.0
// sf_fetch's legality: a list by hand, in which each rule refuses one change of a legal descriptor,
// and descriptors at random, on which it must agree with model/spec/legality.cpp; each rule there
// must have been the only one broken often enough. Every refusal names the descriptor's tag.
#include <algorithm>
#include <functional>
#include <map>

#include "Vsf_fetch.h"
#include "model/spec/legality.hpp"
#include "rtl_test.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {

constexpr uint32_t kTableChannels = SF_TABLE_ROWS * SF_STREAM_LANES;
constexpr uint32_t kThresholdChannels = SF_THRESHOLD_ROWS * SF_STREAM_LANES;
constexpr uint32_t kBlockSteps = 256 / SF_STREAM_LANES;

Config config() {
  Config c;
  c.rows = SF_ROWS;
  c.columns = SF_COLUMNS;
  c.lanes = SF_LANES;
  c.wide_bits = SF_WIDE_BITS;
  c.row_buffer_depth = SF_ROW_BUFFER_DEPTH;
  c.column_buffer_depth = SF_COLUMN_BUFFER_DEPTH;
  c.stream_lanes = SF_STREAM_LANES;
  c.table_channels = kTableChannels;
  c.threshold_channels = kThresholdChannels;
  c.activation_bits = SF_THRESHOLD_BITS;
  c.sum_tiles = SF_SUM_TILES;
  c.max_batch = SF_MAX_SAMPLES;
  c.bus_bytes = SF_BUS_BYTES;
  return c;
}

using Words = std::array<uint32_t, kDescriptorWords>;

/// Whether one descriptor is handed on; it comes in beats, after a random wait.
bool accepted(Vsf_fetch& top, Random& random, const Words& words) {
  top.base_i = 0x1000;
  top.count_i = 1;
  top.start_i = 1;
  settle(top);
  edge(top);
  top.start_i = 0;
  int beat = -1, got = 0;
  for (int cycle = 0; cycle < 500; ++cycle) {
    top.request_ready_i = random.chance(50);
    top.response_valid_i = beat >= 0 && random.chance(50);
    if (top.response_valid_i)
      for (int word = 0; word < SF_BUS_BYTES / 4; ++word)
        set_field(top.response_data_i, 32 * word, 32, words[got * SF_BUS_BYTES / 4 + word]);
    settle(top);
    const bool handed = top.descriptor_valid_o != 0, refused = top.error_o;
    if (handed || refused) REQUIRE(top.tag_o == (words[1] & 0xffff));
    if (top.request_valid_o && top.request_ready_i) {
      beat = top.request_length_o;
      REQUIRE(top.request_address_o % SF_BUS_BYTES == 0);
      REQUIRE(top.request_address_o % 4096 + (beat + 1) * SF_BUS_BYTES <= 4096);
    }
    if (top.response_valid_i) ++got, --beat;
    edge(top);
    if (handed || refused) {
      settle(top);
      REQUIRE(handed != refused);
      REQUIRE(!top.active_o);
      return handed;
    }
  }
  FAIL("neither handed on nor refused");
  return false;
}

void begin(Vsf_fetch& top) {
  top.clear_i = top.start_i = top.request_ready_i = top.response_valid_i = 0;
  top.enable_i = 1;
  top.descriptor_ready_i = 0xf;
  reset(top);
}

Descriptor from_memory() {
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.tag = 0x1234;
  d.count0 = kBlockSteps;
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = 16;
  d.samples = 16;
  d.x_type = ElementType::kTagged;
  d.pack_enable = 1;
  d.pack_planes = 1;
  return d;
}

Descriptor from_array() {
  Descriptor d = from_memory();
  d.pack_enable = d.pack_planes = 0;
  d.x_from_array = 1;
  d.count0 = 1;
  return d;
}

Descriptor table() {
  Descriptor d = from_memory();
  d.pack_enable = d.pack_planes = 0;
  d.x_type = ElementType::kSigned32;
  d.destination = Destination::kTable;
  d.count0 = 1;
  d.channels = d.samples = 65535;
  return d;
}

Descriptor load() {
  Descriptor d;
  d.opcode = Opcode::kLoad;
  d.tag = 0xfedc;
  d.load_words = 16;
  return d;
}

Descriptor gemm() {
  Descriptor d;
  d.opcode = Opcode::kGemm;
  d.row_planes = d.column_planes = d.words = d.tail_lanes = d.column_groups = 1;
  d.tile_y_count = d.tile_x_count = d.tap_y_count = d.tap_x_count = 1;
  d.window_height = d.window_width = d.stride_y = d.stride_x = d.reach_y = d.reach_x = 1;
  return d;
}

/// Of stride 3, whose taps take two strides.
Descriptor backward_gemm() {
  Descriptor d = gemm();
  d.window_mode = WindowMode::kBackwardInput;
  d.stride_y = d.stride_x = 3;
  d.reach_y = d.reach_x = 2;
  d.tap_y_count = d.tap_x_count = 5;
  return d;
}

Descriptor transpose() {
  Descriptor d;
  d.opcode = Opcode::kTranspose;
  d.plane_words = d.source_words = d.target_words = 1;
  d.source_rows = d.source_lanes = 1;
  return d;
}

Descriptor unfold() {
  Descriptor d = transpose();
  d.opcode = Opcode::kUnfold;
  d.plane_words = 0;
  d.unfold_planes = d.unfold_height = d.unfold_width = 1;
  d.unfold_out_height = d.unfold_out_width = 1;
  d.unfold_kernel_height = d.unfold_kernel_width = 1;
  d.unfold_stride_height = d.unfold_stride_width = 1;
  d.unfold_tap_rows = 64;
  return d;
}

}  // namespace

TEST_CASE("illegal descriptors are refused, their legal neighbours are not") {
  Random random(13);
  Vsf_fetch top;
  begin(top);
  using Make = Descriptor (*)();
  struct Rule {
    const char* what;
    Make make;
    std::function<void(Descriptor&)> legal, illegal;
  };
  const auto same = [](Descriptor&) {};
  // Of the operands' words and beats
  constexpr uint32_t kRowBytes = SF_ROWS * SF_LANES / 8, kColumnBytes = SF_COLUMNS * SF_LANES / 8;
  const uint32_t row_unit = std::min<uint32_t>(kRowBytes, SF_BUS_BYTES);
  const uint32_t column_unit = std::min<uint32_t>(kColumnBytes, SF_BUS_BYTES);
  constexpr uint32_t kLanes = SF_LANES, kBus = SF_BUS_BYTES, kChunk = SF_STREAM_LANES;
  std::vector<Rule> rules = {
      {"opcode", from_memory, same, [](Descriptor& d) { d.opcode = Opcode(15); }},
      {"count0", from_memory, same, [](Descriptor& d) { d.count0 = 0; }},
      {"count1", from_memory, same, [](Descriptor& d) { d.count1 = 0; }},
      {"count2", from_memory, same, [](Descriptor& d) { d.count2 = 0; }},
      {"count3", from_memory, same, [](Descriptor& d) { d.count3 = 0; }},
      {"count4", from_memory, same, [](Descriptor& d) { d.count4 = 0; }},
      {"count5", from_memory, same, [](Descriptor& d) { d.count5 = 0; }},
      {"channels", from_memory, same, [](Descriptor& d) { d.channels = 0; }},
      {"samples", from_memory, same, [](Descriptor& d) { d.samples = 0; }},
      {"rows of tables", from_memory,
       [](Descriptor& d) { d.offset_enable = 1, d.channels = kTableChannels; },
       [](Descriptor& d) { d.offset_enable = 1, d.channels = kTableChannels + 1; }},
      {"rows of two tables", from_memory,
       [](Descriptor& d) {
         d.offset_enable = 1, d.scale_z_source = Scalar::kChannel, d.channels = kTableChannels;
       },
       [](Descriptor& d) {
         d.offset_enable = 1, d.scale_z_source = Scalar::kChannel, d.channels = kTableChannels + 1;
       }},
      {"tables that no stage reads", from_memory, [](Descriptor& d) { d.channels = 65535; },
       [](Descriptor& d) { d.channels = 65535, d.sum_enable = d.sum_per_channel = 1; }},
      {"rows of thresholds", from_memory,
       [](Descriptor& d) {
         d.quantizer = Quantizer::kThreshold;
         d.quantizer_bits = d.threshold_per_channel = 1;
         d.channels = kThresholdChannels;
       },
       [](Descriptor& d) {
         d.quantizer = Quantizer::kThreshold;
         d.quantizer_bits = d.threshold_per_channel = 1;
         d.channels = kThresholdChannels + 1;
       }},
      {"bits of thresholds by channel", from_memory,
       [](Descriptor& d) {
         d.quantizer = Quantizer::kThreshold, d.quantizer_bits = SF_THRESHOLD_BITS + 1;
       },
       [](Descriptor& d) {
         d.quantizer = Quantizer::kThreshold, d.quantizer_bits = SF_THRESHOLD_BITS + 1,
         d.threshold_per_channel = 1;
       }},
      {"samples of maxima", from_memory,
       [](Descriptor& d) { d.max_enable = d.max_per_sample = 1, d.samples = SF_MAX_SAMPLES; },
       [](Descriptor& d) { d.max_enable = d.max_per_sample = 1, d.samples = SF_MAX_SAMPLES + 1; }},
      {"samples of factors", from_memory,
       [](Descriptor& d) { d.scale_x_source = Scalar::kSample, d.samples = SF_MAX_SAMPLES; },
       [](Descriptor& d) { d.scale_x_source = Scalar::kSample, d.samples = SF_MAX_SAMPLES + 1; }},
      {"samples to accumulate", from_array,
       [](Descriptor& d) {
         d.accumulate_enable = 1, d.scale_x_source = Scalar::kSample, d.samples = 65535;
         d.accumulate_sample = SF_MAX_SAMPLES - 3, d.count4 = 3;
       },
       [](Descriptor& d) {
         d.accumulate_enable = 1, d.scale_x_source = Scalar::kSample;
         d.accumulate_sample = SF_MAX_SAMPLES - 2, d.count4 = 3;
       }},
      {"rows of a channel table", table, [](Descriptor& d) { d.count0 = SF_TABLE_ROWS; },
       [](Descriptor& d) { d.count0 = SF_TABLE_ROWS + 1; }},
      {"rows of a channel table, in two loops", table,
       [](Descriptor& d) { d.count0 = SF_TABLE_ROWS / 2, d.count1 = 2; },
       [](Descriptor& d) { d.count0 = SF_TABLE_ROWS / 2 + 1, d.count1 = 2; }},
      {"a table in three loops", table, same, [](Descriptor& d) { d.count2 = 2; }},
      {"rows of the sample table", table,
       [](Descriptor& d) {
         d.table = Table::kSample, d.count0 = std::max(1, SF_MAX_SAMPLES / SF_STREAM_LANES);
       },
       [](Descriptor& d) {
         d.table = Table::kSample, d.count0 = std::max(1, SF_MAX_SAMPLES / SF_STREAM_LANES) + 1;
       }},
      {"rows of thresholds by channel", table,
       [](Descriptor& d) {
         d.table = Table::kThreshold, d.quantizer_bits = 2, d.count0 = 3 * SF_THRESHOLD_ROWS;
       },
       [](Descriptor& d) {
         d.table = Table::kThreshold, d.quantizer_bits = 2, d.count0 = 3 * SF_THRESHOLD_ROWS + 1;
       }},
      {"rows of thresholds of a tensor", table,
       [](Descriptor& d) { d.table = Table::kThreshold, d.quantizer_bits = 8, d.count0 = 255; },
       [](Descriptor& d) { d.table = Table::kThreshold, d.quantizer_bits = 8, d.count0 = 256; }},
      {"bits of thresholds", table,
       [](Descriptor& d) { d.table = Table::kThreshold, d.quantizer_bits = 1, d.count0 = 1; },
       [](Descriptor& d) { d.table = Table::kThreshold, d.quantizer_bits = 0, d.count0 = 1; }},
      {"a table from the array", table, same, [](Descriptor& d) { d.x_from_array = 1; }},
      {"a window's state", from_memory,
       [](Descriptor& d) { d.pool_enable = 1, d.count0 = 16 * SF_TABLE_ROWS; },
       [](Descriptor& d) {
         d.pack_enable = d.pack_planes = 0;
         d.pool_enable = 1, d.count0 = 16 * SF_TABLE_ROWS + 1;
       }},
      {"pooling the array", from_array, same, [](Descriptor& d) { d.pool_enable = 1; }},
      {"packing the array", from_array, same,
       [](Descriptor& d) { d.pack_enable = d.pack_planes = 1; }},
      {"routing the array", from_array,
       [](Descriptor& d) { d.z_enable = 1, d.z_type = ElementType::kTagged; },
       [](Descriptor& d) { d.z_enable = 1, d.z_type = ElementType::kTagged, d.route_enable = 1; }},
      {"rounding the array", from_array, [](Descriptor& d) { d.random_low = 1; },
       [](Descriptor& d) {
         d.quantizer = Quantizer::kStochastic, d.quantizer_bits = 1, d.random_low = 1;
       }},
      {"columns of a drain", from_array,
       [](Descriptor& d) { d.count0 = SF_COLUMNS / SF_STREAM_LANES; },
       [](Descriptor& d) { d.count0 = SF_COLUMNS / SF_STREAM_LANES + 1; }},
      {"rows of a drain", from_array, [](Descriptor& d) { d.count1 = std::min(SF_ROWS, 16); },
       [](Descriptor& d) { d.count1 = std::min(SF_ROWS, 16) + 1; }},
      {"row blocks of a drain", from_array,
       [](Descriptor& d) { d.count2 = std::max(1, SF_ROWS / 16); },
       [](Descriptor& d) { d.count2 = std::max(1, SF_ROWS / 16) + 1; }},
      {"a drain in two blocks", from_array,
       [](Descriptor& d) { d.sample_first = 14, d.count1 = 2; },
       [](Descriptor& d) { d.sample_first = 15, d.count1 = 2; }},
      {"accumulated tiles", from_array,
       [](Descriptor& d) { d.accumulate_enable = 1, d.count4 = 3, d.count3 = SF_SUM_TILES; },
       [](Descriptor& d) { d.accumulate_enable = 1, d.count3 = SF_SUM_TILES + 1; }},
      {"the last accumulated tile", from_array,
       [](Descriptor& d) { d.accumulate_enable = 1, d.accumulate_tile = SF_SUM_TILES - 1; },
       [](Descriptor& d) { d.accumulate_enable = 1, d.accumulate_tile = SF_SUM_TILES; }},
      {"accumulating in two loops", from_array, [](Descriptor& d) { d.accumulate_enable = 1; },
       [](Descriptor& d) { d.accumulate_enable = 1, d.count5 = 2; }},
      {"accumulating from memory", from_memory, same,
       [](Descriptor& d) { d.accumulate_enable = 1; }},
      {"packing whole blocks", from_memory, same, [](Descriptor& d) { d.count0 += 1; }},
      {"packing from a block's start", from_memory, [](Descriptor& d) { d.sample_first = 16; },
       [](Descriptor& d) { d.sample_first = 8; }},
      {"planes", from_memory, [](Descriptor& d) { d.pack_planes = SF_WIDE_BITS; },
       [](Descriptor& d) { d.pack_planes = SF_WIDE_BITS + 1; }},
      {"no planes", from_memory, same, [](Descriptor& d) { d.pack_planes = 0; }},
      {"a narrow destination", from_memory,
       [](Descriptor& d) { d.destination = Destination::kSigned16, d.limit_shift = kNarrow; },
       [](Descriptor& d) { d.destination = Destination::kSigned16, d.limit_shift = kNarrow - 1; }},
      {"a tagged destination", from_memory,
       [](Descriptor& d) { d.destination = Destination::kTagged, d.limit_shift = kNarrow; },
       [](Descriptor& d) { d.destination = Destination::kTagged, d.limit_shift = kNarrow - 1; }},
      {"destination", from_memory, [](Descriptor& d) { d.destination = Destination::kSigned32; },
       [](Descriptor& d) { d.destination = Destination(5), d.limit_shift = kNarrow; }},
      {"second sum", from_memory,
       [](Descriptor& d) { d.second_sum = SecondSum::kDot, d.sum_enable = d.sum_per_channel = 1; },
       [](Descriptor& d) { d.second_sum = SecondSum(3), d.sum_enable = d.sum_per_channel = 1; }},
      {"second sum of a tensor", from_memory, [](Descriptor& d) { d.sum_enable = 1; },
       [](Descriptor& d) { d.second_sum = SecondSum::kSquare, d.sum_enable = 1; }},
      {"factor of x", from_memory, same, [](Descriptor& d) { d.scale_x_source = Scalar(3); }},
      {"factor of z", from_memory, [](Descriptor& d) { d.scale_z_source = Scalar::kChannel; },
       [](Descriptor& d) { d.scale_z_source = Scalar::kSample; }},
      {"type of x", from_memory, same, [](Descriptor& d) { d.x_type = ElementType(4); }},
      {"type of z", from_memory, same, [](Descriptor& d) { d.z_type = ElementType(4); }},
      {"quantizer", from_memory, [](Descriptor& d) { d.quantizer = Quantizer::kRaw; },
       [](Descriptor& d) { d.quantizer = Quantizer(4), d.quantizer_bits = 1; }},
      {"table", from_memory, same, [](Descriptor& d) { d.table = Table(7); }},
      {"quantizer bits", from_memory,
       [](Descriptor& d) { d.quantizer = Quantizer::kThreshold, d.quantizer_bits = 8; },
       [](Descriptor& d) { d.quantizer = Quantizer::kThreshold, d.quantizer_bits = 9; }},
      {"no quantizer bits", from_memory, same,
       [](Descriptor& d) { d.quantizer = Quantizer::kThreshold; }},
      {"tags to route by", from_memory,
       [](Descriptor& d) { d.route_enable = d.z_enable = 1, d.z_type = ElementType::kTagged; },
       [](Descriptor& d) { d.route_enable = d.z_enable = 1, d.z_type = ElementType::kSigned32; }},
      {"a mask's z", from_memory, [](Descriptor& d) { d.mask_enable = d.z_enable = 1; },
       [](Descriptor& d) { d.mask_enable = 1; }},
      {"a slope's z", from_memory,
       [](Descriptor& d) { d.slope_function = SlopeFunction::kTanh, d.z_enable = 1; },
       [](Descriptor& d) { d.slope_function = SlopeFunction::kTriangle; }},
      {"slope", from_memory,
       [](Descriptor& d) { d.slope_function = SlopeFunction::kTriangle, d.z_enable = 1; },
       [](Descriptor& d) { d.slope_function = SlopeFunction(3), d.z_enable = 1; }},
      {"a bit to spare on a grid", from_memory,
       [](Descriptor& d) { d.grid_enable = d.random_low = d.limit_shift = 1; },
       [](Descriptor& d) { d.grid_enable = d.random_low = 1; }},
      {"32 bits on a grid", from_memory,
       [](Descriptor& d) {
         d.grid_enable = d.random_low = 1, d.limit_shift = kNarrow;
         d.destination = Destination::kSigned32;
       },
       [](Descriptor& d) {
         d.grid_enable = d.random_low = 1, d.limit_shift = kNarrow;
         d.destination = Destination::kSigned16;
       }},
      {"a grid's codes", from_memory,
       [](Descriptor& d) {
         d.grid_enable = d.random_low = d.limit_shift = 1;
         d.quantizer = Quantizer::kThreshold, d.quantizer_bits = 4;
       },
       [](Descriptor& d) {
         d.grid_enable = d.random_low = d.limit_shift = 1;
         d.quantizer = Quantizer::kStochastic, d.quantizer_bits = 4;
       }},
      {"seed of a grid", from_memory,
       [](Descriptor& d) { d.grid_enable = d.random_low = d.limit_shift = 1; },
       [](Descriptor& d) { d.grid_enable = d.limit_shift = 1; }},
      {"rows of sums per sample", from_memory,
       [](Descriptor& d) { d.sum_enable = d.sum_per_sample = 1, d.samples = SF_TABLE_ROWS; },
       [](Descriptor& d) { d.sum_enable = d.sum_per_sample = 1, d.samples = SF_TABLE_ROWS + 1; }},
      {"sums per sample and channel", from_memory,
       [](Descriptor& d) { d.sum_enable = d.sum_per_sample = d.samples = 1; },
       [](Descriptor& d) { d.sum_enable = d.sum_per_sample = d.samples = d.sum_per_channel = 1; }},
      {"seed of dropout", from_memory, [](Descriptor& d) { d.drop_enable = 1, d.random_high = 1; },
       [](Descriptor& d) { d.drop_enable = 1; }},
      {"seed of f_G", from_memory,
       [](Descriptor& d) {
         d.quantizer = Quantizer::kStochastic, d.quantizer_bits = 4, d.random_low = 1;
       },
       [](Descriptor& d) { d.quantizer = Quantizer::kStochastic, d.quantizer_bits = 4; }},
      {"stride A", from_memory, [](Descriptor& d) { d.stride_a3 = kChunk; },
       [](Descriptor& d) { d.stride_a3 = kChunk / 2; }},
      {"stride B", from_memory, [](Descriptor& d) { d.stride_b5 = 0u - kChunk; },
       [](Descriptor& d) { d.stride_b5 = 1; }},
      {"x of bytes", from_memory,
       [](Descriptor& d) { d.x_type = ElementType::kUnsigned8, d.x_address = kChunk; },
       [](Descriptor& d) { d.x_type = ElementType::kUnsigned8, d.x_address = kChunk / 2; }},
      {"x of 16 bits", from_memory,
       [](Descriptor& d) { d.x_type = ElementType::kSigned16, d.x_address = 2 * kChunk; },
       [](Descriptor& d) { d.x_type = ElementType::kSigned16, d.x_address = kChunk; }},
      {"x of 32 bits", from_memory,
       [](Descriptor& d) { d.x_type = ElementType::kSigned32, d.x_address = 4 * kChunk; },
       [](Descriptor& d) { d.x_type = ElementType::kSigned32, d.x_address = 2 * kChunk; }},
      {"x that is the array's", from_array, [](Descriptor& d) { d.x_address = 1; },
       [](Descriptor& d) { d.x_address = 1, d.x_from_array = 0; }},
      {"z", from_memory, [](Descriptor& d) { d.z_type = ElementType::kSigned16, d.z_address = 1; },
       [](Descriptor& d) { d.z_type = ElementType::kSigned16, d.z_address = 1, d.z_enable = 1; }},
      {"destination of 16 bits", from_memory,
       [](Descriptor& d) {
         d.destination = Destination::kSigned16, d.limit_shift = kNarrow,
         d.destination_address = 2 * kChunk;
       },
       [](Descriptor& d) {
         d.destination = Destination::kSigned16, d.limit_shift = kNarrow,
         d.destination_address = kChunk;
       }},
      {"destination of 32 bits", from_memory,
       [](Descriptor& d) {
         d.destination = Destination::kSigned32, d.destination_address = 4 * kChunk;
       },
       [](Descriptor& d) {
         d.destination = Destination::kSigned32, d.destination_address = 2 * kChunk;
       }},
      {"planes' address", from_memory, [=](Descriptor& d) { d.pack_address = row_unit; },
       [=](Descriptor& d) { d.pack_address = row_unit / 2; }},
      {"planes' group stride", from_memory,
       [=](Descriptor& d) { d.pack_columns = 1, d.pack_group_stride = column_unit; },
       [=](Descriptor& d) { d.pack_columns = 1, d.pack_group_stride = column_unit / 2; }},
      {"maxima", from_memory, [](Descriptor& d) { d.max_enable = 1, d.max_address = 4; },
       [](Descriptor& d) { d.max_enable = 1, d.max_address = 2; }},
      {"sums", from_memory, [](Descriptor& d) { d.sum_enable = 1, d.sum_address = 8; },
       [](Descriptor& d) { d.sum_enable = 1, d.sum_address = 4; }},
      {"load of nothing", load, same, [](Descriptor& d) { d.load_words = 0; }},
      {"load beside beats", load, [](Descriptor& d) { d.load_address = kBus; },
       [](Descriptor& d) { d.load_address = kBus / 2; }},
      {"load past the rows", load, [](Descriptor& d) { d.load_offset = SF_ROW_BUFFER_DEPTH - 16; },
       [](Descriptor& d) { d.load_offset = SF_ROW_BUFFER_DEPTH; }},
      {"load past the columns", load,
       [](Descriptor& d) { d.load_to_columns = 1, d.load_offset = SF_COLUMN_BUFFER_DEPTH - 16; },
       [](Descriptor& d) { d.load_to_columns = 1, d.load_offset = SF_COLUMN_BUFFER_DEPTH; }},
      {"columns' load past 2^32", load,
       [](Descriptor& d) { d.load_to_columns = 1, d.load_address = 0u - 16 * kColumnBytes; },
       [](Descriptor& d) {
         d.load_to_columns = 1, d.load_address = 0u - 16 * kColumnBytes + kBus;
       }},
      {"load past 2^32", load, [](Descriptor& d) { d.load_address = 0u - 16 * kRowBytes; },
       [](Descriptor& d) { d.load_address = 0u - 16 * kRowBytes + kBus; }},
      {"gemm without words", gemm, same, [](Descriptor& d) { d.words = 0; }},
      {"gemm of too many lanes", gemm, [](Descriptor& d) { d.tail_lanes = kLanes; },
       [](Descriptor& d) { d.tail_lanes = kLanes + 1; }},
      {"gemm of too many planes", gemm, [](Descriptor& d) { d.row_planes = SF_WIDE_BITS; },
       [](Descriptor& d) { d.row_planes = SF_WIDE_BITS + 1; }},
      {"gemm by tile", gemm, [](Descriptor& d) { d.columns_by_tile = 1; },
       [](Descriptor& d) { d.columns_by_tile = 1, d.tap_y_count = 2; }},
      {"gemm without a stride", gemm, same, [](Descriptor& d) { d.stride_x = 0; }},
      {"gemm of a phase of a stride", backward_gemm, [](Descriptor& d) { d.phase_y = 2; },
       [](Descriptor& d) { d.phase_y = 3; }},
      {"forward gemm of a phase", gemm, same, [](Descriptor& d) { d.phase_y = 1; }},
      {"gemm of a reach too short", backward_gemm, [](Descriptor& d) { d.tap_x_count = 6; },
       [](Descriptor& d) { d.tap_x_count = 7; }},
      {"gemm of a reach too far", backward_gemm, [](Descriptor& d) { d.tap_y_count = 4; },
       [](Descriptor& d) { d.tap_y_count = 3; }},
      {"gemm whose map exceeds its reach", gemm, same, [](Descriptor& d) { d.window_width = 2; }},
      {"transposition of no plane", transpose, same, [](Descriptor& d) { d.plane_words = 0; }},
      {"transposition from beside words", transpose,
       [=](Descriptor& d) { d.source_address = row_unit; },
       [=](Descriptor& d) { d.source_address = row_unit / 2; }},
      {"transposition to beside words", transpose,
       [=](Descriptor& d) { d.target_columns = 1, d.target_address = column_unit; },
       [=](Descriptor& d) { d.target_columns = 1, d.target_address = column_unit / 2; }},
      {"transposition of more lanes than words", transpose,
       [](Descriptor& d) { d.source_lanes = kLanes; },
       [](Descriptor& d) { d.source_lanes = kLanes + 1; }},
      {"transposition of more rows than the target", transpose,
       [](Descriptor& d) { d.source_rows = kLanes; },
       [](Descriptor& d) { d.source_rows = kLanes + 1; }},
      {"unfolding of no plane", unfold, same, [](Descriptor& d) { d.unfold_planes = 0; }},
      {"unfolding without taps", unfold, same, [](Descriptor& d) { d.unfold_kernel_width = 0; }},
      {"unfolding of a map too high", unfold, [](Descriptor& d) { d.unfold_height = 32767; },
       [](Descriptor& d) { d.unfold_height = 32768; }},
      {"unfolding too far", unfold,
       [](Descriptor& d) {
         d.unfold_out_width = 4096, d.unfold_stride_width = 16, d.target_words = 8192;
       },
       [](Descriptor& d) {
         d.unfold_out_width = 4097, d.unfold_stride_width = 16, d.target_words = 8192;
       }},
      {"unfolding without a stride", unfold, same,
       [](Descriptor& d) { d.unfold_stride_height = 0; }},
      {"unfolding of more pixels than the target", unfold,
       [](Descriptor& d) { d.unfold_out_height = kLanes / 4, d.unfold_out_width = 4; },
       [](Descriptor& d) { d.unfold_out_height = kLanes / 4 + 1, d.unfold_out_width = 4; }},
      {"unfolding of more lanes than a tap's rows", unfold,
       [](Descriptor& d) { d.source_lanes = 64, d.source_words = 64; },
       [](Descriptor& d) { d.source_lanes = 65, d.source_words = 64; }},
      {"unfolding to too many rows", unfold,
       [](Descriptor& d) { d.unfold_kernel_height = 31, d.unfold_kernel_width = 33; },
       [](Descriptor& d) { d.unfold_kernel_height = 32, d.unfold_kernel_width = 32; }},
  };
  // Strides are looked at together, and two bad ones must not make a good one.
  using Stride = uint32_t Descriptor::*;
  const std::vector<Stride> strides = {&Descriptor::stride_a1, &Descriptor::stride_a2,
                                       &Descriptor::stride_a3, &Descriptor::stride_a4,
                                       &Descriptor::stride_a5, &Descriptor::stride_b1,
                                       &Descriptor::stride_b2, &Descriptor::stride_b3,
                                       &Descriptor::stride_b4, &Descriptor::stride_b5};
  for (const Stride one : strides)
    for (const Stride other : strides)
      rules.push_back({"two strides", from_memory,
                       [=](Descriptor& d) { d.*one = d.*other = kChunk; },
                       [=](Descriptor& d) { d.*one = d.*other = kChunk / 2; }});
  rules.push_back({"planes' address and group stride", from_memory,
                   [=](Descriptor& d) { d.pack_address = d.pack_group_stride = row_unit; },
                   [=](Descriptor& d) { d.pack_address = d.pack_group_stride = row_unit / 2; }});
  if (row_unit > SF_LANES / 8)
    rules.push_back(
        {"taps that share beats", unfold, same, [](Descriptor& d) { d.unfold_tap_rows += 1; }});
  else
    rules.push_back({"an odd number of rows a tap", unfold,
                     [](Descriptor& d) { d.unfold_tap_rows = 1; },
                     [](Descriptor& d) { d.unfold_tap_rows = 0; }});
  if (SF_STREAM_LANES < 16)
    rules.push_back({"a pass from within a block", from_memory,
                     [](Descriptor& d) { d.chunk_first = 16 / SF_STREAM_LANES; },
                     [](Descriptor& d) { d.chunk_first = 1; }});
  if (kRowBytes < SF_BUS_BYTES) {
    rules.push_back({"load of half a beat", load, same, [](Descriptor& d) { d.load_words += 1; }});
    rules.push_back({"load to half a beat", load, same, [](Descriptor& d) { d.load_offset = 1; }});
  }
  for (const Rule& rule : rules) {
    CAPTURE(seed(), rule.what);
    Descriptor legal = rule.make(), illegal = rule.make();
    if (illegal.tag == 0) legal.tag = illegal.tag = uint32_t(random.bits(16));
    rule.legal(legal);
    rule.illegal(illegal);
    CHECK(accepted(top, random, legal.encode()));
    CHECK(!accepted(top, random, illegal.encode()));
    CHECK(broken_rule(legal, config()) == nullptr);
    CHECK(broken_rule(illegal, config()) != nullptr);
  }
}

TEST_CASE("a program's descriptors come in order, and one that is cut off leaves nothing") {
  Random random(15);
  Vsf_fetch top;
  begin(top);
  for (int program = 0; program < 200; ++program) {
    const int count = random.between(1, 5);
    const uint32_t base = uint32_t(random.bits(20)) * kDescriptorBytes;
    // The cycle in which a clear ends it, often never
    const int cut = random.chance(50) ? random.between(1, 100) : 1000;
    std::vector<Words> words;
    for (int i = 0; i < count; ++i) {
      Descriptor d = from_memory();
      d.tag = uint32_t(random.bits(16));
      words.push_back(d.encode());
    }
    top.base_i = base;
    top.count_i = uint32_t(count);
    top.start_i = 1;
    top.response_valid_i = 0;
    settle(top);
    edge(top);
    top.start_i = 0;
    int given = 0, asked = 0, got = 0;  // descriptors; beats of this one
    for (int cycle = 0; given < count && cycle < cut; ++cycle) {
      REQUIRE(cycle < 900);
      top.enable_i = cycle < cut - 8;  // the device halts, then comes the clear
      top.request_ready_i = random.chance(50);
      top.descriptor_ready_i = random.chance(30) ? 15 : 0;
      top.response_valid_i = got < asked && random.chance(50);
      if (top.response_valid_i)
        for (int word = 0; word < SF_BUS_BYTES / 4; ++word)
          set_field(top.response_data_i, 32 * word, 32,
                    words[given][got * SF_BUS_BYTES / 4 + word]);
      settle(top);
      REQUIRE(top.active_o);
      REQUIRE(!top.error_o);
      if (!top.enable_i) REQUIRE((!top.request_valid_o && top.descriptor_valid_o == 0));
      // Before the descriptor is here, it is known by its place in the program.
      if (got * SF_BUS_BYTES < kDescriptorBytes) REQUIRE(top.tag_o == given);
      if (top.request_valid_o && top.request_ready_i) {
        REQUIRE(top.request_address_o == base + kDescriptorBytes * given + SF_BUS_BYTES * asked);
        asked += top.request_length_o + 1;
        REQUIRE(asked * SF_BUS_BYTES <= kDescriptorBytes);
      }
      got += top.response_valid_i;
      if (top.descriptor_valid_o != 0) {
        REQUIRE(got * SF_BUS_BYTES == kDescriptorBytes);
        REQUIRE(top.descriptor_valid_o == 2);
        for (int word = 0; word < kDescriptorWords; ++word)
          REQUIRE(top.descriptor_o[word] == words[given][word]);
        REQUIRE(top.tag_o == (words[given][1] & 0xffff));
        if (top.descriptor_ready_i != 0) ++given, asked = got = 0;
      }
      edge(top);
    }
    top.enable_i = 1;
    top.response_valid_i = top.request_ready_i = 0;
    top.clear_i = given < count;
    settle(top);
    edge(top);
    top.clear_i = 0;
    settle(top);
    REQUIRE(!top.active_o);
    edge(top);
  }
}

TEST_CASE("the device and the model call the same descriptors legal") {
  Random random(14);
  Vsf_fetch top;
  begin(top);
  const Config c = config();
  // Fields of each opcode are neighbours in the list.
  const auto& fields = descriptor_fields();
  const auto place = [&](const std::string& name) {
    return int(std::find_if(fields.begin(), fields.end(),
                            [&](const DescriptorField& f) { return f.name == name; }) -
               fields.begin());
  };
  struct Kind {
    std::vector<Descriptor> bases;
    int first, last;
  };
  Descriptor sample_table = table(), thresholds = table(), rounding = from_memory(),
             sums = from_array();
  sample_table.table = Table::kSample;
  thresholds.table = Table::kThreshold, thresholds.quantizer_bits = 2;
  rounding.quantizer = Quantizer::kStochasticScaled, rounding.quantizer_bits = 4,
  rounding.random_low = 1;
  sums.accumulate_enable = 1, sums.scale_x_source = Scalar::kSample;
  Descriptor by_sample = from_memory();
  by_sample.scale_x_source = Scalar::kSample;
  Descriptor routing = from_array();
  routing.x_from_array = 0;
  routing.z_enable = routing.route_enable = 1;
  routing.z_type = ElementType::kTagged;
  const std::vector<Kind> kinds = {
      {{load()}, place("load_address"), place("load_words")},
      {{gemm()}, place("row_base"), place("stride_x")},
      {{from_memory(), from_array(), table(), sample_table, thresholds, rounding, sums, by_sample,
        routing},
       place("pool_enable"),
       place("table")},
      {{transpose()}, place("source_address"), place("target_words")},
      {{unfold()}, place("source_address"), place("unfold_stride_width")}};
  const std::vector<uint32_t> limits = {1,
                                        2,
                                        4,
                                        8,
                                        16,
                                        32,
                                        64,
                                        128,
                                        256,
                                        4096,
                                        32768,
                                        65536,
                                        SF_ROWS,
                                        SF_COLUMNS,
                                        SF_LANES,
                                        SF_BUS_BYTES,
                                        kTableChannels,
                                        kThresholdChannels,
                                        SF_TABLE_ROWS,
                                        SF_THRESHOLD_ROWS,
                                        SF_MAX_SAMPLES,
                                        SF_WIDE_BITS,
                                        SF_STREAM_LANES,
                                        kBlockSteps,
                                        SF_ROW_BUFFER_DEPTH,
                                        SF_COLUMN_BUFFER_DEPTH,
                                        16 * SF_TABLE_ROWS,
                                        3 * SF_THRESHOLD_ROWS};
  const auto value = [&](uint32_t old) -> uint32_t {
    switch (random.between(0, 5)) {
      case 0:
        return old + 1;
      case 1:
        return old - 1;
      case 2:
        return random.chance(50) ? uint32_t(random.bits(32))
                                 : 0u - (uint32_t(random.bits(8)) << random.between(0, 8));
      case 3:
        return uint32_t(random.bits(random.between(1, 8)));
      default:
        return limits[size_t(random.between(0, int(limits.size()) - 1))] +
               uint32_t(random.between(-1, 1));
    }
  };
  // A field's every bit alone, and none beside neighbours that are all ones: where a field begins
  // and ends.
  const auto agree = [&](const Words& words) {
    CAPTURE(words);
    REQUIRE(accepted(top, random, words) == (broken_rule(Descriptor::decode(words), c) == nullptr));
  };
  for (const Kind& kind : kinds)
    for (const Descriptor& base : kind.bases)
      for (int i = kind.first; i <= kind.last; ++i) {
        const auto set = [&](Words& words, int index, uint32_t to) {
          const DescriptorField& field = fields[size_t(index)];
          const auto mask = uint32_t((uint64_t{1} << field.width) - 1);
          uint32_t& word = words[size_t(field.word)];
          word = (word & ~(mask << field.lsb)) | (to & mask) << field.lsb;
        };
        for (int bit = 0; bit < fields[size_t(i)].width; ++bit) {
          Words words = base.encode();
          set(words, i, uint32_t{1} << bit);
          agree(words);
        }
        for (const int neighbour : {i - 1, i + 1}) {
          if (neighbour < kind.first || neighbour > kind.last) continue;
          Words words = base.encode();
          set(words, neighbour, ~0u);
          set(words, i, 0);
          agree(words);
        }
      }
  int tried[2] = {};
  const Geometry geometry(c);
  for (const Kind& kind : kinds) {
    std::map<std::string, int> alone;  // times the rule was the only one broken
    const auto& rules = legality_rules(kind.bases.front().opcode);
    const auto missing = [&] {
      return std::any_of(rules.begin(), rules.end(),
                         [&](const LegalityRule& rule) { return alone[rule.what] < 6; });
    };
    for (int i = 0; i < 400 || (missing() && i < 3000000); ++i) {
      Words words = kind.bases[size_t(random.between(0, int(kind.bases.size()) - 1))].encode();
      for (int change = random.between(1, 4); change > 0; --change) {
        const DescriptorField& field = fields[size_t(random.between(kind.first, kind.last))];
        const uint32_t mask = uint32_t((uint64_t{1} << field.width) - 1);
        uint32_t& word = words[size_t(field.word)];
        word = (word & ~(mask << field.lsb)) | (value(word >> field.lsb & mask) & mask)
                                                   << field.lsb;
      }
      words[1] = (words[1] & 0xffff0000u) | uint32_t(random.bits(16));
      const Descriptor d = Descriptor::decode(words);
      const char* what = nullptr;
      int broken = 0;
      for (const LegalityRule& rule : rules)
        if (!rule.holds(d, geometry)) what = rule.what, ++broken;
      // After the first few only what a rule still waits for
      if (i >= 400 && (broken != 1 || alone[what] >= 6)) continue;
      if (broken == 1) ++alone[what];
      REQUIRE((broken_rule(d, c) != nullptr) == (broken > 0));
      CAPTURE(seed(), name(d.opcode), i, broken, what == nullptr ? "legal" : what);
      REQUIRE(accepted(top, random, words) == (broken == 0));
      ++tried[broken == 0];
    }
    // Rules that cannot be broken: where no beat holds two operand words, a load is of whole beats
    // whatever it is; where none holds two members of one, no taps share a write; where a chunk is
    // a row of a block, each begins one.
    const Opcode opcode = kind.bases.front().opcode;
    const bool load_whole =
        opcode == Opcode::kLoad && std::min(SF_ROWS, SF_COLUMNS) * SF_LANES / 8 >= SF_BUS_BYTES;
    const bool taps_apart = opcode == Opcode::kUnfold && SF_LANES >= 8 * SF_BUS_BYTES;
    const bool chunks_whole = opcode == Opcode::kStream && SF_STREAM_LANES == 16;
    const int unbreakable = load_whole ? 2 : taps_apart || chunks_whole ? 1 : 0;
    const auto never = std::count_if(rules.begin(), rules.end(), [&](const LegalityRule& rule) {
      return alone[rule.what] == 0;
    });
    CHECK(never == unbreakable);
    for (const LegalityRule& rule : rules) {
      CAPTURE(seed(), name(kind.bases.front().opcode), rule.what);
      if (unbreakable == 0 || alone[rule.what] > 0) CHECK(alone[rule.what] >= 6);
    }
  }
  CHECK(tried[0] > 500);
  CHECK(tried[1] > 300);
}
