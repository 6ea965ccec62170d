// SPDX-License-Identifier: Apache-2.0
#include "model/cycle_model.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

namespace solfege {
namespace {

// Pipeline constants of the RTL, named after what they are there.
constexpr std::uint64_t kFirstTile = 8;       ///< sf_gemm: start to the first tile's hand-over
constexpr std::uint64_t kTileInterval = 6;    ///< sf_gemm: the preparer's shortest interval
constexpr std::uint64_t kStreamDepth = 17;    ///< sf_stream: last step in, pipeline empty
constexpr std::uint64_t kStreamOverhead = 6;  ///< start, emit, reduce (2), flush, wait
constexpr std::uint64_t kTokenCycles = 2;     ///< sf_engine_queue: retirement to the next start
constexpr std::uint64_t kMemoryLatency = 8;   ///< first request to first data, nearest memory
constexpr std::uint64_t kFetchCycles = 8;     ///< sf_fetch: one descriptor, nearest memory

/// Valid taps of one axis at each tile position.
std::vector<std::uint64_t> valid_taps(std::uint32_t mode, std::uint32_t stride_log2,
                                      std::uint32_t padding, std::uint32_t tile_first,
                                      std::uint32_t tile_count, std::uint32_t tap_first,
                                      std::uint32_t tap_count, std::uint32_t limit) {
  std::vector<std::uint64_t> counts;
  const std::int64_t stride = std::int64_t{1} << stride_log2;
  for (std::int64_t p = tile_first; p < std::int64_t{tile_first} + tile_count; ++p) {
    std::uint64_t count = 0;
    for (std::int64_t t = tap_first; t < std::int64_t{tap_first} + tap_count; ++t) {
      std::int64_t index = 0;
      if (mode == 0)
        index = stride * p + t - padding;
      else if (mode == 2)
        index = stride * t + p - padding;
      else if (const std::int64_t distance = p + padding - t;
               distance >= 0 && distance % stride == 0)
        index = distance / stride;
      else
        continue;
      if (index >= 0 && index < limit) ++count;
    }
    counts.push_back(count);
  }
  return counts;
}

/// Operations of each tile, in order (column groups innermost share one figure).
std::vector<std::uint64_t> tile_operations(const Descriptor& d) {
  const auto y = valid_taps(d.window_mode, d.stride_log2, d.padding, d.tile_y_first, d.tile_y_count,
                            d.tap_y_first, d.tap_y_count, d.window_height);
  const auto x = valid_taps(d.window_mode, d.stride_log2, d.padding, d.tile_x_first, d.tile_x_count,
                            0, d.tap_x_count, d.window_width);
  const std::uint64_t a_tap = std::uint64_t{d.words} * d.row_planes * d.column_planes;
  std::vector<std::uint64_t> tiles;
  for (const std::uint64_t ny : y)
    for (const std::uint64_t nx : x) tiles.push_back(std::max<std::uint64_t>(1, ny * nx * a_tap));
  return tiles;
}

std::uint64_t stream_steps(const Descriptor& d) {
  return std::uint64_t{d.count0} * d.count1 * d.count2 * d.count3 * d.count4;
}

std::uint64_t reduction_results(const Descriptor& d, const Config& config) {
  if (!d.reduce_flush) return 0;
  std::uint64_t results = 0;
  if (d.max_enable) results += d.max_per_sample ? d.samples : 1;
  if (d.sum_enable)
    results += d.sum_per_channel ? d.channels : static_cast<std::uint64_t>(config.stream_lanes);
  return results;
}

int engine_of(const Descriptor& d) {
  switch (static_cast<Opcode>(d.opcode)) {
    case Opcode::kGemm:
      return 0;
    case Opcode::kLoad:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

std::uint64_t gemm_operations(const Descriptor& d) {
  std::uint64_t sum = 0;
  for (const std::uint64_t tile : tile_operations(d)) sum += tile * d.column_groups;
  return sum;
}

std::uint64_t active_cycles(const Descriptor& d, const Config& config) {
  const std::uint64_t beat_words =
      static_cast<std::uint64_t>(config.bus_bytes) * 8 / static_cast<std::uint64_t>(config.lanes);
  switch (static_cast<Opcode>(d.opcode)) {
    case Opcode::kLoad: {
      const int group = d.load_to_columns ? config.columns : config.rows;
      return std::uint64_t{d.load_words} *
                 static_cast<std::uint64_t>(group * config.lanes / 8 / config.bus_bytes) +
             2;
    }
    case Opcode::kGemm: {
      std::uint64_t taken = kFirstTile, last = 0;
      bool first = true;
      for (const std::uint64_t operations : tile_operations(d)) {
        for (std::uint32_t group = 0; group < d.column_groups; ++group) {
          if (!first) taken += std::max(kTileInterval, last);
          first = false;
          last = operations;
        }
      }
      return taken + last + 1;
    }
    case Opcode::kStream:
      return stream_steps(d) + kStreamDepth + kStreamOverhead + reduction_results(d, config);
    case Opcode::kTranspose: {
      std::uint64_t cycles = 2;
      const std::uint64_t lanes = static_cast<std::uint64_t>(config.lanes);
      for (std::uint64_t block = 0; block < d.target_words; ++block)
        for (std::uint64_t word = 0; word < d.source_words; ++word) {
          const std::uint64_t rows = std::min(lanes, d.source_rows - block * lanes);
          const std::uint64_t members = std::min(lanes, d.source_lanes - word * lanes);
          cycles += d.plane_words * ((rows + beat_words - 1) / beat_words +
                                     (members + beat_words - 1) / beat_words + 2);
        }
      return cycles;
    }
  }
  return 0;
}

Traffic traffic(const Descriptor& d, const Config& config) {
  Traffic beats;
  const std::uint64_t bus = static_cast<std::uint64_t>(config.bus_bytes);
  const std::uint64_t lanes = static_cast<std::uint64_t>(config.stream_lanes);
  switch (static_cast<Opcode>(d.opcode)) {
    case Opcode::kLoad:
      beats.read_beats = active_cycles(d, config) - 2;
      break;
    case Opcode::kGemm:
      break;
    case Opcode::kTranspose: {
      const std::uint64_t all = active_cycles(d, config) - 2;
      const std::uint64_t blocks = std::uint64_t{d.target_words} * d.source_words * d.plane_words;
      const std::uint64_t moved = all - 2 * blocks;
      const std::uint64_t beat_words = bus * 8 / static_cast<std::uint64_t>(config.lanes);
      std::uint64_t reads = 0;
      for (std::uint64_t block = 0; block < d.target_words; ++block)
        reads += (std::min<std::uint64_t>(
                      static_cast<std::uint64_t>(config.lanes),
                      d.source_rows - block * static_cast<std::uint64_t>(config.lanes)) +
                  beat_words - 1) /
                 beat_words;
      beats.read_beats = reads * d.source_words * d.plane_words;
      beats.write_beats = moved - beats.read_beats;
      break;
    }
    case Opcode::kStream: {
      const std::uint64_t rows = stream_steps(d) / d.count0;
      // A run of consecutive chunks shares beats; runs of different rows do not.
      auto run_beats = [&](std::uint64_t element_bytes) {
        const std::uint64_t bytes = d.count0 * lanes * element_bytes;
        const bool dense = !d.x_from_array;
        return dense ? rows * bytes / bus + 1 : rows * ((bytes + bus - 1) / bus);
      };
      auto size = [](std::uint32_t type) {
        return type == 0 ? std::uint64_t{1} : type == 1 ? std::uint64_t{2} : std::uint64_t{4};
      };
      if (!d.x_from_array) beats.read_beats += run_beats(size(d.x_type));
      if (d.z_enable) beats.read_beats += run_beats(size(d.z_type));
      if (d.destination == 1 || d.destination == 2)
        beats.write_beats += run_beats(d.destination == 1 ? 2 : 4);
      if (d.pack_enable) {
        const std::uint64_t words =
            (d.count0 * lanes + static_cast<std::uint64_t>(config.lanes) - 1) /
            static_cast<std::uint64_t>(config.lanes);
        beats.write_beats += rows * words * d.pack_planes;
      }
      beats.write_beats += reduction_results(d, config);
      break;
    }
  }
  return beats;
}

StepCycles step_cycles(const std::vector<Program>& programs, const Config& config) {
  StepCycles step;
  const double array_size = static_cast<double>(config.rows) * config.columns * config.lanes;
  std::uint64_t origin = 0;  // programs follow one another: the host waits for each
  std::map<std::pair<std::string, std::string>, std::size_t> place;
  struct Busy {
    std::uint64_t array = 0, stream = 0, memory = 0;
  };
  std::vector<Busy> busy;

  for (const Program& program : programs) {
    std::array<std::uint64_t, 3> free = {origin, origin, origin};
    std::array<std::deque<std::uint64_t>, 8> tokens;  // times at which they were signalled
    std::uint64_t fetched = origin, program_end = origin;
    std::deque<std::uint64_t> tile_ready;   // end of each captured tile
    std::vector<std::uint64_t> drain_done;  // end of each drained tile, in order
    std::size_t tiles_captured = 0;
    std::uint64_t pass_clock = origin;

    for (std::size_t i = 0; i < program.operations.size(); ++i) {
      const Operation& operation = program.operations[i];
      const Descriptor& d = operation.descriptor;
      const int engine = engine_of(d);
      fetched += kFetchCycles;
      std::uint64_t start =
          std::max(fetched, free[static_cast<std::size_t>(engine)] + kTokenCycles);
      for (std::size_t s = 0; s < 8; ++s) {
        if (!(d.wait_mask >> s & 1) || tokens[s].empty()) continue;
        start = std::max(start, tokens[s].front() + kTokenCycles);
        tokens[s].pop_front();
      }
      const std::uint64_t active = active_cycles(d, config);
      const Traffic beats = traffic(d, config);
      std::uint64_t end = start + active;
      if (engine == 0) {
        // The last operation of a draining tile waits until the tile before has left the drain
        // registers. Drains follow in program order, so the times they need are found here and used
        // below.
        std::uint64_t now = start + kFirstTile;
        std::uint64_t last = 0;
        bool first = true;
        const std::uint64_t drain_cycles =
            static_cast<std::uint64_t>(config.rows) *
            static_cast<std::uint64_t>(config.columns / config.stream_lanes);
        for (const std::uint64_t operations : tile_operations(d)) {
          for (std::uint32_t group = 0; group < d.column_groups; ++group) {
            if (!first) now += std::max(kTileInterval, last);
            first = false;
            last = operations;
            if (!d.drain) continue;
            std::uint64_t done = now + operations;
            if (!drain_done.empty() && drain_done.back() > done) {
              now += drain_done.back() - done;
              done = drain_done.back();
            }
            tile_ready.push_back(done + 4);
            drain_done.push_back(std::max(done + 4, drain_done.empty() ? 0 : drain_done.back()) +
                                 drain_cycles);
            ++tiles_captured;
          }
        }
        end = now + last + 1;
      } else if (engine == 1) {
        const std::uint64_t memory = std::max(beats.read_beats, beats.write_beats);
        end = start + std::max(active, memory + kStreamDepth) + 2 * kMemoryLatency;
        if (static_cast<Opcode>(d.opcode) == Opcode::kTranspose) {
          const std::uint64_t blocks =
              std::uint64_t{d.target_words} * d.source_words * d.plane_words;
          end = start + active + kMemoryLatency * (blocks + 1);
        } else if (d.x_from_array && !drain_done.empty()) {
          end = std::max(end, drain_done.back() + kStreamDepth + kStreamOverhead +
                                  reduction_results(d, config) + kMemoryLatency);
          tile_ready.clear();
        }
      } else {
        end = start + active + kMemoryLatency;
      }
      free[static_cast<std::size_t>(engine)] = end;
      for (std::size_t s = 0; s < 8; ++s)
        if (d.signal_mask >> s & 1) tokens[s].push_back(end);
      program_end = std::max(program_end, end);

      const auto key = std::make_pair(operation.layer, operation.pass);
      if (place.find(key) == place.end()) {
        place[key] = step.passes.size();
        step.passes.push_back({operation.layer, operation.pass, 0, 0, 0, 0, ""});
        busy.push_back({});
      }
      PassCycles& row = step.passes[place[key]];
      Busy& load = busy[place[key]];
      row.ideal_cycles += static_cast<double>(operation.useful_plane_pairs) / array_size;
      row.bytes +=
          (beats.read_beats + beats.write_beats) * static_cast<std::uint64_t>(config.bus_bytes);
      if (engine == 0) {
        row.array_cycles += end - start;
        load.array += end - start;
      } else if (engine == 1) {
        load.stream += active;
      }
      load.memory += std::max(beats.read_beats, beats.write_beats);
      if (end > pass_clock) {
        row.cycles += end - pass_clock;
        pass_clock = end;
      }
    }
    origin = program_end;
  }
  for (std::size_t i = 0; i < step.passes.size(); ++i) {
    PassCycles& row = step.passes[i];
    const Busy& load = busy[i];
    row.bound_by = load.array >= load.stream && load.array >= load.memory ? "array"
                   : load.stream >= load.memory                           ? "stream"
                                                                          : "memory";
    step.ideal_cycles += row.ideal_cycles;
    step.array_cycles += row.array_cycles;
    step.bytes_moved += row.bytes;
  }
  step.cycles = origin;
  return step;
}

}  // namespace solfege
