// SPDX-License-Identifier: Apache-2.0
// The advice of a refusal, followed to the letter, helps: it names a value that is allowed, and
// then the input is accepted or something else is asked for; or the message says that no
// configuration holds the network. State space: every refusal of a network by a configuration, and
// every relation between keys of a configuration.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <regex>
#include <set>

#include "model/base/error.hpp"
#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"
#include "model/spec/config.hpp"
#include "model/spec/network.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

using Values = std::map<std::string, std::int64_t>;

std::string toml(const Values& values) {
  std::string text;
  for (const auto& [name, value] : values) {  // sections come together, as names are sorted
    const std::string section = name.substr(0, name.find('.')) + "]\n";
    if (text.find("[" + section) == std::string::npos) text += "[" + section;
    text += fmt::format("{} = {}\n", name.substr(name.find('.') + 1), value);
  }
  return text;
}

struct Images {
  int side = 12, channels = 1, classes = 10;
};

/// Follows advice from `values` on. Returns the last message: empty when the input is accepted,
/// else one without advice. Every message on the way is added to `messages`.
template <typename Try>
std::string follow(Values values, const Try& attempt, std::vector<std::string>* messages) {
  std::set<std::pair<std::string, std::int64_t>> given;
  while (true) {
    std::string message;
    try {
      attempt(values);
      return "";
    } catch (const InputError& error) {
      message = error.what();
    }
    CAPTURE(message);
    messages->push_back(message);
    CHECK(message.find('\n') == std::string::npos);
    std::smatch advice;
    if (!std::regex_search(message, advice, std::regex("set (\\w+\\.\\w+) = (-?\\d+)")))
      return message;
    const std::string name = advice[1];
    const std::int64_t value = std::stoll(advice[2]);
    const auto key = std::find_if(config_keys().begin(), config_keys().end(),
                                  [&](const ConfigKey& k) { return k.name == name; });
    if (key == config_keys().end()) return "of an unknown key: " + message;
    if (value < key->min || value > key->max) return "out of range: " + message;
    if (!given.insert({name, value}).second) return "in circles: " + message;
    values[name] = value;
  }
}

std::string follow_network(const std::string& network, int batch, const Values& values,
                           std::vector<std::string>* messages, const Images& images = {}) {
  const Scratch scratch;
  const std::string file = scratch.write("network.toml", network);
  return follow(
      values,
      [&](const Values& now) {
        const Config config = Config::load(scratch.write("machine.toml", toml(now)));
        const Network loaded =
            load_network(file, config, {images.side, images.side, images.channels, images.classes});
        AcceleratorEngine engine(config, loaded, batch, 1, [&](std::size_t bytes) {
          return std::make_unique<GoldenOnly>(config, bytes);
        });
        for (const Program& program : engine.step_programs()) CHECK(!program.encode().empty());
      },
      messages);
}

const std::string kLast = "[[layer]]\ntype = \"fc\"\n";
std::string conv(int channels, const std::string& more = "") {
  return fmt::format("[[layer]]\ntype = \"conv\"\nchannels = {}\nkernel = 3\npadding = 1\n{}\n",
                     channels, more);
}

const Values kSmall = {{"array.rows", 4},
                       {"array.columns", 4},
                       {"array.lanes", 16},
                       {"stream.lanes", 2},
                       {"memory.bus_bytes", 8},
                       {"array.row_buffer_depth", 8192},
                       {"array.column_buffer_depth", 8192},
                       {"stream.table_channels", 64},
                       {"stream.threshold_channels", 64},
                       {"stream.max_batch", 16}};

Values with(const Values& more) {
  Values values = kSmall;
  for (const auto& [name, value] : more) values[name] = value;
  return values;
}

TEST_CASE("advice about a network's needs takes effect", "[advice]") {
  struct Case {
    const char* about;
    Values values;
    std::string network;
    int batch;
    Images images = {};
  };
  const std::string plain = conv(8) + conv(12, "pool = 2") + kLast;
  const std::vector<Case> cases = {
      {"stream.table_channels = 16", with({{"stream.table_channels", 16}}),
       conv(40, "pool = 4") + kLast, 2},
      {"stream.threshold_channels = 16", with({{"stream.threshold_channels", 16}}),
       conv(40, "pool = 4") + kLast, 2},
      {"array.accumulator_bits = 25",
       with({{"array.accumulator_bits", 25}, {"array.max_contraction", 256}}), plain, 4},
      {"array.row_buffer_depth = 64", with({{"array.row_buffer_depth", 64}, {"array.lanes", 8}}),
       conv(300) + conv(8, "pool = 4") + kLast, 4},
      {"array.column_buffer_depth = 64", with({{"array.column_buffer_depth", 64}}), plain, 4},
      {"array.column_buffer_depth = 64",
       with({{"array.column_buffer_depth", 64}, {"memory.bus_bytes", 64}}), plain, 4},
      {"stream.max_batch of the configuration is 16", kSmall, plain, 40},
      {"bits.edge = 4", with({{"bits.edge", 4}}), plain, 4},
  };
  for (const Case& c : cases) {
    CAPTURE(c.about);
    std::vector<std::string> messages;
    const std::string left = follow_network(c.network, c.batch, c.values, &messages, c.images);
    CHECK(left == "");
    CHECK(std::any_of(messages.begin(), messages.end(),
                      [&](const std::string& m) { return m.find(c.about) != std::string::npos; }));
  }
}

TEST_CASE("what no configuration holds is said to be so", "[advice]") {
  struct Case {
    const char* about;
    std::string network;
    int batch;
    Images images;
  };
  const std::vector<Case> cases = {
      // More pixels than a loop counts
      {"count1 = 173056", conv(16) + conv(16, "pool = 16") + kLast, 2, {416, 3, 10}},
      // More weights of a class than the words of a column group that a descriptor counts
      {"column_group_stride = 500000", conv(4) + kLast, 1, {250, 1, 10}},
      {"stream.t", conv(9000, "pool = 4") + kLast, 1, {4, 1, 10}},
      {"stream.max_batch", conv(4, "pool = 4") + kLast, 9000, {4, 1, 10}},
      {"4 GiB", conv(4096) + conv(4096) + kLast, 16, {256, 1, 10}},
      {"stream.t", conv(65536) + kLast, 16, {1024, 1, 10}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.about, c.network);
    std::vector<std::string> messages;
    const std::string left =
        follow_network(c.network, c.batch, with({{"stream.max_batch", 16}}), &messages, c.images);
    CHECK_THAT(left, Catch::Contains(c.about));
    CHECK_THAT(left, Catch::Contains("no configuration") || Catch::Contains("whatever the config"));
  }
}

TEST_CASE("advice about a configuration's relations takes effect", "[advice]") {
  // Every pair of keys' extremes beside the defaults, and beside small values
  const Scratch scratch;
  int refused = 0, accepted = 0;
  std::set<std::string> relations;
  for (const Values& rest : {Values(), kSmall}) {
    for (const ConfigKey& a : config_keys())
      for (const ConfigKey& b : config_keys())
        for (const std::int64_t value : {a.min, a.max})
          for (const std::int64_t other : {b.min, b.max}) {
            if (a.name >= b.name) continue;
            Values values = rest;
            values[a.name] = value;
            values[b.name] = other;
            std::vector<std::string> messages;
            const std::string left = follow(
                values,
                [&](const Values& now) { Config::load(scratch.write("machine.toml", toml(now))); },
                &messages);
            CHECK(left == "");
            (messages.empty() ? accepted : refused) += 1;
          }
  }
  CHECK(accepted > 500);
  CHECK(refused > 200);
}

TEST_CASE("advice that does not help is noticed", "[advice]") {
  for (const auto& [advice, fault] :
       std::map<std::string, std::string>{{"set array.rows = 8", "in circles"},
                                          {"set array.rows = 128", "out of range"},
                                          {"set array.rowz = 8", "unknown key"},
                                          {"raise it", "raise it"}}) {
    std::vector<std::string> messages;
    const std::string left = follow(
        kSmall, [text = advice](const Values&) { throw InputError("array.rows = 4: " + text); },
        &messages);
    CHECK_THAT(left, Catch::Contains(fault));
  }
}

}  // namespace
}  // namespace solfege
