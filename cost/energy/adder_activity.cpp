// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/adder_activity.hpp"

#include <algorithm>

namespace solfege {
namespace {

using Wide = __int128;

Wide shifted(Wide value, int by) {
  return static_cast<Wide>(static_cast<unsigned __int128>(value) << by);
}

double ones(std::uint64_t bits) { return __builtin_popcountll(bits); }

}  // namespace

double bit_changes(Wide a, Wide b, int width) {
  const auto differs = static_cast<unsigned __int128>(a ^ b);
  auto low = static_cast<std::uint64_t>(differs), high = static_cast<std::uint64_t>(differs >> 64);
  if (width < 64) low &= (std::uint64_t{1} << width) - 1;
  if (width <= 64)
    high = 0;
  else if (width < 128)
    high &= (std::uint64_t{1} << (width - 64)) - 1;
  return __builtin_popcountll(low) + __builtin_popcountll(high);
}

double adder_changes(Wide a, Wide b, Wide a_before, Wide b_before, int width) {
  const Wide sum = a + b, before = a_before + b_before;
  return bit_changes(sum, before, width) +
         bit_changes(a ^ b ^ sum, a_before ^ b_before ^ before, width);
}

void MultiplierChanges::add(Wide a, std::int64_t b, Wide a_before, std::int64_t b_before,
                            int b_bits, int width) {
  if (a == a_before && b == b_before) return;
  struct Row {
    Wide now, before;
  };
  std::array<Row, 64> rows;
  int count = 0;
  for (int j = 0; j < b_bits; ++j) {
    Row row = {(b >> j & 1) != 0 ? shifted(a, j) : 0,
               (b_before >> j & 1) != 0 ? shifted(a_before, j) : 0};
    partial += bit_changes(row.now, row.before, width);
    // The sign's row is subtracted
    if (j + 1 == b_bits) row = {-row.now, -row.before};
    rows[static_cast<std::size_t>(count++)] = row;
  }
  while (count > 2) {
    int next = 0, i = 0;
    for (; i + 2 < count; i += 3) {
      const Row x = rows[static_cast<std::size_t>(i)], y = rows[static_cast<std::size_t>(i + 1)],
                z = rows[static_cast<std::size_t>(i + 2)];
      const Row sum = {x.now ^ y.now ^ z.now, x.before ^ y.before ^ z.before};
      const Row carry = {shifted((x.now & y.now) | (z.now & (x.now ^ y.now)), 1),
                         shifted((x.before & y.before) | (z.before & (x.before ^ y.before)), 1)};
      tree += bit_changes(sum.now, sum.before, width) + bit_changes(carry.now, carry.before, width);
      rows[static_cast<std::size_t>(next++)] = sum;
      rows[static_cast<std::size_t>(next++)] = carry;
    }
    for (; i < count; ++i)
      rows[static_cast<std::size_t>(next++)] = rows[static_cast<std::size_t>(i)];
    count = next;
  }
  last += adder_changes(rows[0].now, rows[1].now, rows[0].before, rows[1].before, width);
}

PopcountTree::PopcountTree(int width) : nets(width) {
  std::vector<int> inputs;
  for (int lane = 0; lane < width; ++lane) inputs.push_back(lane);
  count(inputs.data(), width);
}

PopcountTree::Node PopcountTree::count(const int* inputs, int width) {
  if (width == 1) return {{inputs[0]}, 0};
  int left_bits = 1;
  while ((2 << left_bits) - 1 < width) ++left_bits;
  const int left_width = (1 << left_bits) - 1, right_width = width - 1 - left_width;
  const Node left = count(inputs, left_width);
  Node right;
  if (right_width > 0) right = count(inputs + left_width, right_width);
  Node result{{}, left.height + 1};
  int carry = inputs[width - 1];
  for (std::size_t i = 0; i < left.bits.size(); ++i) {
    const int other = i < right.bits.size() ? right.bits[i] : -1;
    adders.push_back({left.bits[i], other, carry, nets, nets + 1, result.height});
    result.bits.push_back(nets);
    carry = nets + 1;
    nets += 2;
  }
  result.bits.push_back(carry);
  return result;
}

PopcountChanges::PopcountChanges(const PopcountTree& tree, const std::vector<std::uint64_t>& lanes,
                                 std::uint64_t counted) {
  std::vector<std::uint64_t> settled = lanes;
  settled.resize(static_cast<std::size_t>(tree.nets));
  auto value = [](const std::vector<std::uint64_t>& nets, int net) {
    return net < 0 ? 0 : nets[static_cast<std::size_t>(net)];
  };
  auto evaluate = [&](const PopcountTree::Adder& adder, const std::vector<std::uint64_t>& from,
                      std::vector<std::uint64_t>* to) {
    const std::uint64_t a = value(from, adder.a), b = value(from, adder.b),
                        c = value(from, adder.c);
    (*to)[static_cast<std::size_t>(adder.sum)] = a ^ b ^ c;
    (*to)[static_cast<std::size_t>(adder.carry)] = (a & b) | (c & (a ^ b));
  };
  for (const auto& adder : tree.adders) evaluate(adder, settled, &settled);
  std::vector<std::uint64_t> now = settled;
  for (std::size_t n = lanes.size(); n < now.size(); ++n) now[n] <<= 1;
  std::vector<std::uint64_t> next = now;
  for (bool moves = true; moves;) {
    moves = false;
    for (const auto& adder : tree.adders) {
      evaluate(adder, now, &next);
      const std::size_t place = std::min(adder.height, kHeights - 1);
      for (const int net : {adder.sum, adder.carry}) {
        const auto n = static_cast<std::size_t>(net);
        const std::uint64_t changed = (now[n] ^ next[n]) & counted;
        settling[place] += ones(changed);
        moves = moves || changed != 0;
      }
    }
    now.swap(next);
  }
  for (const auto& adder : tree.adders) {
    const std::size_t place = std::min(adder.height, kHeights - 1);
    for (const int net : {adder.sum, adder.carry}) {
      const std::uint64_t bits = settled[static_cast<std::size_t>(net)];
      const double changed = ones((bits ^ (bits << 1)) & counted);
      by_height[place] += changed;
      settling[place] -= changed;
    }
  }
}
double ripple_settling(std::uint64_t a, std::uint64_t b, std::uint64_t sum, std::uint64_t a_before,
                       std::uint64_t b_before, std::uint64_t sum_before, std::uint64_t mask) {
  const std::uint64_t half = a ^ b, both = a & b;
  const std::uint64_t settled = half ^ sum;  // carries into each bit
  std::uint64_t carry = a_before ^ b_before ^ sum_before, value = sum_before;
  // The carry into the lowest bit does not ripple
  const std::uint64_t first = settled & 1;
  double all = 0;
  for (;;) {
    const std::uint64_t next_value = half ^ carry;
    const std::uint64_t next = (((both | (half & carry)) << 1) & mask & ~std::uint64_t{1}) | first;
    all += ones((next_value ^ value) & mask) + ones((next ^ carry) & mask);
    value = next_value;
    if (next == carry) break;
    carry = next;
  }
  return all - ones((sum ^ sum_before) & mask) -
         ones((settled ^ a_before ^ b_before ^ sum_before) & mask);
}

}  // namespace solfege
