// SPDX-License-Identifier: Apache-2.0
// One processing element: in each cycle a word of Planes row planes by a word of one column plane.
//
//   low  = (low_clear ? 0 : low) + sum over p of 2^p popcount(row plane p & column)
//   high = (high_clear ? 0 : high) + (negate ? -1 : 1) * low * 2^shift                   where flush_i, else high
//
// Words whose products have one weight are summed in `low`, which is short and clocked in every cycle; `high` takes
// their sum once, when the weight changes. A complete sum is copied for draining, and passed along the column.
// Operands come masked: invalid lanes are 0, so that no product counts them, and so are cycles without words: adding
// nothing is all that holds a sum, which needs no enable.
// Pipeline: low, then high; a sum is complete two cycles after its last word.
// Overflow: sf_array flushes before LowBits could overflow. The configuration sizes AccumulatorBits for the longest
// contraction of the widest operands, and partial sums are no larger than the complete ones' bound.
// `high` and the drain register have clocks of their own, which may stop while they keep their values; all rise together.
`default_nettype none
module sf_pe #(
    parameter Planes = 2,
    parameter Lanes = 16,
    parameter LowBits = 13,
    parameter AccumulatorBits = 40
) (
    input  wire                       clk_i,
    input  wire                       high_clk_i,
    input  wire                       drain_clk_i,
    input  wire [Planes*Lanes-1:0]    rows_i,         // plane p at p*Lanes
    input  wire [Lanes-1:0]           column_i,
    input  wire                       low_clear_i,    // the words begin a sum of one weight
    input  wire                       flush_i,        // low is complete
    input  wire                       high_clear_i,   // it begins a sum
    input  wire                       negate_i,
    input  wire [5:0]                 shift_i,
    input  wire                       capture_i,      // copy the sum for draining
    input  wire                       drain_shift_i,  // pass the copies along the column
    input  wire [AccumulatorBits-1:0] drain_i,
    output wire [AccumulatorBits-1:0] drain_o,
    output wire [AccumulatorBits-1:0] high_o
);
  reg  [LowBits-1:0]         low_q;
  reg  [AccumulatorBits-1:0] high_q, drain_q;
  wire [LowBits-1:0]         low_next;
  sf_accumulate #(
      .Planes (Planes),
      .Lanes  (Lanes),
      .LowBits(LowBits)
  ) u_accumulate (
      .rows_i  (rows_i),
      .column_i(column_i),
      .low_i   (low_q & {LowBits{~low_clear_i}}),
      .low_o   (low_next)
  );

  // Zeros enter the shifter and the wide adder while nothing is flushed, so that they do not toggle with low.
  wire                       negate = flush_i & negate_i;
  wire                       clear  = flush_i & high_clear_i;
  wire [AccumulatorBits-1:0] flushed = {{(AccumulatorBits-LowBits){1'b0}}, low_q & {LowBits{flush_i}}} << shift_i;
  wire [AccumulatorBits-1:0] high_next = (high_q & {AccumulatorBits{~clear}})
      + (flushed ^ {AccumulatorBits{negate}}) + {{(AccumulatorBits-1){1'b0}}, negate};

  always @(posedge clk_i) low_q <= low_next;
  always @(posedge high_clk_i) high_q <= high_next;
  always @(posedge drain_clk_i) begin
    if (capture_i) drain_q <= high_q;
    else if (drain_shift_i) drain_q <= drain_i;
  end
  assign drain_o = drain_q;
  assign high_o  = high_q;
endmodule
`default_nettype wire
