// SPDX-License-Identifier: Apache-2.0
// A rounding shift, half up: floor((value + 2^(shift-1)) / 2^shift), shift 0 passes; saturated to 32 bits.
// Combinational. One bit below the result is the half that rounds: with it floor(v / 2^s) + bit s-1 of v, which
// cannot overflow, for s = 0 adds nothing. Shifts beyond Bits see the sign.
`default_nettype none
module sf_round_shift #(
    parameter Bits = 64
) (
    input  wire signed [Bits-1:0] value_i,
    input  wire        [5:0]      shift_i,
    output wire signed [31:0]     value_o
);
  wire signed [Bits:0]   halves  = $signed({value_i, 1'b0}) >>> shift_i;
  wire signed [Bits-1:0] rounded = $signed(halves[Bits:1]) + $signed({{(Bits-1){1'b0}}, halves[0]});
  // Inside 32 bits when all bits from 31 up are the sign
  wire fits = (&rounded[Bits-1:31]) | ~(|rounded[Bits-1:31]);
  assign value_o = fits ? rounded[31:0] : {rounded[Bits-1], {31{~rounded[Bits-1]}}};
endmodule
`default_nettype wire
