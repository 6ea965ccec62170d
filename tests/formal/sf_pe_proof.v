// SPDX-License-Identifier: Apache-2.0
// Four processing elements wired as in sf_array (product, row sum, column sum, valid lanes) and sf_affine give the sum,
// over words and valid lanes, of the product of values of two operands, (p c + q) (p' c' + q'): codes of two row planes
// by codes of one column plane, whenever the low sums are flushed.
`default_nettype none
module sf_pe_proof #(
    parameter Lanes = 1,
    parameter Bits = 12,
    parameter RowStep = 2,      // p, 1 or 2
    parameter RowLess = 1,      // -q
    parameter ColumnStep = 2,
    parameter ColumnLess = 1
) (
    input wire clk_i
);
  localparam Planes = 2, LowBits = 6;
  (* anyseq *) wire [Planes*Lanes-1:0] row;
  (* anyseq *) wire [Lanes-1:0] column, mask;
  (* anyseq *) wire valid, flush, last;  // flush: of the low sums after this word; last: of the sum, too

  // Words begin low sums after a flush, and sums after the last word of one.
  reg begin_q = 1'b1, new_q = 1'b1;
  reg flush_q = 1'b0, last_q = 1'b0, first_q, capture_q = 1'b0;
  wire flushes = valid & (flush | last);
  always @(posedge clk_i) begin
    if (valid) begin_q <= flush | last;
    flush_q   <= flushes;
    last_q    <= valid & last;
    if (flush_q) new_q <= last_q;
    capture_q <= flush_q & last_q;
  end

  wire [Planes*Lanes-1:0] row_masked = row & {Planes{mask}};
  wire [4*Planes*Lanes-1:0] rows = {{{Lanes{1'b0}}, mask}, {{Lanes{1'b0}}, mask}, row_masked, row_masked};
  wire [4*Lanes-1:0] columns = {mask, column & mask, mask, column & mask} & {(4*Lanes){valid}};
  wire [4*Bits-1:0] captured;  // product, row sum, column sum, valid lanes
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : gen_pe
      sf_pe #(
          .Planes(Planes),
          .Lanes(Lanes),
          .LowBits(LowBits),
          .AccumulatorBits(Bits)
      ) u_pe (
          .clk_i        (clk_i),
          .high_clk_i   (clk_i),
          .drain_clk_i  (clk_i),
          .rows_i       (rows[Planes*Lanes*i+:Planes*Lanes]),
          .column_i     (columns[Lanes*i+:Lanes]),
          .low_clear_i  (valid & begin_q),
          .flush_i      (flush_q),
          .high_clear_i (new_q),
          .negate_i     (1'b0),
          .shift_i      (6'd0),
          .capture_i    (capture_q),
          .drain_shift_i(1'b0),
          .drain_i      ({Bits{1'b0}}),
          .drain_o      (captured[Bits*i+:Bits]),
          .high_o       ()
      );
    end
  endgenerate
  localparam signed [9:0] RowFactor    = -RowStep * ColumnLess;
  localparam signed [9:0] ColumnFactor = -RowLess * ColumnStep;
  localparam signed [9:0] LanesFactor  = RowLess * ColumnLess;
  wire signed [Bits-1:0] row_sum = captured[Bits+:Bits];
  wire signed [Bits-1:0] lanes   = captured[3*Bits+:Bits];
  wire signed [Bits-1:0] row_term = RowFactor * row_sum;
  wire signed [Bits-1:0] lanes_term = LanesFactor * lanes;
  wire [Bits-1:0] value;
  sf_affine #(.Bits(Bits)) u_affine (
      .shift_i        (RowStep * ColumnStep / 2),  // log2 of 1, 2, 4
      .column_factor_i(ColumnFactor),
      .sum_i          (captured[0+:Bits]),
      .column_sum_i   (captured[2*Bits+:Bits]),
      .row_term_i     (row_term),
      .lanes_term_i   (lanes_term),
      .value_o        (value)
  );

  // The definition, lane by lane, delayed as the element is
  integer lane;
  reg signed [Bits-1:0] u, v, term, sum_q, sum_q2, captured_q;
  reg fresh_q = 1'b1, captured_valid_q = 1'b0;
  always @* begin
    term = 0;
    u = 0;
    v = 0;
    for (lane = 0; lane < Lanes; lane = lane + 1) begin
      u = RowStep * {row[Lanes+lane], row[lane]} - RowLess;
      v = column[lane] ? ColumnStep - ColumnLess : -ColumnLess;
      if (mask[lane]) term = term + u * v;
    end
  end
  always @(posedge clk_i) begin
    if (valid) sum_q <= fresh_q ? term : sum_q + term;
    if (valid) fresh_q <= last;
    sum_q2 <= sum_q;
    if (capture_q) captured_q <= sum_q2;
    if (capture_q) captured_valid_q <= 1'b1;
  end
  always @* begin
    if (captured_valid_q) assert (value == captured_q);
  end
endmodule
`default_nettype wire
