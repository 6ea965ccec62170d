// SPDX-License-Identifier: Apache-2.0
#include "sim/dut/netlist_dut.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cost/eda/liberty_reader.hpp"
#include "cost/eda/netlist_writer.hpp"
#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "sim/dut/gate_simulator.hpp"

namespace solfege {
namespace {

namespace fs = std::filesystem;

/// Where a port's value lies in DutPins, least significant byte first.
struct PinPlace {
  const char* name;
  bool is_input;
  std::size_t offset, bytes;
};
constexpr PinPlace kPins[] = {
#define SOLFEGE_INPUT(type, name) {#name, true, offsetof(DutPins, name), sizeof(DutPins::name)},
#define SOLFEGE_OUTPUT(type, name) {#name, false, offsetof(DutPins, name), sizeof(DutPins::name)},
    SOLFEGE_DUT_PINS(SOLFEGE_INPUT, SOLFEGE_OUTPUT)};

/// Outputs that the platform does not look at, because they are constant.
bool is_unused(const std::string& port) {
  return port == "m_axi_arsize_o" || port == "m_axi_arburst_o" || port == "m_axi_awsize_o" ||
         port == "m_axi_awburst_o";
}

class NetlistDut {
 public:
  NetlistDut(const Netlist& netlist, const LibertyLibrary& library, std::uint64_t seed)
      : simulator_(netlist, library, "clk_i", seed) {
    for (const Netlist::Port& port : simulator_.ports()) {
      if (port.name == "clk_i" || is_unused(port.name)) continue;
      const PinPlace* place = nullptr;
      for (const PinPlace& pin : kPins)
        if (port.name == pin.name) place = &pin;
      if (place == nullptr || port.nets.size() > 8 * place->bytes ||
          port.is_input != place->is_input)
        throw InputError(fmt::format("{} {} of {} bits is unknown to the platform",
                                     port.is_input ? "input" : "output", port.name,
                                     port.nets.size()));
      for (const int net : port.nets)
        if (port.is_input && net < 0)
          throw InputError(fmt::format("input {} is tied to a constant", port.name));
      (port.is_input ? inputs_ : outputs_).push_back({place->offset, port.nets});
    }
    for (const PinPlace& pin : kPins)
      if (std::none_of(simulator_.ports().begin(), simulator_.ports().end(),
                       [&](const auto& port) { return port.name == pin.name; }))
        throw InputError(fmt::format("it has no port {}", pin.name));
  }

  void eval(DutPins* pins) {
    auto* bytes = reinterpret_cast<std::uint8_t*>(pins);
    for (const Port& port : inputs_)
      for (std::size_t i = 0; i < port.nets.size(); ++i)
        simulator_.set(port.nets[i], (bytes[port.offset + i / 8] >> (i % 8) & 1) != 0);
    simulator_.settle();
    if (pins->clk_i && !clock_) simulator_.rise();
    clock_ = pins->clk_i != 0;
    for (const Port& port : outputs_)
      for (std::size_t i = 0; i < port.nets.size(); i += 8) {
        unsigned byte = 0;
        for (std::size_t bit = 0; bit < 8 && i + bit < port.nets.size(); ++bit)
          byte |= static_cast<unsigned>(simulator_.get(port.nets[i + bit])) << bit;
        bytes[port.offset + i / 8] = static_cast<std::uint8_t>(byte);
      }
  }

 private:
  struct Port {
    std::size_t offset;
    std::vector<int> nets;
  };
  GateSimulator simulator_;
  std::vector<Port> inputs_, outputs_;
  bool clock_ = false;
};

/// The interface's handle is whatever its maker says it is.
NetlistDut* from(SolfegeDut* handle) { return reinterpret_cast<NetlistDut*>(handle); }

void check_manifest(const fs::path& directory, const Config& config) {
  const fs::path path = directory / kNetlistManifest;
  const std::string make =
      fmt::format("run: solfege synth CONFIG --netlist {}", directory.string());
  std::error_code ignored;
  if (!fs::exists(path, ignored) || !fs::exists(directory / kNetlistJson, ignored))
    throw InputError(fmt::format("{}: no netlist is there; {}", directory.string(), make));
  const std::string text = read_file(path, make);
  std::string hash;
  try {
    hash = nlohmann::json::parse(text).at("config_hash");
  } catch (const nlohmann::json::exception& error) {
    throw InputError(
        fmt::format("{}: not a netlist's manifest: {}; {}", path.string(), error.what(), make));
  }
  if (hash != config.hash())
    throw InputError(
        fmt::format("{}: config_hash = {} is of another configuration than {}, which has {}; {}",
                    path.string(), hash, config.name, config.hash(), make));
}

}  // namespace

DutLibrary load_netlist_dut(const std::string& directory, const Config& config,
                            std::uint64_t reset_seed) {
  check_manifest(directory, config);
  const fs::path folder = directory;
  const LibertyLibrary cells = read_liberty((folder / kNetlistLibrary).string());
  const std::string json = (folder / kNetlistJson).string();
  const auto modules = read_netlist_modules(json);
  const auto named = [json](const std::exception& error) {
    return InputError(fmt::format("{}: {}; make it anew: solfege synth CONFIG --netlist {}", json,
                                  error.what(), fs::path(json).parent_path().string()));
  };
  Netlist netlist;
  try {
    netlist = flatten(modules, "sf_accelerator");
  } catch (const InputError& error) {
    throw named(error);
  }
  DutLibrary library;
  library.path = directory;
  library.create = [=] {
    try {
      return reinterpret_cast<SolfegeDut*>(new NetlistDut(netlist, cells, reset_seed));
    } catch (const std::runtime_error& error) {
      throw named(error);
    }
  };
  library.destroy = [](SolfegeDut* handle) { delete from(handle); };
  library.eval = [](SolfegeDut* handle, DutPins* pins) { from(handle)->eval(pins); };
  library.trace_open = [](SolfegeDut*, const char*) {};
  library.trace_dump = [](SolfegeDut*, std::uint64_t) {};
  library.trace_close = [](SolfegeDut*) {};
  return library;
}

}  // namespace solfege
