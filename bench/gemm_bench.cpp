// SPDX-License-Identifier: Apache-2.0
// The products of a training step in two ways, on one thread: the golden model's, as the
// scheduler's descriptors ask for them, and OpenBLAS's sgemm on matrices of the same size. The
// sgemm gets its matrices for nothing (windows already unfolded), the golden model its planes in
// the buffers.
//
//   gemm_bench CONFIG NETWORK BATCH   prints one JSON object
// Times are of the processor, the fastest of kRepeats. A product of m x k by k x n counts as 2 m n
// k operations in both, zeros of the padding included, which the golden model skips.
#include <cblas.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/data/network_file.hpp"
#include "model/host/accelerator_engine.hpp"

namespace {

using namespace solfege;

constexpr int kRepeats = 5;
constexpr double kNever = std::numeric_limits<double>::infinity();

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

using LayerSeconds = std::map<std::string, double>;  ///< forward products, by layer

/// The golden model with a clock around the products of the forward pass.
class TimedGolden : public Device {
 public:
  TimedGolden(const Config& config, std::size_t memory_bytes, LayerSeconds& seconds)
      : golden_(config, memory_bytes, 1), seconds_(seconds) {}
  std::vector<std::uint8_t>& memory() override { return golden_.memory(); }
  void run(const Program& program) override {
    for (const Operation& operation : program.operations) {
      const bool timed =
          operation.descriptor.opcode == Opcode::kGemm && operation.pass == "forward";
      const double start = timed ? processor_seconds() : 0;
      golden_.execute(operation.descriptor);
      if (timed) seconds_[operation.layer] += processor_seconds() - start;
    }
  }

 private:
  GoldenDevice golden_;
  LayerSeconds& seconds_;
};

LayerSeconds golden_seconds(const Config& config, const Network& network, int batch) {
  LayerSeconds step, best;
  AcceleratorEngine engine(config, network, batch, 1, [&](std::size_t bytes) {
    return std::make_unique<TimedGolden>(config, bytes, step);
  });
  std::mt19937 random(1);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(batch) * network.in_height *
                                   network.in_width * network.in_channels);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(batch));
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random());
  for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random() % network.classes);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    step.clear();
    engine.train_step(pixels.data(), labels.data(), batch);
    for (const auto& [layer, seconds] : step)
      best[layer] = std::min(best.emplace(layer, kNever).first->second, seconds);
  }
  return best;
}

/// C, m x n, = A, m x k or transposed, times B, k x n or transposed.
double sgemm_seconds(int m, int n, int k, CBLAS_TRANSPOSE a, CBLAS_TRANSPOSE b) {
  const auto matrix = [](int rows, int columns) {
    return std::vector<float>(static_cast<std::size_t>(rows) * columns, 0.5f);
  };
  const std::vector<float> left = matrix(m, k), right = matrix(k, n);
  std::vector<float> result = matrix(m, n);
  double best = kNever;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = processor_seconds();
    cblas_sgemm(CblasRowMajor, a, b, m, n, k, 1.0f, left.data(), a == CblasTrans ? m : k,
                right.data(), b == CblasTrans ? k : n, 0.0f, result.data(), n);
    best = std::min(best, processor_seconds() - start);
  }
  return best;
}

nlohmann::ordered_json compare(const Config& config, const Network& network, int batch) {
  const LayerSeconds golden = golden_seconds(config, network, batch);
  nlohmann::ordered_json products = nlohmann::ordered_json::array();
  double step = 0;
  for (std::size_t index = 0; index < network.layers.size(); ++index) {
    const Layer& layer = network.layers[index];
    const int m = batch * layer.out_height * layer.out_width, n = layer.out_channels,
              k = layer.fan_in();
    // Activations are [pixel][tap and channel], weights [output][tap and channel].
    const double forward = sgemm_seconds(m, n, k, CblasNoTrans, CblasTrans);
    step += forward + sgemm_seconds(n, k, m, CblasTrans, CblasNoTrans);
    if (index > 0) step += sgemm_seconds(m, k, n, CblasNoTrans, CblasNoTrans);
    if (layer.is_edge) continue;
    products.push_back({{"layer", layer.name},
                        {"m", m},
                        {"n", n},
                        {"k", k},
                        {"weight_bits", layer.weight_bits},
                        {"activation_bits", layer.input_bits},
                        {"operations", 2.0 * m * n * k},
                        {"golden_seconds", golden.at(layer.name)},
                        {"sgemm_seconds", forward}});
  }
  return {{"openblas", openblas_get_config()},
          {"forward", std::move(products)},
          {"sgemm_seconds_of_step", step}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: gemm_bench CONFIG NETWORK BATCH\n");
    return 2;
  }
  try {
    openblas_set_num_threads(1);
    const Config config = Config::load(argv[1]);
    const ImageShape images = network_images(argv[2], {});
    const Network network = load_network(argv[2], config, images);
    std::printf("%s\n", compare(config, network, std::atoi(argv[3])).dump().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gemm_bench: %s\n", error.what());
    return 2;
  }
  return 0;
}
