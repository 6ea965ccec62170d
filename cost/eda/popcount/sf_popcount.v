// SPDX-License-Identifier: Apache-2.0
// Number of ones among Width bits, for pricing only: what explicit adders save. Combinational.
//
// Two forms, proved equal by scripts/formal: behavioural (fast to simulate) and structural
// (explicit full adders, small to synthesise; SF_ADDER_TREE chooses it).
`default_nettype none
module sf_popcount #(
    parameter Width = 64,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input  wire [Width-1:0]     bits_i,
    output wire [CountBits-1:0] count_o
);
`ifdef SF_ADDER_TREE
  sf_popcount_adders #(.Width(Width)) u_adders (
      .bits_i (bits_i),
      .count_o(count_o)
  );
`elsif VERILATOR
  // One host instruction a word instead of a loop.
  assign count_o = CountBits'($countones(bits_i));
`else
  function [CountBits-1:0] count_ones(input [Width-1:0] bits);
    integer i;
    begin
      count_ones = {CountBits{1'b0}};
      for (i = 0; i < Width; i = i + 1) count_ones = count_ones + {{(CountBits-1){1'b0}}, bits[i]};
    end
  endfunction
  assign count_o = count_ones(bits_i);
`endif
endmodule
`default_nettype wire
