// SPDX-License-Identifier: Apache-2.0
#include "model/host/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "model/base/error.hpp"
#include "model/spec/legality.hpp"
#include "model/spec/lfsr.hpp"
#include "model/spec/window.hpp"

namespace solfege {
namespace {

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

/// Of the windows of a tile and a tap on, counted from there.
int window_origin(WindowMode mode, int stride, int padding, int tile, int tap) {
  switch (mode) {
    case WindowMode::kForward:
      return stride * tile + tap - padding;
    case WindowMode::kBackwardInput:
      return tile + padding - tap;
    case WindowMode::kBackwardWeight:
      return tile + stride * tap - padding;
  }
  return 0;
}

/// Bit products the network's mathematics asks for: products inside the maps times the planes of
/// the codes (G planes of a gradient, however many the schedule gives it).
std::uint64_t useful_plane_pairs(WindowMode mode, const Layer& layer, int batch,
                                 const PackedTensor& rows) {
  auto meetings = [](int in, int out, int kernel, int stride, int padding) {
    std::uint64_t count = 0;
    for (int o = 0; o < out; ++o)
      for (int k = 0; k < kernel; ++k) {
        const int i = stride * o + k - padding;
        if (i >= 0 && i < in) ++count;
      }
    return count;
  };
  const std::uint64_t products = meetings(layer.in_height, layer.out_height, layer.kernel_height,
                                          layer.stride_height, layer.padding_height) *
                                 meetings(layer.in_width, layer.out_width, layer.kernel_width,
                                          layer.stride_width, layer.padding_width) *
                                 static_cast<std::uint64_t>(layer.seen_channels()) *
                                 static_cast<std::uint64_t>(layer.out_channels) *
                                 static_cast<std::uint64_t>(batch);
  const int gradient_planes = layer.gradient_bits > 0 ? layer.gradient_bits : rows.planes;
  const int row_planes = mode == WindowMode::kForward ? layer.input_bits : gradient_planes;
  const int column_planes =
      mode == WindowMode::kBackwardWeight ? layer.input_bits : layer.weight_bits;
  return products * static_cast<std::uint64_t>(row_planes) *
         static_cast<std::uint64_t>(column_planes);
}

}  // namespace

Operation& ProgramBuilder::append(Descriptor descriptor, const std::string& label) {
  if (const std::string overflow = descriptor.overflow(); !overflow.empty())
    throw InputError(
        fmt::format("layer {}, {}: {} needs a descriptor with {}, so no configuration holds it; "
                    "make the layer's map, channels or kernel smaller, or lower --batch",
                    layer_, pass_, label, overflow));
  if (const char* rule = broken_rule(descriptor, config_))
    throw InputError(
        fmt::format("layer {}, {}: {}: the device refuses a descriptor unless {}; make the layer's "
                    "map, channels or kernel smaller, or lower --batch",
                    layer_, pass_, label, rule));
  Operation operation;
  operation.descriptor = descriptor;
  operation.layer = layer_;
  operation.pass = pass_;
  operation.label = label;
  program_.operations.push_back(std::move(operation));
  if (descriptor.opcode == Opcode::kStream && !descriptor.x_from_array)
    last_pass_ = static_cast<int>(program_.operations.size()) - 1;
  return program_.operations.back();
}

void ProgramBuilder::load_table(Table table, std::uint32_t address, int rows, int threshold_bits,
                                const std::string& label, int shift) {
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned32;
  d.x_address = address;
  d.scale_x = 1;
  d.shift_x = u32(shift);
  d.limit_shift = shift > 0 ? kNarrow : 0;
  d.destination = Destination::kTable;
  d.table = table;
  d.quantizer_bits = u32(threshold_bits);
  d.count0 = u32(rows);
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 0xffff;  // every word counts
  append(d, label);
}

void ProgramBuilder::apply(Descriptor& d, const StreamPass& pass) {
  if (pass.x == nullptr) {
    d.x_from_array = 1;
  } else {
    d.x_type = pass.x->type;
    d.x_address = pass.x->address;
  }
  if (pass.z != nullptr) {
    d.z_enable = 1;
    d.z_type = pass.z->type;
    d.z_address = pass.z->address;
  }
  const std::uint32_t scale_mask =
      config_.stored_bits == 32 ? ~0u : (1u << config_.stored_bits) - 1;
  d.scale_x_source = pass.scale_x_source;
  d.scale_x = u32(pass.scale_x) & scale_mask;
  d.shift_x = u32(pass.shift_x);
  d.scale_z_source = pass.scale_z_per_channel ? Scalar::kChannel : Scalar::kConstant;
  d.scale_z = u32(pass.scale_z) & 0xffffu;
  d.shift_z = u32(pass.shift_z);
  d.offset_enable = pass.offset;
  d.mask_enable = pass.mask;
  d.slope_function = pass.slope;
  d.grid_enable = pass.grid;
  d.limit_shift = pass.limit_shift;
  d.pool_enable = pass.window_use == WindowUse::kPool;
  d.route_enable = pass.window_use == WindowUse::kRoute;
  if (pass.store != nullptr) {
    d.destination = pass.store->type == ElementType::kSigned16 ? Destination::kSigned16
                    : pass.store->type == ElementType::kTagged ? Destination::kTagged
                                                               : Destination::kSigned32;
    d.destination_address = pass.store->address;
  }
  d.drop_enable = pass.drop_threshold != 0;
  d.drop_threshold = pass.drop_threshold;
  d.quantizer = pass.quantizer;
  d.quantizer_bits = u32(pass.quantizer_bits);
  d.code_shift = u32(pass.code_shift);
  d.code_offset = static_cast<std::uint32_t>(pass.code_offset) & 0x1ff;
  d.threshold_per_channel = pass.threshold_per_channel;
  if (pass.max_address != 0) {
    d.max_enable = 1;
    d.max_per_sample = pass.max_per_sample;
    d.max_address = pass.max_address;
  }
  if (pass.sum_address != 0) {
    d.sum_enable = 1;
    d.sum_per_channel = pass.sum_per_channel;
    d.sum_per_sample = pass.sum_per_sample;
    d.sum_absolute = pass.sum_absolute;
    d.sum_address = pass.sum_address;
    d.second_sum = pass.second_sum;
  }
}

std::vector<Region> ProgramBuilder::reductions(const Descriptor& d) const {
  std::vector<Region> list;
  if (d.reduce_flush && d.max_enable)
    list.push_back({"max", d.max_address, 4 * (d.max_per_sample ? d.samples : 1u), 4});
  if (d.reduce_flush && d.sum_enable)
    list.push_back({"sum", d.sum_address, 8 * d.sums() * (d.sums_twice() ? 2u : 1u), 8});
  return list;
}

void ProgramBuilder::stream(const ElementTensor& shape, const StreamPass& pass,
                            const std::string& label) {
  std::uint64_t random_state = pass.random_state;
  const std::size_t first = program_.operations.size();
  int channel = 0;
  if (pass.pack == nullptr) stream_part(shape, pass, nullptr, 0, &random_state, label);
  if (pass.pack != nullptr)
    for (const PackedTensor& part : *pass.pack) {
      stream_part(shape, pass, &part, channel, &random_state, label);
      channel += part.lanes;
    }
  finish_reductions(pass, first);
}

void ProgramBuilder::stream_part(const ElementTensor& shape, const StreamPass& pass,
                                 const PackedTensor* part, int first_channel,
                                 std::uint64_t* random_state, const std::string& label) {
  Descriptor d;
  d.opcode = Opcode::kStream;
  apply(d, pass);
  const int channels = part != nullptr ? part->lanes : shape.channels;
  if (part != nullptr) {
    d.pack_enable = 1;
    d.pack_columns = part->columns;
    d.pack_planes = u32(part->planes);
    d.pack_address = part->address;
    d.pack_group_stride = part->group_stride();
    d.pack_pixel_stride = u32(part->pixel_words());
    d.pack_plane_stride = u32(part->words());
  }
  const std::uint32_t pixel = shape.pixel_stride();
  d.chunk_first = u32(first_channel / config_.stream_lanes);
  d.count0 = u32(blocks(channels) * geometry_.block_chunks);
  d.count5 = u32(blocks(shape.rows));
  d.stride_a5 = shape.row_block_stride();
  d.count1 = u32(shape.pixels);
  d.count2 = d.count3 = d.count4 = 1;
  d.stride_a1 = pixel;
  d.channels = u32(first_channel + channels);
  d.samples = u32(shape.rows);
  if (pass.window_use == WindowUse::kNone) return append_pass(d, pass, part, random_state, label);
  const bool pools = pass.window_use == WindowUse::kPool;
  const std::vector<WindowRun> lines = pass.windows.y.runs(!pools),
                               places = pass.windows.x.runs(!pools);
  const bool reduces = pass.max_address != 0 || pass.sum_address != 0;
  if (lines.size() * places.size() > 1 && (part != nullptr || reduces || d.draws()))
    throw std::logic_error("a pass of several descriptors does more than store");
  const Descriptor whole = d;
  for (const WindowRun& y : lines)
    for (const WindowRun& x : places) {
      d = whole;
      take_windows(d, pass, y, x, pixel);
      append_pass(d, pass, part, random_state, label);
    }
}

/// The loops of a pass over windows, and where it begins: places in a window, and windows, in x and
/// in y. The pooled map is walked by windows only.
void ProgramBuilder::take_windows(Descriptor& d, const StreamPass& pass, const WindowRun& y,
                                  const WindowRun& x, std::uint32_t pixel) {
  const Pooling& windows = pass.windows;
  const std::uint32_t line = u32(windows.x.map) * pixel,
                      pooled_line = u32(windows.x.windows()) * pixel;
  const std::array<std::uint32_t, 4> in_map = {pixel, line, u32(x.step * windows.x.stride) * pixel,
                                               u32(y.step * windows.y.stride) * line};
  const std::array<std::uint32_t, 4> in_pooled = {0, 0, u32(x.step) * pixel,
                                                  u32(y.step) * pooled_line};
  const std::uint32_t map_start = u32(y.start) * line + u32(x.start) * pixel;
  const std::uint32_t pooled_start = u32(y.first) * pooled_line + u32(x.first) * pixel;
  // By loop 1 to 4: which of place x, place y, window x, window y it runs over. To pool, a window
  // is inside, so that a state for each chunk of a pixel suffices; else raster order of the map,
  // which is its storage order where windows tile it: random numbers are drawn along it.
  const bool pools = pass.window_use == WindowUse::kPool;
  const bool spreads = pass.window_use == WindowUse::kSpread;
  const std::array<std::size_t, 4> order =
      pools ? std::array<std::size_t, 4>{0, 1, 2, 3} : std::array<std::size_t, 4>{0, 2, 1, 3};
  const std::array<int, 4> counts = {x.size, y.size, x.count, y.count};
  const auto& a = spreads ? in_pooled : in_map;
  const auto& b = spreads ? in_map : in_pooled;
  d.count1 = u32(counts[order[0]]);
  d.count2 = u32(counts[order[1]]);
  d.count3 = u32(counts[order[2]]);
  d.count4 = u32(counts[order[3]]);
  d.stride_a1 = a[order[0]];
  d.stride_a2 = a[order[1]];
  d.stride_a3 = a[order[2]];
  d.stride_a4 = a[order[3]];
  d.stride_b1 = b[order[0]];
  d.stride_b2 = b[order[1]];
  d.stride_b3 = b[order[2]];
  d.stride_b4 = b[order[3]];
  d.stride_b5 = u32(windows.windows()) * pixel;
  if (spreads) std::swap(d.stride_a5, d.stride_b5);
  d.z_strides_b = !pools;
  d.destination_strides_b = pools || spreads;
  const auto bytes = [](const ElementTensor* tensor) {
    return tensor == nullptr ? 0 : u32(tensor->bytes());
  };
  d.x_address += (spreads ? pooled_start : map_start) * bytes(pass.x);
  d.z_address += (pass.window_use == WindowUse::kRoute ? pooled_start : map_start) * bytes(pass.z);
  d.destination_address += (pools ? pooled_start : map_start) * bytes(pass.store);
}

/// `random_state` moves on by the pass's draws.
void ProgramBuilder::append_pass(Descriptor d, const StreamPass& pass, const PackedTensor* part,
                                 std::uint64_t* random_state, const std::string& label) {
  d.random_low = u32(static_cast<std::int64_t>(*random_state & 0xffffffffu));
  d.random_high = u32(static_cast<std::int64_t>(*random_state >> 32));
  if (d.draws()) {
    Lfsr next(*random_state);
    const std::uint64_t results = d.pool_enable ? d.steps() / d.count1 / d.count2 : d.steps();
    next.jump(results * static_cast<std::uint64_t>(config_.stream_lanes * config_.random_bits));
    *random_state = next.state();
  }
  Operation& operation = append(d, label);
  if (pass.store != nullptr)
    operation.writes.push_back(
        {pass.store->name, pass.store->address, pass.store->size_bytes(), pass.store->bytes()});
  if (part == nullptr) return;
  operation.writes.push_back({part->name, part->address, part->size_bytes(), geometry_.lane_bytes});
  writer_[part->name] = static_cast<int>(program_.operations.size()) - 1;
}

void ProgramBuilder::wait_for(int signaller, std::uint32_t token, int* waited) {
  if (waited != nullptr) {
    if (signaller <= *waited) return;
    *waited = signaller;
  }
  dependencies_.push_back({signaller, static_cast<int>(program_.operations.size()), token});
}

Program ProgramBuilder::take() {
  const auto descriptor = [&](int index) -> Descriptor& {
    return program_.operations[static_cast<std::size_t>(index)].descriptor;
  };
  for (const Dependency& d : dependencies_) {
    descriptor(d.signaller).signal_mask |= d.token;
    descriptor(d.waiter).wait_mask |= d.token;
  }
  dependencies_.clear();
  return std::move(program_);
}

void ProgramBuilder::append_turn(Descriptor d, const PackedTensor& source,
                                 const PackedTensor& target, const std::string& verb) {
  d.source_address = source.address;
  d.target_address = target.address;
  d.source_rows = u32(source.rows);
  d.source_lanes = u32(source.lanes);
  d.source_columns = source.columns;
  d.target_columns = target.columns;
  d.source_words = u32(source.words());
  d.target_words = u32(target.words());
  const auto writer = writer_.find(source.name);
  if (writer != writer_.end()) wait_for(writer->second, kPacked, &turner_after_stream_);
  append(d, verb + source.name)
      .writes.push_back({target.name, target.address, target.size_bytes(), geometry_.lane_bytes});
  writer_[target.name] = static_cast<int>(program_.operations.size()) - 1;
}

void ProgramBuilder::transpose(const PackedParts& source, const PackedParts& target) {
  for (std::size_t i = 0; i < source.size(); ++i) {
    Descriptor d;
    d.opcode = Opcode::kTranspose;
    d.plane_words = u32(source[i].pixels * source[i].planes);
    append_turn(d, source[i], target[i], "transpose ");
  }
}

void ProgramBuilder::unfold(const PackedParts& source, const PackedParts& target,
                            const Layer& layer, bool gradient) {
  Descriptor d;
  d.opcode = Opcode::kUnfold;
  d.unfold_planes = u32(source.front().planes);
  d.unfold_out_height = u32(layer.out_height);
  d.unfold_out_width = u32(layer.out_width);
  d.unfold_height = u32(gradient ? layer.out_height : layer.in_height);
  d.unfold_width = u32(gradient ? layer.out_width : layer.in_width);
  d.unfold_kernel_height = u32(gradient ? 1 : layer.kernel_height);
  d.unfold_kernel_width = u32(gradient ? 1 : layer.kernel_width);
  d.unfold_padding_height = u32(gradient ? 0 : layer.padding_height);
  d.unfold_padding_width = u32(gradient ? 0 : layer.padding_width);
  d.unfold_stride_height = u32(gradient ? 1 : layer.stride_height);
  d.unfold_stride_width = u32(gradient ? 1 : layer.stride_width);
  for (std::size_t i = 0; i < source.size(); ++i) {
    d.unfold_tap_rows = u32(unfolded_tap_rows(source[i].lanes, target[i].group));
    append_turn(d, source[i], target[i], "unfold ");
  }
}

int unfolded_tap_rows(int channels, int group) {
  const int unit = std::max(kBlock, group);
  return (channels + unit - 1) / unit * unit;
}

// ---- Products ----

InputError ProgramBuilder::too_small(const OperandBuffer& buffer, int need,
                                     const PackedTensor& tensor, const std::string& label,
                                     const Layer& layer) const {
  const std::string key = buffer.columns() ? "array.column_buffer_depth" : "array.row_buffer_depth";
  const std::int64_t depth = config_value(config_, key);
  const std::int64_t lost = depth / 2 - buffer.half_words(tensor.pixel_words());
  return InputError(
      fmt::format("{} = {}: {} of layer {} needs {} words in half a buffer: {}", key, depth, label,
                  layer.name, need,
                  advise_at_least(key, 2 * (need + lost),
                                  "lower --batch, or make the layer's map or kernel smaller")));
}

OperandBuffer::Place ProgramBuilder::require(OperandBuffer& buffer, const PackedTensor& tensor,
                                             std::uint32_t first_word, int words, bool* fresh,
                                             int pieces, std::uint32_t step) {
  const OperandBuffer::Place place = buffer.place(tensor, first_word, words, pieces, step);
  if (place.is_resident) return place;
  Descriptor d;
  d.opcode = Opcode::kLoad;
  d.load_to_columns = buffer.columns();
  d.load_words = place.load_words;
  d.load_planes = u32(tensor.planes);
  d.load_plane_words = u32(tensor.words());
  if (place.last_user >= 0)
    wait_for(place.last_user, buffer.columns() ? kColumnFree : kRowFree, nullptr);
  const auto writer = writer_.find(tensor.name);
  if (writer != writer_.end()) {
    const auto& made = program_.operations[static_cast<std::size_t>(writer->second)].descriptor;
    if (made.opcode == Opcode::kStream)
      wait_for(writer->second, kStored, &dma_after_stream_);
    else
      wait_for(writer->second, kTurned, &dma_after_turner_);
  }
  for (std::uint32_t piece = 0; piece < u32(pieces); ++piece) {
    d.load_address = tensor.address + (place.first_word + piece * step) * tensor.group_word_bytes();
    d.load_offset = u32(place.offset) + piece * place.load_words;
    append(d, "load " + tensor.name);
  }
  *fresh = true;
  return place;
}

Operation& ProgramBuilder::append_gemm(Descriptor d, const OperandBuffer::Place& row,
                                       const OperandBuffer::Place& column, bool fresh,
                                       const std::string& label) {
  d.opcode = Opcode::kGemm;
  d.row_base = u32(row.base);
  d.column_base = u32(column.base);
  if (fresh) wait_for(static_cast<int>(program_.operations.size()) - 1, kLoaded, nullptr);
  // A tile can only wait while the stream unit is at other passes: the array starts when they end.
  if (last_pass_ >= 0) wait_for(last_pass_, kDraining, &array_after_stream_);
  Operation& gemm = append(d, label);
  const int index = static_cast<int>(program_.operations.size()) - 1;
  rows_.use(row, index);
  columns_.use(column, index);
  return gemm;
}

/// `words` words of each plane of a pixel, of its first plane from word `first_word` of the tensor.
OperandBuffer::Place ProgramBuilder::require_words(OperandBuffer& buffer,
                                                   const PackedTensor& tensor, int first_word,
                                                   int words, bool* fresh) {
  return require(buffer, tensor, u32(first_word), words, fresh, tensor.planes, u32(tensor.words()));
}

/// Lets a GEMM contract `words` words from word `first` on, in place of all.
void ProgramBuilder::take_words(Descriptor& d, int first, int words) const {
  if (u32(first + words) < d.words) d.tail_lanes = u32(config_.lanes);
  d.words = u32(words);
}

/// What a GEMM's operands are, whatever it does with them.
Descriptor ProgramBuilder::product_descriptor(const PackedTensor& rows,
                                              const PackedTensor& columns) const {
  Descriptor d;
  d.row_planes = u32(rows.planes);
  d.column_planes = u32(columns.planes);
  d.read_operands(rows.reading, columns.reading);
  d.words = u32(rows.words());
  d.tail_lanes = u32(rows.lanes - (rows.words() - 1) * config_.lanes);
  return d;
}

ProgramBuilder::ResultPart ProgramBuilder::result_part(WindowMode mode, const ChannelPart& part,
                                                       const ElementTensor& result) {
  switch (mode) {
    case WindowMode::kForward:
      return {0, result.rows, part.out_first, part.outs};
    case WindowMode::kBackwardInput:
      return {0, result.rows, part.in_first, part.ins};
    case WindowMode::kBackwardWeight:
      return {part.out_first, part.outs, 0, part.ins};
  }
  return {};
}

/// The pass that takes tiles whose first row is row group `row_group` of the part, from pixel
/// `pixel` on.
Descriptor ProgramBuilder::drain_descriptor(const StreamPass& drain, const ElementTensor& result,
                                            const ResultPart& part, int row_group, int pixel) {
  Descriptor s;
  s.opcode = Opcode::kStream;
  apply(s, drain);
  const int first_row = part.row_first + row_group * config_.rows;
  const std::uint32_t offset =
      u32(first_row / kBlock) * result.row_block_stride() + u32(pixel) * result.pixel_stride();
  if (drain.store != nullptr) s.destination_address += offset * u32(drain.store->bytes());
  if (drain.z != nullptr) s.z_address += offset * u32(drain.z->bytes());
  s.count0 = u32(geometry_.column_chunks);
  s.count1 = u32(geometry_.drain_rows);
  s.count2 = u32(geometry_.drain_blocks);
  s.count3 = s.count4 = s.count5 = 1;
  s.stride_a2 = result.row_block_stride();
  s.chunk_first = u32(part.channel_first / config_.stream_lanes);
  s.channels = u32(part.channel_first + part.channels);
  s.samples = u32(std::min(part.row_first + part.rows, first_row + config_.rows));
  s.sample_first = u32(first_row);
  return s;
}

void ProgramBuilder::append_drain(const Descriptor& descriptor, const StreamPass& drain,
                                  const ElementTensor& result, const std::string& label) {
  Operation& operation = append(descriptor, "drain of " + label);
  if (drain.store == nullptr || (descriptor.accumulate_enable && !descriptor.accumulate_last))
    return;
  const int first = static_cast<int>(descriptor.sample_first) / kBlock;
  const int last = blocks(static_cast<int>(descriptor.samples));
  const std::uint32_t bytes = result.row_block_stride() * u32(drain.store->bytes());
  operation.writes.push_back({drain.store->name, drain.store->address + u32(first) * bytes,
                              u32(last - first) * bytes, drain.store->bytes()});
}

/// The first pass from operation `first` on clears the reductions of a tensor, the last writes
/// them.
void ProgramBuilder::finish_reductions(const StreamPass& pass, std::size_t first) {
  if (pass.max_address == 0 && pass.sum_address == 0) return;
  while (program_.operations[first].descriptor.opcode != Opcode::kStream) ++first;
  program_.operations[first].descriptor.reduce_clear = 1;
  Operation& last = program_.operations.back();
  last.descriptor.reduce_flush = 1;
  for (const Region& region : reductions(last.descriptor)) last.writes.push_back(region);
}

void ProgramBuilder::multiply_samples(const Layer& layer, const PackedParts& rows,
                                      const PackedParts& columns, const ElementTensor& result,
                                      const StreamPass& drain, const std::string& label) {
  constexpr WindowMode kMode = WindowMode::kBackwardWeight;
  std::uint64_t useful = useful_plane_pairs(kMode, layer, rows.front().pixels, rows.front());
  const std::size_t first = program_.operations.size();
  const std::vector<ChannelPart> parts = channel_parts(layer);
  for (std::size_t i = 0; i < parts.size(); ++i)
    multiply_samples_part(layer, result_part(kMode, parts[i], result), rows[i], columns[i], result,
                          drain, label, &useful);
  finish_reductions(drain, first);
}

void ProgramBuilder::multiply_samples_part(const Layer& layer, const ResultPart& part,
                                           const PackedTensor& rows, const PackedTensor& columns,
                                           const ElementTensor& result, const StreamPass& drain,
                                           const std::string& label, std::uint64_t* useful) {
  const int batch = rows.pixels;
  const int tap_rows = unfolded_tap_rows(part.channels, config_.columns);
  const int row_sample = rows.pixel_words(), column_sample = columns.pixel_words();
  const int words = contraction_words(rows.words(), rows.planes, columns.planes,
                                      rows_.room(row_sample), columns_.room(column_sample));
  if (words == 0)
    throw row_sample > rows_.half_words(row_sample)
        ? too_small(rows_, row_sample, rows, label, layer)
        : too_small(columns_, column_sample, columns, label, layer);
  const bool split = words < rows.words();
  // The column groups of a tap lie next to each other, and those of the next tap behind them. Where
  // the results do so too, all taps pass as one. The samples of several column groups are loaded in
  // pieces, which must be whole beats.
  const int taps = columns.groups() * config_.columns / tap_rows;
  const bool joins = part.channels == tap_rows && part.channels == result.channels;
  const int tap_groups =
      joins ? columns.groups() : (part.channels + config_.columns - 1) / config_.columns;
  const bool in_pieces = batch * column_sample % columns_.beat_words() == 0;
  int most = in_pieces ? tap_groups : 1;
  while (most > 1 && columns_.half_words(column_sample, most) < column_sample) --most;
  const SampleBlock block =
      split ? SampleBlock{1, 1} : block_samples(rows, columns, tap_groups, most, config_.sum_tiles);
  const int samples =
      split ? 1
            : std::min({batch, rows_.half_words(row_sample) / row_sample,
                        columns_.half_words(column_sample, block.column_groups) / column_sample});
  for (int row_first = 0; row_first < rows.groups(); row_first += block.row_groups)
    for (int tap = 0; tap < (joins ? 1 : taps); ++tap)
      for (int group = 0; group < tap_groups; group += block.column_groups)
        for (int sample = 0; sample < batch; sample += samples) {
          const int count = std::min(samples, batch - sample);
          const int groups = std::min(block.column_groups, tap_groups - group);
          const int column_group = tap * tap_rows / config_.columns + group;
          for (int row_group = row_first;
               row_group < std::min(row_first + block.row_groups, rows.groups()); ++row_group) {
            for (int word = 0; word < rows.words(); word += words) {
              const int part_words = std::min(words, rows.words() - word);
              bool fresh = false;
              const int column_first = (column_group * batch + sample) * column_sample;
              const int row_first_word = (row_group * batch + sample) * row_sample;
              const OperandBuffer::Place column =
                  split ? require_words(columns_, columns, column_first + word, part_words, &fresh)
                        : require(columns_, columns, u32(column_first), count * column_sample,
                                  &fresh, groups, u32(batch * column_sample));
              const OperandBuffer::Place row =
                  split ? require_words(rows_, rows, row_first_word + word, part_words, &fresh)
                        : require(rows_, rows, u32(row_first_word), count * row_sample, &fresh);
              Descriptor d = product_descriptor(rows, columns);
              take_words(d, word, part_words);
              d.clear = word == 0;
              d.drain = word + part_words == rows.words();
              d.columns_by_tile = 1;
              d.window_mode = WindowMode::kForward;
              d.column_groups = u32(groups);
              d.column_group_stride = column.load_words;
              d.tile_y_count = d.window_height = u32(count);
              d.tile_x_count = d.tap_y_count = d.tap_x_count = d.window_width = 1;
              d.stride_y = d.stride_x = 1;
              set_origin(d, 0, 0);
              append_gemm(d, row, column, fresh, label).useful_plane_pairs =
                  std::exchange(*useful, 0);
            }

            Descriptor s = drain_descriptor(drain, result, part, row_group, tap);
            s.count3 = u32(groups);
            s.count4 = u32(count);
            s.chunk_first += u32(group * geometry_.column_chunks);
            if (joins) s.channels *= u32(taps);
            s.accumulate_enable = 1;
            s.accumulate_first = sample == 0;
            s.accumulate_last = sample + count == batch;
            s.accumulate_sample = u32(sample);
            s.accumulate_tile = u32((row_group - row_first) * groups);
            append_drain(s, drain, result, label);
          }
        }
}

void ProgramBuilder::multiply(WindowMode mode, const Layer& layer, const PackedParts& rows,
                              const PackedParts& columns, const ElementTensor& result,
                              const StreamPass& drain, const std::string& label) {
  const bool by_tap = mode == WindowMode::kBackwardWeight;
  const PackedTensor& one = rows.front();
  std::uint64_t useful = useful_plane_pairs(mode, layer, by_tap ? one.lanes : one.rows, one);
  const std::size_t first = program_.operations.size();
  const std::vector<ChannelPart> parts = channel_parts(layer);
  for (std::size_t i = 0; i < parts.size(); ++i)
    multiply_part(mode, layer, result_part(mode, parts[i], result), rows[i], columns[i], result,
                  drain, label, &useful);
  finish_reductions(drain, first);
}

void ProgramBuilder::multiply_part(WindowMode mode, const Layer& layer, const ResultPart& part,
                                   const PackedTensor& rows, const PackedTensor& columns,
                                   const ElementTensor& result, const StreamPass& drain,
                                   const std::string& label, std::uint64_t* useful) {
  Shortage shortage;
  const std::vector<Tile> tiles =
      tile_product(mode, layer, rows, columns, rows_.room(rows.pixel_words()),
                   columns_.room(columns.pixel_words()), &shortage);
  if (shortage.words != 0)
    throw too_small(shortage.columns ? columns_ : rows_, shortage.words,
                    shortage.columns ? columns : rows, label, layer);
  const bool by_tap = mode == WindowMode::kBackwardWeight;
  const ProductShape shape(mode, layer);
  for (const Tile& t : tiles) {
    bool fresh = false;
    const bool split = t.words < rows.words();
    const bool band = t.places.count() < shape.map_width;
    const auto operand = [&](OperandBuffer& buffer, const PackedTensor& tensor, int group,
                             int groups, bool is_map) {
      const int width = is_map ? shape.map_width : shape.tap_width;
      const int pixel = tensor.pixel_words(), line = width * pixel;
      const int group_words = tensor.pixels * pixel;
      const int lines = is_map ? t.lines.count() : t.taps;
      const int first = group * group_words + (is_map ? t.lines.first : t.tap) * line;
      if (split) return require_words(buffer, tensor, first + t.word_first, t.words, &fresh);
      if (is_map && band)
        return require(buffer, tensor, u32(first + t.places.first * pixel),
                       t.places.count() * pixel, &fresh, lines, u32(line));
      return require(buffer, tensor, u32(first), (groups - 1) * group_words + lines * line, &fresh);
    };
    const OperandBuffer::Place column = operand(columns_, columns, t.group, t.groups, by_tap);
    const OperandBuffer::Place row = operand(rows_, rows, t.row_group, 1, !by_tap);
    Descriptor d = product_descriptor(rows, columns);
    take_words(d, t.word_first, t.words);
    d.clear = t.tap == 0 && t.word_first == 0;
    d.drain = t.tap + t.taps == shape.tap_height && t.word_first + t.words == rows.words();
    d.rows_by_tap = by_tap;
    d.window_mode = mode;
    d.stride_y = u32(layer.stride_height);
    d.stride_x = u32(layer.stride_width);
    d.column_groups = u32(t.groups);
    d.column_group_stride = u32(columns.pixels * columns.pixel_words());
    d.tile_y_count = u32(t.tiles_y);
    d.tile_x_count = u32(t.tiles_x);
    d.tap_y_count = u32(t.taps);
    d.tap_x_count = u32(shape.tap_width);
    d.window_height = u32(shape.map_height);
    // The buffer has the columns of a band only, so the window's map begins with them.
    d.window_width = u32(t.places.count());
    d.map_y_first = u32(t.lines.first);
    const std::int64_t before =
        t.places.first * (mode == WindowMode::kBackwardInput ? layer.stride_width : 1);
    set_origin(d, window_origin(mode, layer.stride_height, layer.padding_height, t.tile_y, t.tap),
               window_origin(mode, layer.stride_width, layer.padding_width, t.tile_x, 0) - before);
    append_gemm(d, row, column, fresh, label).useful_plane_pairs = std::exchange(*useful, 0);
    if (!d.drain) continue;

    Descriptor s =
        drain_descriptor(drain, result, part, t.row_group, t.tile_y * shape.tile_width + t.tile_x);
    s.count3 = u32(t.groups);
    s.count4 = u32(t.tiles_x);
    s.count5 = u32(t.tiles_y);
    s.stride_a4 = result.pixel_stride();
    s.stride_a5 = u32(shape.tile_width) * result.pixel_stride();
    s.chunk_first += u32(t.group * geometry_.column_chunks);
    append_drain(s, drain, result, label);
  }
}

}  // namespace solfege
