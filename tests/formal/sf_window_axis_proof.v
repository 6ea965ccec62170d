// SPDX-License-Identifier: Apache-2.0
// sf_window_axis visits exactly the taps that its definition, tried one by one, admits, with their operand
// index; for every field below 2^FieldBits, places on both sides of 0, three modes, any stride, a tile and the two
// after it, and any cycles of enable_i.
`default_nettype none
module sf_window_axis_proof #(
    parameter FieldBits = 3
) (
    input wire clk_i
);
  `include "sf_descriptor.vh"
  localparam Pad = 16 - FieldBits;
  localparam Taps = 1 << FieldBits;  // above every count of taps

  (* anyconst *) wire [1:0] mode;
  (* anyconst *) wire [FieldBits-1:0] stride, phase, reach, taps, map;
  (* anyconst *) wire signed [FieldBits:0] place;
  (* anyseq *) wire enable, advance;

  // 12 bits hold (8 * 7 + 7 + 3 * 7 + 7) * 7 and keep elaboration quick.
  localparam W = FieldBits + 9;
  wire signed [W-1:0] stride_w = {{(W-FieldBits){1'b0}}, stride};
  wire signed [W-1:0] unit_w = (mode == WINDOW_FORWARD) ? 1 : stride_w;
  wire signed [W-1:0] place_w = {{(W-FieldBits-1){place[FieldBits]}}, place};
  wire signed [W-1:0] phase_w = {{(W-FieldBits){1'b0}}, phase};
  wire signed [W-1:0] span_w = {{(W-FieldBits){1'b0}}, reach} * unit_w;
  wire signed [W-1:0] fine_w = {{(W-FieldBits){1'b0}}, (mode == WINDOW_BACKWARD_INPUT) ? taps : map};
  wire signed [W-1:0] map_w = {{(W-FieldBits){1'b0}}, map};
  wire signed [W-1:0] origin_w = place_w * unit_w + phase_w;
  // What is legal (model/spec/legality.cpp)
  always @* begin
    assume (mode <= WINDOW_BACKWARD_WEIGHT && stride_w > 0 && taps != 0 && map != 0);
    assume (phase_w < unit_w && fine_w <= span_w && span_w < fine_w + unit_w);
  end

  // A descriptor's first cycle loads nothing; the load, and up to two tiles after it
  reg held = 1'b0, loaded = 1'b0;
  reg [1:0] tile = 2'd0, age = 2'd0;
  wire load = held & ~loaded;
  wire next = loaded & advance & (tile != 2'd2);
  always @(posedge clk_i) begin
    if (enable) begin
      held   <= 1'b1;
      loaded <= held;
      if (next) tile <= tile + 2'd1;
      if (load | next | ~loaded) age <= 2'd0;
      else if (age != 2'd3) age <= age + 2'd1;
    end
  end
  wire signed [W-1:0] position_w = {{(W-2){1'b0}}, tile};

  wire [15:0] first_tap, first_index, count;
  sf_window_axis u_axis (
      .clk_i        (clk_i),
      .enable_i     (enable),
      .load_i       (load),
      .next_i       (next),
      .mode_i       (mode),
      .stride_i     ({{(6-FieldBits){1'b0}}, stride}),
      .place_i      ({{(Pad-1){place[FieldBits]}}, place}),
      .phase_i      ({{(6-FieldBits){1'b0}}, phase}),
      .reach_i      ({{Pad{1'b0}}, reach}),
      .taps_i       ({{Pad{1'b0}}, taps}),
      .map_i        ({{Pad{1'b0}}, map}),
      .first_tap_o  (first_tap),
      .first_index_o(first_index),
      .count_o      (count)
  );

  // Visit k of the device: tap first_tap + k * tap_step at index first_index + k * index_step
  wire [15:0] stride_step = {{Pad{1'b0}}, stride};
  wire [15:0] tap_step = (mode == WINDOW_BACKWARD_INPUT) ? stride_step : 16'd1;
  wire [15:0] index_step = (mode == WINDOW_FORWARD) ? 16'd1
      : (mode == WINDOW_BACKWARD_INPUT) ? 16'hffff : stride_step;

  // The definition, in integers: does tap t meet operand index d?
  integer t, d;
  reg meets, expected_all;
  reg [15:0] found, tap, operand;
  reg signed [W-1:0] tap_w, index_w;
  always @* begin
    found = 16'd0;
    tap = first_tap;
    operand = first_index;
    expected_all = 1'b1;
    meets = 1'b0;
    tap_w = 0;
    index_w = 0;
    for (t = 0; t < Taps; t = t + 1) begin
      for (d = 0; d < (1 << FieldBits); d = d + 1) begin
        tap_w = t;
        index_w = d;
        case (mode)
          WINDOW_FORWARD:        meets = index_w == origin_w + stride_w * position_w + tap_w;
          WINDOW_BACKWARD_INPUT: meets = stride_w * index_w + tap_w == origin_w + position_w;
          default:               meets = index_w == origin_w + position_w + stride_w * tap_w;
        endcase
        if (meets && t < taps && index_w < map_w) begin
          // The taps that meet one are the device's visits in order.
          if (tap != t || operand != d) expected_all = 1'b0;
          found = found + 16'd1;
          tap = tap + tap_step;
          operand = operand + index_step;
        end
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
