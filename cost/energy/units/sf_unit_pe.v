// SPDX-License-Identifier: Apache-2.0
// sf_pe with both its clocks from one: as it is simulated gate by gate. For pricing only.
`default_nettype none
module sf_unit_pe #(
    parameter Lanes = 64,
    parameter AccumulatorBits = 48
) (
    input  wire                       clk_i,
    input  wire [Lanes-1:0]           a_i,
    input  wire [Lanes-1:0]           b_i,
    input  wire                       count_enable_i,
    input  wire                       sum_enable_i,
    input  wire                       sum_clear_i,
    input  wire                       negate_i,
    input  wire [5:0]                 shift_i,
    input  wire                       capture_i,
    input  wire                       drain_shift_i,
    input  wire [AccumulatorBits-1:0] drain_i,
    output wire [AccumulatorBits-1:0] drain_o
);
  sf_pe #(
      .Lanes          (Lanes),
      .AccumulatorBits(AccumulatorBits)
  ) u_pe (
      .clk_i         (clk_i),
      .drain_clk_i   (clk_i),
      .a_i           (a_i),
      .b_i           (b_i),
      .count_enable_i(count_enable_i),
      .sum_enable_i  (sum_enable_i),
      .sum_clear_i   (sum_clear_i),
      .negate_i      (negate_i),
      .shift_i       (shift_i),
      .capture_i     (capture_i),
      .drain_shift_i (drain_shift_i),
      .drain_i       (drain_i),
      .drain_o       (drain_o)
  );
endmodule
`default_nettype wire
