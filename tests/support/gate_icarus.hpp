// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "cost/eda/netlist.hpp"
#include "cost/gates/vectors.hpp"
#include "model/base/files.hpp"
#include "model/base/process.hpp"

namespace solfege {

/// A line of hexadecimal digits a cycle, all ports concatenated, first port leftmost: $readmemh.
inline std::string hexadecimal_lines(const Vectors& vectors) {
  std::string bits, text;
  for (std::size_t cycle = 0; cycle < vectors.cycles(); ++cycle) {
    bits.clear();
    for (std::size_t p = 0; p < vectors.ports().size(); ++p)
      for (int bit = vectors.ports()[p].width - 1; bit >= 0; --bit)
        bits += static_cast<char>(vectors.get(cycle, p, bit / 64) >> (bit % 64) & 1);
    bits.insert(0, (4 - bits.size() % 4) % 4, '\0');
    for (std::size_t i = 0; i < bits.size(); i += 4)
      text += "0123456789abcdef"[8 * bits[i] + 4 * bits[i + 1] + 2 * bits[i + 2] + bits[i + 3]];
    text += '\n';
  }
  return text;
}

/// Drives a netlist's Verilog and the library's cell models in Icarus with `vectors` (their port
/// `clock`, if any, apart), and counts for each net how often its settled value, taken before each
/// clock edge, differs from the cycle before, from cycle `warm_up` (at least 1) on.
class Icarus {
 public:
  static constexpr std::uint64_t kUnknown = ~std::uint64_t{0};  ///< was x or z when settled

  Icarus(const std::string& folder, const std::string& netlist_verilog,
         const std::string& cells_verilog)
      : folder_(folder), sources_{netlist_verilog, cells_verilog} {}

  std::map<std::string, std::uint64_t> toggles(const Netlist& netlist, const Vectors& vectors,
                                               const std::string& clock, std::size_t warm_up) {
    write_file(folder_ + "/vectors.hex", hexadecimal_lines(vectors));
    write_file(folder_ + "/bench.v", bench(netlist, vectors, clock));
    run({"iverilog", "-g2005", "-o", "bench.vvp", "bench.v", sources_[0], sources_[1]});
    run({"vvp", "-n", "bench.vvp"});
    return count(folder_ + "/bench.vcd", vectors.cycles(), warm_up);
  }

 private:
  void run(const std::vector<std::string>& command) {
    if (run_process(command, folder_, "icarus.log", {}, "iverilog") != 0)
      throw std::runtime_error(command[0] + ": " + read_file(folder_ + "/icarus.log"));
  }

  static std::string bench(const Netlist& netlist, const Vectors& vectors,
                           const std::string& clock) {
    int width = 0;
    std::string ports = clock.empty() ? "" : fmt::format(".{} (clock)", clock);
    for (auto at = vectors.ports().rbegin(); at != vectors.ports().rend(); ++at) {
      ports += fmt::format("{}.{} (now[{}:{}])", ports.empty() ? "" : ", ", at->name,
                           width + at->width - 1, width);
      width += at->width;
    }
    return fmt::format(R"(`timescale 1ns/1ns
module bench;
  reg clock = 0;
  reg [{0}:0] vectors [0:{1}], now = 0;
  integer i;
  {2} unit ({3});
  initial begin
    $readmemh("vectors.hex", vectors);
    $dumpfile("bench.vcd");
    $dumpvars(1, unit);
    for (i = 0; i <= {1}; i = i + 1) begin
      now = vectors[i];
      #5 clock = 1;
      #3 clock = 0;
      #2;
    end
    $finish;
  end
endmodule
)",
                       width - 1, vectors.cycles() - 1, netlist.top, ports);
  }

  static std::map<std::string, std::uint64_t> count(const std::string& vcd, std::size_t cycles,
                                                    std::size_t warm_up) {
    struct Signal {
      std::vector<std::string> names;  // most significant first
      std::string now, before;
    };
    std::map<std::string, Signal> signals;
    std::map<std::string, std::uint64_t> toggles;
    std::ifstream file(vcd);
    std::string word;
    std::size_t cycle = 0;  // whose settled values come next, at 10 * cycle + 5
    auto settled = [&] {
      for (auto& [code, s] : signals) {
        for (std::size_t i = 0; i < s.now.size() && cycle >= warm_up; ++i) {
          std::uint64_t& total = toggles[s.names[i]];
          if (s.now[i] > '1' || s.before[i] > '1')
            total = kUnknown;
          else if (s.now[i] != s.before[i] && total != kUnknown)
            ++total;
        }
        s.before = s.now;
      }
      ++cycle;
    };
    bool defined = false;
    while (file >> word) {
      if (word == "$enddefinitions") defined = true;
      if (word == "$var") {
        std::string kind, code, name, range;
        std::size_t width = 0;
        file >> kind >> width >> code >> name >> range;
        if (kind == "parameter") continue;
        if (name[0] == '\\') name.erase(0, 1);
        Signal& s = signals[code];
        s.now = s.before = std::string(width, 'x');
        if (width == 1 && range[0] != '[') {
          s.names = {name};
        } else {
          const int last =
              range[0] == '[' ? std::stoi(range.substr(range.find_first_of(":[") + 1)) : 0;
          for (int i = 0; i < static_cast<int>(width); ++i)
            s.names.push_back(fmt::format("{}[{}]", name, last - i));
        }
        for (const std::string& bit : s.names) toggles[bit];
      } else if (!defined) {
        continue;
      } else if (word[0] == '#') {
        const std::size_t time = std::stoull(word.substr(1));
        while (cycle < cycles && time >= 10 * cycle + 5) settled();
      } else if (word[0] == 'b') {
        std::string code;
        file >> code;
        Signal& s = signals.at(code);
        const std::string value = word.substr(1);
        const char fill = value[0] == '1' ? '0' : value[0];
        s.now = std::string(s.now.size() - value.size(), fill) + value;
      } else if (signals.count(word.substr(1)) != 0 &&
                 std::string("01xz").find(word[0]) != std::string::npos) {
        signals[word.substr(1)].now = word.substr(0, 1);
      }
    }
    while (cycle < cycles) settled();
    return toggles;
  }

  std::string folder_;
  std::string sources_[2];
};

}  // namespace solfege
