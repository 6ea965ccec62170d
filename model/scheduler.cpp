// SPDX-License-Identifier: Apache-2.0
#include "model/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/error.hpp"

namespace solfege {
namespace {

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

int log2_exact(int value) {
  int bits = 0;
  while ((1 << bits) < value) ++bits;
  return bits;
}

/// The operand rows [first, last] that tile rows [first_tile, last_tile] meet over all taps.
struct Span {
  int first, last;
};
Span operand_rows(WindowMode mode, const Layer& layer, int tile_first, int tile_last, int tap_first,
                  int tap_last, int limit) {
  int low = 0, high = 0;
  switch (mode) {
    case WindowMode::kForward:
      low = layer.stride * tile_first + tap_first - layer.padding;
      high = layer.stride * tile_last + tap_last - layer.padding;
      break;
    case WindowMode::kBackwardInput:
      low = (tile_first + layer.padding - tap_last + layer.stride - 1 + 64 * layer.stride) /
                layer.stride -
            64;
      high = (tile_last + layer.padding - tap_first) / layer.stride;
      break;
    case WindowMode::kBackwardWeight:
      low = layer.stride * tap_first + tile_first - layer.padding;
      high = layer.stride * tap_last + tile_last - layer.padding;
      break;
  }
  low = std::clamp(low, 0, limit - 1);
  return {low, std::clamp(high, low, limit - 1)};
}

/// Bit products the network's mathematics asks for: products inside the maps times the planes of
/// the codes (G planes of a gradient, however many the schedule gives it).
std::uint64_t useful_plane_pairs(WindowMode mode, const Layer& layer, const PackedTensor& rows,
                                 const PackedTensor& columns) {
  auto meetings = [&](int in, int out, int kernel) {
    std::uint64_t count = 0;
    for (int o = 0; o < out; ++o)
      for (int k = 0; k < kernel; ++k) {
        const int i = layer.stride * o + k - layer.padding;
        if (i >= 0 && i < in) ++count;
      }
    return count;
  };
  const int batch = mode == WindowMode::kBackwardWeight ? rows.lanes : rows.rows;
  const std::uint64_t products = meetings(layer.in_height, layer.out_height, layer.kernel_height) *
                                 meetings(layer.in_width, layer.out_width, layer.kernel_width) *
                                 static_cast<std::uint64_t>(layer.in_channels) *
                                 static_cast<std::uint64_t>(layer.out_channels) *
                                 static_cast<std::uint64_t>(batch);
  const bool gradient_rows = mode != WindowMode::kForward && layer.gradient_bits > 0;
  const int row_planes = gradient_rows ? layer.gradient_bits : rows.planes;
  return products * static_cast<std::uint64_t>(row_planes) *
         static_cast<std::uint64_t>(columns.planes);
}

}  // namespace

std::vector<std::uint32_t> Program::encode() const {
  std::vector<std::uint32_t> words;
  words.reserve(operations.size() * kDescriptorWords);
  std::uint32_t tag = 0;
  for (const Operation& operation : operations) {
    Descriptor descriptor = operation.descriptor;
    descriptor.tag = tag++ & 0xffffu;
    const auto encoded = descriptor.encode();
    words.insert(words.end(), encoded.begin(), encoded.end());
  }
  return words;
}

Operation& ProgramBuilder::append(Descriptor descriptor, const std::string& label) {
  Operation operation;
  operation.descriptor = descriptor;
  operation.layer = layer_;
  operation.pass = pass_;
  operation.label = label;
  program_.operations.push_back(std::move(operation));
  return program_.operations.back();
}

void ProgramBuilder::load_table(Table table, std::uint32_t address, int rows, int threshold_bits,
                                const std::string& label) {
  Descriptor d;
  d.opcode = u32(static_cast<int>(Opcode::kStream));
  d.x_type = 2;
  d.x_address = address;
  d.scale_x = 1;
  d.destination = u32(static_cast<int>(Destination::kTable));
  d.table = u32(static_cast<int>(table));
  d.quantizer_bits = u32(threshold_bits);
  d.count0 = d.count2 = d.count3 = d.count4 = 1;
  d.count1 = u32(rows);
  d.stride1 = u32(config_.stream_lanes);
  d.sample_loop = d.group_loop = kNoLoop;
  d.channels = u32(config_.stream_lanes);
  d.samples = 1;
  append(d, label);
}

void ProgramBuilder::apply(Descriptor& d, const StreamPass& pass) {
  if (pass.x == nullptr) {
    d.x_from_array = 1;
  } else {
    d.x_type = pass.x->element_type();
    d.x_address = pass.x->address;
  }
  if (pass.z != nullptr) {
    d.z_enable = 1;
    d.z_type = pass.z->element_type();
    d.z_address = pass.z->address;
  }
  const std::uint32_t scale_mask =
      config_.stored_bits == 32 ? ~0u : (1u << config_.stored_bits) - 1;
  d.scale_x_source = u32(static_cast<int>(pass.scale_x_source));
  d.scale_x = u32(pass.scale_x) & scale_mask;
  d.shift_x = u32(pass.shift_x);
  d.scale_z = u32(pass.scale_z) & 0xffffu;
  d.shift_z = u32(pass.shift_z);
  d.mask_enable = pass.mask;
  d.tanh_enable = pass.tanh;
  if (pass.store != nullptr) {
    d.destination = u32(
        static_cast<int>(pass.store->bytes == 2 ? Destination::kSigned16 : Destination::kSigned32));
    d.destination_address = pass.store->address;
  }
  d.quantizer = u32(static_cast<int>(pass.quantizer));
  d.quantizer_bits = u32(pass.quantizer_bits);
  d.threshold_per_channel = pass.threshold_per_channel;
  d.random_low = u32(static_cast<std::int64_t>(pass.random_state & 0xffffffffu));
  d.random_high = u32(static_cast<std::int64_t>(pass.random_state >> 32));
  if (pass.pack != nullptr) {
    const PackedTensor& t = *pass.pack;
    d.pack_enable = 1;
    d.pack_columns = t.columns;
    d.pack_planes = u32(t.planes);
    d.pack_address = t.address;
    d.pack_group_stride = t.group_stride();
    d.pack_pixel_stride = u32(t.pixel_words()) * t.group_word_bytes();
    d.pack_plane_stride = u32(t.words()) * t.group_word_bytes();
  }
  if (pass.max_address != 0) {
    d.max_enable = 1;
    d.max_per_sample = pass.max_per_sample;
    d.max_address = pass.max_address;
  }
  if (pass.sum_address != 0) {
    d.sum_enable = 1;
    d.sum_per_channel = pass.sum_per_channel;
    d.sum_absolute = pass.sum_absolute;
    d.sum_address = pass.sum_address;
  }
  d.reduce_clear = d.reduce_flush = pass.max_address != 0 || pass.sum_address != 0;
}

std::vector<Region> ProgramBuilder::regions(const Descriptor& d, const StreamPass& pass) const {
  std::vector<Region> list;
  if (pass.pack != nullptr)
    list.push_back(
        {pass.pack->name, pass.pack->address, pass.pack->size_bytes(), config_.lanes / 8});
  if (d.reduce_flush && d.max_enable)
    list.push_back({"max", d.max_address, 4 * (d.max_per_sample ? d.samples : 1u), 4});
  if (d.reduce_flush && d.sum_enable)
    list.push_back({"sum", d.sum_address, 8 * (d.sum_per_channel ? d.channels : 1u), 8});
  return list;
}

void ProgramBuilder::stream(const ElementTensor& shape, const StreamPass& pass,
                            const std::string& label) {
  Descriptor d;
  d.opcode = u32(static_cast<int>(Opcode::kStream));
  apply(d, pass);
  const int lanes = config_.stream_lanes;
  d.count0 = u32(shape.pitch() / lanes);
  d.count1 = u32(shape.pixels);
  d.count2 = u32(shape.rows);
  d.count3 = d.count4 = 1;
  d.stride1 = u32(shape.pitch());
  d.stride2 = shape.row_stride();
  d.sample_loop = 2;
  d.group_loop = kNoLoop;
  d.channels = u32(shape.channels);
  d.samples = u32(shape.rows);
  Operation& operation = append(d, label);
  operation.writes = regions(d, pass);
  if (pass.store != nullptr)
    operation.writes.push_back(
        {pass.store->name, pass.store->address, pass.store->size_bytes(), pass.store->bytes});
  if (pass.pack != nullptr)
    writer_[pass.pack->name] = static_cast<int>(program_.operations.size()) - 1;
}

void ProgramBuilder::transpose(const PackedTensor& source, const PackedTensor& target) {
  Descriptor d;
  d.opcode = u32(static_cast<int>(Opcode::kTranspose));
  d.source_address = source.address;
  d.target_address = target.address;
  d.plane_words = u32(source.pixels * source.planes);
  d.source_rows = u32(source.rows);
  d.source_lanes = u32(source.lanes);
  d.source_columns = source.columns;
  d.target_columns = target.columns;
  d.source_words = u32(source.words());
  d.target_words = u32(target.words());
  Operation& operation = append(d, "transpose " + source.name);
  operation.writes.push_back({target.name, target.address, target.size_bytes(), config_.lanes / 8});
  writer_[target.name] = static_cast<int>(program_.operations.size()) - 1;
}

int ProgramBuilder::require(Buffer& buffer, const PackedTensor& tensor, std::uint32_t first_word,
                            int words, bool* fresh) {
  const int depth = buffer.columns ? config_.column_buffer_depth : config_.row_buffer_depth;
  const std::string key = fmt::format("{}@{}+{}", tensor.name, first_word, words);
  for (int half = 0; half < 2; ++half)
    if (buffer.resident[half] == key && half != buffer.next_half) return half * depth / 2;
  const int half = buffer.next_half;
  buffer.next_half = 1 - half;
  buffer.resident[half] = key;

  Descriptor d;
  d.opcode = u32(static_cast<int>(Opcode::kLoad));
  d.load_address = tensor.address + first_word * tensor.group_word_bytes();
  d.load_to_columns = buffer.columns;
  d.load_offset = u32(half * depth / 2);
  d.load_words = u32(words);
  if (buffer.last_user[half] >= 0) {
    const std::uint32_t token = buffer.columns ? kColumnFree : kRowFree;
    program_.operations[static_cast<std::size_t>(buffer.last_user[half])].descriptor.signal_mask |=
        token;
    d.wait_mask |= token;
    buffer.last_user[half] = -1;
  }
  const auto writer = writer_.find(tensor.name);
  if (writer != writer_.end() && writer->second > dma_synchronised_) {
    program_.operations[static_cast<std::size_t>(writer->second)].descriptor.signal_mask |= kStored;
    d.wait_mask |= kStored;
    dma_synchronised_ = writer->second;
  }
  append(d, "load " + tensor.name);
  *fresh = true;
  return half * depth / 2;
}

void ProgramBuilder::multiply(WindowMode mode, const Layer& layer, const PackedTensor& rows,
                              const PackedTensor& columns, const ElementTensor& result,
                              const StreamPass& drain, const std::string& label) {
  const bool by_tap = mode == WindowMode::kBackwardWeight;
  // Tile positions p, contraction positions t, and the windowed operand's map d
  int tile_height = layer.out_height, tile_width = layer.out_width;
  int tap_height = layer.kernel_height, tap_width = layer.kernel_width;
  int map_height = layer.in_height, map_width = layer.in_width;
  if (mode == WindowMode::kBackwardInput) {
    std::swap(tile_height, map_height);
    std::swap(tile_width, map_width);
  } else if (by_tap) {
    std::swap(tile_height, tap_height);
    std::swap(tile_width, tap_width);
  }
  const int row_half = config_.row_buffer_depth / 2, column_half = config_.column_buffer_depth / 2;
  const int row_width = by_tap ? tap_width : map_width;
  const int column_width = by_tap ? map_width : tap_width;
  const int column_group_words = columns.pixels * columns.pixel_words();
  auto too_small = [&](const char* key, int need) {
    return InputError(fmt::format(
        "array.{} = {}: {} of layer {} needs {} words in half a buffer; raise it to {} or more",
        key, key[0] == 'r' ? config_.row_buffer_depth : config_.column_buffer_depth, label,
        layer.name, need, 2 * need));
  };

  // Contraction rows a pass of the buffers takes: all, unless an operand of backward_weight does
  // not fit.
  int tap_rows = tap_height;
  if (by_tap) {
    auto row_need = [&](int taps) { return taps * row_width * rows.pixel_words(); };
    auto column_need = [&](int taps) {
      if (taps == tap_height) return column_group_words;
      int most = 0;
      for (int tile = 0; tile < tile_height; ++tile)
        for (int tap = 0; tap < tap_height; tap += taps) {
          const Span span = operand_rows(mode, layer, tile, tile, tap,
                                         std::min(tap + taps, tap_height) - 1, map_height);
          most = std::max(most, span.last - span.first + 1);
        }
      return most * column_width * columns.pixel_words();
    };
    while (tap_rows > 1 && (row_need(tap_rows) > row_half || column_need(tap_rows) > column_half))
      --tap_rows;
    if (row_need(1) > row_half) throw too_small("row_buffer_depth", row_need(1));
    if (column_need(1) > column_half) throw too_small("column_buffer_depth", column_need(1));
  } else if (column_group_words > column_half) {
    throw too_small("column_buffer_depth", column_group_words);
  }
  const bool split = tap_rows < tap_height;
  const int groups_a_block =
      split ? 1 : std::max(1, std::min(columns.groups(), column_half / column_group_words));
  // Tile rows a pass takes: as many as their operand rows fit.
  int tile_rows = split ? 1 : tile_height;
  if (!by_tap) {
    auto need = [&](int tiles) {
      int most = 0;
      for (int first = 0; first < tile_height; first += tiles) {
        const Span span = operand_rows(mode, layer, first, std::min(first + tiles, tile_height) - 1,
                                       0, tap_height - 1, map_height);
        most = std::max(most, (span.last - span.first + 1) * row_width * rows.pixel_words());
      }
      return most;
    };
    while (tile_rows > 1 && need(tile_rows) > row_half) --tile_rows;
    if (need(tile_rows) > row_half) throw too_small("row_buffer_depth", need(tile_rows));
  }

  const int chunks = config_.columns / config_.stream_lanes;
  const bool reduces = drain.max_address != 0 || drain.sum_address != 0;
  bool first_drain = true;
  std::size_t last_drain = 0;
  bool first_gemm = true;
  const std::uint64_t useful = useful_plane_pairs(mode, layer, rows, columns);
  for (int group = 0; group < columns.groups(); group += groups_a_block) {
    const int groups = std::min(groups_a_block, columns.groups() - group);
    for (int row_group = 0; row_group < rows.groups(); ++row_group) {
      for (int tile_y = 0; tile_y < tile_height; tile_y += tile_rows) {
        const int tiles_y = std::min(tile_rows, tile_height - tile_y);
        for (int tile_x = 0; tile_x < tile_width; tile_x += split ? 1 : tile_width) {
          const int tiles_x = split ? 1 : tile_width;
          for (int tap = 0; tap < tap_height; tap += tap_rows) {
            const int taps = std::min(tap_rows, tap_height - tap);
            const Span span = operand_rows(mode, layer, tile_y, tile_y + tiles_y - 1, tap,
                                           tap + taps - 1, map_height);
            // Buffer contents: the windowed operand's rows, and the taps of the other
            const int row_first = by_tap ? tap : span.first;
            const int row_count = by_tap ? taps : span.last - span.first + 1;
            const int column_first = by_tap ? (split ? span.first : 0) : 0;
            const int column_count =
                by_tap ? (split ? span.last - span.first + 1 : map_height) : tap_height;
            bool fresh = false;
            const int column_base =
                require(columns_, columns,
                        u32(group * column_group_words +
                            column_first * column_width * columns.pixel_words()),
                        (groups - 1) * column_group_words +
                            column_count * column_width * columns.pixel_words(),
                        &fresh);
            const int row_base =
                require(rows_, rows,
                        u32((row_group * rows.pixels + row_first * row_width) * rows.pixel_words()),
                        row_count * row_width * rows.pixel_words(), &fresh);
            if (fresh) program_.operations.back().descriptor.signal_mask |= kLoaded;

            Descriptor d;
            d.opcode = u32(static_cast<int>(Opcode::kGemm));
            if (fresh) d.wait_mask |= kLoaded;
            d.row_base = u32(row_base);
            d.column_base = u32(column_base);
            d.row_planes = u32(rows.planes);
            d.row_type = u32(static_cast<int>(rows.type));
            d.column_planes = u32(columns.planes);
            d.column_type = u32(static_cast<int>(columns.type));
            d.clear = tap == 0;
            d.drain = tap + taps == tap_height;
            d.rows_by_tap = by_tap;
            d.window_mode = u32(static_cast<int>(mode));
            d.stride_log2 = u32(log2_exact(layer.stride));
            d.words = u32(rows.words());
            d.tail_lanes = u32(rows.lanes - (rows.words() - 1) * config_.lanes);
            d.column_groups = u32(groups);
            d.column_group_stride = u32(column_group_words);
            d.tile_y_first = u32(tile_y);
            d.tile_y_count = u32(tiles_y);
            d.tile_x_first = u32(tile_x);
            d.tile_x_count = u32(tiles_x);
            d.tap_y_first = u32(tap);
            d.tap_y_count = u32(taps);
            d.tap_x_count = u32(tap_width);
            d.padding = u32(layer.padding);
            d.window_height = u32(map_height);
            d.window_width = u32(map_width);
            d.row_y_origin = u32(row_first);
            d.column_y_origin = u32(column_first);
            Operation& gemm = append(d, label);
            gemm.useful_plane_pairs = first_gemm ? useful : 0;
            first_gemm = false;
            const int index = static_cast<int>(program_.operations.size()) - 1;
            rows_.last_user[row_base == 0 ? 0 : 1] = index;
            columns_.last_user[column_base == 0 ? 0 : 1] = index;
            if (!d.drain) continue;

            Descriptor s;
            s.opcode = u32(static_cast<int>(Opcode::kStream));
            apply(s, drain);
            const std::uint32_t offset =
                u32(row_group * config_.rows) * result.row_stride() +
                u32((tile_y * tile_width + tile_x) * result.pitch() + group * config_.columns);
            if (drain.store != nullptr) s.destination_address += offset * u32(drain.store->bytes);
            if (drain.z != nullptr) s.z_address += offset * u32(drain.z->bytes);
            s.count0 = u32(chunks);
            s.count1 = u32(config_.rows);
            s.count2 = u32(groups);
            s.count3 = u32(tiles_x);
            s.count4 = u32(tiles_y);
            s.stride1 = result.row_stride();
            s.stride2 = u32(config_.columns);
            s.stride3 = u32(result.pitch());
            s.stride4 = u32(tile_width * result.pitch());
            s.sample_loop = 1;
            s.group_loop = 2;
            s.channels = u32(result.channels);
            s.samples = u32(std::min(result.rows, (row_group + 1) * config_.rows));
            s.sample_first = u32(row_group * config_.rows);
            s.chunk_first = u32(group * chunks);
            s.reduce_clear = reduces && first_drain;
            s.reduce_flush = 0;
            first_drain = false;
            Operation& operation = append(s, "drain of " + label);
            if (drain.store != nullptr)
              operation.writes.push_back(
                  {drain.store->name,
                   drain.store->address + u32(row_group * config_.rows) * result.row_stride() *
                                              u32(drain.store->bytes),
                   u32(std::min(config_.rows, result.rows - row_group * config_.rows)) *
                       result.row_stride() * u32(drain.store->bytes),
                   drain.store->bytes});
            last_drain = program_.operations.size() - 1;
          }
        }
      }
    }
  }
  if (reduces) {
    // The last drain writes the reductions of the whole tensor.
    Operation& operation = program_.operations[last_drain];
    operation.descriptor.reduce_flush = 1;
    for (const Region& region : regions(operation.descriptor, drain))
      operation.writes.push_back(region);
  }
}

}  // namespace solfege
