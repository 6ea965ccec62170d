// SPDX-License-Identifier: Apache-2.0
#include "cost/energy/reference_tables.hpp"

#include <catch2/catch.hpp>

namespace solfege {
namespace {

const std::vector<ReferenceComponent> kComponents = {
    {"solfege.array.pe", {{"and_popcount", 12.125, "zero-delay,\nosu018"}}, 7320.5, 256},
    {"solfege.dram", {{"read", 0.1, "published"}, {"write", 0.2, "published"}}, 0, 1},
};

TEST_CASE("energies and areas become Accelergy's tables, each with its source", "[reference]") {
  // Parsed as YAML by the system tests (Reports.test_energy).
  CHECK(energy_reference_table(kComponents) ==
        "ERT:\n"
        "  version: '0.4'\n"
        "  tables:\n"
        "    - name: \"solfege.array.pe[1..256]\"\n"
        "      actions:\n"
        "        - name: \"and_popcount\"\n"
        "          arguments: {}\n"
        "          energy: 12.125  # pJ; zero-delay, osu018\n"
        "    - name: \"solfege.dram\"\n"
        "      actions:\n"
        "        - name: \"read\"\n"
        "          arguments: {}\n"
        "          energy: 0.1  # pJ; published\n"
        "        - name: \"write\"\n"
        "          arguments: {}\n"
        "          energy: 0.2  # pJ; published\n");
  // A component of unknown area is left out, not given as zero.
  CHECK(area_reference_table(kComponents) ==
        "ART:\n"
        "  version: '0.4'\n"
        "  tables:\n"
        "    - name: \"solfege.array.pe[1..256]\"\n"
        "      area: 7320.5  # um2\n");
  // No entry is a list without entries, not null.
  CHECK(area_reference_table({kComponents[1]}) == "ART:\n  version: '0.4'\n  tables: []\n");
  CHECK(energy_reference_table({}) == "ERT:\n  version: '0.4'\n  tables: []\n");
}

}  // namespace
}  // namespace solfege
