// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace solfege {

enum class Direction { kInput, kOutput };

/// A port of a generated module; `width` in bits, 1 prints without a range.
struct Port {
  Direction direction;
  std::string name;
  int width;
};

/// A derived constant with the derivation that is printed beside it.
struct Constant {
  std::string name;
  std::string value;
  std::string derivation;
};

/// A named connection or parameter of an instance.
struct Connection {
  std::string name;
  std::string expression;
};

struct Instance {
  std::string module;
  std::string name;
  std::vector<Connection> parameters;
  std::vector<Connection> ports;
};

struct Module {
  std::string banner;  ///< comment lines, each starting with "//"
  std::string name;
  std::vector<Port> ports;
  std::vector<Constant> constants;
  std::vector<Instance> instances;
};

/// Verilog-2005 text: aligned columns, named connections, constants with their derivations.
std::string print(const Module& module);

}  // namespace solfege
