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
// What a pass does not use stands still: registers of z, tables and quantizers move only with its enables, which spares
// power, and time in simulation.
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
    input  wire                       pack_enable_i,
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
  wire z_adds   = z_enable_i & ~mask_enable_i;  // else z is only tested, or not there
  wire divides  = pack_enable_i & (quantizer_i == QUANTIZER_STOCHASTIC || quantizer_i == QUANTIZER_STOCHASTIC_SCALED);
  wire compares = pack_enable_i & quantizer_i == QUANTIZER_THRESHOLD;

  // ---- Tables: read at the head, words at stage 1 ----
  wire [31:0] scale_x_word, scale_z_word, offset_word, low_word, high_word;
  reg  signed [31:0] y_q7;
  genvar index;
  wire [5*32-1:0] words;
  wire [4:0] table_read = {mask_enable_i, mask_enable_i, offset_enable_i, scale_z_source_i & z_adds,
                           scale_x_source_i == SCALAR_CHANNEL};
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
          .read_enable_i  (go_i & table_read[index]),
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
      pass_2      <= ~mask_enable_i | ((z_1 >= $signed(low_word)) & (z_1 <= $signed(high_word)));
    end
    if (go_i & z_adds) product_z_2 <= z_1 * scale_z;
    if (go_i & offset_enable_i) offset_2 <= offset_word;
    if (go_i & tanh_enable_i) slope_2 <= slope;
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
  wire signed [31:0] x_4, z_4;
  reg signed [31:0] x_5, z_5, y_6;
  sf_round_shift #(.Bits(SumBits)) u_round_x (
      .clk_i   (clk_i),
      .enable_i(go_i),
      .value_i (sum_3),
      .shift_i (shift_x_i),
      .value_o (x_4)
  );
  sf_round_shift #(.Bits(48)) u_round_z (
      .clk_i   (clk_i),
      .enable_i(go_i & z_adds),
      .value_i (product_z_3),
      .shift_i (shift_z_i),
      .value_o (z_4)
  );
  wire signed [31:0] limit = narrow_i ? 32'sd32767 : 32'sh7fffffff;
  reg signed [48:0] sloped;  // |x| <= 2^31 and slope <= 2^16, rounded
  reg signed [33:0] sum;
  always @(posedge clk_i) begin
    if (go_i) begin
      sum_3  <= sum_2;
      pass_3 <= pass_2;
      pass_4 <= pass_3;
      pass_5 <= pass_4;
      z_5    <= z_adds ? z_4 : 32'sd0;
      if (tanh_enable_i) begin
        sloped = x_4 * $signed({1'b0, slope_4}) + 49'sh8000;
        // Only +2^31, the bound itself, does not fit
        x_5 <= (~sloped[48] & sloped[47]) ? 32'sh7fffffff : sloped[47:16];
      end else x_5 <= x_4;

      sum = $signed({{2{x_5[31]}}, x_5}) + $signed({{2{z_5[31]}}, z_5});
      if (offset_enable_i) sum = sum + $signed({{2{offset_5[31]}}, offset_5});
      if (!pass_5) y_6 <= 32'sd0;
      else if (sum > $signed({2'b00, limit})) y_6 <= limit;
      else if (sum < -$signed({2'b00, limit})) y_6 <= -limit;
      else y_6 <= sum[31:0];
    end
    if (go_i & z_adds) product_z_3 <= product_z_2;
    if (go_i & offset_enable_i) begin
      offset_3 <= offset_2;
      offset_4 <= offset_3;
      offset_5 <= offset_4;
    end
    if (go_i & tanh_enable_i) begin
      slope_3 <= slope_2;
      slope_4 <= slope_3;
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
      tag_7    <= pool_enable_i ? best_tag : z_enable_i ? z_tag_6 : 8'd0;
      z_low_7  <= z_enable_i ? z_low_6 : 16'd0;
      random_7 <= random_6_i;
    end
    if (go_i & z_enable_i) begin
      z_tag_2 <= z_tag_1;
      z_tag_3 <= z_tag_2;
      z_tag_4 <= z_tag_3;
      z_tag_5 <= z_tag_4;
      z_tag_6 <= z_tag_5;
      z_low_2 <= z_1[15:0];
      z_low_3 <= z_low_2;
      z_low_4 <= z_low_3;
      z_low_5 <= z_low_4;
      z_low_6 <= z_low_5;
    end
  end
  assign y_o   = y_q7;
  assign tag_o = tag_7;
  assign z_o   = z_low_7;

  // ---- f_G: set-up (8, 9) and restoring division (10..17) of 2^R n (y + M) + (2U + 1) M by 2^(R+1) M, R random bits.
  // The divisor has R + 1 zeros below M: so many bits of the dividend decide nothing and are left out. What is left of it
  // is less than (2n + 1) M < 2^(8+1) 2^32. ----
  localparam DivisionBits = 41;
  wire [3:0] bits = quantizer_bits_i;
  reg  [DivisionBits-1:0] scaled_8;
  reg  [RandomBits+32:0]  noise_8;
  reg  [31:0]             sample_8;
  reg  [32:0]             y_plus_m;
  wire [RandomBits+32:0]  random_odd = {32'd0, random_7, 1'b1};  // 2U + 1
  wire [RandomBits+41:0]  dividend = {1'b0, scaled_8, {RandomBits{1'b0}}} + {9'd0, noise_8};
  always @(posedge clk_i) begin
    if (go_i & divides) begin
      y_plus_m = {y_q7[31], y_q7} + {1'b0, sample_7_i};                  // >= 0 because |y| <= M
      scaled_8 <= ({8'd0, y_plus_m} << bits) - {8'd0, y_plus_m};         // n (y + M), n = 2^bits - 1
      noise_8  <= {{(RandomBits+1){1'b0}}, sample_7_i} * random_odd;
      sample_8 <= sample_7_i;
    end
  end

  // ---- Thresholds: levels at stages 9..16 ----
  reg signed [31:0] y_8;
  wire [8*32-1:0] threshold;  // word of each level
  always @(posedge clk_i) if (go_i & pack_enable_i) y_8 <= y_q7;

  genvar stage;
  generate
    for (stage = 9; stage <= 17; stage = stage + 1) begin : gen_stage
      reg [DivisionBits-1:0] remainder, divisor;
      reg [7:0]  quotient, found;
      reg signed [31:0] y;
      reg [15:0] row;
      if (stage == 9) begin : gen_first
        always @(posedge clk_i) begin
          if (go_i & divides) begin
            remainder <= dividend[RandomBits+41:RandomBits+1];
            divisor   <= {9'd0, sample_8} << (bits - 4'd1);
            quotient  <= 8'd0;
          end
          if (go_i & pack_enable_i) y <= y_8;
          if (go_i & compares) begin
            found <= 8'd0;
            row   <= threshold_per_channel_i ? chunk_8_i : 16'd0;
          end
        end
      end else begin : gen_next
        // A quotient of fewer bits takes fewer steps; the rest pass it on.
        wire works = {28'd0, bits} > stage - 10;
        always @(posedge clk_i) begin
          if (go_i & divides) begin
            divisor <= gen_stage[stage-1].divisor >> 1;
            if (works & gen_stage[stage-1].remainder >= gen_stage[stage-1].divisor) begin
              remainder <= gen_stage[stage-1].remainder - gen_stage[stage-1].divisor;
              quotient  <= {gen_stage[stage-1].quotient[6:0], 1'b1};
            end else begin
              remainder <= gen_stage[stage-1].remainder;
              quotient  <= works ? {gen_stage[stage-1].quotient[6:0], 1'b0} : gen_stage[stage-1].quotient;
            end
          end
          if (go_i & pack_enable_i) y <= gen_stage[stage-1].y;
          if (go_i & compares) begin
            row   <= gen_stage[stage-1].row;
            found <= works ? {gen_stage[stage-1].found[6:0],
                              gen_stage[stage-1].y >= $signed(threshold[32*(stage-10)+:32])}
                           : gen_stage[stage-1].found;
          end
        end
      end
    end
  endgenerate

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
        wire [7:0] prefix = {gen_stage[8+index].found[6:0],
                             gen_stage[8+index].y >= $signed(threshold[32*(index-1)+:32])};
        wire [23:0] read_word  = ({8'd0, gen_stage[8+index].row} << index) | {16'd0, prefix};
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
          .read_enable_i  (go_i & compares),
          .read_address_i (read_address),
          .read_data_o    (threshold[32*index+:32])
      );
    end
  endgenerate

  // ---- Stage 18 ----
  reg [WideBits-1:0] code_q;
  reg signed [9:0]  bipolar;
  reg signed [63:0] scaled_code;
  wire [63:0] y_extended = {{32{gen_stage[17].y[31]}}, gen_stage[17].y};
  always @(posedge clk_i) begin
    if (go_i & pack_enable_i) begin
      case (quantizer_i)
        QUANTIZER_RAW:        code_q <= y_extended[WideBits-1:0];
        QUANTIZER_THRESHOLD:  code_q <= {{(WideBits-8){1'b0}}, gen_stage[17].found};
        QUANTIZER_STOCHASTIC: code_q <= {{(WideBits-8){1'b0}}, gen_stage[17].quotient};
        default: begin
          bipolar     = {1'b0, gen_stage[17].quotient, 1'b0} - (10'sd1 <<< bits) + 10'sd1;  // 2c - n
          scaled_code = $signed({32'd0, sample_17_i}) * $signed({{54{bipolar[9]}}, bipolar});
          code_q <= scaled_code[WideBits-1:0];
        end
      endcase
    end
  end
  assign code_o = code_q;
endmodule
`default_nettype wire
