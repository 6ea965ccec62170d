// SPDX-License-Identifier: Apache-2.0
// Lets tests that are written for Catch2 2.13 build with Catch2 3, which has no header of this name.
// Only builds with Catch2 3 have this folder in their include path (tests/CMakeLists.txt, tests/rtl/run).
#pragma once
#include <catch2/catch_all.hpp>
#include <string>

namespace Catch {
using Matchers::EndsWith;
using Matchers::Equals;
using Matchers::StartsWith;
using Matchers::VectorContains;
inline auto Contains(const std::string& part) { return Matchers::ContainsSubstring(part); }
namespace clara = Clara;
}  // namespace Catch
using Catch::Approx;

#ifdef CATCH_CONFIG_MAIN
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#endif
