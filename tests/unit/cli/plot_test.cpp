// SPDX-License-Identifier: Apache-2.0
#include "cli/plot.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "model/base/error.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int files_in(const std::string& folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<int>(std::distance(begin(files), end(files)));
}

const Series kCurve = {"it's a_curve", {0, 1, 2, 3}, {2.5, std::nan(""), 1.5, 1}};

TEST_CASE("curves are drawn as SVG and PNG, under their names", "[plot]") {
  const Scratch scratch;
  const std::string svg = scratch.path("curves.svg");
  plot_charts(svg,
              {{"a \"title\" of 'two'\nlines", "step_x", "loss_y", {kCurve, {"other", {1}, {2}}}}});
  const std::string text = contents(svg);
  CHECK_THAT(text, Catch::Contains("<svg") && Catch::Contains("</svg>"));
  // Texts stay as they are: an underscore does not lower what follows.
  for (const char* part : {"a_curve", "other", "step_x", "loss_y", "title"})
    CHECK_THAT(text, Catch::Contains(part));
  const std::string png = scratch.path("curves.png");
  plot_charts(png, {{"title", "x", "y", {kCurve}}});
  CHECK(contents(png).substr(1, 3) == "PNG");
  CHECK(files_in(scratch.path()) == 2);
}

TEST_CASE("charts without points are left out", "[plot]") {
  const Scratch scratch;
  const std::string path = scratch.path("charts.svg");
  const Chart full{"full", "x", "y", {kCurve}};
  const Chart empty{"empty", "x", "y", {{"none", {}, {}}, {"nan", {1}, {std::nan("")}}}};
  plot_charts(path, {full, empty, full});
  CHECK_THAT(contents(path), Catch::Contains("full") && !Catch::Contains("empty"));
  require_error<InputError>([&] { plot_charts(scratch.path("none.svg"), {empty}); },
                            {"none.svg", "nothing to plot"});
  CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("a roofline shows its points and roofs", "[plot]") {
  const Scratch scratch;
  const std::string path = scratch.path("roof.svg");
  Roofline roofline;
  roofline.title = "roofs";
  roofline.peak_operations_per_cycle = 4096;
  roofline.bytes_per_cycle = 64;
  roofline.points = {{"conv_0", "forward", 10, 500}, {"conv_1", "backward", 300, 4000}};
  plot_roofline(path, roofline);
  const std::string text = contents(path);
  for (const char* part : {"roofs", "conv_0", "conv_1", "forward", "backward", "64 bytes a cycle",
                           "4096 a cycle", "attainable"})
    CHECK_THAT(text, Catch::Contains(part));
  roofline.points.clear();
  require_error<InputError>([&] { plot_roofline(path, roofline); }, {path, "nothing to plot"});
}

TEST_CASE("windows are averaged, the last one over what is left", "[plot]") {
  const Series series = averaged({"s", {1, 2, 3, 4, 5}, {10, 20, 30, 50, 7}}, 2);
  CHECK(series.name == "s");
  CHECK(series.x == std::vector<double>{1.5, 3.5, 5});
  CHECK(series.y == std::vector<double>{15, 40, 7});
}

TEST_CASE("pictures that cannot be drawn are refused, and leave nothing", "[plot]") {
  const Scratch scratch;
  const auto draw = [](const std::string& path) { plot_charts(path, {{"t", "x", "y", {kCurve}}}); };
  const std::string pdf = scratch.path("a.pdf");
  require_error<InputError>([&] { draw(pdf); }, {pdf, ".svg or .png"});
  const std::string nowhere = scratch.path("no/a.svg");
  require_error<InputError>([&] { require_plottable("--plot", nowhere); },
                            {"--plot", nowhere, "there is no folder"});
  // A folder stands where the picture would be written, and where it would get its name.
  std::filesystem::create_directories(scratch.path("a.svg.part/inside"));
  require_error<InputError>([&] { draw(scratch.path("a.svg")); }, {"a.svg", "cannot be written"});
  std::filesystem::create_directories(scratch.path("b.svg/inside"));
  require_error<InputError>([&] { draw(scratch.path("b.svg")); }, {"b.svg", "it is a folder"});
  CHECK(!std::filesystem::exists(scratch.path("b.svg.part")));
  // gnuplot itself fails.
  std::filesystem::create_directories(scratch.path("bin"));
  const std::string gnuplot =
      scratch.write("bin/gnuplot", "#!/bin/sh\necho no terminal >&2\nexit 1\n");
  std::filesystem::permissions(gnuplot, std::filesystem::perms::owner_all);

  const std::string path = std::getenv("PATH");
  setenv("PATH", scratch.path().c_str(), 1);
  require_error<InputError>([&] { draw(scratch.path("c.svg")); },
                            {"c.svg", "gnuplot", "not installed", "scripts/install"});
  setenv("PATH", (scratch.path("bin") + ":" + path).c_str(), 1);
  require_error<InputError>([&] { draw(scratch.path("c.svg")); },
                            {"c.svg", "cannot be drawn", "no terminal"});
  setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace solfege
