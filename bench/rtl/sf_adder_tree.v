// SPDX-License-Identifier: Apache-2.0
// For comparison only: products added as it is usually written, a loop over bits. Same interface as the generated
// sf_adder_tree, in whose place bench/run compiles it.
`default_nettype none
module sf_adder_tree #(
    parameter Planes = 1,
    parameter Lanes = 64,
    parameter LowBits = 14
) (
    input  wire [Planes*Lanes-1:0] products_i,
    input  wire [LowBits-1:0]      low_i,
    output reg  [LowBits-1:0]      low_o
);
  integer i;
  always @* begin
    low_o = low_i;
    for (i = 0; i < Planes * Lanes; i = i + 1) low_o = low_o + ({{(LowBits-1){1'b0}}, products_i[i]} << i / Lanes);
  end
endmodule
`default_nettype wire
