// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one stream lane: its front makes y of the operands (stages 1 to 7), two coders of the same latency
// make codes of y (8 to 17), and stage 18 chooses the code that the pass wants: raw y, threshold count, code c of the
// stochastic quantizer, or M (2c - n).
// Latency 7 (RESULT_STAGE) to y_o, 18 (LANE_STAGES) to code_o, initiation interval 1; the pipeline is rigid and moves
// when go_i. What a pass does not use stands still, and its clock with it: see the gates of front, coders and code_q.
`default_nettype none
module sf_stream_lane #(
    parameter AccumulatorBits = 48,
    parameter StoredBits = 16,
    parameter WideBits = 24,
    parameter RandomBits = 16,
    parameter ThresholdBits = 2,   // code bits with thresholds per channel
    parameter TableRows = 32,
    parameter ThresholdRows = 32,
    parameter Positions = 16,      // of sums over samples, at least 2
    parameter Places = 512,        // steps of a pixel
    parameter ValueBits = (AccumulatorBits > 32) ? AccumulatorBits : 32,  // derived; do not set
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
    input  wire                       chunk_new_i,
    input  wire [7:0]                 route_index_i,
    // Shared values, each at the stage named
    input  wire [31:0]                sample_1_i,
    input  wire [11*32-1:0]           samples_7_i,  // at stages 7 to 17, the lowest first, if the pass rounds at random
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
    input  wire [2:0]                 turn_i,           // counts moves, 0 to 4, in passes that pack y itself
    // Tables are written at stage 7 with y
    input  wire [4:0]                 table_write_i,
    input  wire [15:0]                table_row_i,
    input  wire                       threshold_write_i,
    input  wire [7:0]                 threshold_node_i,  // 1 .. 2^k - 1, heap order
    input  wire [15:0]                threshold_row_i,
    // Results
    output wire [31:0]                y_o,       // stage 7
    output wire [7:0]                 tag_o,     // stage 7, if the pass stores tagged elements
    output wire [15:0]                z_o,       // stage 7, if the pass sums y z
    output wire [WideBits-1:0]        code_o     // stage 18
);
  `include "sf_descriptor.vh"
  localparam Turns = CODER_STAGES / 2;
  wire       pack      = descriptor_i[F_PACK_ENABLE];
  wire [3:0] quantizer = descriptor_i[F_QUANTIZER+:4];
  wire [3:0] bits      = descriptor_i[F_QUANTIZER_BITS+:4];
  wire divides  = pack & (quantizer == QUANTIZER_STOCHASTIC || quantizer == QUANTIZER_STOCHASTIC_SCALED);
  wire compares = pack & quantizer == QUANTIZER_THRESHOLD;
  wire copies   = pack & quantizer == QUANTIZER_RAW;

  sf_stream_front #(
      .AccumulatorBits(AccumulatorBits),
      .StoredBits     (StoredBits),
      .RandomBits     (RandomBits),
      .TableRows      (TableRows),
      .Positions      (Positions),
      .Places         (Places)
  ) u_front (
      .clk_i           (clk_i),
      .go_i            (go_i),
      .descriptor_i    (descriptor_i),
      .x_i             (x_i),
      .z_i             (z_i),
      .chunk_i         (chunk_i),
      .chunk_new_i     (chunk_new_i),
      .route_index_i   (route_index_i),
      .sample_1_i      (sample_1_i),
      .position_1_i    (position_1_i),
      .position_2_i    (position_2_i),
      .sum_first_2_i   (sum_first_2_i),
      .step_2_i        (step_2_i),
      .place_5_i       (place_5_i),
      .place_6_i       (place_6_i),
      .window_first_6_i(window_first_6_i),
      .pool_index_6_i  (pool_index_6_i),
      .step_6_i        (step_6_i),
      .random_6_i      (random_6_i),
      .table_write_i   (table_write_i),
      .table_row_i     (table_row_i),
      .y_o             (y_o),
      .tag_o           (tag_o),
      .z_o             (z_o)
  );

  wire [7:0]  threshold_code, stochastic_code;
  sf_threshold_coder #(
      .ThresholdBits(ThresholdBits),
      .ThresholdRows(ThresholdRows)
  ) u_threshold (
      .clk_i        (clk_i),
      .go_i         (go_i),
      .code_enable_i(compares),
      .bits_i       (bits),
      .per_channel_i(descriptor_i[F_THRESHOLD_PER_CHANNEL]),
      .y_i          (y_o),
      .row_1_i      (chunk_8_i),
      .write_i      (threshold_write_i),
      .write_node_i (threshold_node_i),
      .write_row_i  (threshold_row_i),
      .code_o       (threshold_code)
  );
  wire random_clk, code_clk;
  sf_clock_gate u_random_gate (
      .clk_i   (clk_i),
      .enable_i(divides),
      .clk_o   (random_clk)
  );
  sf_clock_gate u_code_gate (
      .clk_i   (clk_i),
      .enable_i(pack),
      .clk_o   (code_clk)
  );
  reg [RandomBits-1:0] random_7;
  always @(posedge random_clk) if (go_i & divides) random_7 <= random_6_i;
  sf_stochastic_coder #(
      .RandomBits(RandomBits)
  ) u_stochastic (
      .clk_i        (clk_i),
      .go_i         (go_i),
      .code_enable_i(divides),
      .bits_i       (bits),
      .y_i          (y_o),
      .maximum_i    (samples_7_i[10*32-1:0]),
      .random_i     (random_7),
      .code_o       (stochastic_code)
  );

  // ---- A raw code waits ten moves for stage 18, in one of five pairs of registers, which take turns ----
  wire [63:0] y_extended = {{32{y_o[31]}}, y_o} & {64{copies}};
  wire [Turns-1:0]          takes;
  wire [WideBits*Turns-1:0] waiting;
  wire copy_clk;
  sf_clock_gate u_copy_gate (
      .clk_i   (clk_i),
      .enable_i(copies),
      .clk_o   (copy_clk)
  );
  genvar turn;
  generate
    for (turn = 0; turn < Turns; turn = turn + 1) begin : gen_turn
      assign takes[turn] = copies & {29'd0, turn_i} == turn;
      wire turn_clk;
      reg [WideBits-1:0] newer, older;
      sf_clock_gate u_gate (
          .clk_i   (copy_clk),
          .enable_i(takes[turn]),
          .clk_o   (turn_clk)
      );
      always @(posedge turn_clk) begin
        if (go_i & takes[turn]) begin
          newer <= y_extended[WideBits-1:0];
          older <= newer;
        end
      end
      assign waiting[WideBits*turn+:WideBits] = older;
    end
  endgenerate
  reg [WideBits-1:0] waited;
  always @* begin : choosing
    integer i;
    i      = 0;
    waited = {WideBits{1'b0}};
    for (i = 0; i < Turns; i = i + 1) waited = waited | (waiting[WideBits*i+:WideBits] & {WideBits{takes[i]}});
  end

  // ---- Stage 18 ----
  reg [WideBits-1:0] code_q;
  // M (2c - n): each of the code's bits adds M times its weight, or subtracts it
  wire [31:0]        sample_17  = samples_7_i[10*32+:32];
  wire [7:0]         code_bits  = ~(8'hff << bits);
  wire [7:0]         subtracts  = ~stochastic_code & code_bits;
  wire [8*WideBits-1:0] scaled_bits;
  generate
    for (turn = 0; turn < 8; turn = turn + 1) begin : gen_bit
      assign scaled_bits[WideBits*turn+:WideBits] =
          ((sample_17[WideBits-1:0] & {WideBits{code_bits[turn]}}) ^ {WideBits{subtracts[turn]}}) << turn;
    end
  endgenerate
  wire [WideBits-1:0] scaled_code = scaled_bits[0+:WideBits] + scaled_bits[WideBits+:WideBits]
      + scaled_bits[2*WideBits+:WideBits] + scaled_bits[3*WideBits+:WideBits] + scaled_bits[4*WideBits+:WideBits]
      + scaled_bits[5*WideBits+:WideBits] + scaled_bits[6*WideBits+:WideBits] + scaled_bits[7*WideBits+:WideBits]
      + {{(WideBits-8){1'b0}}, subtracts};
  wire [8:0]  code_offset = descriptor_i[F_CODE_OFFSET+:9];  // two's complement
  wire [31:0] affine_code = ({24'd0, threshold_code} << descriptor_i[F_CODE_SHIFT+:3])
      + {{23{code_offset[8]}}, code_offset};
  always @(posedge code_clk) begin
    if (go_i & pack) begin
      case (quantizer)
        QUANTIZER_RAW:        code_q <= waited;
        QUANTIZER_THRESHOLD:  code_q <= affine_code[WideBits-1:0];
        QUANTIZER_STOCHASTIC: code_q <= {{(WideBits-8){1'b0}}, stochastic_code};
        default:              code_q <= scaled_code;
      endcase
    end
  end
  assign code_o = code_q;
endmodule
`default_nettype wire
