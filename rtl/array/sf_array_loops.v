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
    parameter Lanes = 64,
    parameter AccumulatorBits = 48
) (
    input  wire                                   clk_i,
    input  wire                                   load_i,  // takes operands, masked
    input  wire [Rows*Lanes-1:0]                  rows_i,
    input  wire [Columns*Lanes-1:0]               columns_i,
    input  wire [Lanes-1:0]                       mask_i,
    // As of sf_pe; bits of products, row sums, column sums, lanes
    input  wire [3:0]                             count_enable_i,
    input  wire [3:0]                             sum_enable_i,
    input  wire                                   sum_clear_i,
    input  wire [3:0]                             negate_i,
    input  wire [5:0]                             shift_i,
    input  wire                                   capture_i,
    input  wire                                   drain_shift_i,
    // Captured sums of the row at the head and of the extra row, each with the extra column's
    output reg  [(Columns+1)*AccumulatorBits-1:0] head_sums_o,
    output reg  [(Columns+1)*AccumulatorBits-1:0] extra_sums_o
);
  // Extras: sums of rows, of columns, valid lanes. Depths of powers of two: every index is inside.
  localparam ProductWords = 1 << $clog2(Rows * Columns);
  localparam ExtraWords   = 1 << $clog2(Rows + Columns + 1);
  localparam CountBits    = $clog2(Lanes + 1);
  localparam CountWidth   = (Lanes > 64) ? CountBits : Lanes;  // an operand and its count in the same vectors

  reg [Lanes-1:0]           row           [0:Rows-1];
  reg [Lanes-1:0]           column        [0:Columns-1];
  reg [Lanes-1:0]           mask;
  reg [CountWidth-1:0]      product_count [0:ProductWords-1];
  reg [CountWidth-1:0]      extra_count   [0:ExtraWords-1];
  reg [AccumulatorBits-1:0] product_sum   [0:ProductWords-1];
  reg [AccumulatorBits-1:0] extra_sum     [0:ExtraWords-1];
  reg [AccumulatorBits-1:0] product_drain [0:ProductWords-1];
  reg [AccumulatorBits-1:0] extra_drain   [0:ExtraWords-1];
  reg [31:0]                head;  // row of the drain

  function [CountWidth-1:0] ones(input [Lanes-1:0] bits);
`ifdef VERILATOR
    ones = CountWidth'($countones(bits));
`else
    integer lane;
    begin
      ones = {CountWidth{1'b0}};
      for (lane = 0; lane < Lanes; lane = lane + 1) ones = ones + {{(CountWidth-1){1'b0}}, bits[lane]};
    end
`endif
  endfunction

  // Locals of the process, assigned first so that a simulator need not keep them. Counters are unsigned, and short loops
  // are written with while, which Verilator does not unroll: so a compiler finds loops, counts their turns and
  // vectorises them.
  reg [31:0]                i, c;
  reg [AccumulatorBits-1:0] keep, flip, one, row_flip, row_one, column_flip, column_one;
  reg [Lanes-1:0]           operand;
  always @(posedge clk_i) begin : array
    integer d;
    i       = 32'd0;
    c       = 32'd0;
    keep    = {AccumulatorBits{~sum_clear_i}};
    flip    = {AccumulatorBits{negate_i[0]}};
    one     = {{(AccumulatorBits-1){1'b0}}, negate_i[0]};
    row_flip    = {AccumulatorBits{negate_i[1]}};
    row_one     = {{(AccumulatorBits-1){1'b0}}, negate_i[1]};
    column_flip = {AccumulatorBits{negate_i[2]}};
    column_one  = {{(AccumulatorBits-1){1'b0}}, negate_i[2]};
    operand = {Lanes{1'b0}};
    if (capture_i) begin
      head = 32'd0;
      for (i = 0; i < ProductWords; i = i + 1) product_drain[i] = product_sum[i];
      i = 32'd0;
      for (d = 0; d < Columns; d = d + 1)
        extra_sums_o[AccumulatorBits*d+:AccumulatorBits] <= extra_sum[Rows+d];
      extra_sums_o[AccumulatorBits*Columns+:AccumulatorBits] <= extra_sum[Rows+Columns];
      while (i < ExtraWords) begin
        extra_drain[i] = extra_sum[i];
        i = i + 32'd1;
      end
    end else if (drain_shift_i) begin
      head = head + 32'd1;
    end
    if (capture_i | drain_shift_i) begin
      for (d = 0; d < Columns; d = d + 1)
        head_sums_o[AccumulatorBits*d+:AccumulatorBits] <= product_drain[Columns*head+d];
      head_sums_o[AccumulatorBits*Columns+:AccumulatorBits] <= extra_drain[head];
    end
    if (sum_enable_i[0]) begin
      for (i = 0; i < ProductWords; i = i + 1)
        product_sum[i] = (product_sum[i] & keep)
            + (flip ^ ({{(AccumulatorBits-CountBits){1'b0}}, product_count[i][CountBits-1:0]} << shift_i)) + one;
    end
    if (sum_enable_i[1]) begin
      i = 32'd0;
      while (i < Rows) begin
        extra_sum[i] = (extra_sum[i] & keep)
            + (row_flip ^ ({{(AccumulatorBits-CountBits){1'b0}}, extra_count[i][CountBits-1:0]} << shift_i)) + row_one;
        i = i + 32'd1;
      end
    end
    if (sum_enable_i[2]) begin
      c = 32'd0;
      while (c < Columns) begin
        extra_sum[Rows+c] = (extra_sum[Rows+c] & keep)
            + (column_flip ^ ({{(AccumulatorBits-CountBits){1'b0}}, extra_count[Rows+c][CountBits-1:0]} << shift_i))
            + column_one;
        c = c + 32'd1;
      end
    end
    if (sum_enable_i[3])
      extra_sum[Rows+Columns] = (extra_sum[Rows+Columns] & keep)
          + ({{(AccumulatorBits-CountBits){1'b0}}, extra_count[Rows+Columns][CountBits-1:0]} << shift_i);
    if (count_enable_i[0]) begin
      for (d = 0; d < Rows; d = d + 1) begin
        c       = 32'd0;
        operand = row[d];
        while (c < Columns) begin
          product_count[Columns*d+c] = ones(operand & column[c]);
          c = c + 32'd1;
        end
      end
    end
    if (count_enable_i[1]) for (d = 0; d < Rows; d = d + 1) extra_count[d] = ones(row[d]);
    if (count_enable_i[2]) for (d = 0; d < Columns; d = d + 1) extra_count[Rows+d] = ones(column[d]);
    if (count_enable_i[3]) extra_count[Rows+Columns] = ones(mask);
    if (load_i) begin
      for (d = 0; d < Rows; d = d + 1) row[d] = rows_i[Lanes*d+:Lanes];
      for (d = 0; d < Columns; d = d + 1) column[d] = columns_i[Lanes*d+:Lanes];
      mask = mask_i;
    end
  end
endmodule
`default_nettype wire
