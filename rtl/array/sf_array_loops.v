// SPDX-License-Identifier: Apache-2.0
// The processing elements of sf_array in the form that simulates fast: the same registers as Rows + 1 by Columns + 1
// sf_pe, in arrays that a host computer walks with vector instructions. Proved equal to them by scripts/formal; only
// simulations use it (sf_array chooses).
//
// Elements: products row by row, then the rows' sums, the columns' sums, the valid lanes. State is assigned at once,
// each register after its readers; only the outputs leave the process.
`default_nettype none
module sf_array_loops #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Planes = 1,
    parameter Lanes = 64,
    parameter LowBits = 13,
    parameter AccumulatorBits = 48
) (
    input  wire                                   clk_i,
    input  wire                                   load_i,  // takes operands, masked
    input  wire [Planes*Rows*Lanes-1:0]           rows_i,  // plane by plane
    input  wire [Columns*Lanes-1:0]               columns_i,
    input  wire [Lanes-1:0]                       row_mask_i,     // the operand of the extra column
    input  wire [Lanes-1:0]                       column_mask_i,  // and of the extra row, as its plane 0
    input  wire                                   accumulate_i,  // take the words
    // As of sf_pe; bits of products, row sums, column sums, lanes
    input  wire                                   low_clear_i,
    input  wire                                   flush_i,
    input  wire                                   capture_i,
    input  wire                                   high_clear_i,
    input  wire [3:0]                             negate_i,
    input  wire [5:0]                             shift_i,
    input  wire                                   drain_shift_i,
    // The extra column's high sums of row 0 and of the extra row, and what it captured of the row behind the head
    output reg  [AccumulatorBits-1:0]             first_high_o,
    output reg  [AccumulatorBits-1:0]             corner_high_o,
    output reg  [AccumulatorBits-1:0]             next_sum_o,
    // Captured sums of the row at the head and of the extra row
    output reg  [Columns*AccumulatorBits-1:0]     head_sums_o,
    output reg  [Columns*AccumulatorBits-1:0]     extra_sums_o
);
  // Extras: sums of rows, of columns, valid lanes. Depths of powers of two: every index is inside.
  localparam ProductWords = 1 << $clog2(Rows * Columns);
  localparam ExtraWords   = 1 << $clog2(Rows + Columns + 1);
  // An operand and its low sum are in the same vectors; what is above LowBits is left out where it is flushed.
  localparam LowWidth = (Lanes > 64 || Lanes < LowBits) ? LowBits : Lanes;

  reg [Lanes-1:0]           row          [0:Planes*Rows-1];
  reg [Lanes-1:0]           column       [0:Columns-1];
  reg [Lanes-1:0]           row_mask, column_mask;
  reg [LowWidth-1:0]        product_low  [0:ProductWords-1];
  reg [LowWidth-1:0]        extra_low    [0:ExtraWords-1];
  reg [AccumulatorBits-1:0] product_high [0:ProductWords-1];
  reg [AccumulatorBits-1:0] extra_high   [0:ExtraWords-1];
  reg [AccumulatorBits-1:0] product_drain [0:ProductWords-1];
  reg [AccumulatorBits-1:0] extra_drain   [0:ExtraWords-1];
  reg [31:0]                head;  // row of the drain

  function [LowWidth-1:0] ones(input [Lanes-1:0] bits);
`ifdef VERILATOR
    ones = LowWidth'($countones(bits));
`else
    integer lane;
    begin
      ones = {LowWidth{1'b0}};
      for (lane = 0; lane < Lanes; lane = lane + 1) ones = ones + {{(LowWidth-1){1'b0}}, bits[lane]};
    end
`endif
  endfunction

  // Locals of the process, assigned first so that a simulator need not keep them. Counters are unsigned, and short loops
  // are written with while, which Verilator does not unroll: so a compiler finds loops, counts their turns and
  // vectorises them.
  reg [31:0]                i, c;
  reg [AccumulatorBits-1:0] keep, flip, one, row_flip, row_one, column_flip, column_one;
  reg [LowWidth-1:0]        low_keep;
  reg [Lanes-1:0]           operand;
  always @(posedge clk_i) begin : array
    integer d, p;
    i       = 32'd0;
    c       = 32'd0;
    keep    = {AccumulatorBits{~high_clear_i}};
    flip    = {AccumulatorBits{negate_i[0]}};
    one     = {{(AccumulatorBits-1){1'b0}}, negate_i[0]};
    row_flip    = {AccumulatorBits{negate_i[1]}};
    row_one     = {{(AccumulatorBits-1){1'b0}}, negate_i[1]};
    column_flip = {AccumulatorBits{negate_i[2]}};
    column_one  = {{(AccumulatorBits-1){1'b0}}, negate_i[2]};
    low_keep    = {LowWidth{~low_clear_i}};
    operand = {Lanes{1'b0}};
    if (capture_i) begin
      head = 32'd0;
      for (i = 0; i < ProductWords; i = i + 1) product_drain[i] = product_high[i];
      i = 32'd0;
      for (d = 0; d < Columns; d = d + 1)
        extra_sums_o[AccumulatorBits*d+:AccumulatorBits] <= extra_high[Rows+d];
      while (i < ExtraWords) begin
        extra_drain[i] = extra_high[i];
        i = i + 32'd1;
      end
    end else if (drain_shift_i) begin
      head = head + 32'd1;
    end
    if (capture_i | drain_shift_i) begin
      for (d = 0; d < Columns; d = d + 1)
        head_sums_o[AccumulatorBits*d+:AccumulatorBits] <= product_drain[Columns*head+d];
      next_sum_o <= (head + 32'd1 < Rows) ? extra_drain[head+1] : {AccumulatorBits{1'b0}};
    end
    if (flush_i) begin
      for (i = 0; i < ProductWords; i = i + 1)
        product_high[i] = (product_high[i] & keep)
            + (flip ^ ({{(AccumulatorBits-LowBits){1'b0}}, product_low[i][LowBits-1:0]} << shift_i)) + one;
      i = 32'd0;
      while (i < Rows) begin
        extra_high[i] = (extra_high[i] & keep)
            + (row_flip ^ ({{(AccumulatorBits-LowBits){1'b0}}, extra_low[i][LowBits-1:0]} << shift_i)) + row_one;
        i = i + 32'd1;
      end
      while (c < Columns) begin
        extra_high[Rows+c] = (extra_high[Rows+c] & keep)
            + (column_flip ^ ({{(AccumulatorBits-LowBits){1'b0}}, extra_low[Rows+c][LowBits-1:0]} << shift_i))
            + column_one;
        c = c + 32'd1;
      end
      extra_high[Rows+Columns] = (extra_high[Rows+Columns] & keep)
          + ({{(AccumulatorBits-LowBits){1'b0}}, extra_low[Rows+Columns][LowBits-1:0]} << shift_i);
      first_high_o  <= extra_high[0];
      corner_high_o <= extra_high[Rows+Columns];
    end
    if (accumulate_i) begin
      for (d = 0; d < Rows; d = d + 1) begin
        c       = 32'd0;
        operand = row[d];
        while (c < Columns) begin
          product_low[Columns*d+c] = (product_low[Columns*d+c] & low_keep) + ones(operand & column[c]);
          c = c + 32'd1;
        end
        for (p = 1; p < Planes; p = p + 1) begin
          c       = 32'd0;
          operand = row[Rows*p+d];
          while (c < Columns) begin
            product_low[Columns*d+c] = product_low[Columns*d+c] + (ones(operand & column[c]) << p);
            c = c + 32'd1;
          end
        end
      end
    end
    // Without a plane 0 there is nothing to add.
    if (accumulate_i & (low_clear_i | (|row_mask)))
      for (d = 0; d < Rows; d = d + 1) begin
        extra_low[d] = extra_low[d] & low_keep;
        for (p = 0; p < Planes; p = p + 1) extra_low[d] = extra_low[d] + (ones(row[Rows*p+d] & row_mask) << p);
      end
    if (accumulate_i & (low_clear_i | (|column_mask)))
      for (d = 0; d < Columns; d = d + 1)
        extra_low[Rows+d] = (extra_low[Rows+d] & low_keep) + ones(column[d] & column_mask);
    if (accumulate_i) extra_low[Rows+Columns] = (extra_low[Rows+Columns] & low_keep) + ones(row_mask & column_mask);
    if (load_i) begin
      for (d = 0; d < Planes * Rows; d = d + 1) row[d] = rows_i[Lanes*d+:Lanes];
      for (d = 0; d < Columns; d = d + 1) column[d] = columns_i[Lanes*d+:Lanes];
      row_mask    = row_mask_i;
      column_mask = column_mask_i;
    end
  end
endmodule
`default_nettype wire
