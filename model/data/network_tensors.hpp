// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/data/safetensors.hpp"
#include "model/data/training.hpp"
#include "model/spec/network.hpp"

namespace solfege {

struct Images;

// Networks in safetensors files. docs/tensors.md lists the tensors by name.

/// What a file is made from, for its metadata.
struct TensorOrigin {
  std::string made_by;  ///< the program with its version
  std::string engine;   ///< golden, rtl, lockstep or float
  std::string config;   ///< the name of the configuration
};

/// InputError where layers are named so that two tensors would have one name.
void require_tensor_names(const Network& network);

/// What training has made of a network, and its codes with their reading. A layer's tensors are
/// named as PyTorch's state_dict names them: LAYER.weight, [out, in, height, width] or for a
/// fully-connected layer [out, in height width], and so on. Floating-point numbers have 64 bits,
/// which lose nothing of an engine's.
TensorFile network_tensors(const Network& network, const std::vector<LayerParameters>& parameters,
                           const std::vector<LayerCodes>& codes, const TensorOrigin& origin);

/// Parameters of a file.
struct LoadedParameters {
  std::vector<LayerParameters> layers;
  std::vector<std::string> notes;  ///< sentences: what is not taken as it stands in the file
};
/// Takes the parameters out of a file of network_tensors(), or of PyTorch with tensors of the same
/// names; what follows from them is not looked at. Weights beyond the range of master weights are
/// clipped, and a bias before batch norm becomes part of the running mean, each with a note.
/// InputError, naming the tensors, unless the file has just those of the network, of its shapes,
/// with finite numbers.
/// A prefix names those of one of several precisions; without one, those are left out.
LoadedParameters load_parameters(const std::string& path, const Network& network,
                                 const std::string& prefix = {});
/// Of a precision of a joint training, before the names of its tensors; of the first none.
std::string precision_prefix(const Network& network, std::size_t precision);

/// Images with what an engine has made of them: images [N, channels, height, width] of bytes,
/// labels [N], logits [N, classes], and LAYER.activation_codes, [N, channels, height, width] of the
/// pooled map or [N, channels] of a fully-connected layer.
TensorFile inference_tensors(const Network& network, const Images& images,
                             const Inference& inference, const TensorOrigin& origin);

}  // namespace solfege
