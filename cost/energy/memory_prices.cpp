// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/memory_prices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "cost/eda/liberty_reader.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/base/share.hpp"

namespace solfege {
namespace {

constexpr int kSlice = 32;            ///< bits of the width that are mapped together
constexpr std::size_t kCycles = 400;  ///< accesses simulated

enum Port : std::size_t { kWrite, kWriteAddress, kWriteData, kRead, kReadAddress };

/// Every word written once, then an access in each cycle.
Vectors words_vectors(long long depth, int bits, bool write) {
  int address_bits = 1;
  while (1LL << address_bits < depth) ++address_bits;
  Vectors v({{"write_enable_i", 1},
             {"write_address_i", address_bits},
             {"write_data_i", bits},
             {"read_enable_i", 1},
             {"read_address_i", address_bits}});
  std::mt19937_64 random(1);
  const auto words = static_cast<std::uint64_t>(depth);
  for (std::uint64_t cycle = 0; cycle < words + kCycles; ++cycle) {
    const bool fills = cycle < words;
    v.step();
    v.set(kWrite, fills || write);
    v.set(kRead, !fills && !write);
    if (fills || write) {
      v.set(kWriteAddress, fills ? cycle : random() % words);
      v.set(kWriteData, random());
    } else {
      v.set(kReadAddress, random() % words);
    }
  }
  return v;
}

/// Area of the smallest flip-flop; 0 if there is none.
double smallest_flip_flop(const LibertyLibrary& library) {
  double least = 0;
  for (const LibertyCell& cell : library.cells)
    if (cell.flip_flop && cell.unusable.empty() && !cell.dont_use && cell.area_um2 > 0 &&
        (least == 0 || cell.area_um2 < least))
      least = cell.area_um2;
  return least;
}

}  // namespace

UnitDesign words_design(long long depth, int bits) {
  UnitDesign d{fmt::format("words_{}x{}", depth, bits),
               "sf_unit_words",
               {{"Width", bits}, {"Depth", static_cast<int>(depth)}},
               rtl_paths({"sf_clock_gate"}),
               "clk_i"};
  d.sources.push_back((share_folder() / "cost/energy/units" / (d.top + ".v")).string());
  return d;
}

MemoryFigure flip_flop_memory(const std::string& liberty, const std::string& cache_directory,
                              long long depth, int bits) {
  const LibertyLibrary library = read_liberty(liberty);
  const int slices = (bits + kSlice - 1) / kSlice, width = (bits + slices - 1) / slices;
  const MappedUnit unit = map_unit(words_design(depth, width), liberty, cache_directory);
  GateSimulation simulation(unit.netlist, library, unit.design.clock);
  const double times = static_cast<double>(bits) / width;
  const auto access_pj = [&](bool write) {
    const GateRun run = simulation.run(words_vectors(depth, width, write), DelayModel::kTimed,
                                       static_cast<std::size_t>(depth));
    return times * run.energy.dynamic_pj() / static_cast<double>(run.cycles);
  };
  MemoryFigure f;
  f.read_pj = access_pj(false);
  f.write_pj = access_pj(true);
  const double gate_um2 = unit.sequential_um2 / static_cast<double>(unit.flip_flops);
  f.area_um2 = times * (unit.area_um2 + static_cast<double>(unit.clock_gates) * gate_um2);
  f.node_nm = library_node_nm(library.name);
  f.voltage_v = library.voltage_v;
  f.source = fmt::format("flip-flops of {}, {:g} V, {} x {} mapped and simulated{}", library.name,
                         library.voltage_v, depth, width,
                         slices > 1 ? fmt::format(", {:g} times", times) : "");
  f.tier = "netlist";
  f.flip_flops = true;
  return f;
}

MemoryPrices::MemoryPrices(const MemoryTechnology& macros) : macros_(macros) {}

MemoryPrices::MemoryPrices(const MemoryTechnology& macros, const std::string& liberty,
                           const std::string& cache_directory)
    : macros_(macros), liberty_(liberty), cache_directory_(cache_directory) {
  const LibertyLibrary library = read_liberty(liberty);
  if (library_node_nm(library.name) == macros.node_nm())
    flip_flop_um2_ = smallest_flip_flop(library);
}

const MemoryFigure& MemoryPrices::memory(long long depth, int bits) const {
  const auto [place, fresh] = known_.try_emplace({depth, bits});
  if (!fresh) return place->second;
  MemoryFigure& figure = place->second = macros_.memory(depth, bits);
  // Flip-flops that are larger by themselves need not be mapped.
  if (flip_flop_um2_ > 0 && flip_flop_um2_ * static_cast<double>(depth) * bits < figure.area_um2) {
    const MemoryFigure other = flip_flop_memory(liberty_, cache_directory_, depth, bits);
    if (other.area_um2 < figure.area_um2) figure = other;
  }
  return figure;
}

}  // namespace solfege
