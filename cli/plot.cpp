// SPDX-License-Identifier: Apache-2.0
#include "cli/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "model/base/process.hpp"

namespace solfege {
namespace {

constexpr int kWidth = 960, kHeight = 540;  // pixels of a chart

/// A string of gnuplot in single quotes, where nothing but the quote is special. Charts are drawn
/// without enhanced text, so that underscores stay underscores.
std::string literal(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';
    result += c == '\n' ? ' ' : c;
  }
  return result + "'";
}

std::string terminal(const std::string& path, int charts) {
  const bool svg = std::filesystem::path(path).extension() == ".svg";
  return fmt::format("set terminal {} size {},{} noenhanced font 'sans,12' background '#ffffff'\n",
                     svg ? "svg" : "pngcairo", kWidth, kHeight * charts);
}

/// The first complaint of gnuplot.
std::string complaint(const std::string& said) {
  std::istringstream lines(said);
  for (std::string text; std::getline(lines, text);) {
    const bool echo = text.rfind("gnuplot>", 0) == 0 || text.rfind("plot>", 0) == 0;
    const std::size_t first = text.find_first_not_of(" ^");  // ^ points at the place
    if (echo || first == std::string::npos) continue;
    text.erase(
        std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
        text.end());
    return text;
  }
  return "gnuplot failed without a message";
}

/// Draws `script` (which begins with the terminal) to the path.
void draw(const std::string& path, const std::string& script) {
  const ProcessOutput drawn = capture_process({"gnuplot"}, script, "gnuplot-nox");
  if (drawn.status != 0 || drawn.output.empty())
    throw InputError(fmt::format("{}: the plot cannot be drawn ({}); check gnuplot", path,
                                 complaint(drawn.errors)));
  write_file(path, drawn.output);
}

void require_gnuplot(const std::string& path) {
  if (!find_program("gnuplot").empty()) return;
  throw InputError(fmt::format(
      "{}: plots need gnuplot, which is not installed; run scripts/install, or apt-get install "
      "gnuplot-nox",
      path));
}

/// A data block; NaN and infinities become gaps.
std::string block(const std::string& name, const Series& series) {
  std::string text = fmt::format("${} << EOD\n", name);
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (std::isfinite(series.x[i]) && std::isfinite(series.y[i]))
      text += fmt::format("{} {}\n", series.x[i], series.y[i]);
    else
      text += "\n";
  }
  return text + "EOD\n";
}

bool has_points(const Series& series) {
  for (std::size_t i = 0; i < series.x.size(); ++i)
    if (std::isfinite(series.x[i]) && std::isfinite(series.y[i])) return true;
  return false;
}

std::string labels(const std::string& title, const std::string& x, const std::string& y) {
  return fmt::format(
      "set title {}\nset xlabel {}\nset ylabel {}\nset grid lt 1 lc rgb '#dddddd'\nset key Left "
      "reverse\n",
      literal(title), literal(x), literal(y));
}

}  // namespace

void require_plottable(const std::string& option, const std::string& path) {
  const std::string suffix = std::filesystem::path(path).extension();
  if (suffix != ".svg" && suffix != ".png") {
    throw InputError(
        fmt::format("{} {}: allowed are files ending in .svg or .png; rename it", option, path));
  }
  if (const std::string reason = why_unwritable(path); !reason.empty())
    throw InputError(fmt::format("{} {}: {}", option, path, reason));
  require_gnuplot(option + " " + path);
}

Series averaged(const Series& series, std::size_t width) {
  Series result;
  result.name = series.name;
  for (std::size_t first = 0; first < series.x.size(); first += width) {
    const std::size_t end = std::min(first + width, series.x.size());
    double x = 0, y = 0;
    for (std::size_t i = first; i < end; ++i) {
      x += series.x[i];
      y += series.y[i];
    }
    result.x.push_back(x / static_cast<double>(end - first));
    result.y.push_back(y / static_cast<double>(end - first));
  }
  return result;
}

void plot_charts(const std::string& path, const std::vector<Chart>& charts) {
  require_plottable("plot", path);
  std::string script;
  int drawn = 0;
  for (const Chart& chart : charts) {
    std::string curves;
    for (const Series& series : chart.series) {
      if (!has_points(series)) continue;
      const std::string name = fmt::format("curve{}_{}", drawn, curves.size());
      script += block(name, series);
      // A curve of few points shows them.
      curves += fmt::format("{} ${} with {} lw 1.5 title {}", curves.empty() ? "plot" : ",", name,
                            series.x.size() <= 60 ? "linespoints pt 7 ps 0.5" : "lines",
                            literal(series.name));
    }
    if (curves.empty()) continue;
    script += labels(chart.title, chart.x_label, chart.y_label) + curves + "\n";
    ++drawn;
  }
  if (drawn == 0)
    throw InputError(fmt::format("{}: there is nothing to plot; train at least one step", path));
  draw(path, terminal(path, drawn) +
                 (drawn > 1 ? fmt::format("set multiplot layout {},1\n", drawn) : "") + script +
                 (drawn > 1 ? "unset multiplot\n" : ""));
}

void plot_roofline(const std::string& path, const Roofline& roofline) {
  require_plottable("plot", path);
  if (roofline.points.empty())
    throw InputError(fmt::format("{}: there is nothing to plot; use a network with layers", path));
  std::vector<std::string> passes;
  double left = roofline.peak_operations_per_cycle / roofline.bytes_per_cycle, right = left;
  double bottom = roofline.peak_operations_per_cycle;
  for (const RooflinePoint& point : roofline.points) {
    left = std::min(left, point.operations_per_byte);
    right = std::max(right, point.operations_per_byte);
    bottom = std::min(bottom, point.operations_per_cycle);
    if (std::find(passes.begin(), passes.end(), point.pass) == passes.end())
      passes.push_back(point.pass);
  }
  left /= 4;
  right *= 4;
  std::string data, curves;
  for (std::size_t i = 0; i < passes.size(); ++i) {
    data += fmt::format("$pass{} << EOD\n", i);
    for (const RooflinePoint& point : roofline.points) {
      if (point.pass != passes[i]) continue;
      std::string layer = point.layer;
      std::replace_if(
          layer.begin(), layer.end(), [](char c) { return c == '"' || c == '\n'; }, '_');
      data += fmt::format("{} {} \"{}\"\n", point.operations_per_byte, point.operations_per_cycle,
                          layer);
    }
    data += "EOD\n";
    curves += fmt::format(
        ", $pass{0} using 1:2 with points pt {1} ps 1.2 lc {2} title {3}, $pass{0} using 1:2:3 "
        "with labels offset 0,0.8 font ',9' tc lt {2} notitle",
        i, 5 + 2 * (i % 5), i + 1, literal(passes[i]));
  }
  // Both roofs are drawn to the ridge and, dashed, beyond it.
  const double peak = roofline.peak_operations_per_cycle, slope = roofline.bytes_per_cycle;
  const std::string script =
      terminal(path, 1) + data +
      labels(roofline.title, "operations per byte of memory traffic", "operations per cycle") +
      fmt::format(
          "set logscale xy\nset key outside right\nset xrange [{}:{}]\nset yrange [{}:{}]\n"
          "set samples 500\nmemory(x) = {} * x\n"
          "plot memory(x) with lines dt 2 lc rgb '#4060c0' title {}, "
          "{} with lines dt 2 lc rgb '#c04040' title {}, "
          "memory(x) < {} ? memory(x) : {} with lines lw 2 lc rgb '#000000' title 'attainable'{}\n",
          left, right, std::min(bottom, slope * left) / 2, 2 * peak, slope,
          literal(fmt::format("memory: {:g} bytes a cycle", slope)), peak,
          literal(fmt::format("array: {:g} a cycle", peak)), peak, peak, curves);
  draw(path, script);
}

void plot_bars(const std::string& path, const BarChart& chart) {
  require_plottable("plot", path);
  if (chart.bars.empty()) throw InputError(fmt::format("{}: there is nothing to plot", path));
  const std::size_t bars = chart.bars.size(), parts = chart.part_names.size();
  std::string names, data, boxes;
  std::vector<double> ends(bars, 0);
  for (std::size_t i = 0; i < bars; ++i)
    names += fmt::format("{}{} {}", i == 0 ? "" : ", ", literal(chart.bars[i].name), bars - i);
  for (std::size_t part = 0; part < parts; ++part) {
    data += fmt::format("$part{} << EOD\n", part);
    for (std::size_t i = 0; i < bars; ++i) {
      const double from = ends[i];
      ends[i] += chart.bars[i].parts[part];
      const double y = static_cast<double>(bars - i);
      data += fmt::format("{} {} {} {} {} {}\n", from, y, from, ends[i], y - 0.35, y + 0.35);
    }
    data += "EOD\n";
    boxes += fmt::format("{} $part{} with boxxyerror lc {} title {}", part == 0 ? "plot" : ",",
                         part, part + 1, literal(chart.part_names[part]));
  }
  draw(path, terminal(path, 1) + data + labels(chart.title, chart.x_label, "") +
                 fmt::format("set style fill solid 0.8 noborder\nset ytics ({})\nset yrange "
                             "[0.3:{}]\nset xrange [0:*]\nset format x '%.3g'\nset key bottom "
                             "right\n{}\n",
                             names, static_cast<double>(bars) + 0.7, boxes));
}

}  // namespace solfege
