// SPDX-License-Identifier: Apache-2.0
// A rounding shift, half up: floor((value + 2^(shift-1)) / 2^shift), shift 0 passes; saturated to 32 bits.
// One stage: value_o follows at the clock edge, while enable_i. With h = floor(v / 2^(s-1)), whose lowest bit is the
// half that rounds, the result is floor(h / 2) + (h mod 2), which cannot overflow. Shifts beyond Bits see the sign.
`default_nettype none
module sf_round_shift #(
    parameter Bits = 64
) (
    input  wire                   clk_i,
    input  wire                   enable_i,
    input  wire signed [Bits-1:0] value_i,
    input  wire        [5:0]      shift_i,
    output reg  signed [31:0]     value_o
);
  reg signed [Bits-1:0] halves, rounded;
  always @(posedge clk_i) begin
    if (enable_i) begin
      halves  = value_i >>> (shift_i - 6'd1);
      rounded = (shift_i == 6'd0) ? value_i : (halves >>> 1) + $signed({{(Bits-1){1'b0}}, halves[0]});
      // Inside 32 bits when all bits from 31 up are the sign
      if ((&rounded[Bits-1:31]) | ~(|rounded[Bits-1:31])) value_o <= rounded[31:0];
      else value_o <= {rounded[Bits-1], {31{~rounded[Bits-1]}}};
    end
  end
endmodule
`default_nettype wire
