// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/unit_energy.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/mapped_unit.hpp"
#include "cost/energy/units.hpp"
#include "cost/gates/gate_simulation.hpp"
#include "model/base/worker_pool.hpp"

namespace solfege {
namespace {

/// Cycles after which a unit stands still whose inputs do, and those then looked at.
constexpr std::size_t kSettlingCycles = 24, kIdleCycles = 8;

/// One simulation a worker, for windows in any order.
class Simulations {
 public:
  Simulations(const MappedUnit& mapped, const LibertyLibrary& library)
      : mapped_(mapped), library_(library), of_worker_(static_cast<std::size_t>(pool_.workers())) {}

  GateSimulation& of_worker(int worker) {
    auto& simulation = of_worker_[static_cast<std::size_t>(worker)];
    if (!simulation)
      simulation =
          std::make_unique<GateSimulation>(mapped_.netlist, library_, mapped_.design.clock);
    return *simulation;
  }

  /// Calls work(simulation, index) for each index below `count`, and `poll` in between.
  void each(std::size_t count, const std::function<void(GateSimulation&, std::size_t)>& work,
            const std::function<void(double)>& poll) {
    const auto stride = static_cast<std::size_t>(4 * pool_.workers());
    for (std::size_t first = 0; first < count; first += stride) {
      poll(static_cast<double>(first) / static_cast<double>(count));
      const std::size_t parts = std::min(stride, count - first);
      pool_.run(static_cast<int>(parts), [&](int worker, int part) {
        work(of_worker(worker), first + static_cast<std::size_t>(part));
      });
    }
  }

 private:
  const MappedUnit& mapped_;
  const LibertyLibrary& library_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<GateSimulation>> of_worker_;
};

std::vector<const UnitWindow*> windows_of(const std::string& unit,
                                          const std::vector<UnitWindow>& windows) {
  std::vector<const UnitWindow*> list;
  for (const UnitWindow& window : windows)
    if (window.unit == unit) list.push_back(&window);
  return list;
}

/// Clock of a cycle after the window, when the inputs have been 0 for a while.
double idle_clock(GateSimulation& simulation, const UnitWindow& window) {
  Vectors vectors = window.vectors;
  for (std::size_t t = 0; t < kSettlingCycles + kIdleCycles; ++t) {
    vectors.step();
    for (std::size_t port = 0; port < vectors.ports().size(); ++port)
      for (int word = 0; 64 * word < vectors.ports()[port].width; ++word)
        vectors.set(port, 0, word);
  }
  const GateRun run = simulation.run(vectors, DelayModel::kZero, vectors.cycles() - kIdleCycles);
  return run.energy.clock_pj / static_cast<double>(run.cycles);
}

}  // namespace

ActionEnergy mean(const std::vector<const MeasuredWindow*>& windows) {
  ActionEnergy e;
  double all = 0;
  for (const MeasuredWindow* w : windows) {
    all += w->represents;
    e.zero_pj += w->represents * w->zero_pj;
    e.timed_pj += w->represents * w->timed_pj;
    e.clock_pj += w->represents * w->clock_pj;
  }
  e.windows = windows.size();
  if (windows.empty()) return e;
  for (double* sum : {&e.zero_pj, &e.timed_pj, &e.clock_pj}) *sum /= all;
  if (windows.size() == 1) return e;
  for (const MeasuredWindow* w : windows) {
    e.zero_error_pj += std::pow(w->represents / all * (w->zero_pj - e.zero_pj), 2);
    e.timed_error_pj += std::pow(w->represents / all * (w->timed_pj - e.timed_pj), 2);
  }
  const auto count = static_cast<double>(windows.size());
  for (double* error : {&e.zero_error_pj, &e.timed_error_pj})
    *error = std::sqrt(*error * count / (count - 1));
  return e;
}

ActionEnergy UnitEnergy::of(const std::string& mode, const std::string& layer,
                            const std::string& pass) const {
  const auto fits = [](const std::string& asked, const std::string& has) {
    return asked.empty() || asked == has;
  };
  std::vector<const MeasuredWindow*> found;
  for (const MeasuredWindow& w : windows)
    if (fits(mode, w.mode) && fits(layer, w.layer) && fits(pass, w.pass)) found.push_back(&w);
  return mean(found);
}

void add_windows_behind(const Config& config, const std::string& rtl, const std::string& liberty,
                        const std::string& cache_directory, std::vector<UnitWindow>* windows,
                        const MeasureProgress& progress) {
  const auto poll = [&](double done) {
    if (progress) progress("simulating stream lanes", done);
  };
  std::vector<UnitWindow*> lanes;
  for (UnitWindow& window : *windows)
    if (window.behind) lanes.push_back(&window);
  if (lanes.empty()) return;
  const LibertyLibrary library = read_liberty(liberty);
  const MappedUnit mapped = map_unit(cost_unit("stream_lane", config, rtl).design, liberty,
                                     cache_directory, [&] { poll(0); });
  Simulations simulations(mapped, library);
  std::vector<std::vector<UnitWindow>> behind(lanes.size());
  simulations.each(
      lanes.size(),
      [&](GateSimulation& simulation, std::size_t i) {
        const GateRun run = simulation.run(lanes[i]->vectors, DelayModel::kZero);
        behind[i] = lanes[i]->behind(run.outputs);
        for (UnitWindow& window : behind[i]) {
          window.layer = lanes[i]->layer;
          window.pass = lanes[i]->pass;
          window.represents = lanes[i]->represents;
        }
      },
      poll);
  for (UnitWindow* lane : lanes) lane->behind = nullptr;
  for (std::vector<UnitWindow>& list : behind)
    for (UnitWindow& window : list) windows->push_back(std::move(window));
}

UnitEnergies measure_units(const Config& config, const std::string& rtl, const std::string& liberty,
                           const std::string& cache_directory,
                           const std::vector<UnitWindow>& windows,
                           const std::vector<std::string>& units, const MeasureProgress& progress) {
  const LibertyLibrary library = read_liberty(liberty);
  UnitEnergies energies;
  for (const std::string& unit : units.empty() ? cost_unit_names() : units) {
    const std::vector<const UnitWindow*> list = windows_of(unit, windows);
    if (list.empty()) continue;
    const auto poll = [&](double done) {
      if (progress) progress(unit + " on " + library.name, done);
    };
    poll(0);
    const MappedUnit mapped =
        map_unit(cost_unit(unit, config, rtl).design, liberty, cache_directory, [&] { poll(0); });
    Simulations simulations(mapped, library);
    UnitEnergy& energy = energies[unit];
    energy.windows.resize(list.size());
    std::vector<double> leakage(list.size());
    simulations.each(
        list.size(),
        [&](GateSimulation& simulation, std::size_t i) {
          const UnitWindow& window = *list[i];
          const GateRun zero = simulation.run(window.vectors, DelayModel::kZero, window.warm_up);
          const GateRun timed = simulation.run(window.vectors, DelayModel::kTimed, window.warm_up);
          const auto data = [&](const GateRun& run) {
            return (run.energy.dynamic_pj() - run.energy.clock_pj) /
                   static_cast<double>(window.actions);
          };
          energy.windows[i] = {
              window.mode,    window.layer,
              window.pass,    window.represents,
              window.actions, data(zero),
              data(timed),    zero.energy.clock_pj / static_cast<double>(zero.cycles)};
          leakage[i] = zero.energy.leakage_nw;
        },
        poll);
    energy.library = library.name;
    energy.voltage_v = library.voltage_v;
    energy.area_um2 = mapped.area_um2;
    energy.flip_flops = mapped.flip_flops;
    energy.memory_bits = mapped.memory_bits;
    energy.critical_path_ns = simulations.of_worker(0).critical_path_ns();
    for (const double nw : leakage) energy.leakage_nw += nw / static_cast<double>(list.size());
    energy.flip_flop_clock_pj = simulations.of_worker(0).flip_flop_clock_pj();
    energy.idle_clock_pj = idle_clock(simulations.of_worker(0), *list.front());
  }
  return energies;
}

}  // namespace solfege
