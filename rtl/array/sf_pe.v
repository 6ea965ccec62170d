// SPDX-License-Identifier: Apache-2.0
// One processing element: a plane pair of one word a cycle, accumulated with its weight.
//
//   sum += (negate ? -1 : 1) * popcount(a & b) * 2^shift
//
// Operands come masked: invalid lanes are 0, so that no product counts them.
// Pipeline: count register, then accumulator; a sum is complete two cycles after its last word.
// Overflow: the configuration sizes AccumulatorBits for the longest contraction of the widest
// operands, and partial sums are no larger than the complete ones' bound.
// The drain register has its own clock, which may stop while no sum is captured or passed on; both rise together.
`default_nettype none
module sf_pe #(
    parameter Lanes = 64,
    parameter AccumulatorBits = 48
) (
    input  wire                       clk_i,
    input  wire                       drain_clk_i,
    input  wire [Lanes-1:0]           a_i,
    input  wire [Lanes-1:0]           b_i,
    input  wire                       count_enable_i,   // stage 1: take a_i, b_i
    input  wire                       sum_enable_i,     // stage 2: accumulate the count
    input  wire                       sum_clear_i,      // stage 2: start a new sum
    input  wire                       negate_i,         // stage 2
    input  wire [5:0]                 shift_i,          // stage 2
    input  wire                       capture_i,        // copy the sum for draining
    input  wire                       drain_shift_i,    // pass the captured sums along the column
    input  wire [AccumulatorBits-1:0] drain_i,
    output wire [AccumulatorBits-1:0] drain_o
);
  localparam CountBits = $clog2(Lanes + 1);

`ifdef SF_BREAK_PE_TERM
  // Known-bad, for the tests that must notice: lane 0 counts where one operand has it.
  wire [Lanes-1:0] product = (a_i & b_i) | ((a_i ^ b_i) & {{(Lanes-1){1'b0}}, 1'b1});
`else
  wire [Lanes-1:0] product = a_i & b_i;
`endif
  wire [CountBits-1:0] count;
  sf_popcount #(.Width(Lanes)) u_popcount (
      .bits_i (product),
      .count_o(count)
  );

  reg [CountBits-1:0]       count_q;
  reg [AccumulatorBits-1:0] sum_q;
  reg [AccumulatorBits-1:0] drain_q;

  // Masks and an exclusive or instead of multiplexers: the same gates, and twice as fast to simulate.
  wire [AccumulatorBits-1:0] term = {AccumulatorBits{negate_i}}
      ^ ({{(AccumulatorBits-CountBits){1'b0}}, count_q} << shift_i);

  always @(posedge clk_i) begin
    if (sum_enable_i)
      sum_q <= (sum_q & {AccumulatorBits{~sum_clear_i}}) + term + {{(AccumulatorBits-1){1'b0}}, negate_i};
    if (count_enable_i) count_q <= count;
  end
  always @(posedge drain_clk_i) begin
    if (capture_i) drain_q <= sum_q;
    else if (drain_shift_i) drain_q <= drain_i;
  end

  assign drain_o = drain_q;
endmodule
`default_nettype wire
