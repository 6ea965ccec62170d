// SPDX-License-Identifier: Apache-2.0
// The reference pages, printed from the tables that the program itself works by. docs/reference/
// holds them; tests/system/reference_test.py compares.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

#include "cli/commands.hpp"
#include "cli/report_keys.hpp"
#include "model/base/files.hpp"
#include "model/data/network_keys.hpp"
#include "model/schemes/scheme.hpp"
#include "model/spec/config.hpp"

namespace solfege {
namespace {

/// A page with a note of where it comes from.
std::string page(const std::string& title, const std::string& text) {
  return fmt::format(
      "# {}\n\n<!-- Written by `solfege reference -o docs/reference`; edit the tables in the "
      "sources "
      "instead. -->\n\n{}",
      title, text);
}

/// A cell of a table in Markdown.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

std::string row(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& one : cells) text += fmt::format(" {} |", cell(one));
  return text + "\n";
}

std::string header(const std::vector<std::string>& names) {
  std::string text = row(names) + "|";
  for (std::size_t i = 0; i < names.size(); ++i) text += "---|";
  return text + "\n";
}

std::string configuration_page() {
  std::string text =
      "A configuration is a TOML file with the machine's bitwidths and sizes. A key that is left "
      "out has its default; an unknown one is refused. `solfege keys CONFIG` shows the values of a "
      "file. The letters W, A, G, R, C, L, S and r are used in the meanings of other keys.\n";
  std::string section;
  for (const ConfigKey& key : config_keys()) {
    const std::string its = key.name.substr(0, key.name.find('.'));
    if (its != section)
      text += fmt::format("\n## [{}]\n\n", section = its) +
              header({"key", "range", "default", "meaning"});
    text += row(
        {code(key.name.substr(its.size() + 1)),
         fmt::format("{}{} to {}", key.power_of_two ? "powers of two from " : "", key.min, key.max),
         fmt::to_string(key.value), key.meaning});
  }
  return page("Configuration keys", text);
}

/// The types of layers that take the key.
std::string types_of(const NetworkKey& key) {
  std::vector<std::string> types;
  if (key.conv) types.push_back("conv");
  if (key.fc) types.push_back("fc");
  if (key.average) types.push_back("avgpool");
  return fmt::format("{}", fmt::join(types, ", "));
}

std::string network_page() {
  std::string text =
      "A network is a TOML file with one `[[layer]]` section for each layer, from the images to "
      "the "
      "logits. Names such as `bits.weight` are keys of the "
      "[configuration](configuration.md) that the network runs on. An unknown key is refused.\n";
  for (const bool top : {true, false}) {
    text += top ? "\n## The file itself\n\n" : "\n## [[layer]]\n\n";
    text += top ? header({"key", "type", "range", "default", "meaning"})
                : header({"key", "layers", "type", "range", "default", "meaning"});
    for (const NetworkKey& key : network_keys()) {
      if (key.top != top) continue;
      std::vector<std::string> cells = {code(key.name), key.type, key.range, key.fallback,
                                        key.meaning};
      if (!top) cells.insert(cells.begin() + 1, types_of(key));
      text += row(cells);
    }
  }
  return page("Network keys", text);
}

/// Sorted: the library keeps them by address.
std::string names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(code(option->get_name()));
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

/// What the option takes: what is allowed where its validator says, or else the kind of value.
std::string value_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return "";
  const std::string type = option.get_type_name();  // KIND, or KIND:ALLOWED
  const std::size_t colon = type.find(':');
  const std::string kind = type.substr(0, colon);
  if (colon == std::string::npos) return kind == "TEXT" ? "text" : kind;
  return (kind == "FLOAT" ? "number " : "") + type.substr(colon + 1);
}

std::string meaning_of(const CLI::Option& option) {
  std::string text = option.get_description();
  if (option.get_items_expected_max() > 1) text += "; may be given more than once";
  if (!option.get_excludes().empty()) text += "; not with " + names_of(option.get_excludes());
  if (!option.get_needs().empty()) text += "; needs " + names_of(option.get_needs());
  return text;
}

std::string command_line_page(const CLI::App& program) {
  std::string text =
      "`solfege COMMAND --help` prints the same. `a..b` is a number from a to b. Exit codes: 0 "
      "done, "
      "1 a mismatch or a failed check, 2 a usage or input error, 128 + the signal's number when a "
      "signal ended the run. `solfege --version` prints the version.\n";
  for (const CLI::App* command : program.get_subcommands({})) {
    text +=
        fmt::format("\n## solfege {}\n\n{}.\n\n", command->get_name(), command->get_description());
    text += header({"argument", "value", "default", "meaning"});
    for (const CLI::Option* option : command->get_options()) {
      const bool positional = option->get_positional();
      if (option->get_name() == "--help") continue;
      const std::string fallback =
          option->get_required() ? "required" : code(option->get_default_str());
      text += row({code(positional ? option->get_name(true) : option->get_name(false, true)),
                   value_of(*option), fallback, meaning_of(*option)});
    }
  }
  return page("Command line", text);
}

/// What a scheme uses of the device, and of the training, that DoReFa-Net does not, for a layer of
/// one bit with batch norm.
std::string uses(const Scheme& scheme) {
  Layer layer;
  layer.scheme = scheme.name();
  layer.batch_norm = true;
  std::vector<std::string> list;
  const auto add = [&](bool used, const char* what) {
    if (used) list.emplace_back(what);
  };
  const PlaneReading weights = scheme.weight_reading(layer), more = [&] {
    Layer wide = layer;
    wide.weight_bits = 2;
    return scheme.weight_reading(wide);
  }();
  add(weights.step == 1 || more.step == 1, "weights with a zero among their levels");
  add(scheme.activation_reading(layer).offset != 0, "activations of -1 and +1");
  add(scheme.measures_rows(layer), "sums and factors by output channel");
  add(scheme.measures_range(layer), "least and greatest weights, zero-points");
  add(scheme.keeps_preactivation(layer), "pre-activations as a tensor");
  add(scheme.weight_limit_log2(layer) != kNoWeightLimit, "bounded updates");
  add(scheme.weight_grid_log2(layer) != kNoWeightGrid,
      "updates rounded to a grid, after a break for the gradient's maximum");
  add(scheme.gradient_rule(layer) == GradientRule::kNearest,
      "gradients to the nearest power of two");
  add(scheme.activation_codes(layer).triangle, "the slope 1 - abs(z)");
  add(scheme.bound_rule(layer) == BoundRule::kLearned, "a learned bound of activations");
  add(scheme.bound_rule(layer) == BoundRule::kAveraged, "a measured bound of activations");
  add(scheme.loss() == Loss::kSquares, "squares as loss");
  add(scheme.curriculum() == Curriculum::kPhases, "phases of a training");
  add(scheme.curriculum() == Curriculum::kJoint, "several precisions in a step");
  add(scheme.curriculum() == Curriculum::kGuided, "a teacher in a step");
  return fmt::format("{}", fmt::join(list, "; "));
}

std::string schemes_page() {
  std::string text =
      "A network file, or one of its layers, names a scheme; `--scheme` is for layers that name "
      "none. Each is one file of `model/schemes`, with the equations of its paper in float and the "
      "integers that the device is told. What they reach, and what they cost, is in "
      "[results.md](../results.md).\n\n" +
      header({"scheme", "paper", "what deviates", "what it uses that `dorefa` does not"});
  for (const Scheme* scheme : schemes())
    text += row({code(scheme->name()), scheme->paper(), scheme->deviation(), uses(*scheme)});
  text += "\n## What the machine cannot run\n\n" + header({"scheme", "paper", "why"});
  for (const MissingScheme& scheme : missing_schemes())
    text += row({code(scheme.name), scheme.paper, scheme.reason});
  return page("Schemes", text);
}

std::string json_page() {
  std::string text = fmt::format(
      "`--json FILE` of a command writes a report. This page describes schema {}: the number rises "
      "when a key goes or changes its meaning, not when one comes. `a.b` is key b of object a, "
      "`[]` "
      "stands for every entry of a list, and a name in angle brackets for a key that is itself a "
      "name. A unit is part of the key's name: `_pj` is picojoule, `_um2` square micrometre, `_nm` "
      "nanometre. Energies are explained in [energy.md](../energy.md).\n",
      kReportSchema);
  const auto table = [&](const std::vector<ReportKey>& keys) {
    text += header({"key", "meaning"});
    for (const ReportKey& key : keys) text += row({code(key.path), key.meaning});
  };
  text += "\n## Every report\n\n";
  table(common_report_keys());
  for (const ReportKind& kind : report_kinds()) {
    text += fmt::format("\n## solfege {}\n\n{}\n\n", kind.command, kind.what);
    table(kind.keys);
  }
  return page("JSON reports", text);
}

}  // namespace

int run_reference(const CLI::App& program, const std::string& directory) {
  const std::vector<std::pair<std::string, std::string>> pages = {
      {"configuration.md", configuration_page()},
      {"network.md", network_page()},
      {"command-line.md", command_line_page(program)},
      {"json.md", json_page()},
      {"schemes.md", schemes_page()}};
  write_files(directory, pages);
  fmt::print("{} pages in {}\n", pages.size(), directory);
  return 0;
}

}  // namespace solfege
