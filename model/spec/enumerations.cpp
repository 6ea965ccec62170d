// SPDX-License-Identifier: Apache-2.0
#include "model/spec/enumerations.hpp"

namespace solfege {
namespace {

template <typename... Attributes>
EnumerationMember member(const char* name, std::uint32_t value, const char* meaning,
                         const Attributes&...) {
  return {name, value, meaning};
}

}  // namespace

const std::vector<Enumeration>& enumerations() {
  static const std::vector<Enumeration> all = {
#define SOLFEGE_ROW(kName, NAME, value, ...) member(#NAME, value, __VA_ARGS__),
#define SOLFEGE_ENUMERATION(Enum, PREFIX, bits, LIST, title) \
  {#PREFIX, bits, title, {LIST(SOLFEGE_ROW)}},
      SOLFEGE_ENUMERATIONS(SOLFEGE_ENUMERATION)
#undef SOLFEGE_ENUMERATION
#undef SOLFEGE_ROW
  };
  return all;
}

}  // namespace solfege
