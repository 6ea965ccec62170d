// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/spec/descriptor.hpp"
#include "model/spec/network.hpp"

namespace solfege {

// A scheme is a paper's way to quantize: which codes stand for a weight or an activation, and how
// gradients pass. It says so twice: as the equations in float, and as the integers that the device
// is told, thresholds and scales. The agreement test holds one against the other. How codes are
// made and multiplied is the device's, and the same for all schemes.
// docs/adding-a-scheme.md shows how one is added. n_k = 2^k - 1 throughout.

/// True where `bits` names a quantizer: 1..31. 0 and 32 mean none (the paper: 32 removes it).
constexpr bool quantizes(int bits) { return bits > 0 && bits < 32; }
/// n_k, the largest code of k bits.
constexpr double code_levels(int bits) { return (1 << bits) - 1; }

/// A point of the real line: the values from it on, or beyond it.
struct Bound {
  double at = 0.0;
  bool inclusive = true;
  bool reached_by(double x) const { return inclusive ? x >= at : x > at; }
};

/// What the device has measured of a layer's master weights.
struct WeightMeasures {
  double peak = 0.0;                   ///< max |w|
  double mean = 0.0;                   ///< mean of |w|
  std::vector<double> row_means = {};  ///< the same of each output channel, if measures_rows()
  double low = 0.0, high = 0.0;        ///< least and greatest w, if measures_range()
};

/// f_W of a layer as the device makes it.
struct WeightCodes {
  /// At most n_W, ascending; a code is the number of them that w reaches.
  std::vector<double> thresholds;
  double scale = 1.0;       ///< the value of a code is scale / levels times its reading,
  double levels = 1.0;      ///< which is weight_reading()'s
  bool tanh_slope = false;  ///< dC/dw = dC/df_W slope / divisor: 1 - tanh^2 w, or else 1
  double slope_divisor = 1.0;
  /// By output channel, of layers with measures_rows(): the value of a code and dC/dw have these
  /// factors too, above 0.
  std::vector<double> row_scales = {}, row_slopes = {};
  /// Where the reading moves from step to step: in place of weight_reading(), of equal planes.
  std::optional<PlaneReading> reading = {};

  double row_scale(std::size_t row) const { return row_scales.empty() ? 1.0 : row_scales[row]; }
  double row_slope(std::size_t row) const { return row_slopes.empty() ? 1.0 : row_slopes[row]; }
};

/// f_A of a layer as the device makes it.
struct ActivationCodes {
  /// At most n_A, ascending; a code is the number of them that p reaches.
  std::vector<Bound> thresholds;
  double step = 1.0;      ///< the value of a code is step times its reading, activation_reading()'s
  Bound low, high;        ///< gradients pass where p is between these,
  bool triangle = false;  ///< times 2 - 2 |p|, if keeps_preactivation(); or else unchanged
};

/// How Layer::activation_bound moves.
enum class BoundRule {
  kFixed,
  kLearned,   ///< by momentum SGD: its gradient is the sum of those that it cuts off
  kAveraged,  ///< a moving average of the largest p of each batch, if keeps_preactivation()
};

/// How gradients of o become codes of G bits.
enum class GradientRule {
  kStochastic,  ///< f_G of DoReFa-Net: over the sample's maximum, at random
  kNearest,     ///< over the power of two nearest the tensor's maximum, to the nearest, saturating
};

enum class Loss {
  kCrossEntropy,  ///< of the softmax, mean over the batch
  /// Half the squares of logits minus one-hot labels, mean over the batch. Gradients are those of
  /// their sum, in units that are powers of two; what uses them takes any scale.
  kSquares,
};

/// How the gradient of f_W treats its maximum, where it has one.
enum class MaxGradient {
  kConstant,   ///< the maximum is a constant (the hardware, larq and others)
  kChainRule,  ///< the gradient flows through it too, as in DoReFa's authors' code
};

/// A number that a scheme takes from the network file: a key of the file, or of a layer.
struct SchemeParameter {
  const char* name;
  const char* meaning;
  double value;     ///< when the file does not say
  double min, max;  ///< both allowed
};

/// For Scheme::weight_limit_log2() and weight_grid_log2().
constexpr int kNoWeightLimit = 127, kNoWeightGrid = 127;
/// What a moving average of activations' bounds keeps in a step.
constexpr double kBoundMomentum = 0.99;
/// Below which no bound falls.
constexpr double kLeastBound = 0.0625;

class Scheme {
 public:
  virtual ~Scheme() = default;
  virtual const char* name() const = 0;
  virtual const char* paper() const = 0;      ///< authors, title's short form, where it is found
  virtual const char* deviation() const = 0;  ///< what here is not as in the paper; may be empty
  virtual std::vector<SchemeParameter> parameters() const { return {}; }

  // ---- What the device is told ----
  virtual WeightCodes weight_codes(const Layer& layer, const WeightMeasures& weights) const = 0;
  virtual ActivationCodes activation_codes(const Layer& layer) const = 0;
  /// How codes are read as integers: by default each plane of a weight's is -1 or +1, and an
  /// activation's is the code itself.
  virtual PlaneReading weight_reading(const Layer& layer) const {
    return bipolar_codes(layer.weight_bits);
  }
  virtual PlaneReading activation_reading(const Layer&) const { return kUnsignedCodes; }
  /// log2 of the bound within which the update keeps master weights; kNoWeightLimit: none.
  virtual int weight_limit_log2(const Layer&) const { return kNoWeightLimit; }
  /// log2 of the step of the grid on which master weights lie; kNoWeightGrid: they are fine. With a
  /// grid the update is stochastic: w -= rate g / 2^round(log2 max |g|) steps, rounded at random to
  /// whole ones, without momentum and decay.
  virtual int weight_grid_log2(const Layer&) const { return kNoWeightGrid; }
  /// Whether weight_codes() reads row_means, or low and high.
  virtual bool measures_rows(const Layer&) const { return false; }
  virtual bool measures_range(const Layer&) const { return false; }
  /// Whether p is a tensor of its own, in fixed point, whose codes and slopes f_A takes.
  virtual bool keeps_preactivation(const Layer&) const { return false; }
  virtual BoundRule bound_rule(const Layer&) const { return BoundRule::kFixed; }
  /// Layer::activation_bound before the first step.
  virtual double initial_bound(const Layer&) const { return 1.0; }
  /// Initial weights are uniform between +- this; none: as suits their number and batch norm.
  virtual std::optional<double> initial_limit(const Layer&) const { return {}; }
  /// Whether biases are learned; else they stay 0.
  virtual bool learns_bias(const Layer&) const { return true; }
  virtual GradientRule gradient_rule(const Layer&) const { return GradientRule::kStochastic; }
  // Of a network whose last layer has this scheme
  virtual Loss loss() const { return Loss::kCrossEntropy; }
  virtual Curriculum curriculum() const { return Curriculum::kSingle; }
  /// In the order of the curriculum. More bits of activations than the configuration has are as
  /// many as it has.
  virtual std::vector<Precision> precisions() const { return {{}}; }
  virtual double guidance(const Layer&) const { return 0.0; }
  /// Whether larger master weights make larger products. If not, their scale sets the pace of
  /// learning only, and initial weights are chosen accordingly.
  virtual bool keeps_weight_scale(const Layer& layer) const = 0;

  // ---- The same in float; a layer of 32 bits has no quantizer, only the clip ----
  /// f_W(w) of a whole layer, of any shape.
  virtual std::vector<float> quantize_weights(const Layer& layer,
                                              const std::vector<float>& weights) const = 0;
  /// The number of which all of quantize_weights() are multiples; 0 if there is none.
  virtual float weight_unit(const Layer& layer, const std::vector<float>& quantized) const = 0;
  /// dC/dw from dC/df_W(w), both of the weights' shape.
  virtual std::vector<float> weight_gradient(const Layer& layer, const std::vector<float>& weights,
                                             const std::vector<float>& gradient,
                                             MaxGradient max_gradient) const = 0;
  /// f_A of a layer, the clip included.
  virtual std::function<float(float p)> quantize_activation(const Layer& layer) const = 0;
  /// Whether the clip of a layer passes a gradient at p.
  virtual std::function<bool(float p)> passes_gradient(const Layer& layer) const = 0;
  /// What it multiplies the gradients by that it passes.
  virtual float activation_slope(const Layer&, float) const { return 1.0f; }

 protected:
  /// A parameter of this scheme, as the layer has it or by default.
  double parameter(const Layer& layer, std::string_view name) const;
};

/// All schemes, DoReFa first.
const std::vector<const Scheme*>& schemes();
/// The scheme of this name, or null.
const Scheme* find_scheme(std::string_view name);
/// A layer's scheme. Throws std::logic_error for a name that no scheme has.
const Scheme& scheme_of(const Layer& layer);
/// The codes that a layer hands on: a value is `step` times the code as it is read. Dropout's scale
/// is part of it.
struct OutputCodes {
  PlaneReading reading;
  double step = 1.0;
};
/// Those of the network's layer `k`, or of the images (-1).
OutputCodes output_codes(const Network& network, int k);
/// Whether a student's and a teacher's p of this layer draw each other near.
bool is_guided(const Network& network, const Layer& layer);
/// A paper's quantizer that the machine cannot run.
struct MissingScheme {
  const char* name;
  const char* paper;
  const char* reason;  ///< and what it would take
};
const std::vector<MissingScheme>& missing_schemes();
/// "dorefa, ...", for messages.
std::string scheme_names();

}  // namespace solfege
