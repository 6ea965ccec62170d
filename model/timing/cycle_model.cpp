// SPDX-License-Identifier: Apache-2.0
#include "model/timing/cycle_model.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "model/spec/geometry.hpp"
#include "model/spec/pipeline.hpp"
#include "model/spec/plane_pairs.hpp"
#include "model/spec/window.hpp"
#include "model/timing/least_traffic.hpp"
#include "model/timing/turner.hpp"

namespace solfege {
namespace {

constexpr std::uint64_t kFirstTile = kTileReady;         ///< from the start
constexpr std::uint64_t kStreamDepth = kLaneStages + 1;  ///< until the unit is empty
constexpr std::uint64_t kStreamOverhead = 6;             ///< start, emit, reduce (2), flush, wait
constexpr std::uint64_t kUnfoldOverhead = kUnfoldPreparation + 2;  ///< and start, wait

/// Taps of one axis that meet the operand at each tile position.
std::vector<std::uint64_t> tap_counts(const WindowAxis& axis, std::uint32_t tiles) {
  std::vector<std::uint64_t> counts;
  for (std::uint32_t p = 0; p < tiles; ++p) counts.push_back(window_taps(axis, p).size());
  return counts;
}

/// Words that a pair of planes takes, of each tile; 0: a tile without taps.
std::vector<std::uint64_t> tile_words(const Descriptor& d) {
  const auto y = tap_counts(window_axis(d, true), d.tile_y_count);
  const auto x = tap_counts(window_axis(d, false), d.tile_x_count);
  std::vector<std::uint64_t> words;
  for (const std::uint64_t ny : y)
    for (const std::uint64_t nx : x) words.push_back(ny * nx * d.words);
  return words;
}

/// Cycles in which the reductions' results leave; each is read in the cycle before.
std::uint64_t reduction_cycles(const Descriptor& d, const Config& config) {
  if (!d.reduce_flush) return 0;
  std::uint64_t results = 0;
  if (d.max_enable) results += d.max_per_sample ? d.samples : 1;
  if (d.sum_enable)
    // A tensor's or a sample's sum is added up over the lanes first.
    results += std::uint64_t{d.sums()} *
               (d.sum_per_channel ? 1u : static_cast<unsigned>(config.stream_lanes)) *
               (d.sums_twice() ? 2 : 1);
  return results == 0 ? 0 : results + 1;
}

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

std::uint64_t transpose_cycles(const Descriptor& d, const Config& config) {
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  const Geometry geometry(config);
  const auto read = static_cast<std::uint64_t>(geometry.side(d.source_columns).turned_members);
  const auto write = static_cast<std::uint64_t>(geometry.side(d.target_columns).turned_members);
  std::uint64_t cycles = 2;
  for (std::uint64_t block = 0; block < d.target_words; ++block)
    for (std::uint64_t word = 0; word < d.source_words; ++word)
      cycles +=
          d.plane_words * (divide_up(std::min(lanes, d.source_rows - block * lanes), read) +
                           divide_up(std::min(lanes, d.source_lanes - word * lanes), write) + 2);
  return cycles;
}

/// Filling a block and draining the one before overlap; the longer one counts.
std::uint64_t unfold_cycles(const Descriptor& d, const Config& config) {
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  const Geometry geometry(config);
  const auto samples_step =
      static_cast<std::uint64_t>(geometry.side(d.source_columns).unfold_samples);
  const auto members_step =
      static_cast<std::uint64_t>(geometry.side(d.target_columns).turned_members);
  const std::uint64_t slices = unfold_slices(d, geometry);
  const std::uint64_t pixels = std::uint64_t{d.unfold_out_height} * d.unfold_out_width;
  const std::uint64_t taps = std::uint64_t{d.unfold_kernel_height} * d.unfold_kernel_width;
  std::uint64_t cycles = kUnfoldOverhead, drain = 0;
  for (std::uint64_t tap = 0; tap < taps; ++tap)
    for (std::uint64_t first = 0; first < d.unfold_planes * d.source_words; first += slices) {
      std::uint64_t beats = 0;  // of a sample
      for (std::uint64_t slice = first; slice < first + slices; ++slice)
        beats += divide_up(std::min(lanes, d.source_lanes - slice % d.source_words * lanes),
                           members_step);
      for (std::uint64_t sample = 0; sample < d.source_rows; sample += samples_step)
        for (std::uint64_t pixel = 0; pixel < pixels; pixel += lanes) {
          cycles += std::max(std::min(lanes, pixels - pixel), drain);
          drain = beats * std::min(samples_step, d.source_rows - sample);
        }
    }
  return cycles + drain;
}

}  // namespace

std::vector<std::uint32_t> tile_operations(const Descriptor& d, const Config& config) {
  const std::uint64_t pairs = plane_pairs(d, config.planes).size();
  std::vector<std::uint32_t> tiles;
  for (const std::uint64_t words : tile_words(d))
    tiles.push_back(static_cast<std::uint32_t>(std::max<std::uint64_t>(1, pairs * words)));
  return tiles;
}

std::uint64_t gemm_operations(const Descriptor& d, const Config& config) {
  std::uint64_t sum = 0;
  for (const std::uint64_t tile : tile_operations(d, config)) sum += tile * d.column_groups;
  return sum;
}

std::uint64_t gemm_row_words(const Descriptor& d, const Config& config) {
  std::uint64_t planes = 0, sum = 0;
  for (const PlanePair& pair : plane_pairs(d, config.planes)) planes += pair.row_planes;
  for (const std::uint64_t words : tile_words(d))
    sum += std::max<std::uint64_t>(1, planes * words) * d.column_groups;
  return sum;
}

std::uint64_t gemm_flushes(const Descriptor& d, const Config& config) {
  const std::vector<PlanePair> pairs = plane_pairs(d, config.planes);
  std::uint64_t sum = 0;
  for (const std::uint64_t words : tile_words(d)) {
    std::uint64_t of_one_weight = 0, flushes = 0;
    for (const PlanePair& pair : pairs) {
      of_one_weight += words;
      if (!pair.flush) continue;
      flushes += divide_up(of_one_weight, kLowWords);
      of_one_weight = 0;
    }
    sum += std::max<std::uint64_t>(1, flushes) * d.column_groups;
  }
  return sum;
}

std::uint64_t active_cycles(const Descriptor& d, const Config& config) {
  switch (d.opcode) {
    case Opcode::kLoad: {
      const int word_bytes = Geometry(config).side(d.load_to_columns).word_bytes;
      return std::uint64_t{d.load_words} * static_cast<std::uint64_t>(word_bytes) /
                 static_cast<std::uint64_t>(config.bus_bytes) +
             2;
    }
    case Opcode::kGemm: {
      std::uint64_t taken = kFirstTile, last = 0;
      bool first = true;
      for (const std::uint64_t operations : tile_operations(d, config)) {
        for (std::uint32_t group = 0; group < d.column_groups; ++group) {
          if (!first) taken += std::max<std::uint64_t>(kTileInterval, last);
          first = false;
          last = operations;
        }
      }
      return taken + last + 1;
    }
    case Opcode::kStream:
      return d.steps() + kStreamDepth + kStreamOverhead + reduction_cycles(d, config);
    case Opcode::kTranspose:
      return transpose_cycles(d, config);
    case Opcode::kUnfold:
      return unfold_cycles(d, config);
  }
  return 0;
}

StepCycles step_cycles(const std::vector<Program>& programs,
                       const std::vector<ProgramTiming>& timings, const Config& config) {
  StepCycles step;
  const double array_size = Geometry(config).bit_products;
  const auto bus = static_cast<std::uint64_t>(config.bus_bytes);
  std::map<std::pair<std::string, std::string>, std::size_t> place;
  std::vector<LeastTraffic> least;
  for (std::size_t p = 0; p < programs.size(); ++p) {
    if (programs[p].host_bytes > 0) {
      PassCycles images;
      images.name = "images";
      images.pass = "from the host";
      images.write_bytes = images.least_bytes = programs[p].host_bytes;
      step.passes.push_back(images);
      least.emplace_back(config);
    }
    std::uint64_t end = 0;  // of what came before in this program
    for (std::size_t i = 0; i < programs[p].operations.size(); ++i) {
      const Operation& operation = programs[p].operations[i];
      const OperationTiming& timing = timings[p].operations[i];
      const auto key = std::make_pair(operation.layer, operation.pass);
      if (place.find(key) == place.end()) {
        place[key] = step.passes.size();
        PassCycles fresh;
        fresh.name = operation.layer;
        fresh.pass = operation.pass;
        step.passes.push_back(fresh);
        least.emplace_back(config);
      }
      PassCycles& row = step.passes[place[key]];
      row.ideal_cycles += static_cast<double>(operation.useful_plane_pairs) / array_size;
      least[place[key]].add(operation);
      row.read_bytes += timing.read_beats * bus;
      row.write_bytes += timing.write_beats * bus;
      const std::uint64_t occupied = timing.end - timing.start;
      switch (operation.descriptor.engine()) {
        case kArray:
          row.array_cycles += occupied;
          break;
        case kStream:
          // A drain waits for the array most of the time; its steps are its work.
          row.stream_cycles += timing.active;
          break;
        case kTurner:
          row.turner_cycles += occupied;
          break;
        case kDma:
          break;
      }
      if (timing.end > end) {
        row.cycles += timing.end - end;
        end = timing.end;
      }
    }
    step.cycles += timings[p].cycles;
    if (timings[p].cycles > end && !programs[p].operations.empty()) {
      // Answers still under way after the last retirement
      const Operation& last = programs[p].operations.back();
      step.passes[place[{last.layer, last.pass}]].cycles += timings[p].cycles - end;
    }
  }
  for (std::size_t i = 0; i < step.passes.size(); ++i) {
    PassCycles& row = step.passes[i];
    // Tensors have whole blocks of 16 samples, of which a small batch moves a part.
    row.least_bytes += std::min(least[i].bytes(), row.read_bytes + row.write_bytes);
    const std::uint64_t memory = std::max(row.read_bytes, row.write_bytes) / bus;
    const std::uint64_t busiest =
        std::max({row.array_cycles, row.stream_cycles, row.turner_cycles, memory});
    row.bound_by = busiest == row.array_cycles    ? "array"
                   : busiest == memory            ? "memory"
                   : busiest == row.stream_cycles ? "stream"
                                                  : "turner";
    step.ideal_cycles += row.ideal_cycles;
    step.array_cycles += row.array_cycles;
    step.bytes_moved += row.bytes();
    step.least_bytes += row.least_bytes;
  }
  return step;
}

}  // namespace solfege
