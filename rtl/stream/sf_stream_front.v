// SPDX-License-Identifier: Apache-2.0
// Stages 1 to 7 of a stream lane, from the operands at its head to the result y. Stages, counted from the head:
//   1  operands (routed), table words   2  products x*scale_x, z*scale_z, mask test, slope of z
//   3  x summed over samples            4  rounding shifts, saturated to 32 bits
//   5  x times the slope                6  y = x' + z' + offset, masked, saturated to +-((2^31 - 1) >> limit_shift)
//   7  y of the window, then dropout and grid: y_o, with its tag and the z beside it
// Latency 7, initiation interval 1; the stages move when go_i.
// What a pass does not use stands still: each group of registers that only some passes need has an enable, which moves
// it, and a clock gate with the same enable.
`default_nettype none
module sf_stream_front #(
    parameter AccumulatorBits = 48,
    parameter StoredBits = 16,
    parameter RandomBits = 16,
    parameter TableRows = 32,
    parameter Positions = 16,      // of sums over samples, at least 2
    parameter Places = 512,        // steps of a pixel
    parameter ValueBits = (AccumulatorBits > 32) ? AccumulatorBits : 32,  // derived; do not set
    parameter RowBits = (TableRows > 1) ? $clog2(TableRows) : 1,  // derived; do not set
    parameter PositionBits = (Positions > 1) ? $clog2(Positions) : 1,  // derived; do not set
    parameter PlaceBits = (Places > 1) ? $clog2(Places) : 1  // derived; do not set
) (
    input  wire                       clk_i,
    input  wire                       go_i,
    input  wire [2047:0]              descriptor_i,  // stable during a pass
    // Head
    input  wire [ValueBits-1:0]       x_i,
    input  wire [31:0]                z_i,
    input  wire [15:0]                chunk_i,
    input  wire                       chunk_new_i,  // tables must be read: the chunk is another than in the move before
    input  wire [7:0]                 route_index_i,
    // Shared values, each at the stage named
    input  wire [31:0]                sample_1_i,
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
    // Tables are written at stage 7 with y
    input  wire [4:0]                 table_write_i,
    input  wire [15:0]                table_row_i,
    // Results, at stage 7
    output wire [31:0]                y_o,
    output wire [7:0]                 tag_o,     // if the pass stores tagged elements
    output wire [15:0]                z_o        // if the pass sums y z
);
  `include "sf_descriptor.vh"
  localparam ProductBits = ValueBits + StoredBits;
  localparam SumBits = (ProductBits > 64) ? ProductBits : 64;

  // ---- The pass ----
  wire [3:0]  scale_x_source = descriptor_i[F_SCALE_X_SOURCE+:4];
  wire        scale_z_source = descriptor_i[F_SCALE_Z_SOURCE+:4] == SCALAR_CHANNEL;
  wire        offset_enable  = descriptor_i[F_OFFSET_ENABLE];
  wire [3:0]  slope_function = descriptor_i[F_SLOPE_FUNCTION+:4];
  wire        slopes         = slope_function != SLOPE_FUNCTION_NONE;
  wire        mask_enable    = descriptor_i[F_MASK_ENABLE];
  wire        z_enable       = descriptor_i[F_Z_ENABLE];
  wire        z_tagged       = descriptor_i[F_Z_TYPE+:4] == TYPE_TAGGED;
  wire        accumulate     = descriptor_i[F_ACCUMULATE_ENABLE];
  wire        pool           = descriptor_i[F_POOL_ENABLE];
  wire        z_adds         = z_enable & ~mask_enable;  // else z is only tested, or not there
  wire        tags           = descriptor_i[F_DESTINATION+:4] == DESTINATION_TAGGED;
  wire        dots           = descriptor_i[F_SECOND_SUM+:4] == SECOND_SUM_DOT;

  // ---- The clocks of what not every pass uses ----
  wire z_clk, add_clk, offset_clk, slope_clk, tag_clk, dot_clk;
  sf_clock_gate u_z_gate (
      .clk_i   (clk_i),
      .enable_i(z_enable),
      .clk_o   (z_clk)
  );
  sf_clock_gate u_add_gate (
      .clk_i   (clk_i),
      .enable_i(z_adds),
      .clk_o   (add_clk)
  );
  sf_clock_gate u_offset_gate (
      .clk_i   (clk_i),
      .enable_i(offset_enable),
      .clk_o   (offset_clk)
  );
  sf_clock_gate u_slope_gate (
      .clk_i   (clk_i),
      .enable_i(slopes),
      .clk_o   (slope_clk)
  );
  sf_clock_gate u_tag_gate (
      .clk_i   (clk_i),
      .enable_i(tags),
      .clk_o   (tag_clk)
  );
  sf_clock_gate u_dot_gate (
      .clk_i   (clk_i),
      .enable_i(dots),
      .clk_o   (dot_clk)
  );

  // ---- Tables: read at the head, words at stage 1 ----
  wire [31:0] scale_x_word, scale_z_word, offset_word, low_word, high_word;
  reg  signed [31:0] y_q7;
  genvar index;
  wire [5*32-1:0] words;
  wire [4:0] table_read = {mask_enable, mask_enable, offset_enable, scale_z_source & z_adds,
                           scale_x_source == SCALAR_CHANNEL};
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
          .read_enable_i  (go_i & chunk_new_i & table_read[index]),
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
  wire [7:0]  z_tag    = (z_enable & z_tagged) ? z_i[23:16] : 8'd0;
  wire [31:0] z_value  = z_tagged ? {{16{z_i[15]}}, z_i[15:0]} : z_i;
  wire        z_counts = z_enable & (~descriptor_i[F_ROUTE_ENABLE] | (z_tag == route_index_i));
  always @(posedge clk_i) begin
    if (go_i) x_1 <= x_i;
  end
  always @(posedge z_clk) begin
    if (go_i & z_enable) z_1 <= z_counts ? z_value : 32'd0;
  end

  // ---- Stage 2 ----
  reg signed [StoredBits-1:0] scale_x;
  wire signed [15:0]          scale_z = scale_z_source ? scale_z_word[15:0] : descriptor_i[F_SCALE_Z+:16];
  always @* begin
    case (scale_x_source)
      SCALAR_CHANNEL: scale_x = scale_x_word[StoredBits-1:0];
      SCALAR_SAMPLE:  scale_x = sample_1_i[StoredBits-1:0];
      default:        scale_x = descriptor_i[F_SCALE_X+:StoredBits];
    endcase
  end
  reg signed [ProductBits-1:0] product_x_2;
  reg signed [47:0]            product_z_2;
  reg signed [31:0]            offset_2;
  reg                          pass_2;
  reg [16:0]                   slope_2;
  wire [16:0] tanh_slope;
  sf_tanh_slope u_slope (
      .value_i(z_1),
      .slope_o(tanh_slope)
  );
  // 1 - |z| of a pre-activation, which has SUM_FRACTION_BITS
  wire [31:0] magnitude = z_1[31] ? 32'd0 - z_1 : z_1;
  wire [16:0] one       = 17'd1 << SUM_FRACTION_BITS;
  wire [16:0] triangle_slope = (magnitude >= {15'd0, one}) ? 17'd0
      : (one - magnitude[16:0]) << (16 - SUM_FRACTION_BITS);
  always @(posedge clk_i) begin
    if (go_i) begin
      product_x_2 <= x_1 * scale_x;
      pass_2      <= ~mask_enable | ((z_1 >= $signed(low_word)) & (z_1 <= $signed(high_word)));
    end
  end

  // ---- Stage 3: a sum for each step of a tile, read one stage ahead: its visits must be two or more moves apart.
  // That sums fit is the host's part, as with the array's. ----
  wire [SumBits-1:0] sum_so_far;
  wire signed [SumBits-1:0] product_wide = {{(SumBits-ProductBits+1){product_x_2[ProductBits-1]}},
                                            product_x_2[ProductBits-2:0]};
  wire signed [SumBits-1:0] sum_2 = product_wide
      + $signed(sum_so_far & {SumBits{accumulate & ~sum_first_2_i}});
  reg signed [SumBits-1:0] sum_3;
  sf_ram #(
      .Width(SumBits),
      .Depth(Positions)
  ) u_sums (
      .clk_i          (clk_i),
      .write_enable_i (go_i & accumulate & step_2_i),
      .write_address_i(position_2_i),
      .write_data_i   (sum_2),
      .read_enable_i  (go_i & accumulate),
      .read_address_i (position_1_i),
      .read_data_o    (sum_so_far)
  );

  // ---- Stages 3 to 6, and the way there of what is added to x ----
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
      .shift_i (descriptor_i[F_SHIFT_X+:6]),
      .value_o (x_4)
  );
  sf_round_shift #(.Bits(48)) u_round_z (
      .clk_i   (add_clk),
      .enable_i(go_i & z_adds),
      .value_i (product_z_3),
      .shift_i (descriptor_i[F_SHIFT_Z+:6]),
      .value_o (z_4)
  );
  wire signed [31:0] limit = 32'h7fffffff >> descriptor_i[F_LIMIT_SHIFT+:5];
  reg signed [48:0] sloped;  // |x| <= 2^31 and slope <= 2^16, rounded
  wire signed [31:0] y_5;
  sf_stream_sum u_sum (
      .x_i            (x_5),
      .z_i            (z_5),
      .offset_i       (offset_5),
      .z_enable_i     (z_adds),
      .offset_enable_i(offset_enable),
      .pass_i         (pass_5),
      .limit_i        (limit),
      .y_o            (y_5)
  );
  always @(posedge clk_i) begin
    if (go_i) begin
      sum_3  <= sum_2;
      pass_3 <= pass_2;
      pass_4 <= pass_3;
      pass_5 <= pass_4;
      if (slopes) begin
        sloped = x_4 * $signed({1'b0, slope_4}) + 49'sh8000;
        // Only +2^31, the bound itself, does not fit
        x_5 <= (~sloped[48] & sloped[47]) ? 32'sh7fffffff : sloped[47:16];
      end else x_5 <= x_4;

      y_6 <= y_5;
    end
  end
  always @(posedge add_clk) begin
    if (go_i & z_adds) begin
      product_z_2 <= z_1 * scale_z;
      product_z_3 <= product_z_2;
      z_5         <= z_4;
    end
  end
  always @(posedge offset_clk) begin
    if (go_i & offset_enable) begin
      offset_2 <= offset_word;
      offset_3 <= offset_2;
      offset_4 <= offset_3;
      offset_5 <= offset_4;
    end
  end
  always @(posedge slope_clk) begin
    if (go_i & slopes) begin
      slope_2 <= (slope_function == SLOPE_FUNCTION_TRIANGLE) ? triangle_slope : tanh_slope;
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
      .enable_i       (pool),
      .read_address_i (place_5_i),
      .valid_i        (step_6_i),
      .write_address_i(place_6_i),
      .first_i        (window_first_6_i),
      .index_i        (pool_index_6_i),
      .value_i        (y_6),
      .value_o        (best),
      .tag_o          (best_tag)
  );
  wire drops = descriptor_i[F_DROP_ENABLE] & ({{(17-RandomBits){1'b0}}, random_6_i} < {1'b0, descriptor_i[F_DROP_THRESHOLD+:16]});
  wire [31:0] result  = pool ? best : y_6;
  wire [31:0] on_grid = (result + {{(32-RandomBits){1'b0}}, random_6_i}) & ({32{1'b1}} << RandomBits);
  reg [7:0]  z_tag_1, z_tag_2, z_tag_3, z_tag_4, z_tag_5, z_tag_6, tag_7;
  reg [15:0] z_low_2, z_low_3, z_low_4, z_low_5, z_low_6, z_low_7;
  always @(posedge clk_i) begin
    if (go_i) y_q7 <= drops ? -32'sd32768 : descriptor_i[F_GRID_ENABLE] ? on_grid : result;
  end
  always @(posedge tag_clk) begin
    if (go_i & tags) begin
      z_tag_1 <= z_tag;
      z_tag_2 <= z_tag_1;
      z_tag_3 <= z_tag_2;
      z_tag_4 <= z_tag_3;
      z_tag_5 <= z_tag_4;
      z_tag_6 <= z_tag_5;
      tag_7   <= pool ? best_tag : z_tag_6;
    end
  end
  always @(posedge dot_clk) begin
    if (go_i & dots) begin
      z_low_2 <= z_1[15:0];
      z_low_3 <= z_low_2;
      z_low_4 <= z_low_3;
      z_low_5 <= z_low_4;
      z_low_6 <= z_low_5;
      z_low_7 <= z_enable ? z_low_6 : 16'd0;
    end
  end
  assign y_o   = y_q7;
  assign tag_o = tag_7;
  assign z_o   = z_low_7;
endmodule
`default_nettype wire
