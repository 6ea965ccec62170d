// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <tlm>

namespace solfege {

/// Answers of AXI4 and AXI4-Lite, and the same of TLM.
enum Response : std::uint8_t { kOkay = 0, kSlaveError = 2, kDecodeError = 3 };

inline Response to_axi(tlm::tlm_response_status status) {
  if (status == tlm::TLM_OK_RESPONSE) return kOkay;
  return status == tlm::TLM_ADDRESS_ERROR_RESPONSE ? kDecodeError : kSlaveError;
}

inline tlm::tlm_response_status to_tlm(std::uint8_t response) {
  if (response <= 1) return tlm::TLM_OK_RESPONSE;
  return response == kDecodeError ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                  : tlm::TLM_GENERIC_ERROR_RESPONSE;
}

}  // namespace solfege
