// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one stream lane, a rigid pipeline that moves when go_i. Stages, counted from the head:
//   1  operands and table words         2  products x*scale_x, z*scale_z, mask test, 1 - tanh^2 z
//   3  rounding shifts, saturated to 32 4  times 1 - tanh^2
//   5  y = x' + z' + offset, masked, saturated to the stored width; y_o
//   6..15  quantizers: f_G sets up in two stages, then eight steps of restoring division; thresholds
//          are a binary search, one level a stage, from a table of its own
//   16 code_o: raw y, threshold count, code c, or M (2c - n)
// Rounding shifts are round-half-up: floor((p + 2^(s-1)) / 2^s); s = 0 passes.
// f_G: c = floor(n (y + M) / (2M) + (2U + 1) / 2^(r+1)), exact: numerator and denominator are
// integers times M 2^(r+2); with stored 32-bit values, r = 16, n = 255 the numerator has 58 bits.
`default_nettype none
module sf_stream_lane #(
    parameter AccumulatorBits = 48,
    parameter StoredBits = 16,
    parameter WideBits = 24,
    parameter RandomBits = 16,
    parameter ThresholdBits = 2,   // code bits with thresholds per channel
    parameter TableRows = 32,
    parameter ThresholdRows = 32,
    parameter RowBits = (TableRows > 1) ? $clog2(TableRows) : 1,  // derived; do not set
    parameter ThresholdRowBits = (ThresholdRows > 1) ? $clog2(ThresholdRows) : 1  // derived; do not set
) (
    input  wire                       clk_i,
    input  wire                       go_i,
    // Descriptor, stable during a pass
    input  wire [1:0]                 scale_x_source_i,
    input  wire                       scale_z_source_i,
    input  wire                       offset_enable_i,
    input  wire                       tanh_enable_i,
    input  wire                       mask_enable_i,
    input  wire                       z_enable_i,
    input  wire                       store16_i,
    input  wire [StoredBits-1:0]      scale_x_i,
    input  wire [15:0]                scale_z_i,
    input  wire [5:0]                 shift_x_i,
    input  wire [5:0]                 shift_z_i,
    input  wire [1:0]                 quantizer_i,
    input  wire [3:0]                 quantizer_bits_i,
    input  wire                       threshold_per_channel_i,
    // Head
    input  wire [AccumulatorBits-1:0] x_i,
    input  wire [31:0]                z_i,
    input  wire [15:0]                chunk_i,
    // Shared values, each at the stage named
    input  wire [31:0]                sample_1_i,
    input  wire [31:0]                sample_5_i,
    input  wire [31:0]                sample_15_i,
    input  wire [RandomBits-1:0]      random_5_i,
    input  wire [15:0]                chunk_6_i,
    // Tables are written at stage 5 with y
    input  wire [4:0]                 table_write_i,
    input  wire [15:0]                table_row_i,
    input  wire                       threshold_write_i,
    input  wire [7:0]                 threshold_node_i,  // 1 .. 2^k - 1, heap order
    input  wire [15:0]                threshold_row_i,
    // Results
    output wire [31:0]                y_o,       // stage 5
    output wire [WideBits-1:0]        code_o     // stage 16
);
  `include "sf_descriptor.vh"
  localparam ProductBits = AccumulatorBits + StoredBits;

  function signed [31:0] saturate(input signed [ProductBits-1:0] value);
    if (value > $signed({{(ProductBits-31){1'b0}}, {31{1'b1}}})) saturate = 32'sh7fffffff;
    else if (value < $signed({{(ProductBits-31){1'b1}}, {31{1'b0}}})) saturate = 32'sh80000000;
    else saturate = value[31:0];
  endfunction
  function signed [ProductBits-1:0] round_shift(input signed [ProductBits-1:0] value,
                                                input [5:0] shift);
    reg signed [ProductBits-1:0] shifted;
    begin
      // floor((v + 2^(s-1)) / 2^s) = floor(v / 2^s) + bit s-1 of v, which cannot overflow
      shifted = value >>> shift;
      round_shift = (shift == 6'd0) ? value
          : shifted + {{(ProductBits-1){1'b0}}, value[shift - 6'd1]};
    end
  endfunction

  // ---- Tables: read at the head, words at stage 1 ----
  wire [31:0] scale_x_word, scale_z_word, offset_word, low_word, high_word;
  wire [31:0] y_5;
  genvar index;
  wire [5*32-1:0] words;
  generate
    for (index = 0; index < 5; index = index + 1) begin : gen_table
      sf_ram #(
          .Width(32),
          .Depth(TableRows)
      ) u_table (
          .clk_i          (clk_i),
          .write_enable_i (go_i & table_write_i[index]),
          .write_address_i(table_row_i[RowBits-1:0]),
          .write_data_i   (y_5),
          .read_enable_i  (go_i),
          .read_address_i (chunk_i[RowBits-1:0]),
          .read_data_o    (words[32*index+:32])
      );
    end
  endgenerate
  assign scale_x_word = words[31:0];
  assign scale_z_word = words[63:32];
  assign offset_word  = words[95:64];
  assign low_word     = words[127:96];
  assign high_word    = words[159:128];

  // ---- Stages 1 to 5 ----
  reg signed [AccumulatorBits-1:0] x_1;
  reg signed [31:0]                z_1;
  reg signed [StoredBits-1:0]      scale_x;
  wire signed [15:0]               scale_z = scale_z_source_i ? scale_z_word[15:0] : scale_z_i;
  always @* begin
    case (scale_x_source_i)
      SCALAR_CHANNEL: scale_x = scale_x_word[StoredBits-1:0];
      SCALAR_SAMPLE:  scale_x = sample_1_i[StoredBits-1:0];
      default:        scale_x = scale_x_i;
    endcase
  end
  reg signed [ProductBits-1:0] product_x_2, product_z_2;
  reg signed [31:0]            offset_2, offset_3, offset_4;
  reg                          pass_2, pass_3, pass_4;
  reg signed [31:0]            x_3, z_3, x_4, z_4;
  reg [16:0]                   slope_2, slope_3;
  wire [16:0]                  slope;
  reg signed [ProductBits-1:0] sloped;
  reg signed [33:0]            sum;
  reg signed [31:0]            y_q5;
  wire signed [31:0] limit = store16_i ? 32'sd32767 : 32'sh7fffffff;
  wire signed [33:0] limit_high = {{2{limit[31]}}, limit};
  wire signed [33:0] limit_low = -limit_high - 34'sd1;

  sf_tanh_slope u_slope (
      .value_i(z_1),
      .slope_o(slope)
  );

  always @(posedge clk_i) begin
    if (go_i) begin
      x_1 <= x_i;
      z_1 <= z_i;

      product_x_2 <= x_1 * scale_x;
      product_z_2 <= z_1 * scale_z;
      offset_2    <= offset_enable_i ? offset_word : 32'sd0;
      pass_2      <= ~mask_enable_i | ((z_1 >= $signed(low_word)) & (z_1 <= $signed(high_word)));
      slope_2     <= slope;

      x_3      <= saturate(round_shift(product_x_2, shift_x_i));
      z_3      <= z_enable_i ? saturate(round_shift(product_z_2, shift_z_i)) : 32'sd0;
      offset_3 <= offset_2;
      pass_3   <= pass_2;
      slope_3  <= slope_2;

      sloped   = $signed({{(ProductBits-32){x_3[31]}}, x_3}) * $signed({{(ProductBits-17){1'b0}}, slope_3});
      x_4      <= tanh_enable_i ? saturate(round_shift(sloped, 6'd16)) : x_3;
      z_4      <= z_3;
      offset_4 <= offset_3;
      pass_4   <= pass_3;

      sum = $signed({{2{x_4[31]}}, x_4}) + $signed({{2{z_4[31]}}, z_4})
            + $signed({{2{offset_4[31]}}, offset_4});
      if (!pass_4) y_q5 <= 32'sd0;
      else if (sum > limit_high) y_q5 <= limit_high[31:0];
      else if (sum < limit_low) y_q5 <= limit_low[31:0];
      else y_q5 <= sum[31:0];
    end
  end
  assign y_5 = y_q5;
  assign y_o = y_q5;

  // ---- f_G: set-up (6, 7) and restoring division (8..15) ----
  wire [3:0] bits = quantizer_bits_i;
  wire [8:0] levels = (9'd1 << bits) - 9'd1;  // n
  reg  [63:0] scaled_6, noise_6;
  reg  [31:0] sample_6;
  reg  [63:0] shifted_sum;
  wire [63:0] sample_wide = {32'd0, sample_5_i};
  wire [63:0] y_plus_m = {{32{y_q5[31]}}, y_q5} + sample_wide;  // >= 0 because |y| <= M
  wire [63:0] random_odd = {{(63-RandomBits){1'b0}}, random_5_i, 1'b1};  // 2U + 1
  reg  [63:0] remainder [7:15];
  reg  [63:0] divisor   [7:15];
  reg  [7:0]  quotient  [7:15];

  // ---- Thresholds: levels at stages 7..14 ----
  reg signed [31:0] y_6, y_t [7:15];
  reg [7:0]  found [7:15];
  wire [8*32-1:0] threshold;  // word of each level
  reg  [15:0] row_t [7:15];

  integer step;
  always @(posedge clk_i) begin
    if (go_i) begin
      shifted_sum = y_plus_m << bits;
      scaled_6 <= shifted_sum - y_plus_m;  // n (y + M)
      noise_6  <= sample_wide * random_odd;
      sample_6 <= sample_5_i;
      remainder[7] <= (scaled_6 << (RandomBits + 1)) + (noise_6 << 1);
      divisor[7]   <= ({32'd0, sample_6} << (RandomBits + 2)) << (bits - 4'd1);
      quotient[7]  <= 8'd0;
      y_6      <= y_q5;
      y_t[7]   <= y_6;
      found[7] <= 8'd0;
      row_t[7] <= threshold_per_channel_i ? chunk_6_i : 16'd0;
      for (step = 7; step < 15; step = step + 1) begin
        // A quotient of fewer bits takes fewer steps; the rest pass it on.
        if (step - 7 < {28'd0, bits}) begin
          if (remainder[step] >= divisor[step]) begin
            remainder[step+1] <= remainder[step] - divisor[step];
            quotient[step+1]  <= {quotient[step][6:0], 1'b1};
          end else begin
            remainder[step+1] <= remainder[step];
            quotient[step+1]  <= {quotient[step][6:0], 1'b0};
          end
          found[step+1] <= {found[step][6:0], y_t[step] >= $signed(threshold[32*(step-7)+:32])};
        end else begin
          remainder[step+1] <= remainder[step];
          quotient[step+1]  <= quotient[step];
          found[step+1]     <= found[step];
        end
        divisor[step+1] <= divisor[step] >> 1;
        y_t[step+1]     <= y_t[step];
        row_t[step+1]   <= row_t[step];
      end
    end
  end

  // Level i holds 2^i thresholds a row; its word for stage 7 + i is read from stage 6 + i, where the code so
  // far is what stage 7 + i is about to hold.
  generate
    for (index = 0; index < 8; index = index + 1) begin : gen_level
      localparam LevelRows = (index < ThresholdBits) ? ThresholdRows : 1;
      localparam Depth = LevelRows << index;
      localparam AddressBits = (Depth > 1) ? $clog2(Depth) : 1;
      wire [AddressBits-1:0] read_address, write_address;
      wire [7:0] node_prefix = threshold_node_i - (8'd1 << index);
      if (index == 0) begin : gen_root
        assign read_address  = threshold_per_channel_i ? chunk_6_i[AddressBits-1:0] : {AddressBits{1'b0}};
        assign write_address = threshold_row_i[AddressBits-1:0];
      end else begin : gen_inner
        wire [7:0] prefix = {found[6+index][6:0],
                             y_t[6+index] >= $signed(threshold[32*(index-1)+:32])};
        wire [23:0] read_word  = ({8'd0, row_t[6+index]} << index) | {16'd0, prefix};
        wire [23:0] write_word = ({8'd0, threshold_row_i} << index) | {16'd0, node_prefix};
        assign read_address  = read_word[AddressBits-1:0];
        assign write_address = write_word[AddressBits-1:0];
      end
      sf_ram #(
          .Width(32),
          .Depth(Depth)
      ) u_level (
          .clk_i          (clk_i),
          .write_enable_i (go_i & threshold_write_i & (threshold_node_i >> index) == 8'd1),
          .write_address_i(write_address),
          .write_data_i   (y_5),
          .read_enable_i  (go_i),
          .read_address_i (read_address),
          .read_data_o    (threshold[32*index+:32])
      );
    end
  endgenerate

  // ---- Stage 16 ----
  wire signed [9:0] bipolar = {1'b0, quotient[15], 1'b0} - {1'b0, levels};  // 2c - n
  wire signed [42:0] scaled_code = $signed({11'd0, sample_15_i}) * $signed({{33{bipolar[9]}}, bipolar});
  reg [WideBits-1:0] code_q;
  wire [63:0] y_extended = {{32{y_t[15][31]}}, y_t[15]};
  wire [63:0] scaled_extended = {{21{scaled_code[42]}}, scaled_code};
  always @(posedge clk_i) begin
    if (go_i) begin
      case (quantizer_i)
        QUANTIZER_RAW:        code_q <= y_extended[WideBits-1:0];
        QUANTIZER_THRESHOLD:  code_q <= {{(WideBits-8){1'b0}}, found[15]};
        QUANTIZER_STOCHASTIC: code_q <= {{(WideBits-8){1'b0}}, quotient[15]};
        default:              code_q <= scaled_extended[WideBits-1:0];
      endcase
    end
  end
  assign code_o = code_q;
endmodule
`default_nettype wire
