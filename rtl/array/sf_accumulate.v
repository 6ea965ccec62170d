// SPDX-License-Identifier: Apache-2.0
// Adds the products of a word's lanes, by the weights of their row planes, to a running sum. Combinational.
//
//   low_o = low_i + sum over planes p of 2^p popcount(rows_i[p] & column_i)      modulo 2^LowBits
//
// Three forms, proved equal by scripts/formal: behavioural (fast to simulate), and two trees that the generator writes for
// the configuration: adder cells (sf_adder_tree, small to synthesise; SF_ADDER_TREE chooses it), and adders grouped for
// look-up tables of six inputs (sf_look_up_tree, SF_LOOK_UP_TREE).
`default_nettype none
module sf_accumulate #(
    parameter Planes = 2,
    parameter Lanes = 16,
    parameter LowBits = 13
) (
    input  wire [Planes*Lanes-1:0] rows_i,    // plane p at p*Lanes
    input  wire [Lanes-1:0]        column_i,
    input  wire [LowBits-1:0]      low_i,
    output wire [LowBits-1:0]      low_o
);
`ifdef SF_BREAK_PE_TERM
  // Known-bad, for the tests that must notice: lane 0 of plane 0 counts where one operand has it.
  wire [Planes*Lanes-1:0] products = rows_i & {Planes{column_i}} | {{(Planes*Lanes-1){1'b0}}, rows_i[0] ^ column_i[0]};
`else
  wire [Planes*Lanes-1:0] products = rows_i & {Planes{column_i}};
`endif
`ifdef SF_ADDER_TREE
  sf_adder_tree #(
      .Planes (Planes),
      .Lanes  (Lanes),
      .LowBits(LowBits)
  ) u_tree (
      .products_i(products),
      .low_i     (low_i),
      .low_o     (low_o)
  );
`elsif SF_LOOK_UP_TREE
  sf_look_up_tree #(
      .Planes (Planes),
      .Lanes  (Lanes),
      .LowBits(LowBits)
  ) u_tree (
      .products_i(products),
      .low_i     (low_i),
      .low_o     (low_o)
  );
`else
  reg [LowBits-1:0] sum;
  always @* begin : adding
    integer plane, lane;
    sum = low_i;
    for (plane = 0; plane < Planes; plane = plane + 1)
      for (lane = 0; lane < Lanes; lane = lane + 1)
        sum = sum + ({{(LowBits-1){1'b0}}, products[plane*Lanes+lane]} << plane);
  end
  assign low_o = sum;
`endif
endmodule
`default_nettype wire
