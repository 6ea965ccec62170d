// SPDX-License-Identifier: Apache-2.0
// sf_stream_lane with everything tied off that a quantizer does not need, so that mapping leaves stages 1 to 7, through
// which x passes unchanged, and one quantizer: thresholds or f_G. Quantizer 0 leaves the stages alone: what
// the quantizer itself takes is the difference. x is written into the threshold table with threshold_write_i. For pricing only.
`default_nettype none
module sf_unit_quantizer #(
    parameter Quantizer = 1,  // 0 none, 1 thresholds, 2 f_G
    parameter WideBits = 24,
    parameter RandomBits = 16,
    parameter ThresholdBits = 2,
    parameter ThresholdRows = 32,
    parameter AccumulatorBits = 32
) (
    input  wire                  clk_i,
    input  wire                  go_i,
    input  wire [3:0]            quantizer_bits_i,
    input  wire [15:0]           x_i,
    input  wire [31:0]           sample_7_i,
    input  wire [31:0]           sample_17_i,
    input  wire [RandomBits-1:0] random_6_i,
    input  wire [15:0]           chunk_8_i,
    input  wire                  threshold_write_i,
    input  wire [7:0]            threshold_node_i,
    input  wire [15:0]           threshold_row_i,
    output wire [31:0]           y_o,
    output wire [WideBits-1:0]   code_o
);
  wire [WideBits-1:0] code;
  sf_stream_lane #(
      .AccumulatorBits(AccumulatorBits),
      .StoredBits     (16),
      .WideBits       (WideBits),
      .RandomBits     (RandomBits),
      .ThresholdBits  (ThresholdBits),
      .TableRows      (2),
      .ThresholdRows  (ThresholdRows),
      .Positions      (2),
      .Places         (2)
  ) u_lane (
      .clk_i                  (clk_i),
      .go_i                   (go_i),
      .scale_x_source_i       (2'd0),
      .scale_z_source_i       (1'b0),
      .offset_enable_i        (1'b0),
      .tanh_enable_i          (1'b0),
      .mask_enable_i          (1'b0),
      .z_enable_i             (1'b0),
      .z_tagged_i             (1'b0),
      .route_enable_i         (1'b0),
      .accumulate_enable_i    (1'b0),
      .pool_enable_i          (1'b0),
      .drop_enable_i          (1'b0),
      .drop_threshold_i       (16'd0),
      .narrow_i               (1'b1),
      .scale_x_i              (16'd1),
      .scale_z_i              (16'd0),
      .shift_x_i              (6'd0),
      .shift_z_i              (6'd0),
      .pack_enable_i          (Quantizer != 0),
      .quantizer_i            (Quantizer[1:0]),
      .quantizer_bits_i       (quantizer_bits_i),
      .threshold_per_channel_i(1'b1),
      .x_i                    ({{(AccumulatorBits-16){x_i[15]}}, x_i}),
      .z_i                    (32'd0),
      .chunk_i                (16'd0),
      .route_index_i          (8'd0),
      .sample_1_i             (32'd0),
      .sample_7_i             (sample_7_i),
      .sample_17_i            (sample_17_i),
      .position_1_i           (1'b0),
      .position_2_i           (1'b0),
      .sum_first_2_i          (1'b0),
      .step_2_i               (1'b0),
      .place_5_i              (1'b0),
      .place_6_i              (1'b0),
      .window_first_6_i       (1'b0),
      .pool_index_6_i         (8'd0),
      .step_6_i               (1'b0),
      .random_6_i             (random_6_i),
      .chunk_8_i              (chunk_8_i),
      .table_write_i          (5'd0),
      .table_row_i            (16'd0),
      .threshold_write_i      (threshold_write_i),
      .threshold_node_i       (threshold_node_i),
      .threshold_row_i        (threshold_row_i),
      .y_o                    (y_o),
      .tag_o                  (),
      .z_o                    (),
      .code_o                 (code)
  );
  assign code_o = (Quantizer == 0) ? {WideBits{1'b0}} : code;
endmodule
`default_nettype wire
