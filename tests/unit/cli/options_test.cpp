// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

#include "model/base/progress.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

/// What CLI11 makes of `--key value`: the error, or the value as it is then read.
template <typename Value>
std::pair<std::string, Value> parsed(const CLI::Validator& check, const std::string& value) {
  CLI::App app;
  Value result{};
  app.add_option("--key", result)->check(check);
  try {
    app.parse(std::vector<std::string>{"--key=" + value});
    return {"", result};
  } catch (const CLI::ParseError& error) {
    return {error.what(), result};
  }
}

TEST_CASE("whole numbers are within their range, and in decimal", "[options]") {
  for (const char* good : {"1", "7", "1000000"})
    CHECK(parsed<int>(whole_number(1, 1000000), good).first.empty());
  for (const char* bad : {"0", "-1", "1000001", "1.5", "1e3", "nan", "inf", " 1", "1 ", "0x10",
                          "010", "99999999999999999999", "+1", "one"}) {
    INFO(bad);
    const std::string message = parsed<int>(whole_number(1, 1000000), bad).first;
    CHECK_THAT(message, Catch::Contains("--key") && Catch::Contains("from 1 to 1000000"));
    CHECK_THAT(message, Catch::Contains(bad));
  }
  CHECK(parsed<std::uint64_t>(whole_number(0), "18446744073709551615").second == UINT64_MAX);
  CHECK_FALSE(parsed<std::uint64_t>(whole_number(0), "18446744073709551616").first.empty());
}

TEST_CASE("numbers are finite and within their range", "[options]") {
  for (const char* good : {"0.001", "1", "1e6", "1000000", ".5"})
    CHECK(parsed<double>(number(0.001, 1e6), good).first.empty());
  for (const char* bad : {"nan", "-nan", "inf", "-inf", "0", "-1", "1e7", "1e400", "x", "1x"}) {
    INFO(bad);
    CHECK_THAT(parsed<double>(number(0.001, 1e6), bad).first,
               Catch::Contains("--key") && Catch::Contains("from 0.001 to 1000000"));
    CHECK_THAT(parsed<double>(positive_number(1e6), bad).first,
               Catch::Contains("above 0, up to 1000000"));
  }
  CHECK(parsed<double>(positive_number(1e6), "1e-9").first.empty());
  CHECK_THAT(parsed<double>(number(0, 0.95), "2").first, Catch::Contains("from 0 to 0.95"));
}

TEST_CASE("places of outputs are checked before any work", "[options]") {
  const Scratch scratch;
  CHECK(parsed<std::string>(output_file(), scratch.path("a.json")).first.empty());
  for (const std::string& bad :
       {scratch.path("no/a.json"), scratch.path(), std::string("/dev/full")})
    CHECK_THAT(parsed<std::string>(output_file(), bad).first,
               Catch::Contains("--key") && Catch::Contains("cannot be written"));
  CHECK(parsed<std::string>(output_folder(), scratch.path("new/folder")).first.empty());
  CHECK_THAT(parsed<std::string>(output_folder(), scratch.write("file", "x")).first,
             Catch::Contains("is not a folder"));
}

TEST_CASE("a time left is told only where it can be estimated", "[options]") {
  CHECK(Progress::line("elaboration", 0, 0, 1, 10, "") == "elaboration 0/1 (10 s)");
  CHECK(Progress::line("training", 3, 0, 10, 6, "loss 0.5") ==
        "training 3/10 loss 0.5 (6 s, 14 s left)");
  // The steps before a resumed run took none of its time.
  CHECK(Progress::line("training", 100, 100, 110, 6, "") == "training 100/110 (6 s)");
  CHECK(Progress::line("training", 105, 100, 110, 5, "") == "training 105/110 (5 s, 5 s left)");
  CHECK(Progress::line("building", 0, 0, 0, 12, "") == "building (12 s)");
  CHECK(Progress::line("training", 10, 0, 10, 6, "") == "training 10/10 (6 s, 0 s left)");
}

}  // namespace
}  // namespace solfege
