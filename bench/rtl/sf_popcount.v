// SPDX-License-Identifier: Apache-2.0
// For comparison only: the popcount as it is usually written, a loop that adds bits. Same interface as
// rtl/array/sf_popcount.v, in whose place bench/run compiles it.
`default_nettype none
module sf_popcount #(
    parameter Width = 64,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input  wire [Width-1:0]     bits_i,
    output reg  [CountBits-1:0] count_o
);
  integer i;
  always @* begin
    count_o = {CountBits{1'b0}};
    for (i = 0; i < Width; i = i + 1) count_o = count_o + {{(CountBits-1){1'b0}}, bits_i[i]};
  end
endmodule
`default_nettype wire
