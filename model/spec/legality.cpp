// SPDX-License-Identifier: Apache-2.0
#include "model/spec/legality.hpp"

#include "model/spec/window.hpp"

namespace solfege {
namespace {

using D = Descriptor;
using G = Geometry;

std::uint32_t u32(int value) { return static_cast<std::uint32_t>(value); }
bool one_to(std::uint32_t value, int last) { return value >= 1 && value <= u32(last); }
/// Of 0, the size of what has no valid type, everything is.
bool multiple(std::uint32_t value, std::uint32_t unit) { return unit == 0 || value % unit == 0; }

// ---- Units: what of a tensor one beat of the bus holds whole

std::uint32_t word_bytes(const G& g, bool columns) { return u32(g.side(columns).word_bytes); }
std::uint32_t unit(const G& g, bool columns) { return u32(g.side(columns).unit_bytes); }
std::uint32_t beat_words(const G& g, bool columns) { return u32(g.side(columns).beat_words); }
std::uint32_t members(const G& g, bool columns) { return u32(g.side(columns).turned_members); }
std::uint32_t chunk_bytes(const G& g, int element_bytes) {
  return u32(element_bytes * g.config.stream_lanes);
}

// ---- STREAM: what a pass uses

bool by_sample(const D& d) { return d.scale_x_source == Scalar::kSample; }
bool reads_channel_tables(const D& d) {
  return d.offset_enable || d.mask_enable || d.scale_z_source == Scalar::kChannel ||
         d.scale_x_source == Scalar::kChannel || (d.sum_enable && d.sum_per_channel);
}
bool reads_channel_thresholds(const D& d) {
  return traits(d.quantizer).compares && d.threshold_per_channel;
}
bool reads_samples(const D& d) {
  return (d.max_enable && d.max_per_sample) || d.stochastic() ||
         (by_sample(d) && !d.accumulate_enable);
}
/// Steps that fill a table: a row each; of thresholds a row takes a step a node of its tree, and of
/// trees of more bits than A there is one.
std::uint64_t table_steps(const D& d, const G& g) {
  if (d.table == Table::kSample) return u32(g.sample_rows);
  if (d.table != Table::kThreshold) return u32(g.table_rows);
  const std::uint64_t nodes = (std::uint64_t{1} << d.quantizer_bits) - 1;
  return d.quantizer_bits <= u32(g.config.activation_bits) ? nodes * u32(g.threshold_rows) : nodes;
}

const std::vector<LegalityRule> kLoadRules = {
    {"it moves at least one word", [](const D& d, const G&) { return d.load_words != 0; }},
    {"its words fill whole beats",
     [](const D& d, const G& g) {
       return multiple(d.load_words, beat_words(g, d.load_to_columns));
     }},
    {"its place in the buffer begins with a beat",
     [](const D& d, const G& g) {
       return multiple(d.load_offset, beat_words(g, d.load_to_columns));
     }},
    {"its address is a multiple of the bus",
     [](const D& d, const G& g) { return multiple(d.load_address, u32(g.config.bus_bytes)); }},
    {"it stays within the buffer",
     [](const D& d, const G& g) {
       return d.load_offset + d.load_words <= u32(g.side(d.load_to_columns).depth);
     }},
    {"it ends at 2^32 or below",
     [](const D& d, const G& g) {
       return d.load_address + std::uint64_t{d.load_words} * word_bytes(g, d.load_to_columns) <=
              std::uint64_t{1} << 32;
     }},
};

/// Whether `reach` units, and no fewer, hold the fine index.
bool reaches(const WindowAxis& axis, std::uint32_t reach) {
  const std::int64_t end = axis.unit() * reach;
  return axis.fine() <= end && axis.fine() > end - axis.unit();
}

const std::vector<LegalityRule> kGemmRules = {
    {"its rows have 1 to bits.wide planes",
     [](const D& d, const G& g) { return one_to(d.row_planes, g.config.wide_bits); }},
    {"its columns have 1 to bits.wide planes",
     [](const D& d, const G& g) { return one_to(d.column_planes, g.config.wide_bits); }},
    {"its window has a mode", [](const D& d, const G&) { return is_valid(d.window_mode); }},
    {"it has words", [](const D& d, const G&) { return d.words != 0; }},
    {"the last word has 1 to array.lanes lanes",
     [](const D& d, const G& g) { return one_to(d.tail_lanes, g.config.lanes); }},
    {"it has column groups", [](const D& d, const G&) { return d.column_groups != 0; }},
    {"it has tiles",
     [](const D& d, const G&) { return d.tile_y_count != 0 && d.tile_x_count != 0; }},
    {"it has taps", [](const D& d, const G&) { return d.tap_y_count != 0 && d.tap_x_count != 0; }},
    {"its window has a map",
     [](const D& d, const G&) { return d.window_height != 0 && d.window_width != 0; }},
    {"its window has strides",
     [](const D& d, const G&) { return d.stride_y != 0 && d.stride_x != 0; }},
    {"its phases are less than its units",
     [](const D& d, const G&) {
       return d.phase_y < window_axis(d, true).unit() && d.phase_x < window_axis(d, false).unit();
     }},
    {"its reaches hold the map, or the taps of backward input, and no more",
     [](const D& d, const G&) {
       return reaches(window_axis(d, true), d.reach_y) && reaches(window_axis(d, false), d.reach_x);
     }},
    {"it has one tap if its columns go by tile",
     [](const D& d, const G&) {
       return !d.columns_by_tile || (d.tap_y_count == 1 && d.tap_x_count == 1);
     }},
};

const std::vector<LegalityRule> kStreamRules = {
    {"none of its six counts is 0",
     [](const D& d, const G&) {
       return d.count0 && d.count1 && d.count2 && d.count3 && d.count4 && d.count5;
     }},
    {"it has channels", [](const D& d, const G&) { return d.channels != 0; }},
    {"it has samples", [](const D& d, const G&) { return d.samples != 0; }},
    // Rows of tables and states
    {"its channels have rows in the tables and sums that it uses",
     [](const D& d, const G& g) {
       return !reads_channel_tables(d) || d.channels <= u32(g.config.table_channels);
     }},
    {"its channels have thresholds of their bits",
     [](const D& d, const G& g) {
       return !reads_channel_thresholds(d) || (d.channels <= u32(g.config.threshold_channels) &&
                                               d.quantizer_bits <= u32(g.config.activation_bits));
     }},
    {"its samples have entries in the tables that it uses",
     [](const D& d, const G& g) {
       return !reads_samples(d) || d.samples <= u32(g.config.max_batch);
     }},
    {"the samples that it accumulates have entries in their table",
     [](const D& d, const G& g) {
       return !by_sample(d) || !d.accumulate_enable ||
              d.accumulate_sample + d.count4 <= u32(g.config.max_batch);
     }},
    {"it writes one of the tables", [](const D& d, const G&) { return is_valid(d.table); }},
    {"a table is filled from memory, in two loops, without pooling",
     [](const D& d, const G&) {
       return !d.fills_table() || (!d.x_from_array && !d.pool_enable && d.count2 == 1 &&
                                   d.count3 == 1 && d.count4 == 1 && d.count5 == 1);
     }},
    {"a table of thresholds has 1 to 8 bits",
     [](const D& d, const G&) {
       return !d.fills_table() || d.table != Table::kThreshold || one_to(d.quantizer_bits, 8);
     }},
    {"a table is filled with no more rows than it has",
     [](const D& d, const G& g) {
       return !d.fills_table() || std::uint64_t{d.count0} * d.count1 <= table_steps(d, g);
     }},
    // Order
    {"a drain takes the array's columns and rows",
     [](const D& d, const G& g) {
       return !d.x_from_array ||
              (d.count0 <= u32(g.column_chunks) && d.count1 <= u32(g.drain_rows) &&
               d.count2 <= u32(g.drain_blocks) && d.sample_first % 16 + d.count1 <= 16);
     }},
    {"routing and stochastic rounding go along memory",
     [](const D& d, const G&) { return !d.x_from_array || (!d.route_enable && !d.stochastic()); }},
    {"pooling goes along memory, over pixels of 2 to 16 table rows of steps",
     [](const D& d, const G& g) {
       return !d.pool_enable ||
              (!d.x_from_array && d.count0 != 1 && d.count0 <= u32(g.pool_places));
     }},
    {"accumulation is of the array's tiles, over one loop",
     [](const D& d, const G&) {
       return !d.accumulate_enable || (d.x_from_array && d.count5 == 1);
     }},
    {"the tiles that it accumulates have places",
     [](const D& d, const G& g) {
       return !d.accumulate_enable || d.accumulate_tile + d.count3 <= u32(g.config.sum_tiles);
     }},
    {"along memory, its first chunk begins a block",
     [](const D& d, const G& g) {
       return d.x_from_array || multiple(d.chunk_first, u32(kBlock / g.config.stream_lanes));
     }},
    {"packing goes along memory, in whole blocks",
     [](const D& d, const G& g) {
       return !d.pack_enable || (!d.x_from_array && multiple(d.count0, u32(g.block_chunks)) &&
                                 d.sample_first % 16 == 0);
     }},
    {"it packs planes, at most bits.wide",
     [](const D& d, const G& g) {
       return d.pack_planes <= u32(g.config.wide_bits) && (!d.pack_enable || d.pack_planes != 0);
     }},
    // Formats
    {"its elements have types",
     [](const D& d, const G&) { return is_valid(d.x_type) && is_valid(d.z_type); }},
    {"the factor of x has a source",
     [](const D& d, const G&) { return is_valid(d.scale_x_source); }},
    {"the factor of z is of the pass or of the channel",
     [](const D& d, const G&) {
       return d.scale_z_source == Scalar::kConstant || d.scale_z_source == Scalar::kChannel;
     }},
    {"its codes have a maker", [](const D& d, const G&) { return is_valid(d.quantizer); }},
    {"its destination is one", [](const D& d, const G&) { return is_valid(d.destination); }},
    {"results fit the elements that they become",
     [](const D& d, const G&) {
       return d.limit_shift >= kNarrow || !traits(d.destination).narrow;
     }},
    {"its second sum is one, beside a sum per channel",
     [](const D& d, const G&) {
       return !d.sums_twice() || (is_valid(d.second_sum) && d.sum_enable && d.sum_per_channel);
     }},
    {"its sums per sample have rows, and are its only sums",
     [](const D& d, const G& g) {
       return !d.sum_per_sample || (!d.sum_per_channel && d.samples <= u32(g.table_rows));
     }},
    {"codes have 1 to 8 bits",
     [](const D& d, const G&) {
       return !traits(d.quantizer).coded || one_to(d.quantizer_bits, 8);
     }},
    {"routing has tags of z",
     [](const D& d, const G&) {
       return !d.route_enable || (d.z_enable && d.z_type == ElementType::kTagged);
     }},
    {"slope and mask have a z",
     [](const D& d, const G&) { return (!d.slopes() && !d.mask_enable) || d.z_enable; }},
    {"its slope is one", [](const D& d, const G&) { return is_valid(d.slope_function); }},
    {"results on a grid have 32 bits, one of them to spare, and are not rounded again",
     [](const D& d, const G&) {
       return !d.grid_enable ||
              (d.limit_shift != 0 && !traits(d.destination).narrow && !d.stochastic());
     }},
    {"random numbers have a state that is not 0",
     [](const D& d, const G&) { return !d.draws() || d.random_state() != 0; }},
    // Addresses: a chunk of stream.lanes elements lies within a beat
    {"its strides are multiples of stream.lanes",
     [](const D& d, const G& g) {
       return multiple(d.stride_a1 | d.stride_a2 | d.stride_a3 | d.stride_a4 | d.stride_a5 |
                           d.stride_b1 | d.stride_b2 | d.stride_b3 | d.stride_b4 | d.stride_b5,
                       u32(g.config.stream_lanes));
     }},
    {"x begins with a chunk",
     [](const D& d, const G& g) {
       return d.x_from_array || multiple(d.x_address, chunk_bytes(g, traits(d.x_type).bytes));
     }},
    {"z begins with a chunk",
     [](const D& d, const G& g) {
       return !d.z_enable || multiple(d.z_address, chunk_bytes(g, traits(d.z_type).bytes));
     }},
    {"the destination begins with a chunk",
     [](const D& d, const G& g) {
       return !d.stores() ||
              multiple(d.destination_address, chunk_bytes(g, traits(d.destination).bytes));
     }},
    {"planes begin, and their groups, with an operand word or a beat",
     [](const D& d, const G& g) {
       return !d.pack_enable ||
              multiple(d.pack_address | d.pack_group_stride, unit(g, d.pack_columns));
     }},
    {"maxima begin with a word",
     [](const D& d, const G&) { return !d.max_enable || multiple(d.max_address, 4); }},
    {"sums begin with a double word",
     [](const D& d, const G&) { return !d.sum_enable || multiple(d.sum_address, 8); }},
};

const std::vector<LegalityRule> kTurnRules = {
    {"its source has rows", [](const D& d, const G&) { return d.source_rows != 0; }},
    {"its source has lanes", [](const D& d, const G&) { return d.source_lanes != 0; }},
    {"its source begins with an operand word or a beat",
     [](const D& d, const G& g) { return multiple(d.source_address, unit(g, d.source_columns)); }},
    {"its target begins with an operand word or a beat",
     [](const D& d, const G& g) { return multiple(d.target_address, unit(g, d.target_columns)); }},
    {"the source's lanes fit its words",
     [](const D& d, const G& g) { return d.source_lanes <= d.source_words * u32(g.config.lanes); }},
};

std::vector<LegalityRule> turner(std::vector<LegalityRule> own) {
  own.insert(own.begin(), kTurnRules.begin(), kTurnRules.end());
  return own;
}

const std::vector<LegalityRule> kTransposeRules = turner({
    {"it has planes", [](const D& d, const G&) { return d.plane_words != 0; }},
    {"the source's rows fit the target's words",
     [](const D& d, const G& g) { return d.source_rows <= d.target_words * u32(g.config.lanes); }},
});

const std::vector<LegalityRule> kUnfoldRules = turner({
    {"it has planes", [](const D& d, const G&) { return d.unfold_planes != 0; }},
    {"its maps have 1 to 2^15 - 1 lines and places",
     [](const D& d, const G&) {
       return one_to(d.unfold_height, 32767) && one_to(d.unfold_width, 32767) &&
              d.unfold_out_height != 0 && d.unfold_out_width != 0;
     }},
    {"its windows reach no further than 2^16 lines and places",
     [](const D& d, const G&) {
       return d.unfold_out_height * d.unfold_stride_height <= 65536 &&
              d.unfold_out_width * d.unfold_stride_width <= 65536;
     }},
    {"its windows have strides",
     [](const D& d, const G&) {
       return d.unfold_stride_height != 0 && d.unfold_stride_width != 0;
     }},
    {"it has taps",
     [](const D& d, const G&) {
       return d.unfold_kernel_height != 0 && d.unfold_kernel_width != 0;
     }},
    {"taps share no write",
     [](const D& d, const G& g) {
       return multiple(d.unfold_tap_rows, members(g, d.target_columns));
     }},
    {"a tap's rows hold the source's lanes",
     [](const D& d, const G&) { return d.source_lanes <= d.unfold_tap_rows; }},
    {"the target has fewer than 2^16 rows",
     [](const D& d, const G&) {
       return std::uint64_t{d.unfold_kernel_height} * d.unfold_kernel_width * d.unfold_tap_rows <
              65536;
     }},
    {"the output's pixels fit the target's words",
     [](const D& d, const G& g) {
       return std::uint64_t{d.unfold_out_height} * d.unfold_out_width <=
              std::uint64_t{d.target_words} * u32(g.config.lanes);
     }},
});

}  // namespace

const std::vector<LegalityRule>& legality_rules(Opcode opcode) {
  static const std::vector<LegalityRule> none;
  switch (opcode) {
    case Opcode::kLoad:
      return kLoadRules;
    case Opcode::kGemm:
      return kGemmRules;
    case Opcode::kStream:
      return kStreamRules;
    case Opcode::kTranspose:
      return kTransposeRules;
    case Opcode::kUnfold:
      return kUnfoldRules;
  }
  return none;
}

const char* broken_rule(const Descriptor& descriptor, const Config& config) {
  const auto& rules = legality_rules(descriptor.opcode);
  if (rules.empty()) return "it has an opcode";
  const Geometry geometry(config);
  for (const LegalityRule& rule : rules)
    if (!rule.holds(descriptor, geometry)) return rule.what;
  return nullptr;
}

}  // namespace solfege
