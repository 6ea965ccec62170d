// SPDX-License-Identifier: Apache-2.0
// Included before every file of a Verilated design: $countones as the processor's instruction.
// Verilator 5.006 counts by a dozen shifts and masks instead, which halves the speed of an array.
#pragma once

#include "verilated.h"

#define VL_COUNTONES_I(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_Q(value) static_cast<IData>(__builtin_popcountll(value))
