// SPDX-License-Identifier: Apache-2.0
// sf_pe with all its clocks from one: as it is simulated gate by gate. For pricing only.
`default_nettype none
module sf_unit_pe #(
    parameter Planes = 2,
    parameter Lanes = 16,
    parameter LowBits = 13,
    parameter AccumulatorBits = 40
) (
    input  wire                       clk_i,
    input  wire [Planes*Lanes-1:0]    rows_i,
    input  wire [Lanes-1:0]           column_i,
    input  wire                       low_clear_i,
    input  wire                       flush_i,
    input  wire                       high_clear_i,
    input  wire                       negate_i,
    input  wire [5:0]                 shift_i,
    input  wire                       capture_i,
    input  wire                       drain_shift_i,
    input  wire [AccumulatorBits-1:0] drain_i,
    output wire [AccumulatorBits-1:0] drain_o
);
  sf_pe #(
      .Planes         (Planes),
      .Lanes          (Lanes),
      .LowBits        (LowBits),
      .AccumulatorBits(AccumulatorBits)
  ) u_pe (
      .clk_i        (clk_i),
      .high_clk_i   (clk_i),
      .drain_clk_i  (clk_i),
      .rows_i       (rows_i),
      .column_i     (column_i),
      .low_clear_i  (low_clear_i),
      .flush_i      (flush_i),
      .high_clear_i (high_clear_i),
      .negate_i     (negate_i),
      .shift_i      (shift_i),
      .capture_i    (capture_i),
      .drain_shift_i(drain_shift_i),
      .drain_i      (drain_i),
      .drain_o      (drain_o),
      .high_o       ()
  );
endmodule
`default_nettype wire
