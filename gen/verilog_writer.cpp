// SPDX-License-Identifier: Apache-2.0
#include "gen/verilog_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace solfege {
namespace {

std::string range(int width) { return width == 1 ? "" : fmt::format("[{}:0]", width - 1); }

std::string connections(const std::vector<Connection>& list, const std::string& indent) {
  std::size_t widest = 0;
  for (const Connection& c : list) widest = std::max(widest, c.name.size());
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i)
    text += fmt::format("{}.{:<{}}({}){}\n", indent, list[i].name, widest, list[i].expression,
                        i + 1 < list.size() ? "," : "");
  return text;
}

}  // namespace

std::string print(const Module& module) {
  std::string text = module.banner;
  text += "`default_nettype none\n";
  text += fmt::format("module {} (\n", module.name);
  std::size_t widest = 0;
  for (const Port& port : module.ports) widest = std::max(widest, range(port.width).size());
  for (std::size_t i = 0; i < module.ports.size(); ++i) {
    const Port& port = module.ports[i];
    text += fmt::format(
        "    {} wire {:<{}} {}{}\n", port.direction == Direction::kInput ? "input " : "output",
        range(port.width), widest, port.name, i + 1 < module.ports.size() ? "," : "");
  }
  text += ");\n";
  std::size_t name_width = 0, value_width = 0;
  for (const Constant& c : module.constants) {
    name_width = std::max(name_width, c.name.size());
    value_width = std::max(value_width, c.value.size());
  }
  for (const Constant& c : module.constants)
    text += fmt::format("  localparam {:<{}} = {:>{}};  // {}\n", c.name, name_width, c.value,
                        value_width, c.derivation);
  for (const Instance& instance : module.instances) {
    text += fmt::format("\n  {} #(\n{}  ) {} (\n{}  );\n", instance.module,
                        connections(instance.parameters, "      "), instance.name,
                        connections(instance.ports, "      "));
  }
  text += "endmodule\n`default_nettype wire\n";
  return text;
}

}  // namespace solfege
