// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/spec/network.hpp"

namespace solfege {

struct Config;

/// The images a network's file asks for with its keys `input` and `classes`; what it leaves open is
/// as `otherwise` says. `input` binds load_network too, `classes` is only a default.
ImageShape network_images(const std::string& name_or_path, const ImageShape& otherwise);

/// Everything that decides what a training state of the network means, as text in fixed order: its
/// shapes and bitwidths, not its name or learning rate.
std::string canonical(const Network& network);

/// Builds a network from a TOML file or the name of a shipped one (configs/networks/NAME.toml in
/// the share folder), fitted to the images' shape and the configuration's bitwidths. Throws
/// InputError when layer shapes don't fit or a per-layer bitwidth exceeds the configuration's. A
/// `scheme` that is given is that of all layers that name none.
Network load_network(const std::string& name_or_path, const Config& config,
                     const ImageShape& images, const std::string& scheme = {});
/// The text of that file.
std::string network_file_text(const std::string& name_or_path);
/// Builds a network from such a text; `path` is for messages, and a name where the text has none.
Network parse_network(const std::string& text, const std::string& path, const Config& config,
                      const ImageShape& images, const std::string& scheme);

}  // namespace solfege
