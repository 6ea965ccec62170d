// SPDX-License-Identifier: Apache-2.0
// What the tests share that hold a module to the naive device: the configuration that the module's
// parameters make, its descriptor, and beats between its bus and a memory.
#pragma once

#include <vector>

#include "model/spec/legality.hpp"
#include "rtl_test.hpp"
#include "tests/support/naive_device.hpp"

namespace rtl_test {

inline solfege::Config config() {
  solfege::Config c;
  c.rows = SF_ROWS;
  c.columns = SF_COLUMNS;
  c.lanes = SF_LANES;
  c.bus_bytes = SF_BUS_BYTES;
#ifdef SF_STREAM_LANES
  c.accumulator_bits = SF_ACCUMULATOR_BITS;
  c.stream_lanes = SF_STREAM_LANES;
  c.stored_bits = SF_STORED_BITS;
  c.wide_bits = SF_WIDE_BITS;
  c.random_bits = SF_RANDOM_BITS;
  c.activation_bits = SF_THRESHOLD_BITS;
  c.table_channels = SF_TABLE_ROWS * SF_STREAM_LANES;
  c.threshold_channels = SF_THRESHOLD_ROWS * SF_STREAM_LANES;
  c.sum_tiles = SF_SUM_TILES;
  c.max_batch = SF_MAX_SAMPLES;
#endif
  return c;
}

/// Gives the module a descriptor, which must be legal.
template <typename Top>
void give(Top& top, const solfege::Descriptor& d) {
  REQUIRE(solfege::broken_rule(d, config()) == nullptr);
  const auto words = d.encode();
  for (int i = 0; i < solfege::kDescriptorWords; ++i) top.descriptor_i[i] = words[i];
}

template <typename Port>
void read_beat(Port& port, const std::vector<uint8_t>& memory, uint32_t address) {
  for (int byte = 0; byte < SF_BUS_BYTES; ++byte)
    set_field(port, 8 * byte, 8, memory.at(address + byte));
}

/// Returns how many bytes are written.
template <typename Data, typename Strobe>
int write_beat(std::vector<uint8_t>& memory, uint32_t address, const Data& data,
               const Strobe& strobe) {
  int bytes = 0;
  for (int byte = 0; byte < SF_BUS_BYTES; ++byte) {
    if (!get_bit(strobe, byte)) continue;
    memory.at(address + byte) = static_cast<uint8_t>(get_field(data, 8 * byte, 8));
    ++bytes;
  }
  return bytes;
}

}  // namespace rtl_test
