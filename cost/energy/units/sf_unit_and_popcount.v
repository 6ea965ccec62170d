// SPDX-License-Identifier: Apache-2.0
// The front of sf_pe by itself: products of two words' lanes and their number of ones. Combinational. For pricing only.
`default_nettype none
module sf_unit_and_popcount #(
    parameter Lanes = 64,
    parameter CountBits = $clog2(Lanes + 1)  // derived; do not set
) (
    input  wire [Lanes-1:0]     a_i,
    input  wire [Lanes-1:0]     b_i,
    output wire [CountBits-1:0] count_o
);
  sf_popcount #(.Width(Lanes)) u_popcount (
      .bits_i (a_i & b_i),
      .count_o(count_o)
  );
endmodule
`default_nettype wire
