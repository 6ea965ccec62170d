// SPDX-License-Identifier: Apache-2.0
// Four processing elements wired as in sf_array (product, row sum, column sum, valid lanes) and the correction
// give the sum, over operations and valid lanes, of +-2^shift times the product of the operands' values:
// bits read as {0, 1}, or as {-1, +1} when bipolar.
`default_nettype none
module sf_pe_proof #(
    parameter Lanes = 4,
    parameter Bits = 14
) (
    input wire clk_i
);
  (* anyconst *) wire row_bipolar, column_bipolar;
  (* anyseq *) wire [Lanes-1:0] row, column, mask;
  (* anyseq *) wire negate;
  (* anyseq *) wire [1:0] shift;
  (* anyseq *) wire valid, first_choice;

  reg started_q = 1'b0;
  wire first = first_choice | ~started_q;
  always @(posedge clk_i) if (valid) started_q <= 1'b1;

  reg valid_q = 1'b0, valid_q2 = 1'b0, first_q, negate_q;
  reg [1:0] shift_q;
  always @(posedge clk_i) begin
    valid_q  <= valid;
    valid_q2 <= valid_q;
    if (valid) begin
      first_q  <= first;
      negate_q <= negate;
      shift_q  <= shift;
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
          .xnor_i        (i == 0 && row_bipolar && column_bipolar),
          .count_enable_i(valid),
          .sum_enable_i  (valid_q),
          .sum_clear_i   (first_q),
          .negate_i      (negate_q),
          .shift_i       ({4'd0, shift_q}),
          .capture_i     (valid_q2),
          .drain_shift_i (1'b0),
          .drain_i       ({Bits{1'b0}}),
          .drain_o       (captured[Bits*i+:Bits])
      );
    end
  endgenerate
  wire [Bits-1:0] value;
  sf_bipolar_correction #(.Bits(Bits)) u_correction (
      .row_bipolar_i   (row_bipolar),
      .column_bipolar_i(column_bipolar),
      .sum_i           (captured[0+:Bits]),
      .row_sum_i       (captured[Bits+:Bits]),
      .column_sum_i    (captured[2*Bits+:Bits]),
      .valid_lanes_i   (captured[3*Bits+:Bits]),
      .value_o         (value)
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
      u = row[lane] ? 1 : row_bipolar ? -1 : 0;
      v = column[lane] ? 1 : column_bipolar ? -1 : 0;
      if (mask[lane]) term = term + u * v;
    end
    term = term <<< shift;
    if (negate) term = -term;
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
