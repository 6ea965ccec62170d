// SPDX-License-Identifier: Apache-2.0
// Four processing elements wired as in sf_array (product, row sum, column sum, valid lanes) and sf_affine give the sum,
// over words and valid lanes, of the product of values of two operands of one plane each: (p c + q) (p' c' + q').
`default_nettype none
module sf_pe_proof #(
    parameter Lanes = 4,
    parameter Bits = 14,
    parameter RowStep = 2,      // p, 1 or 2
    parameter RowLess = 1,      // -q
    parameter ColumnStep = 2,
    parameter ColumnLess = 1
) (
    input wire clk_i
);
  (* anyseq *) wire [Lanes-1:0] row, column, mask;
  (* anyseq *) wire valid, first_choice;

  reg started_q = 1'b0;
  wire first = first_choice | ~started_q;
  always @(posedge clk_i) if (valid) started_q <= 1'b1;

  reg valid_q = 1'b0, valid_q2 = 1'b0, first_q;
  always @(posedge clk_i) begin
    valid_q  <= valid;
    valid_q2 <= valid_q;
    if (valid) begin
      first_q <= first;
    end
  end

  wire [4*Lanes-1:0] a = {mask, mask, row & mask, row & mask};
  wire [4*Lanes-1:0] b = {mask, column & mask, mask, column & mask};
  wire [4*Bits-1:0] captured;  // product, row sum, column sum, valid lanes
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : gen_pe
      sf_pe #(
          .Lanes(Lanes),
          .AccumulatorBits(Bits)
      ) u_pe (
          .clk_i         (clk_i),
          .drain_clk_i   (clk_i),
          .a_i           (a[Lanes*i+:Lanes]),
          .b_i           (b[Lanes*i+:Lanes]),
          .count_enable_i(valid),
          .sum_enable_i  (valid_q),
          .sum_clear_i   (first_q),
          .negate_i      (1'b0),
          .shift_i       (6'd0),
          .capture_i     (valid_q2),
          .drain_shift_i (1'b0),
          .drain_i       ({Bits{1'b0}}),
          .drain_o       (captured[Bits*i+:Bits])
      );
    end
  endgenerate
  localparam signed [9:0] RowFactor    = -RowStep * ColumnLess;
  localparam signed [9:0] ColumnFactor = -RowLess * ColumnStep;
  localparam signed [9:0] LanesFactor  = RowLess * ColumnLess;
  wire signed [Bits-1:0] row_sum = captured[Bits+:Bits];
  wire signed [Bits-1:0] lanes   = captured[3*Bits+:Bits];
  wire signed [Bits-1:0] row_term = RowFactor * row_sum + LanesFactor * lanes;
  wire [Bits-1:0] value;
  sf_affine #(.Bits(Bits)) u_affine (
      .shift_i        (RowStep * ColumnStep / 2),  // log2 of 1, 2, 4
      .column_factor_i(ColumnFactor),
      .sum_i          (captured[0+:Bits]),
      .column_sum_i   (captured[2*Bits+:Bits]),
      .row_term_i     (row_term),
      .value_o        (value)
  );

  // The definition, lane by lane, delayed as the element is
  integer lane;
  reg signed [Bits-1:0] u, v, term, sum_q, term_q, captured_q;
  reg captured_valid_q = 1'b0;
  always @* begin
    term = 0;
    u = 0;
    v = 0;
    for (lane = 0; lane < Lanes; lane = lane + 1) begin
      u = row[lane] ? RowStep - RowLess : -RowLess;
      v = column[lane] ? ColumnStep - ColumnLess : -ColumnLess;
      if (mask[lane]) term = term + u * v;
    end
  end
  always @(posedge clk_i) begin
    if (valid) term_q <= term;
    if (valid_q) sum_q <= first_q ? term_q : sum_q + term_q;
    if (valid_q2) captured_q <= sum_q;
    if (valid_q2) captured_valid_q <= 1'b1;
  end
  always @* begin
    if (captured_valid_q) assert (value == captured_q);
  end
endmodule
`default_nettype wire
