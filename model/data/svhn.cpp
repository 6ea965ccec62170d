// SPDX-License-Identifier: Apache-2.0
#include "model/data/svhn.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/data/matlab_file.hpp"

namespace solfege {
namespace {

constexpr std::size_t kSide = 32, kChannels = 3, kDigits = 10;
constexpr std::size_t kPlane = kSide * kSide, kImage = kPlane * kChannels;
constexpr const char* kForeign = "the cropped digits of SVHN (train_32x32.mat, test_32x32.mat)";

bool numeric(const MatlabArray& array) {
  return array.kind >= MatlabArray::kDouble && array.kind <= MatlabArray::kUint64 &&
         !array.complex && !array.logical;
}

}  // namespace

void append_svhn(const std::string& file, Images& images) {
  const auto variables = read_matlab_file(file, {"X", "y"}, kForeign);
  for (const char* name : {"X", "y"})
    if (variables.count(name) == 0)
      refuse_data(file, fmt::format("no variable {}", name), "the variables X and y",
                  fmt::format("use {}", kForeign));
  const MatlabArray &x = variables.at("X"), &y = variables.at("y");
  // MATLAB leaves out a last size of one.
  const std::vector<std::uint64_t> image = {kSide, kSide, kChannels};
  const bool shaped = (x.sizes.size() == 3 || x.sizes.size() == 4) &&
                      std::equal(image.begin(), image.end(), x.sizes.begin());
  if (!numeric(x) || x.kind != MatlabArray::kUint8 || x.type != 2 || !shaped || x.count() == 0)
    refuse_data(file,
                fmt::format("X of {}{}", x.describe(),
                            x.kind == MatlabArray::kUint8 && numeric(x) ? "" : ", not bytes"),
                "X of 32 x 32 x 3 x N bytes", fmt::format("use {}", kForeign));
  const std::size_t count = x.data.size() / kImage;
  if (!numeric(y))
    refuse_data(file, fmt::format("labels y of {}", y.describe()), "numbers 1 to 10",
                fmt::format("use {}", kForeign));
  const bool vector = std::count(y.sizes.begin(), y.sizes.end(), 1u) + 1 >=
                      static_cast<std::ptrdiff_t>(y.sizes.size());
  if (y.count() != count || !vector)
    refuse_data(file, fmt::format("y of {}", y.describe()),
                fmt::format("a label for each of {} images", count), "fetch the file again");
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max()) - images.labels.size())
    refuse_data(file, fmt::format("{} images", count), "fewer than 2^31", "use fewer");

  images.height = images.width = kSide;
  images.channels = kChannels;
  images.classes = kDigits;
  for (std::size_t i = 0; i < count; ++i) {
    const double label = y.number(i);
    if (!(label >= 1 && label <= 10) || label != static_cast<int>(label))
      refuse_data(file, fmt::format("label {} at image {}", label, i), "1 to 10",
                  fmt::format("use {}", kForeign));
    images.labels.push_back(static_cast<std::uint8_t>(static_cast<std::size_t>(label) % kDigits));
  }
  const std::size_t first = images.pixels.size();
  images.pixels.resize(first + count * kImage);
  const std::uint8_t* source = x.data.data();
  std::uint8_t* target = images.pixels.data() + first;
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t row = 0; row < kSide; ++row)
      for (std::size_t column = 0; column < kSide; ++column)
        for (std::size_t c = 0; c < kChannels; ++c)
          *target++ = source[n * kImage + c * kPlane + column * kSide + row];
}

}  // namespace solfege
