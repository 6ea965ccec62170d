// SPDX-License-Identifier: Apache-2.0
// sf_stream between a slow memory and an array that drains in random cycles, against
// stream_reference.hpp: all of memory after each random descriptor, and the cycles in which the
// unit did not wait.
#include <cstring>
#include <deque>

#include "Vsf_stream.h"
#include "rtl_test.hpp"
#include "stream_reference.hpp"

using namespace rtl_test;
using namespace solfege;

namespace {

constexpr int kLanes = SF_STREAM_LANES, kBus = SF_BUS_BYTES, kChannels = SF_TABLE_ROWS * kLanes;
constexpr int kSampleRows = SF_MAX_SAMPLES;
constexpr Machine kMachine = {SF_ROWS,      SF_COLUMNS,     SF_LANES,  kLanes,     SF_STORED_BITS,
                              SF_WIDE_BITS, SF_RANDOM_BITS, kChannels, kSampleRows};
// Regions of memory
constexpr uint32_t kX = 0, kZ = 0x100000, kStored = 0x200000, kTable = 0x300000, kMax = 0x340000,
                   kSum = 0x350000, kPlanes = 0x400000, kBytes = 0x800000;

class Bench {
 public:
  Bench() : random(11), reference(kMachine, kBytes) {
    top.clear_i = top.start_i = 0;
    top.tile_valid_i = top.x_response_valid_i = top.z_response_valid_i = 0;
    top.enable_i = 1;
    reset(top);
    for (auto& byte : reference.memory) byte = static_cast<uint8_t>(random.bits(8));
    memory = reference.memory;
  }

  /// Runs one descriptor on both; they must agree.
  void run(const Descriptor& d) {
    const auto words = d.encode();
    for (int i = 0; i < kDescriptorWords; ++i) top.descriptor_i[i] = words[i];
    reference.run(d);
    const int answer = random.between(10, 100), accept = random.between(10, 100),
              drain = random.between(30, 100);
    struct Read {
      bool z;
      uint32_t address;
    };
    std::deque<Read> reads;
    size_t drained = 0;
    uint64_t active = 1, stalled = 0;  // the start counts, as in sf_engine_queue
    top.start_i = 1;
    settle(top);
    edge(top);
    top.start_i = 0;
    for (bool done = false; !done;) {
      top.x_request_ready_i = random.chance(answer);
      top.z_request_ready_i = random.chance(answer);
      top.element_request_ready_i = random.chance(accept);
      top.pack_request_ready_i = random.chance(accept);
      top.writes_idle_i = random.chance(50);
      top.tile_valid_i = drained < reference.tile.size() && random.chance(drain);
      if (top.tile_valid_i)
        for (int lane = 0; lane < kLanes; ++lane)
          set_field(top.tile_chunk_i, lane * SF_ACCUMULATOR_BITS, SF_ACCUMULATOR_BITS,
                    static_cast<uint64_t>(reference.tile[drained + lane]));
      const bool respond = !reads.empty() && random.chance(answer);
      top.x_response_valid_i = respond && !reads.front().z;
      top.z_response_valid_i = respond && reads.front().z;
      if (respond) {
        for (int byte = 0; byte < kBus; ++byte)
          set_field(top.response_data_i, 8 * byte, 8, memory.at(reads.front().address + byte));
        reads.pop_front();
      }
      settle(top);
      if (top.x_request_valid_o && top.x_request_ready_i)
        reads.push_back({false, top.x_request_address_o});
      if (top.z_request_valid_o && top.z_request_ready_i)
        reads.push_back({true, top.z_request_address_o});
      if (top.element_request_valid_o && top.element_request_ready_i)
        write(top.element_request_address_o, top.element_request_data_o,
              top.element_request_strobe_o);
      if (top.pack_request_valid_o && top.pack_request_ready_i)
        write(top.pack_request_address_o, top.pack_request_data_o, top.pack_request_strobe_o);
      if (top.tile_take_o) {
        REQUIRE(top.tile_valid_i);
        drained += kLanes;
      }
      done = top.done_o;
      (top.stall_o ? stalled : active) += 1;
      REQUIRE(stalled < 3000000);
      edge(top);
    }
    settle(top);
    CHECK(reads.empty());
    CHECK(drained == reference.tile.size());
    CHECK(active == reference.steps + 25 + reference.reductions);
    reference.tile.clear();
    if (memory == reference.memory) return;
    size_t first = 0, count = 0;
    for (size_t i = kBytes; i-- > 0;)
      if (memory[i] != reference.memory[i]) {
        first = i;
        ++count;
      }
    CAPTURE(first, count, int(memory[first]), int(reference.memory[first]));
    FAIL("memory differs");
  }

  /// Starts a pass over x alone and takes none of its results; then a halt and a clear, as after an
  /// error of another engine. Nothing may come of the pass afterwards.
  void clear_before_results(const Descriptor& d) {
    const auto words = d.encode();
    for (int i = 0; i < kDescriptorWords; ++i) top.descriptor_i[i] = words[i];
    const auto cycle = [&] {
      settle(top);
      const bool asked = top.x_request_valid_o;
      edge(top);
      top.start_i = 0;
      top.x_response_valid_i = asked;
    };
    top.x_request_ready_i = top.start_i = 1;
    top.element_request_ready_i = top.pack_request_ready_i = top.writes_idle_i = 0;
    for (int i = 0; i < 2000; ++i) cycle();  // as far as it goes
    settle(top);
    REQUIRE(top.pack_request_valid_o);
    top.enable_i = 0;
    settle(top);
    REQUIRE_FALSE(top.pack_request_valid_o);  // a halt offers nothing new
    cycle();
    top.clear_i = 1;
    cycle();
    top.clear_i = 0;
    top.enable_i = top.element_request_ready_i = top.pack_request_ready_i = top.writes_idle_i = 1;
    for (int i = 0; i < 300; ++i) {
      settle(top);
      REQUIRE_FALSE((top.x_request_valid_o || top.element_request_valid_o || top.done_o));
      REQUIRE_FALSE(top.pack_request_valid_o);
      cycle();
    }
  }

  /// Bytes of both memories.
  void put(uint32_t address, const void* data, size_t bytes) {
    std::memcpy(&memory[address], data, bytes);
    std::memcpy(&reference.memory[address], data, bytes);
  }

  Random random;
  StreamReference reference;
  std::vector<uint8_t> memory;
  Vsf_stream top;

 private:
  template <typename Data, typename Strobe>
  void write(uint32_t address, const Data& data, const Strobe& strobe) {
    for (int byte = 0; byte < kBus; ++byte)
      if (get_bit(strobe, byte))
        memory.at(address + byte) = static_cast<uint8_t>(get_field(data, 8 * byte, 8));
  }
};

/// Moves words of 32 bits to a table.
void load_table(Bench& bench, Table which, const std::vector<int32_t>& words, int bits = 0) {
  bench.put(kTable, words.data(), 4 * words.size());
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned32;
  d.x_address = kTable;
  d.scale_x = 1;
  d.destination = Destination::kTable;
  d.table = which;
  d.quantizer = bits ? Quantizer::kThreshold : Quantizer::kRaw;
  d.quantizer_bits = bits;
  d.count0 = static_cast<uint32_t>(words.size() / kLanes);
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 65535;
  bench.run(d);
}

/// Thresholds of 2^bits - 1 nodes in heap order, ascending along the tree, for `rows` rows.
void load_thresholds(Bench& bench, int rows, int bits) {
  const int nodes = (1 << bits) - 1;
  std::vector<int32_t> words(size_t(rows) * nodes * kLanes);
  for (int row = 0; row < rows; ++row)
    for (int lane = 0; lane < kLanes; ++lane) {
      std::vector<int32_t> sorted(nodes);
      for (auto& value : sorted) value = bench.random.between(-20000, 20000);
      std::sort(sorted.begin(), sorted.end());
      for (int node = 1; node <= nodes; ++node) {
        int level = 0;
        while (node >> (level + 1)) ++level;
        const int rank = ((2 * (node - (1 << level)) + 1) << (bits - 1 - level)) - 1;
        words[(size_t(row) * nodes + node - 1) * kLanes + lane] = sorted[rank];
      }
    }
  load_table(bench, Table::kThreshold, words, bits);
}

void load_tables(Bench& bench) {
  Random& random = bench.random;
  // In either order: no table's words may go to another as well.
  const bool ascending = random.chance(50);
  for (int i = 0; i < 5; ++i) {
    const int which = ascending ? i : 4 - i;
    std::vector<int32_t> words(kChannels);
    for (auto& word : words) {
      word = random.between(-32768, 32767);
      if (Table(which) == Table::kMaskLow) word = random.between(-30000, 0);
      if (Table(which) == Table::kMaskHigh) word = random.between(0, 30000);
    }
    load_table(bench, Table(which), words);
  }
  // Largest magnitudes: no narrow y is beyond them
  std::vector<int32_t> words(kSampleRows);
  for (auto& word : words) word = random.between(32767, 65535);
  load_table(bench, Table::kSample, words);
}

/// Numbers of mixed magnitudes, as their type's elements.
void fill(Bench& bench, uint32_t base, ElementType type, int windows) {
  std::vector<uint8_t> bytes(0x100000);
  Random& random = bench.random;
  if (type == ElementType::kSigned16 || type == ElementType::kUnsigned8) {
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = random.bits(64);
      std::memcpy(&bytes[i], &word, 8);
    }
  } else {
    for (size_t i = 0; i < bytes.size(); i += 4) {
      auto word =
          static_cast<uint32_t>(static_cast<int32_t>(random.bits(32)) >> random.between(0, 28));
      if (type == ElementType::kTagged)
        word = (word & 0xff00ffff) | static_cast<uint32_t>(random.between(0, windows)) << 16;
      std::memcpy(&bytes[i], &word, 4);
    }
  }
  bench.put(base, bytes.data(), bytes.size());
}

void random_stages(Random& random, Descriptor& d) {
  d.x_address = kX + 64 * random.between(0, 8);
  d.z_address = kZ + 64 * random.between(0, 8);
  d.destination_address = kStored + 64 * random.between(0, 8);
  d.max_address = kMax + 4 * random.between(0, 15);
  d.sum_address = kSum + 8 * random.between(0, 15);
  d.z_type = static_cast<ElementType>(random.between(0, 3));
  d.z_enable = random.chance(60);
  d.mask_enable = d.z_enable && random.chance(30);
  d.tanh_enable = d.z_enable && random.chance(30);
  d.offset_enable = random.chance(40);
  d.narrow = random.chance(70);
  d.scale_x_source = static_cast<Scalar>(random.between(0, 2));
  d.scale_z_source = static_cast<Scalar>(random.between(0, 1));
  d.scale_x = static_cast<uint32_t>(random.bits(SF_STORED_BITS));
  d.scale_z = static_cast<uint32_t>(random.bits(16));
  d.shift_x = random.chance(20) ? random.between(0, 63) : random.between(10, 30);
  d.shift_z = random.chance(20) ? random.between(0, 63) : random.between(10, 20);
  d.destination = static_cast<Destination>(random.between(0, 4));
  if (d.destination == Destination::kTable) d.destination = Destination::kNone;
  if (d.destination == Destination::kSigned16 || d.destination == Destination::kTagged)
    d.narrow = 1;
  d.z_strides_b = random.chance(50);
  d.destination_strides_b = random.chance(50);
  d.max_enable = random.chance(40);
  d.max_per_sample = random.chance(70);
  d.sum_enable = random.chance(50);
  d.sum_per_channel = random.chance(70);
  d.sum_absolute = random.chance(30);
  if (d.sum_enable && d.sum_per_channel)
    d.second_sum = static_cast<SecondSum>(random.between(0, 2));
  d.reduce_clear = d.reduce_flush = 1;
  d.drop_enable = random.chance(30);
  d.drop_threshold = static_cast<uint32_t>(random.bits(16)) >> (16 - SF_RANDOM_BITS);
  d.random_low = static_cast<uint32_t>(random.bits(32)) | 1;
  d.random_high = static_cast<uint32_t>(random.bits(32));
  uint32_t* const strides[] = {&d.stride_a1, &d.stride_a2, &d.stride_a3, &d.stride_a4,
                               &d.stride_a5, &d.stride_b1, &d.stride_b2, &d.stride_b3,
                               &d.stride_b4, &d.stride_b5};
  for (uint32_t* stride : strides) *stride = 256 * random.between(0, 8);
}

Descriptor memory_pass(Bench& bench) {
  Random& random = bench.random;
  Descriptor d;
  d.opcode = Opcode::kStream;
  random_stages(random, d);
  const int channel_blocks = random.between(1, std::min(4, kChannels / 16));
  d.count0 = channel_blocks * 256 / kLanes;
  uint32_t* const counts[] = {&d.count1, &d.count2, &d.count3, &d.count4, &d.count5};
  for (uint32_t* count : counts) *count = random.between(1, 2) + random.between(0, 1);
  while (d.count1 * d.count2 * d.count3 * d.count4 > 16) d.count4 = d.count3 = 1;
  d.sample_first = random.chance(70) ? 0 : 16 * random.between(0, kSampleRows / 16 - 3);
  d.channels = std::max(1, 16 * channel_blocks - (random.chance(50) ? random.between(0, 20) : 0));
  d.samples = d.sample_first + 16 * d.count5 - (random.chance(50) ? random.between(0, 15) : 0);
  d.x_type = static_cast<ElementType>(random.between(0, 3));
  d.pool_enable = random.chance(40);
  d.route_enable = d.z_enable && random.chance(40);
  if (d.route_enable) d.z_type = ElementType::kTagged;
  d.pack_enable = random.chance(60);
  if (random.chance(40)) {
    // f_G of what fits its sample's largest magnitude
    d.quantizer = static_cast<Quantizer>(random.between(2, 3));
    d.quantizer_bits = random.between(1, 8);
    d.narrow = 1;
    d.drop_enable = 0;
  } else if (random.chance(60)) {
    d.quantizer = Quantizer::kThreshold;
    d.threshold_per_channel = d.channels <= SF_THRESHOLD_ROWS * kLanes && random.chance(70);
    d.quantizer_bits = random.between(1, d.threshold_per_channel ? SF_THRESHOLD_BITS : 8);
  }
  if (d.pack_enable) {
    d.pack_columns = random.chance(50);
    const int group = d.pack_columns ? SF_COLUMNS : SF_ROWS;
    d.pack_address = kPlanes + 64 * random.between(0, 8);
    d.pack_planes = random.between(1, SF_WIDE_BITS);
    d.pack_plane_stride = (16 * channel_blocks + SF_LANES - 1) / SF_LANES + random.between(0, 1);
    d.pack_pixel_stride = d.pack_planes * d.pack_plane_stride + random.between(0, 2);
    d.pack_group_stride = (16 * d.pack_pixel_stride + random.between(0, 1)) * group * SF_LANES / 8;
  }
  return d;
}

Descriptor array_pass(Bench& bench) {
  Random& random = bench.random;
  Descriptor d;
  d.opcode = Opcode::kStream;
  random_stages(random, d);
  d.x_from_array = 1;
  d.count0 = SF_COLUMNS / kLanes;
  d.count1 = std::min(SF_ROWS, 16);
  d.count2 = SF_ROWS > 16 ? SF_ROWS / 16 : 1;
  d.count3 = random.between(1, 2);
  d.count4 = random.between(1, 3);
  d.count5 = random.between(1, 2);
  d.sample_first = SF_ROWS * random.between(0, kSampleRows / SF_ROWS - 1);
  d.samples = d.sample_first + random.between(1, SF_ROWS);
  d.chunk_first = random.between(0, 3) * d.count0;
  d.channels =
      std::min<uint32_t>(kChannels, d.chunk_first * kLanes +
                                        random.between(1, static_cast<int>(d.count3) * SF_COLUMNS));
  return d;
}

void fill_tile(Bench& bench, const Descriptor& d) {
  const size_t count =
      size_t(d.count0) * d.count1 * d.count2 * d.count3 * d.count4 * d.count5 * kLanes;
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<int64_t>(bench.random.bits(64));
    bench.reference.tile.push_back(value >>
                                   (64 - SF_ACCUMULATOR_BITS + bench.random.between(4, 12)));
  }
}

}  // namespace

TEST_CASE("passes from memory do as the contract says") {
  Bench bench;
  load_tables(bench);
  int pools = 0, routes = 0, packs = 0, drops = 0, seconds = 0;
  for (int pass = 0; pass < 60; ++pass) {
    Descriptor d = memory_pass(bench);
    fill(bench, kX, d.x_type, 4);
    fill(bench, kZ, d.z_type, static_cast<int>(d.count1 * d.count3));
    if (pass % 8 == 0) load_tables(bench);
    if (d.quantizer == Quantizer::kThreshold)
      load_thresholds(bench, d.threshold_per_channel ? SF_THRESHOLD_ROWS : 1, d.quantizer_bits);
    CAPTURE(seed(), pass, d.count0, d.count1, d.count2, d.count3, d.count4, d.count5, d.x_type,
            d.z_type, d.pool_enable, d.route_enable, d.destination, d.quantizer, d.pack_enable);
    // A tensor's reductions may take several passes.
    const bool split = (d.max_enable || d.sum_enable) && bench.random.chance(50);
    if (split) {
      d.reduce_flush = 0;
      bench.run(d);
      d.reduce_clear = 0;
      d.reduce_flush = 1;
    }
    bench.run(d);
    pools += d.pool_enable;
    routes += d.route_enable;
    packs += d.pack_enable;
    drops += d.drop_enable;
    seconds += d.second_sum != SecondSum::kNone;
  }
  CHECK(std::min({pools, routes, packs, drops, seconds}) > 0);
}

TEST_CASE("passes from the array do as the contract says") {
  Bench bench;
  load_tables(bench);
  for (int pass = 0; pass < 40; ++pass) {
    Descriptor d = array_pass(bench);
    fill(bench, kZ, d.z_type, 4);
    fill_tile(bench, d);
    CAPTURE(seed(), pass, d.count3, d.count4, d.count5, d.sample_first, d.samples, d.channels);
    bench.run(d);
  }
}

TEST_CASE("sums over samples span descriptors") {
  Bench bench;
  load_tables(bench);
  for (int pass = 0; pass < 20; ++pass) {
    Descriptor d = array_pass(bench);
    d.count3 = d.count5 = 1;
    d.accumulate_enable = 1;
    d.max_per_sample = 0;
    fill(bench, kZ, d.z_type, 4);
    const int parts = bench.random.between(1, 3);
    for (int part = 0; part < parts; ++part) {
      d.accumulate_first = part == 0;
      d.accumulate_last = part == parts - 1;
      d.accumulate_sample = bench.random.between(0, kSampleRows - 8);
      d.count4 = bench.random.between(1, 4);
      fill_tile(bench, d);
      CAPTURE(seed(), pass, part, parts, d.count4, d.sample_first, d.samples, d.channels);
      bench.run(d);
    }
  }
}

TEST_CASE("a pass that is cleared while it writes its reductions leaves nothing behind") {
  Bench bench;
  load_tables(bench);
  Descriptor d;
  d.opcode = Opcode::kStream;
  d.x_type = ElementType::kSigned16;
  d.x_address = kX;
  d.scale_x = 1;
  d.count0 = 256 / kLanes;
  d.count1 = d.count2 = d.count3 = d.count4 = d.count5 = 1;
  d.channels = d.samples = 16;
  d.max_enable = d.max_per_sample = d.sum_enable = d.sum_per_channel = 1;
  d.max_address = kMax;
  d.sum_address = kSum;
  d.reduce_clear = d.reduce_flush = 1;
  for (int pass = 0; pass < 3; ++pass) {
    CAPTURE(seed(), pass);
    fill(bench, kX, d.x_type, 4);
    bench.clear_before_results(d);
    bench.run(d);  // and the next pass is as any other
  }
}
