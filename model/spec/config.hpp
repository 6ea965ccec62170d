// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace solfege {

/// The one description of a machine. RTL parameters, golden model, scheduler, cycle, energy and
/// area figures all derive from it. Each field is one key of the TOML file, `section.key`.
struct Config {
  std::string name;  ///< file name without extension; only a label

  // [bits] largest code widths in planes
  int weight_bits = 1;      ///< W, 1..8
  int activation_bits = 2;  ///< A, 1..8
  int gradient_bits = 4;    ///< G, 1..8
  int edge_bits = 8;        ///< pixels, and weights and gradient of the first and last layer, 1..8
  int wide_bits = 24;       ///< widest operand in planes, >= min(32, max(G, edge) + stored), 17..32

  // [array] R x C processing elements of L lanes; all powers of two
  int rows = 16;                   ///< R, 2..64
  int columns = 16;                ///< C, 2..64
  int planes = 2;                  ///< row planes that an element multiplies in a cycle, 1 or 2
  int lanes = 16;                  ///< L, 16..256 (planes are packed in blocks of 16 channels)
  int accumulator_bits = 40;       ///< 16..48, >= required_accumulator_bits()
  int max_contraction = 65536;     ///< elements in the longest sum of products, 16..2^24
  int row_buffer_depth = 4096;     ///< words of R*L bits, power of two, 64..65536
  int column_buffer_depth = 4096;  ///< words of C*L bits, power of two, 64..65536
  int buffer_bank_depth = 256;     ///< words of a memory of theirs, power of two, 16..65536

  // [stream]
  int stream_lanes = 16;         ///< S, 1..16, power of two, at most min(columns, lanes)
  int stored_bits = 16;          ///< stored pre-activations and gradients: 16 or 32
  int table_channels = 512;      ///< of the per-channel tables, power of two, 16..min(8192, 2048 S)
  int threshold_channels = 512;  ///< with thresholds of their own, power of two, 16..8192,
                                 ///< at most 65535 S / (2^A - 1)
  int sum_tiles = 32;            ///< tiles whose sums over samples are held, power of two, 1..64
  int max_batch = 256;           ///< samples of the per-sample table, power of two, 16..8192

  // [random]
  int random_bits = 16;           ///< r, 4..16
  std::uint64_t random_seed = 1;  ///< 1..2^63-1 (TOML integers are signed)

  // [memory]
  int bus_bytes = 64;              ///< 8..64, power of two, at least 4*S and L/8
  int descriptor_queue_depth = 4;  ///< descriptors waiting before each engine, power of two, 2..16

  /// Reads and validates a TOML file. Throws InputError naming file, key, value, range and fix.
  static Config load(const std::string& path);
  /// The same of a file's text, such as canonical()'s.
  static Config parse(const std::string& text, const std::string& path);
  /// Checks ranges and relations. `where` is the file name for messages. Throws InputError.
  void validate(const std::string& where) const;
  /// Every field as canonical "section.key = value" lines, in fixed order (without `name`).
  std::string canonical() const;
  /// 16 hexadecimal digits of XXH64 over canonical().
  std::string hash() const;
  /// Accumulator bits the longest contraction needs: sign, ceil(log2(max_contraction)), two codes
  /// of the widest bits. Sums of wider operands (scaled and logit gradients) are checked per layer.
  int required_accumulator_bits() const;
};

/// A key of the TOML file with its range.
struct ConfigKey {
  std::string name;  ///< section.key
  std::int64_t min, max;
  bool power_of_two;    ///< only powers of two from min to max
  std::int64_t value;   ///< when the file does not say
  std::string meaning;  ///< sentences for the reference, with the relations to other keys
};
/// Every key, in the canonical order. The relations between keys are Config::validate's.
const std::vector<ConfigKey>& config_keys();
/// Whether the range of the key has values of at least `need`.
bool allows_at_least(const std::string& name, std::int64_t need);
/// How to give a key at least `need`: "set KEY = VALUE", the smallest value that is allowed. Where
/// the range ends below it, that no configuration does, and `otherwise`.
std::string advise_at_least(const std::string& name, std::int64_t need,
                            const std::string& otherwise);
/// The value of the key of this name, which must be one of config_keys().
std::int64_t config_value(const Config& config, const std::string& name);

}  // namespace solfege
