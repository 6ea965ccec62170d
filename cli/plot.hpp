// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace solfege {

/// A named curve.
struct Series {
  std::string name;
  std::vector<double> x, y;  ///< of equal length
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

// All of these draw with gnuplot, to an SVG or PNG by the path's suffix, through a temporary file,
// so that no partial picture is left. They throw InputError if gnuplot is missing or the file
// cannot be written.

/// Charts of curves, one below the other. Those without a point are left out.
void plot_charts(const std::string& path, const std::vector<Chart>& charts);

/// A pass of a layer in the roofline.
struct RooflinePoint {
  std::string layer, pass;  ///< points of a pass share a colour and a line of the legend
  double operations_per_byte = 0, operations_per_cycle = 0;  ///< both positive
};

struct Roofline {
  std::string title;
  double peak_operations_per_cycle = 1;  ///< the array's roof
  double bytes_per_cycle = 1;            ///< the memory's roof: slope at low intensities
  std::vector<RooflinePoint> points;
};

/// Points under the two roofs, both axes logarithmic.
void plot_roofline(const std::string& path, const Roofline& roofline);

/// A horizontal bar of stacked parts.
struct Bar {
  std::string name;
  std::vector<double> parts;  ///< not negative, one a part name
};

struct BarChart {
  std::string title, x_label;
  std::vector<std::string> part_names;
  std::vector<Bar> bars;  ///< first on top
};

void plot_bars(const std::string& path, const BarChart& chart);

/// Throws InputError unless the path ends in .svg or .png and gnuplot is there: to know before
/// hours of training. `option` names the option the path comes from.
void require_plottable(const std::string& option, const std::string& path);

/// The mean over windows of `width` points, at their middle; the last window may be shorter.
Series averaged(const Series& series, std::size_t width);

}  // namespace solfege
