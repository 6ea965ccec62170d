// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one stream lane, a rigid pipeline that moves when go_i. Stages, counted from the head:
//   1  operands (routed), table words   2  products x*scale_x, z*scale_z, mask test, 1 - tanh^2 z
//   3  x summed over samples            4  rounding shifts, saturated to 32 bits
//   5  x times 1 - tanh^2               6  y = x' + z' + offset, masked, saturated to +-(2^15 - 1) or +-(2^31 - 1)
//   7  y of the window, then dropout: y_o, with its tag and the z beside it
//   8..17  quantizers: f_G sets up in two stages, then eight steps of restoring division; thresholds
//          are a binary search, one level a stage, from a table of its own
//   18 code_o: raw y, threshold count, code c, or M (2c - n)
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
    parameter Positions = 16,      // steps of a tile, at least 2
    parameter Places = 512,        // steps of a pixel
    parameter ValueBits = (AccumulatorBits > 32) ? AccumulatorBits : 32,  // derived; do not set
    parameter RowBits = (TableRows > 1) ? $clog2(TableRows) : 1,  // derived; do not set
    parameter ThresholdRowBits = (ThresholdRows > 1) ? $clog2(ThresholdRows) : 1,  // derived; do not set
    parameter PositionBits = (Positions > 1) ? $clog2(Positions) : 1,  // derived; do not set
    parameter PlaceBits = (Places > 1) ? $clog2(Places) : 1  // derived; do not set
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
    input  wire                       z_tagged_i,
    input  wire                       route_enable_i,
    input  wire                       accumulate_enable_i,
    input  wire                       pool_enable_i,
    input  wire                       drop_enable_i,
    input  wire [15:0]                drop_threshold_i,
    input  wire                       narrow_i,
    input  wire [StoredBits-1:0]      scale_x_i,
    input  wire [15:0]                scale_z_i,
    input  wire [5:0]                 shift_x_i,
    input  wire [5:0]                 shift_z_i,
    input  wire [1:0]                 quantizer_i,
    input  wire [3:0]                 quantizer_bits_i,
    input  wire                       threshold_per_channel_i,
    // Head
    input  wire [ValueBits-1:0]       x_i,
    input  wire [31:0]                z_i,
    input  wire [15:0]                chunk_i,
    input  wire [7:0]                 route_index_i,
    // Shared values, each at the stage named
    input  wire [31:0]                sample_1_i,
    input  wire [31:0]                sample_7_i,
    input  wire [31:0]                sample_17_i,
    input  wire [PositionBits-1:0]    position_1_i,
    input  wire [PositionBits-1:0]    position_2_i,
    input  wire                       sum_first_2_i,   // starts a sum over samples
    input  wire                       step_2_i,        // a step is at stage 2
    input  wire [PlaceBits-1:0]       place_5_i,
    input  wire [PlaceBits-1:0]       place_6_i,
    input  wire                       window_first_6_i,
    input  wire [7:0]                 pool_index_6_i,
    input  wire                       step_6_i,
    input  wire [RandomBits-1:0]      random_6_i,
    input  wire [15:0]                chunk_8_i,
    // Tables are written at stage 7 with y
    input  wire [4:0]                 table_write_i,
    input  wire [15:0]                table_row_i,
    input  wire                       threshold_write_i,
    input  wire [7:0]                 threshold_node_i,  // 1 .. 2^k - 1, heap order
    input  wire [15:0]                threshold_row_i,
    // Results
    output wire [31:0]                y_o,       // stage 7
    output wire [7:0]                 tag_o,     // stage 7
    output wire [15:0]                z_o,       // stage 7
    output wire [WideBits-1:0]        code_o     // stage 18
);
  `include "sf_descriptor.vh"
  localparam ProductBits = ValueBits + StoredBits;
  localparam SumBits = (ProductBits > 64) ? ProductBits : 64;

  // ---- Tables: read at the head, words at stage 1 ----
  wire [31:0] scale_x_word, scale_z_word, offset_word, low_word, high_word;
  reg  signed [31:0] y_q7;
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
          .write_data_i   (y_q7),
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

  // ---- Stage 1: z counts where it exists and, routed, where its tag is the place in the window ----
  reg signed [ValueBits-1:0] x_1;
  reg signed [31:0]          z_1;
  reg [7:0]                  z_tag_1;
  wire [7:0]  z_tag    = (z_enable_i & z_tagged_i) ? z_i[23:16] : 8'd0;
  wire [31:0] z_value  = z_tagged_i ? {{16{z_i[15]}}, z_i[15:0]} : z_i;
  wire        z_counts = z_enable_i & (~route_enable_i | (z_tag == route_index_i));
  always @(posedge clk_i) begin
    if (go_i) begin
      x_1     <= x_i;
      z_1     <= z_counts ? z_value : 32'd0;
      z_tag_1 <= z_tag;
    end
  end

  // ---- Stage 2 ----
  reg signed [StoredBits-1:0] scale_x;
  wire signed [15:0]          scale_z = scale_z_source_i ? scale_z_word[15:0] : scale_z_i;
  always @* begin
    case (scale_x_source_i)
      SCALAR_CHANNEL: scale_x = scale_x_word[StoredBits-1:0];
      SCALAR_SAMPLE:  scale_x = sample_1_i[StoredBits-1:0];
      default:        scale_x = scale_x_i;
    endcase
  end
  reg signed [ProductBits-1:0] product_x_2;
  reg signed [47:0]            product_z_2;
  reg signed [31:0]            offset_2;
  reg                          pass_2;
  reg [16:0]                   slope_2;
  wire [16:0]                  slope;
  sf_tanh_slope u_slope (
      .value_i(z_1),
      .slope_o(slope)
  );
  always @(posedge clk_i) begin
    if (go_i) begin
      product_x_2 <= x_1 * scale_x;
      product_z_2 <= z_1 * scale_z;
      offset_2    <= offset_enable_i ? offset_word : 32'sd0;
      pass_2      <= ~mask_enable_i | ((z_1 >= $signed(low_word)) & (z_1 <= $signed(high_word)));
      slope_2     <= slope;
    end
  end

  // ---- Stage 3: a sum for each step of a tile, read one stage ahead: its visits must be two or more moves apart.
  // That sums fit is the host's part, as with the array's. ----
  wire [SumBits-1:0] sum_so_far;
  wire signed [SumBits-1:0] product_wide = {{(SumBits-ProductBits+1){product_x_2[ProductBits-1]}},
                                            product_x_2[ProductBits-2:0]};
  wire signed [SumBits-1:0] sum_2 = product_wide
      + $signed(sum_so_far & {SumBits{accumulate_enable_i & ~sum_first_2_i}});
  reg signed [SumBits-1:0] sum_3;
  sf_ram #(
      .Width(SumBits),
      .Depth(Positions)
  ) u_sums (
      .clk_i          (clk_i),
      .write_enable_i (go_i & accumulate_enable_i & step_2_i),
      .write_address_i(position_2_i),
      .write_data_i   (sum_2),
      .read_enable_i  (go_i & accumulate_enable_i),
      .read_address_i (position_1_i),
      .read_data_o    (sum_so_far)
  );

  // ---- Stages 3 to 6 ----
  reg signed [47:0] product_z_3;
  reg signed [31:0] offset_3, offset_4, offset_5;
  reg               pass_3, pass_4, pass_5;
  reg [16:0]        slope_3, slope_4;
  reg signed [31:0] x_4, z_4, x_5, z_5, y_6;
  wire [31:0]       x_shifted, z_shifted, x_sloped;
  // |x| <= 2^31 and slope <= 2^16: 48 bits
  wire signed [49:0] sloped = x_4 * $signed({1'b0, slope_4});
  wire signed [33:0] sum = $signed({{2{x_5[31]}}, x_5}) + $signed({{2{z_5[31]}}, z_5})
                           + $signed({{2{offset_5[31]}}, offset_5});
  wire signed [33:0] limit = narrow_i ? 34'sd32767 : 34'sh7fffffff;
  sf_round_shift #(.Bits(SumBits)) u_round_x (
      .value_i(sum_3),
      .shift_i(shift_x_i),
      .value_o(x_shifted)
  );
  sf_round_shift #(.Bits(48)) u_round_z (
      .value_i(product_z_3),
      .shift_i(shift_z_i),
      .value_o(z_shifted)
  );
  sf_round_shift #(.Bits(50)) u_round_slope (
      .value_i(sloped),
      .shift_i(6'd16),
      .value_o(x_sloped)
  );
  always @(posedge clk_i) begin
    if (go_i) begin
      sum_3       <= sum_2;
      product_z_3 <= product_z_2;
      offset_3    <= offset_2;
      pass_3      <= pass_2;
      slope_3     <= slope_2;

      x_4      <= x_shifted;
      z_4      <= mask_enable_i ? 32'sd0 : z_shifted;
      offset_4 <= offset_3;
      pass_4   <= pass_3;
      slope_4  <= slope_3;

      x_5      <= tanh_enable_i ? x_sloped : x_4;
      z_5      <= z_4;
      offset_5 <= offset_4;
      pass_5   <= pass_4;

      if (!pass_5) y_6 <= 32'sd0;
      else if (sum > limit) y_6 <= limit[31:0];
      else if (sum < -limit) y_6 <= -limit[31:0];
      else y_6 <= sum[31:0];
    end
  end

  // ---- Stage 7: pooling, dropout; what travels beside y ----
  wire [31:0] best;
  wire [7:0]  best_tag;
  sf_pool #(.Depth(Places)) u_pool (
      .clk_i          (clk_i),
      .go_i           (go_i),
      .enable_i       (pool_enable_i),
      .read_address_i (place_5_i),
      .valid_i        (step_6_i),
      .write_address_i(place_6_i),
      .first_i        (window_first_6_i),
      .index_i        (pool_index_6_i),
      .value_i        (y_6),
      .value_o        (best),
      .tag_o          (best_tag)
  );
  wire drops = drop_enable_i & ({{(17-RandomBits){1'b0}}, random_6_i} < {1'b0, drop_threshold_i});
  reg [7:0]            z_tag_2, z_tag_3, z_tag_4, z_tag_5, z_tag_6, tag_7;
  reg [15:0]           z_low_2, z_low_3, z_low_4, z_low_5, z_low_6, z_low_7;
  reg [RandomBits-1:0] random_7;
  always @(posedge clk_i) begin
    if (go_i) begin
      y_q7     <= drops ? -32'sd32768 : pool_enable_i ? best : y_6;
      tag_7    <= pool_enable_i ? best_tag : z_tag_6;
      random_7 <= random_6_i;
      z_tag_2  <= z_tag_1;
      z_tag_3  <= z_tag_2;
      z_tag_4  <= z_tag_3;
      z_tag_5  <= z_tag_4;
      z_tag_6  <= z_tag_5;
      z_low_2  <= z_1[15:0];
      z_low_3  <= z_low_2;
      z_low_4  <= z_low_3;
      z_low_5  <= z_low_4;
      z_low_6  <= z_low_5;
      z_low_7  <= z_low_6;
    end
  end
  assign y_o   = y_q7;
  assign tag_o = tag_7;
  assign z_o   = z_low_7;

  // ---- f_G: set-up (8, 9) and restoring division (10..17) ----
  wire [3:0] bits = quantizer_bits_i;
  wire [8:0] levels = (9'd1 << bits) - 9'd1;  // n
  reg  [63:0] scaled_8, noise_8;
  reg  [31:0] sample_8;
  reg  [63:0] shifted_sum;
  wire [63:0] sample_wide = {32'd0, sample_7_i};
  wire [63:0] y_plus_m = {{32{y_q7[31]}}, y_q7} + sample_wide;  // >= 0 because |y| <= M
  wire [63:0] random_odd = {{(63-RandomBits){1'b0}}, random_7, 1'b1};  // 2U + 1
  reg  [63:0] remainder [9:17];
  reg  [63:0] divisor   [9:17];
  reg  [7:0]  quotient  [9:17];

  // ---- Thresholds: levels at stages 9..16 ----
  reg signed [31:0] y_8, y_t [9:17];
  reg [7:0]  found [9:17];
  wire [8*32-1:0] threshold;  // word of each level
  reg  [15:0] row_t [9:17];

  integer step;
  always @(posedge clk_i) begin
    if (go_i) begin
      shifted_sum = y_plus_m << bits;
      scaled_8 <= shifted_sum - y_plus_m;  // n (y + M)
      noise_8  <= sample_wide * random_odd;
      sample_8 <= sample_7_i;
      remainder[9] <= (scaled_8 << (RandomBits + 1)) + (noise_8 << 1);
      divisor[9]   <= ({32'd0, sample_8} << (RandomBits + 2)) << (bits - 4'd1);
      quotient[9]  <= 8'd0;
      y_8      <= y_q7;
      y_t[9]   <= y_8;
      found[9] <= 8'd0;
      row_t[9] <= threshold_per_channel_i ? chunk_8_i : 16'd0;
      for (step = 9; step < 17; step = step + 1) begin
        // A quotient of fewer bits takes fewer steps; the rest pass it on.
        if (step - 9 < {28'd0, bits}) begin
          if (remainder[step] >= divisor[step]) begin
            remainder[step+1] <= remainder[step] - divisor[step];
            quotient[step+1]  <= {quotient[step][6:0], 1'b1};
          end else begin
            remainder[step+1] <= remainder[step];
            quotient[step+1]  <= {quotient[step][6:0], 1'b0};
          end
          found[step+1] <= {found[step][6:0], y_t[step] >= $signed(threshold[32*(step-9)+:32])};
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

  // Level i holds 2^i thresholds a row; its word for stage 9 + i is read from stage 8 + i, where the code so
  // far is what stage 9 + i is about to hold.
  generate
    for (index = 0; index < 8; index = index + 1) begin : gen_level
      localparam LevelRows = (index < ThresholdBits) ? ThresholdRows : 1;
      localparam Depth = LevelRows << index;
      localparam AddressBits = (Depth > 1) ? $clog2(Depth) : 1;
      wire [AddressBits-1:0] read_address, write_address;
      wire [7:0] node_prefix = threshold_node_i - (8'd1 << index);
      if (index == 0) begin : gen_root
        assign read_address  = threshold_per_channel_i ? chunk_8_i[AddressBits-1:0] : {AddressBits{1'b0}};
        assign write_address = threshold_row_i[AddressBits-1:0];
      end else begin : gen_inner
        wire [7:0] prefix = {found[8+index][6:0],
                             y_t[8+index] >= $signed(threshold[32*(index-1)+:32])};
        wire [23:0] read_word  = ({8'd0, row_t[8+index]} << index) | {16'd0, prefix};
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
          .write_data_i   (y_q7),
          .read_enable_i  (go_i),
          .read_address_i (read_address),
          .read_data_o    (threshold[32*index+:32])
      );
    end
  endgenerate

  // ---- Stage 18 ----
  wire signed [9:0] bipolar = {1'b0, quotient[17], 1'b0} - {1'b0, levels};  // 2c - n
  wire signed [42:0] scaled_code = $signed({11'd0, sample_17_i}) * $signed({{33{bipolar[9]}}, bipolar});
  reg [WideBits-1:0] code_q;
  wire [63:0] y_extended = {{32{y_t[17][31]}}, y_t[17]};
  wire [63:0] scaled_extended = {{21{scaled_code[42]}}, scaled_code};
  always @(posedge clk_i) begin
    if (go_i) begin
      case (quantizer_i)
        QUANTIZER_RAW:        code_q <= y_extended[WideBits-1:0];
        QUANTIZER_THRESHOLD:  code_q <= {{(WideBits-8){1'b0}}, found[17]};
        QUANTIZER_STOCHASTIC: code_q <= {{(WideBits-8){1'b0}}, quotient[17]};
        default:              code_q <= scaled_extended[WideBits-1:0];
      endcase
    end
  end
  assign code_o = code_q;
endmodule
`default_nettype wire
