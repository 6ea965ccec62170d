// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/energy_fit.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cost/energy/unit_features.hpp"
#include "model/base/cache.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"

namespace solfege {
namespace {

/// Raise when the gate simulation, the features or the fit change.
constexpr const char* kFormat = "solfege-model-3";
constexpr const char* kModelFile = "model.json";

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Least squares of rows * c = target with c >= 0 (Lawson and Hanson 1974, chapter 23).
Eigen::VectorXd non_negative_least_squares(const Eigen::MatrixXd& rows,
                                           const Eigen::VectorXd& target) {
  const Eigen::Index n = rows.cols();
  const Eigen::MatrixXd normal = rows.transpose() * rows;
  const Eigen::VectorXd moment = rows.transpose() * target;
  const double tolerance = 1e-10 * moment.cwiseAbs().maxCoeff();
  Eigen::VectorXd c = Eigen::VectorXd::Zero(n);
  std::vector<bool> free(static_cast<std::size_t>(n), false);
  auto solve = [&] {
    std::vector<Eigen::Index> used;
    for (Eigen::Index i = 0; i < n; ++i)
      if (free[static_cast<std::size_t>(i)]) used.push_back(i);
    Eigen::VectorXd full = Eigen::VectorXd::Zero(n);
    if (used.empty()) return full;
    const auto count = static_cast<Eigen::Index>(used.size());
    Eigen::MatrixXd a(count, count);
    Eigen::VectorXd b(count);
    for (Eigen::Index i = 0; i < count; ++i) {
      b(i) = moment(used[static_cast<std::size_t>(i)]);
      for (Eigen::Index j = 0; j < count; ++j)
        a(i, j) = normal(used[static_cast<std::size_t>(i)], used[static_cast<std::size_t>(j)]);
    }
    const Eigen::VectorXd x = a.ldlt().solve(b);
    for (Eigen::Index i = 0; i < count; ++i) full(used[static_cast<std::size_t>(i)]) = x(i);
    return full;
  };
  for (int round = 0; round < 10 * n; ++round) {
    const Eigen::VectorXd gain = moment - normal * c;
    Eigen::Index best = -1;
    for (Eigen::Index i = 0; i < n; ++i)
      if (!free[static_cast<std::size_t>(i)] && gain(i) > tolerance &&
          (best < 0 || gain(i) > gain(best)))
        best = i;
    if (best < 0) break;
    free[static_cast<std::size_t>(best)] = true;
    for (;;) {
      const Eigen::VectorXd next = solve();
      double step = 1;
      for (Eigen::Index i = 0; i < n; ++i)
        if (free[static_cast<std::size_t>(i)] && next(i) <= 0)
          step = std::min(step, c(i) / (c(i) - next(i)));
      c += step * (next - c);
      if (step >= 1) break;
      for (Eigen::Index i = 0; i < n; ++i)
        if (free[static_cast<std::size_t>(i)] && c(i) <= 1e-15) {
          free[static_cast<std::size_t>(i)] = false;
          c(i) = 0;
        }
    }
  }
  return c;
}

std::uint64_t hash_of(const Netlist& netlist, std::uint64_t seed) {
  XXH64_state_t* state = XXH64_createState();
  XXH64_reset(state, seed);
  auto text = [&](const std::string& s) {
    const std::uint64_t size = s.size();
    XXH64_update(state, &size, sizeof size);
    XXH64_update(state, s.data(), s.size());
  };
  auto nets = [&](const std::vector<int>& list) {
    XXH64_update(state, list.data(), list.size() * sizeof(int));
  };
  for (const Netlist::Port& port : netlist.ports) {
    text(port.name);
    nets(port.nets);
  }
  for (const Netlist::Instance& instance : netlist.instances) {
    text(instance.cell);
    for (const auto& [pin, list] : instance.pins) {
      text(pin);
      nets(list);
    }
  }
  const std::uint64_t hash = XXH64_digest(state);
  XXH64_freeState(state);
  return hash;
}

std::uint64_t hash_of(const std::vector<UnitWindow>& windows, std::uint64_t seed) {
  std::uint64_t hash = seed;
  std::vector<std::uint64_t> words;
  for (const UnitWindow& window : windows) {
    words = {window.warm_up, window.actions, window.vectors.cycles()};
    for (std::size_t t = 0; t < window.vectors.cycles(); ++t)
      for (std::size_t p = 0; p < window.vectors.ports().size(); ++p)
        for (int w = 0; w < (window.vectors.ports()[p].width + 63) / 64; ++w)
          words.push_back(window.vectors.get(t, p, w));
    hash = XXH64(words.data(), words.size() * sizeof words[0], hash);
  }
  return hash;
}

/// Places of the features that describe registers; beyond the end where there are none.
std::pair<std::size_t, std::size_t> register_features(const std::vector<std::string>& names) {
  auto place = [&](const char* name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  return {place("register_changes"), place("register_ones")};
}

/// The clock's energy by what registers hold and do; libraries without such states give 0.
void fit_clock(const std::vector<MeasuredWindow>& windows, UnitModel* model) {
  const auto [change, one] = register_features(model->features);
  if (one >= model->features.size()) return;
  const auto count = static_cast<double>(windows.size());
  for (const MeasuredWindow& w : windows) {
    model->mean_changes += w.features[change] / count;
    model->mean_ones += w.features[one] / count;
  }
  Eigen::Matrix2d normal = Eigen::Matrix2d::Zero();
  Eigen::Vector2d moment = Eigen::Vector2d::Zero();
  for (const MeasuredWindow& w : windows) {
    const Eigen::Vector2d row(w.features[change] - model->mean_changes,
                              w.features[one] - model->mean_ones);
    normal += row * row.transpose();
    moment += row * (w.clock_pj - model->clock_pj);
  }
  // A trace of ridge: a unit whose registers never differ has nothing to fit.
  normal += Eigen::Matrix2d::Identity() * (1e-9 * normal.trace() + 1e-12);
  const Eigen::Vector2d slope = normal.ldlt().solve(moment);
  model->clock_change_pj = slope(0);
  model->clock_one_pj = slope(1);
}

Json json_of(const FitError& e) {
  return {{"windows", e.windows},
          {"simulated_pj", e.simulated_pj},
          {"predicted_pj", e.predicted_pj},
          {"total", e.total},
          {"data", e.data},
          {"rms", e.rms}};
}
FitError error_from(const Json& json) {
  FitError e;
  json.at("windows").get_to(e.windows);
  json.at("simulated_pj").get_to(e.simulated_pj);
  json.at("predicted_pj").get_to(e.predicted_pj);
  json.at("total").get_to(e.total);
  json.at("data").get_to(e.data);
  json.at("rms").get_to(e.rms);
  return e;
}

Json json_of(const UnitModel& m) {
  return {{"unit", m.unit},
          {"library", m.library},
          {"delays", m.delays == DelayModel::kTimed ? "timed" : "zero"},
          {"features", m.features},
          {"coefficients_pj", m.coefficients},
          {"clock_pj", m.clock_pj},
          {"clock_change_pj", m.clock_change_pj},
          {"clock_one_pj", m.clock_one_pj},
          {"mean_changes", m.mean_changes},
          {"mean_ones", m.mean_ones},
          {"leakage_nw", m.leakage_nw},
          {"area_um2", m.area_um2},
          {"flip_flops", m.flip_flops},
          {"fit", json_of(m.fit)},
          {"held_out", json_of(m.held_out)}};
}
UnitModel model_from(const Json& json) {
  UnitModel m;
  json.at("unit").get_to(m.unit);
  json.at("library").get_to(m.library);
  m.delays = json.at("delays") == "timed" ? DelayModel::kTimed : DelayModel::kZero;
  json.at("features").get_to(m.features);
  json.at("coefficients_pj").get_to(m.coefficients);
  json.at("clock_pj").get_to(m.clock_pj);
  json.at("clock_change_pj").get_to(m.clock_change_pj);
  json.at("clock_one_pj").get_to(m.clock_one_pj);
  json.at("mean_changes").get_to(m.mean_changes);
  json.at("mean_ones").get_to(m.mean_ones);
  json.at("leakage_nw").get_to(m.leakage_nw);
  json.at("area_um2").get_to(m.area_um2);
  json.at("flip_flops").get_to(m.flip_flops);
  m.fit = error_from(json.at("fit"));
  m.held_out = error_from(json.at("held_out"));
  return m;
}

}  // namespace

double UnitModel::data_pj(const std::vector<double>& values) const {
  double sum = 0;
  for (std::size_t i = 0; i < coefficients.size(); ++i) sum += coefficients[i] * values.at(i);
  return sum;
}

double UnitModel::clock_of(const std::vector<double>& values) const {
  const auto [change, one] = register_features(features);
  if (one >= values.size()) return clock_pj;
  return clock_pj + clock_change_pj * (values[change] - mean_changes) +
         clock_one_pj * (values[one] - mean_ones);
}

std::vector<MeasuredWindow> measure(const Config& config, const MappedUnit& mapped,
                                    const LibertyLibrary& library, DelayModel delays,
                                    const std::vector<UnitWindow>& windows,
                                    const FitProgress& progress) {
  GateSimulation simulation(mapped.netlist, library, mapped.design.clock);
  std::vector<MeasuredWindow> measured;
  for (const UnitWindow& window : windows) {
    const GateRun run = simulation.run(window.vectors, delays, window.warm_up);
    const auto cycles = static_cast<double>(run.cycles);
    MeasuredWindow m;
    m.features = window_features(config, window);
    m.data_pj = (run.energy.combinational_pj + run.energy.flip_flop_pj) / cycles;
    m.clock_pj = run.energy.clock_pj / cycles;
    m.leakage_nw = run.energy.leakage_nw;
    m.cycles = run.cycles;
    m.actions = window.actions;
    m.mode = window.mode;
    measured.push_back(std::move(m));
    if (progress)
      progress(static_cast<double>(measured.size()) / static_cast<double>(windows.size()));
  }
  return measured;
}

UnitModel fit(const std::string& unit, const std::string& library, DelayModel delays,
              const std::vector<MeasuredWindow>& windows) {
  if (windows.empty()) throw std::invalid_argument("no windows to fit the energy of " + unit);
  UnitModel model;
  model.unit = unit;
  model.library = library;
  model.delays = delays;
  model.features = feature_names(unit);
  const auto rows = static_cast<Eigen::Index>(windows.size());
  const auto columns = static_cast<Eigen::Index>(model.features.size());
  // Relative errors of what is predicted; windows of next to no energy count little.
  double mean = 0;
  for (const MeasuredWindow& w : windows) {
    mean += w.data_pj / static_cast<double>(windows.size());
    model.clock_pj += w.clock_pj / static_cast<double>(windows.size());
    model.leakage_nw = w.leakage_nw;
  }
  if (mean <= 0) mean = 1;
  // A window of a tensor counts more than one that is made up.
  double made_up = 0;
  for (const MeasuredWindow& w : windows) made_up += w.mode == kSyntheticMode ? 1 : 0;
  const double real = static_cast<double>(windows.size()) - made_up;
  const double favour = real > 0 ? std::clamp(std::sqrt(made_up / real), 1.0, 2.0) : 1;
  Eigen::MatrixXd a(rows, columns);
  Eigen::VectorXd b(rows);
  for (Eigen::Index r = 0; r < rows; ++r) {
    const MeasuredWindow& w = windows[static_cast<std::size_t>(r)];
    const double weight = (w.mode == kSyntheticMode ? 1 : favour) / (w.data_pj + 0.2 * mean);
    for (Eigen::Index c = 0; c < columns; ++c)
      a(r, c) = weight * w.features.at(static_cast<std::size_t>(c));
    b(r) = weight * w.data_pj;
  }
  // What registers hold costs no energy but the clock's.
  const std::size_t held = register_features(model.features).second;
  if (held < model.features.size()) a.col(static_cast<Eigen::Index>(held)).setZero();
  // Columns of one length, so that the solver's tolerance means the same for all
  Eigen::VectorXd scale = a.colwise().norm();
  for (Eigen::Index c = 0; c < columns; ++c) {
    if (scale(c) == 0) scale(c) = 1;
    a.col(c) /= scale(c);
  }
  const Eigen::VectorXd solution = non_negative_least_squares(a, b);
  for (Eigen::Index c = 0; c < columns; ++c) model.coefficients.push_back(solution(c) / scale(c));
  fit_clock(windows, &model);
  model.fit = error_of(model, windows);
  return model;
}

FitError error_of(const UnitModel& model, const std::vector<MeasuredWindow>& windows) {
  FitError e;
  e.windows = windows.size();
  double squares = 0, simulated_data = 0, predicted_data = 0;
  for (const MeasuredWindow& w : windows) {
    const auto cycles = static_cast<double>(w.cycles);
    const double simulated = cycles * (w.data_pj + w.clock_pj);
    const double predicted = cycles * (model.data_pj(w.features) + model.clock_of(w.features));
    simulated_data += cycles * w.data_pj;
    predicted_data += cycles * model.data_pj(w.features);
    e.simulated_pj += simulated;
    e.predicted_pj += predicted;
  }
  // Relative errors of windows of next to no energy say nothing
  const double least =
      windows.empty() ? 0 : 0.05 * e.simulated_pj / static_cast<double>(windows.size());
  std::size_t judged = 0;
  for (const MeasuredWindow& w : windows) {
    const auto cycles = static_cast<double>(w.cycles);
    const double simulated = cycles * (w.data_pj + w.clock_pj);
    if (simulated <= least) continue;
    ++judged;
    const double predicted = cycles * (model.data_pj(w.features) + model.clock_of(w.features));
    squares += std::pow(predicted / simulated - 1, 2);
  }
  if (e.simulated_pj > 0) e.total = std::abs(e.predicted_pj / e.simulated_pj - 1);
  if (simulated_data > 0) e.data = std::abs(predicted_data / simulated_data - 1);
  if (judged > 0) e.rms = std::sqrt(squares / static_cast<double>(judged));
  return e;
}

UnitModel characterise(const Config& config, const MappedUnit& mapped,
                       const LibertyLibrary& library, DelayModel delays,
                       const std::vector<UnitWindow>& fitted,
                       const std::vector<UnitWindow>& held_out, const std::string& cache_directory,
                       const FitProgress& progress) {
  const std::string& unit = mapped.design.name;
  std::string key;
  if (!cache_directory.empty()) {
    const std::string about =
        fmt::format("{} {} {}", kFormat, library.hash, delays == DelayModel::kTimed);
    std::uint64_t hash = XXH64(about.data(), about.size(), 1);
    for (const std::string& name : feature_names(unit))
      hash = XXH64(name.data(), name.size(), hash);
    hash = hash_of(held_out, hash_of(fitted, hash_of(mapped.netlist, hash)));
    key = fmt::format("model-{}-{:016x}", unit, hash);
    if (is_cached(cache_directory, key))
      return model_from(Json::parse(read_file(fs::path(cache_directory) / key / kModelFile)));
  }
  auto part = [&](double from, double share) {
    return [&progress, from, share](double done) {
      if (progress) progress(from + share * done);
    };
  };
  const double all = static_cast<double>(fitted.size() + held_out.size());
  const double share = all > 0 ? static_cast<double>(fitted.size()) / all : 1;
  UnitModel model = fit(unit, library.name, delays,
                        measure(config, mapped, library, delays, fitted, part(0, share)));
  model.area_um2 = mapped.area_um2;
  model.flip_flops = mapped.flip_flops;
  model.held_out =
      error_of(model, measure(config, mapped, library, delays, held_out, part(share, 1 - share)));
  if (!key.empty())
    cached_folder(cache_directory, key, [&](const fs::path& part) {
      write_file(part / kModelFile, json_of(model).dump(1) + "\n");
    });
  return model;
}

}  // namespace solfege
