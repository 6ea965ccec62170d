// SPDX-License-Identifier: Apache-2.0
// sf_window_axis visits exactly the taps that its definition, tried one by one, admits, with their operand
// index; for every field below 2^FieldBits, three modes, strides 1, 2 and 4, and any cycles of enable_i.
`default_nettype none
module sf_window_axis_proof #(
    parameter FieldBits = 3
) (
    input wire clk_i
);
  `include "sf_descriptor.vh"
  localparam Pad = 16 - FieldBits;
  localparam Taps = 2 << FieldBits;  // tap_first + tap_count is below this

  (* anyconst *) wire [1:0] mode;
  (* anyconst *) wire [1:0] stride_log2;
  (* anyconst *) wire [FieldBits-1:0] padding, position, tap_first, tap_count, limit;
  (* anyseq *) wire enable;
  always @* assume (mode <= WINDOW_BACKWARD_WEIGHT && stride_log2 <= 2'd2);

  wire [15:0] first_tap, first_index, count;
  sf_window_axis u_axis (
      .clk_i        (clk_i),
      .enable_i     (enable),
      .mode_i       (mode),
      .stride_log2_i(stride_log2),
      .padding_i    ({{Pad{1'b0}}, padding}),
      .position_i   ({{Pad{1'b0}}, position}),
      .tap_first_i  ({{Pad{1'b0}}, tap_first}),
      .tap_count_i  ({{Pad{1'b0}}, tap_count}),
      .limit_i      ({{Pad{1'b0}}, limit}),
      .first_tap_o  (first_tap),
      .first_index_o(first_index),
      .count_o      (count)
  );

  // The definition, in integers: does tap t meet an operand, and which? Scaled by the stride, so that an
  // index that is no integer shows; 12 bits hold (7 * 4 + 15) * 4 and keep elaboration quick.
  localparam W = FieldBits + 9;
  wire signed [W-1:0] padding_w = {{(W-FieldBits){1'b0}}, padding};
  wire signed [W-1:0] position_w = {{(W-FieldBits){1'b0}}, position};
  wire signed [W-1:0] first_w = {{(W-FieldBits){1'b0}}, tap_first};
  wire signed [W-1:0] count_w = {{(W-FieldBits){1'b0}}, tap_count};
  wire signed [W-1:0] limit_w = {{(W-FieldBits){1'b0}}, limit};
  // Visit k of the device: tap first_tap + k * tap_step at index first_index + k * index_step
  wire [15:0] tap_step = (mode == WINDOW_BACKWARD_INPUT) ? 16'd1 << stride_log2 : 16'd1;
  wire [15:0] index_step = (mode == WINDOW_FORWARD) ? 16'd1
      : (mode == WINDOW_BACKWARD_INPUT) ? 16'hffff : 16'd1 << stride_log2;

  reg [1:0] age = 2'd0;
  always @(posedge clk_i) if (enable && age != 2'd3) age <= age + 2'd1;

  integer t;
  reg signed [W-1:0] scaled, index, tap_w;
  reg meets, expected_all;
  reg [15:0] found, tap, operand;
  always @* begin
    found = 16'd0;
    tap = first_tap;
    operand = first_index;
    expected_all = 1'b1;
    scaled = 0;
    index = 0;
    tap_w = 0;
    meets = 1'b0;
    for (t = 0; t < Taps; t = t + 1) begin
      tap_w = t;
      case (mode)
        WINDOW_FORWARD:        scaled = ((position_w <<< stride_log2) + tap_w - padding_w) <<< stride_log2;
        WINDOW_BACKWARD_INPUT: scaled = position_w + padding_w - tap_w;
        default:               scaled = ((tap_w <<< stride_log2) + position_w - padding_w) <<< stride_log2;
      endcase
      index = scaled >>> stride_log2;
      meets = tap_w >= first_w && tap_w < first_w + count_w && (index <<< stride_log2) == scaled
              && index >= 0 && index < limit_w;
      if (meets) begin
        // The taps that meet one are the device's visits in order.
        if (tap != t || operand != {{(16-W){1'b0}}, index}) expected_all = 1'b0;
        found = found + 16'd1;
        tap = tap + tap_step;
        operand = operand + index_step;
      end
    end
  end
  always @* begin
    if (age == 2'd3) begin
      assert (count == found);
      assert (expected_all);
    end
  end
endmodule
`default_nettype wire
