// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>

#include "cost/eda/mapped_unit.hpp"
#include "cost/energy/memory_energy.hpp"

namespace solfege {

/// What is mapped for a memory of flip-flops: sf_unit_words, with the ports of sf_ram.
UnitDesign words_design(long long depth, int bits);

/// A memory of flip-flops of a cell library, one write and one read port, each word behind a clock
/// gate: sf_unit_words of up to 32 bits of its width, mapped and simulated with random words at
/// random addresses, times the width. A gate counts as the area of a flip-flop. Leakage is not
/// given. Netlists are kept in `cache_directory`. InputError and std::runtime_error as map_unit().
MemoryFigure flip_flop_memory(const std::string& liberty, const std::string& cache_directory,
                              long long depth, int bits);

/// Prices each memory as the one of less area: macros of a technology, or flip-flops of a cell
/// library of the same node. Macros where areas are not given or the nodes differ.
class MemoryPrices {
 public:
  MemoryPrices(const MemoryTechnology& macros);  ///< macros alone
  MemoryPrices(const MemoryTechnology& macros, const std::string& liberty,
               const std::string& cache_directory);
  /// As MemoryTechnology::memory().
  const MemoryFigure& memory(long long depth, int bits) const;
  int node_nm() const { return macros_.node_nm(); }
  const std::string& name() const { return macros_.name(); }

 private:
  MemoryTechnology macros_;
  std::string liberty_, cache_directory_;
  double flip_flop_um2_ = 0;  ///< the library's smallest; 0: no flip-flops
  mutable std::map<std::pair<long long, int>, MemoryFigure> known_;
};

}  // namespace solfege
