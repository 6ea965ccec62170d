// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "cost/eda/prepared_library.hpp"

namespace solfege {

/// How adders other than the explicit ones are built. Chains of full adders are smallest;
/// parallel-prefix logic is fastest. Auto is for the clock: chains where a carry is short
/// (kLongestRipple bits) and in what multipliers add, prefix logic elsewhere; like prefix, it keeps
/// the logic as deep as it was described instead of sharing it at the price of depth.
enum class AdderStyle { kRipple, kPrefix, kAuto };

constexpr int kLongestRipple = 12;

/// Mapping of one module to cells of a library; units and modules of the whole design share it.
struct Mapping {
  std::string read;    ///< script: the module `proc`ed in the design, with `library` a folder
  std::string module;  ///< its name; the rest of the design are black boxes
  AdderStyle style = AdderStyle::kRipple;
  bool keep_memories = false;  ///< as $mem_v2 cells, not flip-flops
  std::string write;           ///< script: what to make of the result

  /// All that the result depends on besides the sources and the library.
  std::string key(const PreparedLibrary& library) const;
  /// In a folder with the sources; Yosys' scripts and logs stay there.
  void run(const std::filesystem::path& folder, const PreparedLibrary& library,
           const std::function<void()>& poll) const;

 private:
  std::string gates_script(const PreparedLibrary& library) const;
  std::string cells_script() const;
  bool binds_adders(const PreparedLibrary& library) const;
};

/// sf_full_adder and sf_half_adder become cells of the library, which nothing looks into later.
std::string bind_adders_script(const AdderCells& adders);

/// A module's name in Yosys' scripts.
std::string script_name(const std::string& module);

}  // namespace solfege
