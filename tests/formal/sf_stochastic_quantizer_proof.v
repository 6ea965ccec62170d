// SPDX-License-Identifier: Apache-2.0
// The restoring division of sf_stream_lane is the integer formula
//   c = floor(n (y + M) / (2 M) + (2 U + 1) / 2^(r+1)),  n = 2^bits - 1,
// here over the common denominator M 2^(r+1): c is the only integer with
//   c M 2^(r+1) <= n (y + M) 2^r + (2 U + 1) M < (c + 1) M 2^(r+1).
// The real lane runs with constant inputs until the value has passed all its stages. Values are narrow so
// that the proof ends in seconds; the lane's 64-bit datapath is the one of every configuration.
// SF_KNOWN_BAD makes the noise 2 U instead of 2 U + 1; the proof must then fail.
`default_nettype none
module sf_stochastic_quantizer_proof #(
    parameter Bits = 4,
    parameter ValueBits = 4,
    parameter RandomBits = 2
) (
    input wire clk_i
);
  `include "sf_descriptor.vh"
  localparam Latency = 18;
  localparam WideBits = 24;

  (* anyconst *) wire [ValueBits-1:0] maximum;
  (* anyconst *) wire signed [ValueBits:0] y;
  (* anyconst *) wire [RandomBits-1:0] random;
  wire signed [ValueBits+1:0] maximum_signed = {2'b00, maximum};
  wire signed [ValueBits+1:0] y_wide = {y[ValueBits], y};
  wire [31:0] sample = {{(32-ValueBits){1'b0}}, maximum};
  always @* assume (maximum != 0);
  always @* assume (y_wide <= maximum_signed && y_wide >= -maximum_signed);

  wire [WideBits-1:0] code;
  wire [31:0] stored;
  sf_stream_lane #(
      .AccumulatorBits(24),
      .StoredBits(16),
      .WideBits(WideBits),
      .RandomBits(RandomBits),
      .ThresholdBits(1),
      .TableRows(1),
      .ThresholdRows(1),
      .Positions(2),
      .Places(2)
  ) u_lane (
      .clk_i                  (clk_i),
      .go_i                   (1'b1),
      .scale_x_source_i       (SCALAR_CONSTANT),
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
      .pack_enable_i          (1'b1),
      .quantizer_i            (QUANTIZER_STOCHASTIC),
      .quantizer_bits_i       (Bits[3:0]),
      .threshold_per_channel_i(1'b0),
      .x_i                    ({{(31-ValueBits){y[ValueBits]}}, y}),
      .z_i                    (32'd0),
      .chunk_i                (16'd0),
      .route_index_i          (8'd0),
      .sample_1_i             (sample),
      .sample_7_i             (sample),
      .sample_17_i            (sample),
      .position_1_i           (1'b0),
      .position_2_i           (1'b0),
      .sum_first_2_i          (1'b0),
      .step_2_i               (1'b0),
      .place_5_i              (1'b0),
      .place_6_i              (1'b0),
      .window_first_6_i       (1'b0),
      .pool_index_6_i         (8'd0),
      .step_6_i               (1'b0),
      .random_6_i             (random),
      .chunk_8_i              (16'd0),
      .table_write_i          (5'd0),
      .table_row_i            (16'd0),
      .threshold_write_i      (1'b0),
      .threshold_node_i       (8'd0),
      .threshold_row_i        (16'd0),
      .y_o                    (stored),
      .tag_o                  (),
      .z_o                    (),
      .code_o                 (code)
  );

  // (n + 1) M 2^(r+1) is the largest number.
  localparam WorkBits = Bits + ValueBits + RandomBits + 4;
`ifdef SF_KNOWN_BAD
  localparam [RandomBits:0] Centre = 0;
`else
  localparam [RandomBits:0] Centre = 1;
`endif
  localparam [WorkBits-1:0] Levels = (1 << Bits) - 1;
  wire [WorkBits-1:0] maximum_work = {{(WorkBits-ValueBits){1'b0}}, maximum};
  wire [WorkBits-1:0] above = {{(WorkBits-ValueBits-2){1'b0}}, y_wide + maximum_signed};  // y + M
  wire [WorkBits-1:0] noise = {{(WorkBits-RandomBits-1){1'b0}}, {random, 1'b0} | Centre};
  wire [WorkBits-1:0] numerator = ((Levels * above) << RandomBits) + noise * maximum_work;
  wire [WorkBits-1:0] unit = maximum_work << (RandomBits + 1);
  wire [WorkBits-1:0] code_work = code[WorkBits-1:0];

  reg [4:0] age = 5'd0;
  always @(posedge clk_i) if (age != Latency) age <= age + 5'd1;
  always @* begin
    if (age == Latency) begin
      assert (code <= Levels);
      assert (code_work * unit <= numerator);
      assert (numerator < (code_work + 1'b1) * unit);
    end
  end
endmodule
`default_nettype wire
