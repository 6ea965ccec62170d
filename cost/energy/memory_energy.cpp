// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/memory_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <regex>

#include "model/base/error.hpp"

namespace solfege {
namespace {

/// "NAME@7nm,0.7V" asks for scaling.
struct Scaling {
  std::string source;
  int node_nm = 0;
  double voltage_v = 0;
};

Scaling split_scaling(const std::string& source) {
  static const std::regex kForm(R"((.+)@([0-9]{1,4})nm,([0-9]*\.?[0-9]+)V)");
  std::smatch match;
  if (!std::regex_match(source, match, kForm)) return {source, 0, 0};
  Scaling s{match[1], std::stoi(match[2]), std::stod(match[3])};
  if (s.node_nm < 1 || s.voltage_v <= 0 || s.voltage_v > 100)
    throw InputError(fmt::format(
        "memory {}: scaling to {} nm and {:g} V; allowed are 1 to 9999 nm and above 0 to 100 V; "
        "correct what follows the @",
        source, s.node_nm, s.voltage_v));
  return s;
}

MemoryTable load(const std::string& source) {
  const std::string folder_prefix = "ihp130:";
  if (source.compare(0, folder_prefix.size(), folder_prefix) == 0)
    return read_ihp_memories(source.substr(folder_prefix.size()));
  if (source.size() > 5 && source.compare(source.size() - 5, 5, ".toml") == 0)
    return read_memory_table(source);
  MemoryTable table = builtin_memory_table(source);
  if (table.points.empty())
    throw InputError(fmt::format(
        "memory \"{}\" is unknown; allowed are {}, ihp130:FOLDER with the foundry's Liberty files, "
        "or "
        "a table FILE.toml (see configs/memories/example.toml); each may be followed by "
        "@NODEnm,VOLTAGEV to be scaled; choose one of them",
        source, fmt::join(builtin_memory_names(), ", ")));
  return table;
}

std::string shape(long long depth, int bits) { return fmt::format("{} x {}", depth, bits); }

}  // namespace

MemoryTechnology::MemoryTechnology(const std::string& source) : name_(source) {
  const Scaling scaling = split_scaling(source);
  MemoryTable table = load(scaling.source);
  source_ = table.source;
  tier_ = table.tier;
  node_nm_ = table.node_nm;
  voltage_v_ = table.voltage_v;
  if (scaling.node_nm != 0) {
    const double size = static_cast<double>(scaling.node_nm) / node_nm_;
    const double volts = scaling.voltage_v / voltage_v_;
    for (MemoryPoint& p : table.points) {
      p.read_pj *= size * volts * volts;
      p.write_pj *= size * volts * volts;
      p.area_um2 *= size * size;
      p.leakage_nw = 0;
    }
    source_ += fmt::format(
        "; SCALED on request from {} nm, {:g} V to {} nm, {:g} V: energy x {:.3g} (node x "
        "voltage^2), "
        "area x {:.3g} (node^2), leakage not given",
        node_nm_, voltage_v_, scaling.node_nm, scaling.voltage_v, size * volts * volts,
        size * size);
    tier_ = "scaled";
    node_nm_ = scaling.node_nm;
    voltage_v_ = scaling.voltage_v;
  }
  std::map<int, Curve> curves;
  for (const MemoryPoint& p : table.points) {
    curves[p.bits].bits = p.bits;
    curves[p.bits].points.push_back(p);
  }
  for (auto& [bits, curve] : curves) {
    std::sort(curve.points.begin(), curve.points.end(),
              [](const MemoryPoint& a, const MemoryPoint& b) { return a.depth < b.depth; });
    curves_.push_back(std::move(curve));
  }
}

MemoryTechnology::Bank MemoryTechnology::bank(const Curve& curve, long long depth) {
  const MemoryPoint &first = curve.points.front(), &last = curve.points.back();
  if (depth <= first.depth) {
    if (depth == first.depth) return {first, shape(depth, curve.bits), true};
    return {first, shape(first.depth, curve.bits) + " as an upper bound for its depth", false};
  }
  if (depth >= last.depth) {
    const long long stacked = (depth + last.depth - 1) / last.depth;
    MemoryPoint p = last;
    p.leakage_nw *= static_cast<double>(stacked);
    p.area_um2 *= static_cast<double>(stacked);
    if (stacked == 1) return {p, shape(last.depth, curve.bits), true};
    return {p,
            fmt::format("{} stacked {}, wires between them not priced: a lower bound", stacked,
                        shape(last.depth, curve.bits)),
            false};
  }
  const auto above =
      std::lower_bound(curve.points.begin(), curve.points.end(), depth,
                       [](const MemoryPoint& p, long long wanted) { return p.depth < wanted; });
  if (above->depth == depth) return {*above, shape(depth, curve.bits), true};
  const MemoryPoint &a = *(above - 1), &b = *above;
  const double t = std::log(static_cast<double>(depth) / static_cast<double>(a.depth)) /
                   std::log(static_cast<double>(b.depth) / static_cast<double>(a.depth));
  const auto power = [t](double low, double high) {
    return low > 0 ? low * std::pow(high / low, t) : 0;
  };
  const MemoryPoint p{depth,
                      curve.bits,
                      power(a.read_pj, b.read_pj),
                      power(a.write_pj, b.write_pj),
                      power(a.leakage_nw, b.leakage_nw),
                      power(a.area_um2, b.area_um2)};
  return {
      p, fmt::format("power law between {} and {}", shape(a.depth, a.bits), shape(b.depth, b.bits)),
      false};
}

MemoryFigure MemoryTechnology::memory(long long depth, int bits) const {
  if (depth < 1 || bits < 1 || bits > 65536)
    throw InputError(fmt::format(
        "memory of {} words of {} bits: allowed are 1 word or more of 1 to 65536 bits; correct the "
        "shape",
        depth, bits));
  MemoryFigure f;
  f.node_nm = node_nm_;
  f.voltage_v = voltage_v_;
  std::string how;
  bool exact = true;
  const auto add = [&](const Bank& b, int count) {
    f.read_pj += count * b.figure.read_pj;
    f.write_pj += count * b.figure.write_pj;
    f.leakage_nw += count * b.figure.leakage_nw;
    f.area_um2 += count * b.figure.area_um2;
    how += (how.empty() ? "" : ", and ") +
           (count > 1 ? fmt::format("{} side by side, each ", count) : "") + b.how;
    exact = exact && b.exact && count == 1;
  };
  const Curve& widest = curves_.back();
  const int whole = bits / widest.bits, rest = bits % widest.bits;
  if (whole > 0) add(bank(widest, depth), whole);
  if (rest > 0) {
    const Curve* chosen = nullptr;
    Bank best;
    for (const Curve& curve : curves_) {
      if (curve.bits < rest) continue;
      const Bank b = bank(curve, depth);
      if (chosen == nullptr ||
          b.figure.read_pj + b.figure.write_pj < best.figure.read_pj + best.figure.write_pj) {
        chosen = &curve;
        best = b;
      }
    }
    if (chosen->bits > rest) {
      best.how += fmt::format(" for {} bits of its width", rest);
      best.exact = false;
    }
    exact = exact && whole == 0;
    add(best, 1);
  }
  f.source = fmt::format("{}; {}", source_, how);
  f.tier = exact || tier_ == "scaled" ? tier_ : "derived";
  return f;
}

void require_one_node(const std::string& what, int node_nm, const std::string& other,
                      int other_node_nm) {
  if (node_nm == other_node_nm && node_nm != 0) return;
  const auto node = [](int nm) { return nm == 0 ? "an unstated node" : fmt::format("{} nm", nm); };
  throw InputError(fmt::format(
      "{} ({}) and {} ({}) cannot be added: figures of one node only; state both nodes and choose "
      "a "
      "memory of the same, or ask for scaling by name, as in \"{}@NODEnm,VOLTAGEV\"",
      what, node(node_nm), other, node(other_node_nm), other.substr(0, other.find('@'))));
}

}  // namespace solfege
