// SPDX-License-Identifier: Apache-2.0
// Fetches the program's descriptors in order, checks each, and hands it to its engine's queue.
// What is legal is stated in model/spec/legality.cpp of Solfege's sources; the wires *_ok say the same, and a test holds
// both together. An illegal descriptor is never handed on: error_o names it and fetching ends.
// Handshake: a request and a descriptor stay until they are taken. The program's address is a multiple of 256
// (sf_control), so no burst crosses 4 KiB. A descriptor is checked in the two cycles after its last beat, products first, and
// handed on from the third.
`default_nettype none
module sf_fetch #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,
    parameter WideBits = 24,
    parameter RowBufferDepth = 2048,
    parameter ColumnBufferDepth = 2048,
    parameter TableRows = 32,
    parameter ThresholdBits = 2,
    parameter ThresholdRows = 32,
    parameter StreamLanes = 16,
    parameter SumTiles = 16,
    parameter MaxSamples = 256,
    parameter BusBytes = 64
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  clear_i,
    input  wire                  enable_i,
    input  wire                  start_i,
    input  wire [31:0]           base_i,
    input  wire [31:0]           count_i,
    output wire                  active_o,
    output wire                  error_o,
    output wire [15:0]           tag_o,  // the descriptor's, once it is here; before that its place in the program
    // Memory
    output wire                  request_valid_o,
    input  wire                  request_ready_i,
    output wire [31:0]           request_address_o,
    output wire [7:0]            request_length_o,
    input  wire                  response_valid_i,
    input  wire [8*BusBytes-1:0] response_data_i,
    // Engines: array, stream unit, DMA, turner
    output wire [3:0]            descriptor_valid_o,
    input  wire [3:0]            descriptor_ready_i,
    output wire [2047:0]         descriptor_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Rows < 2 || (Rows & (Rows - 1)) != 0) begin : gen_rows_must_be_a_power_of_two_from_2
      sf_error_rows_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Columns < 2 || (Columns & (Columns - 1)) != 0) begin : gen_columns_must_be_a_power_of_two_from_2
      sf_error_columns_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Lanes < 16 || (Lanes & (Lanes - 1)) != 0) begin : gen_lanes_must_be_a_power_of_two_from_16
      sf_error_lanes_must_be_a_power_of_two_from_16 u_error ();
    end
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
    if (BusBytes < 8 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_8
      sf_error_bus_bytes_must_be_a_power_of_two_from_8 u_error ();
    end
    if (BusBytes > 128) begin : gen_bus_bytes_must_be_128_or_fewer
      sf_error_bus_bytes_must_be_128_or_fewer u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam Beats = 4 * DESCRIPTOR_WORDS / BusBytes;
  localparam BusWords = BusBytes / 4;
  localparam Bursts = (Beats > BURST_BEATS) ? Beats / BURST_BEATS : 1;
  localparam BurstBeats = Beats / Bursts;
  // Operand words: bytes of one or of a beat, if that is less; words of a beat less 1; members of a group in a beat
  localparam RowWordBytes = Rows * Lanes / 8;
  localparam ColumnWordBytes = Columns * Lanes / 8;
  localparam RowUnit = (RowWordBytes < BusBytes) ? RowWordBytes : BusBytes;
  localparam ColumnUnit = (ColumnWordBytes < BusBytes) ? ColumnWordBytes : BusBytes;
  localparam [15:0] RowWordsMask = BusBytes / RowUnit - 1;
  localparam [15:0] ColumnWordsMask = BusBytes / ColumnUnit - 1;
  localparam [15:0] RowMembers = (RowUnit * 8 / Lanes < Lanes) ? RowUnit * 8 / Lanes : Lanes;
  localparam [15:0] ColumnMembers = (ColumnUnit * 8 / Lanes < Lanes) ? ColumnUnit * 8 / Lanes : Lanes;

  localparam SampleRows = (MaxSamples > StreamLanes) ? MaxSamples / StreamLanes : 1;
  localparam TileRows = (Rows < 16) ? Rows : 16;
  localparam TileBlocks = (Rows > 16) ? Rows / 16 : 1;

  localparam [2:0] STATE_IDLE = 3'd0, STATE_ASK = 3'd1, STATE_GET = 3'd2, STATE_PRODUCTS = 3'd3, STATE_CHECK = 3'd4,
                   STATE_GIVE = 3'd5;
  reg [2:0]    state_q;
  reg [31:0]   address_q, left_q;
  reg [15:0]   number_q;  // of the descriptor in the program
  reg [7:0]    burst_q, beat_q;
  reg [32*FIELD_WORDS-1:0] descriptor_q;

  assign request_valid_o   = enable_i & (state_q == STATE_ASK);
  assign request_address_o = address_q;
  assign request_length_o  = BurstBeats - 1;
  assign descriptor_o      = {{(32*(DESCRIPTOR_WORDS-FIELD_WORDS)){1'b0}}, descriptor_q};  // the rest is not used
  assign active_o          = state_q != STATE_IDLE;
  assign tag_o             = (state_q == STATE_GIVE) ? descriptor_q[F_TAG+:16] : number_q;

  wire [3:0] opcode = descriptor_q[F_OPCODE+:4];
  wire is_load      = opcode == OPCODE_LOAD;
  wire is_gemm      = opcode == OPCODE_GEMM;
  wire is_stream    = opcode == OPCODE_STREAM;
  wire is_transpose = opcode == OPCODE_TRANSPOSE;
  wire is_unfold    = opcode == OPCODE_UNFOLD;

  // ---- What no engine may see: zero counts would run on, large ones would leave a memory ----
  wire [31:0] load_depth = descriptor_q[F_LOAD_TO_COLUMNS] ? ColumnBufferDepth : RowBufferDepth;
  wire [15:0] load_mask = descriptor_q[F_LOAD_TO_COLUMNS] ? ColumnWordsMask : RowWordsMask;
  wire [32:0] load_bytes = {17'd0, descriptor_q[F_LOAD_WORDS+:16]}
      << (descriptor_q[F_LOAD_TO_COLUMNS] ? $clog2(ColumnWordBytes) : $clog2(RowWordBytes));
  wire [32:0] load_end = {1'b0, descriptor_q[F_LOAD_ADDRESS+:32]} + load_bytes;
  wire load_ok = descriptor_q[F_LOAD_WORDS+:16] != 16'd0
      && (descriptor_q[F_LOAD_WORDS+:16] & load_mask) == 16'd0
      && (descriptor_q[F_LOAD_OFFSET+:16] & load_mask) == 16'd0
      && (descriptor_q[F_LOAD_ADDRESS+:32] & (BusBytes - 32'd1)) == 32'd0
      && {16'd0, descriptor_q[F_LOAD_OFFSET+:16]} + {16'd0, descriptor_q[F_LOAD_WORDS+:16]} <= load_depth
      && load_end <= 33'h100000000;
  // Windows: a phase within its unit, and as many units as hold the fine index (see sf_window_axis)
  function window_ok(input [1:0] mode, input [5:0] stride, input [5:0] phase, input [22:0] span, input [15:0] taps,
                     input [15:0] map);
    reg [5:0]  unit;
    reg [22:0] fine;
    begin
      unit = (mode == WINDOW_FORWARD) ? 6'd1 : stride;
      fine = {7'd0, (mode == WINDOW_BACKWARD_INPUT) ? taps : map};
      window_ok = stride != 6'd0 && phase < unit && fine <= span && span < fine + {17'd0, unit};
    end
  endfunction
  reg  [22:0] span_y_q, span_x_q;  // products are made a cycle before they are compared
  wire [5:0]  unit_y = (descriptor_q[F_WINDOW_MODE+:2] == WINDOW_FORWARD) ? 6'd1 : descriptor_q[F_STRIDE_Y+:6];
  wire [5:0]  unit_x = (descriptor_q[F_WINDOW_MODE+:2] == WINDOW_FORWARD) ? 6'd1 : descriptor_q[F_STRIDE_X+:6];
  wire windows_ok = window_ok(descriptor_q[F_WINDOW_MODE+:2], descriptor_q[F_STRIDE_Y+:6], descriptor_q[F_PHASE_Y+:6],
                              span_y_q, descriptor_q[F_TAP_Y_COUNT+:16], descriptor_q[F_WINDOW_HEIGHT+:16])
      && window_ok(descriptor_q[F_WINDOW_MODE+:2], descriptor_q[F_STRIDE_X+:6], descriptor_q[F_PHASE_X+:6],
                   span_x_q, descriptor_q[F_TAP_X_COUNT+:16], descriptor_q[F_WINDOW_WIDTH+:16]);
  wire gemm_ok = windows_ok && descriptor_q[F_ROW_PLANES+:6] != 6'd0 && {26'd0, descriptor_q[F_ROW_PLANES+:6]} <= WideBits
      && descriptor_q[F_COLUMN_PLANES+:6] != 6'd0 && {26'd0, descriptor_q[F_COLUMN_PLANES+:6]} <= WideBits
      && descriptor_q[F_WINDOW_MODE+:2] != 2'd3 && descriptor_q[F_WORDS+:16] != 16'd0
      && descriptor_q[F_TAIL_LANES+:16] != 16'd0 && {16'd0, descriptor_q[F_TAIL_LANES+:16]} <= Lanes
      && descriptor_q[F_COLUMN_GROUPS+:16] != 16'd0
      && descriptor_q[F_TILE_Y_COUNT+:16] != 16'd0 && descriptor_q[F_TILE_X_COUNT+:16] != 16'd0
      && descriptor_q[F_TAP_Y_COUNT+:16] != 16'd0 && descriptor_q[F_TAP_X_COUNT+:16] != 16'd0
      && descriptor_q[F_WINDOW_HEIGHT+:16] != 16'd0 && descriptor_q[F_WINDOW_WIDTH+:16] != 16'd0
      && (!descriptor_q[F_COLUMNS_BY_TILE]
          || (descriptor_q[F_TAP_Y_COUNT+:16] == 16'd1 && descriptor_q[F_TAP_X_COUNT+:16] == 16'd1));
  // The one product of two counts: steps of a table's load, output pixels of an unfolding
  wire [15:0] factor_a = is_stream ? descriptor_q[F_COUNT0+:16] : descriptor_q[F_UNFOLD_OUT_HEIGHT+:16];
  wire [15:0] factor_b = is_stream ? descriptor_q[F_COUNT1+:16] : descriptor_q[F_UNFOLD_OUT_WIDTH+:16];
  reg  [31:0] product_q;

  // STREAM: rows of tables and states; passes that need an order, a format, a seed; addresses
  wire stream_array = descriptor_q[F_X_FROM_ARRAY];
  wire stream_pack  = descriptor_q[F_PACK_ENABLE];
  wire accumulate   = descriptor_q[F_ACCUMULATE_ENABLE];
  wire z_enable     = descriptor_q[F_Z_ENABLE];
  wire [3:0] destination = descriptor_q[F_DESTINATION+:4];
  wire to_table = destination == DESTINATION_TABLE;
  wire stored   = destination != DESTINATION_NONE && !to_table;
  wire [15:0] channels = descriptor_q[F_CHANNELS+:16];
  wire [3:0]  bits     = descriptor_q[F_QUANTIZER_BITS+:4];
  wire uses_rows = descriptor_q[F_OFFSET_ENABLE] | descriptor_q[F_MASK_ENABLE] | (descriptor_q[F_SCALE_Z_SOURCE+:4] == SCALAR_CHANNEL)
      | (descriptor_q[F_SCALE_X_SOURCE+:4] == SCALAR_CHANNEL)
      | (descriptor_q[F_SUM_ENABLE] & descriptor_q[F_SUM_PER_CHANNEL]);
  wire uses_thresholds = descriptor_q[F_QUANTIZER+:4] == QUANTIZER_THRESHOLD & descriptor_q[F_THRESHOLD_PER_CHANNEL];
  wire stochastic = descriptor_q[F_QUANTIZER+:4] == QUANTIZER_STOCHASTIC
      || descriptor_q[F_QUANTIZER+:4] == QUANTIZER_STOCHASTIC_SCALED;
  wire scaled_by_sample = descriptor_q[F_SCALE_X_SOURCE+:4] == SCALAR_SAMPLE;
  wire uses_samples = (descriptor_q[F_MAX_ENABLE] & descriptor_q[F_MAX_PER_SAMPLE]) | stochastic
      | (scaled_by_sample & ~accumulate);
  wire random = descriptor_q[F_DROP_ENABLE] | descriptor_q[F_GRID_ENABLE] | stochastic;
  wire slopes = descriptor_q[F_SLOPE_FUNCTION+:4] != SLOPE_FUNCTION_NONE;
  wire [16:0] accumulate_end = {1'b0, descriptor_q[F_ACCUMULATE_SAMPLE+:16]} + {1'b0, descriptor_q[F_COUNT4+:16]};
  wire [16:0] accumulate_tiles = {9'd0, descriptor_q[F_ACCUMULATE_TILE+:8]} + {1'b0, descriptor_q[F_COUNT3+:16]};
  // A load of thresholds takes a step a node of the tree; trees of more bits than ThresholdBits there is one of.
  wire [4:0]  table_id = descriptor_q[F_TABLE+:5];
  wire [31:0] nodes    = (32'd1 << bits) - 32'd1;
  wire [31:0] table_steps = (table_id == TABLE_SAMPLE) ? SampleRows : (table_id != TABLE_THRESHOLD) ? TableRows
      : ({28'd0, bits} <= ThresholdBits) ? nodes * ThresholdRows : nodes;
  wire table_ok = !to_table || (!stream_array && !descriptor_q[F_POOL_ENABLE]
      && descriptor_q[F_COUNT2+:16] == 16'd1 && descriptor_q[F_COUNT3+:16] == 16'd1
      && descriptor_q[F_COUNT4+:16] == 16'd1 && descriptor_q[F_COUNT5+:16] == 16'd1
      && (table_id != TABLE_THRESHOLD || (bits != 4'd0 && bits <= 4'd8)) && product_q <= table_steps);
  wire [15:0] block_mask = 256 / StreamLanes - 1;  // steps of a block of elements are one more
  wire stream_counts_ok = descriptor_q[F_COUNT0+:16] != 16'd0 && descriptor_q[F_COUNT1+:16] != 16'd0
      && descriptor_q[F_COUNT2+:16] != 16'd0 && descriptor_q[F_COUNT3+:16] != 16'd0
      && descriptor_q[F_COUNT4+:16] != 16'd0 && descriptor_q[F_COUNT5+:16] != 16'd0
      && channels != 16'd0 && descriptor_q[F_SAMPLES+:16] != 16'd0
      && (!uses_rows || {16'd0, channels} <= TableRows * StreamLanes)
      && (!uses_thresholds || ({16'd0, channels} <= ThresholdRows * StreamLanes && {28'd0, bits} <= ThresholdBits))
      && (!uses_samples || {16'd0, descriptor_q[F_SAMPLES+:16]} <= MaxSamples)
      && (!(scaled_by_sample & accumulate) || {15'd0, accumulate_end} <= MaxSamples)
      && table_ok;
  wire [4:0] row_end = {1'b0, descriptor_q[F_SAMPLE_FIRST+:4]} + descriptor_q[F_COUNT1+:5];
  wire tile_ok = !stream_array || ({16'd0, descriptor_q[F_COUNT0+:16]} <= Columns / StreamLanes
      && {16'd0, descriptor_q[F_COUNT1+:16]} <= TileRows && {16'd0, descriptor_q[F_COUNT2+:16]} <= TileBlocks
      && row_end <= 5'd16 && !stochastic && !descriptor_q[F_ROUTE_ENABLE]);
  wire [15:0] part_mask = 16 / StreamLanes - 1;  // chunks of a row of a block are one more
  wire stream_order_ok = tile_ok && (stream_array || (descriptor_q[F_CHUNK_FIRST+:16] & part_mask) == 16'd0)
      && (!descriptor_q[F_POOL_ENABLE]
          || (!stream_array && {16'd0, descriptor_q[F_COUNT0+:16]} <= 16 * TableRows
              && descriptor_q[F_COUNT0+:16] != 16'd1))
      && (!accumulate || (stream_array && {15'd0, accumulate_tiles} <= SumTiles && descriptor_q[F_COUNT5+:16] == 16'd1))
      && (!stream_pack || (!stream_array && (descriptor_q[F_COUNT0+:16] & block_mask) == 16'd0
              && descriptor_q[F_SAMPLE_FIRST+:4] == 4'd0 && descriptor_q[F_PACK_PLANES+:6] != 6'd0));
  // A chunk lies within a beat: addresses are multiples of its bytes, strides of its elements.
  wire [31:0] lane_mask = StreamLanes - 1;
  wire [31:0] x_mask = chunk_mask(descriptor_q[F_X_TYPE+:4]);
  wire [31:0] z_mask = chunk_mask(descriptor_q[F_Z_TYPE+:4]);
  wire [31:0] destination_mask = (destination == DESTINATION_SIGNED16) ? 2 * StreamLanes - 1 : 4 * StreamLanes - 1;
  wire [31:0] strides = descriptor_q[F_STRIDE_A1+:32] | descriptor_q[F_STRIDE_A2+:32] | descriptor_q[F_STRIDE_A3+:32]
      | descriptor_q[F_STRIDE_A4+:32] | descriptor_q[F_STRIDE_A5+:32] | descriptor_q[F_STRIDE_B1+:32]
      | descriptor_q[F_STRIDE_B2+:32] | descriptor_q[F_STRIDE_B3+:32] | descriptor_q[F_STRIDE_B4+:32]
      | descriptor_q[F_STRIDE_B5+:32];
  wire [31:0] pack_mask = (descriptor_q[F_PACK_COLUMNS] ? ColumnUnit : RowUnit) - 32'd1;
  wire stream_address_ok = (strides & lane_mask) == 32'd0
      && (stream_array || (descriptor_q[F_X_ADDRESS+:32] & x_mask) == 32'd0)
      && (!z_enable || (descriptor_q[F_Z_ADDRESS+:32] & z_mask) == 32'd0)
      && (!stored || (descriptor_q[F_DESTINATION_ADDRESS+:32] & destination_mask) == 32'd0)
      && (!stream_pack
          || ((descriptor_q[F_PACK_ADDRESS+:32] | descriptor_q[F_PACK_GROUP_STRIDE+:32]) & pack_mask) == 32'd0)
      && (!descriptor_q[F_MAX_ENABLE] || descriptor_q[F_MAX_ADDRESS+:2] == 2'd0)
      && (!descriptor_q[F_SUM_ENABLE] || descriptor_q[F_SUM_ADDRESS+:3] == 3'd0);
  function [31:0] chunk_mask(input [3:0] element);
    chunk_mask = (element == TYPE_UNSIGNED8) ? StreamLanes - 1 : (element == TYPE_SIGNED16) ? 2 * StreamLanes - 1
        : 4 * StreamLanes - 1;
  endfunction
  wire stream_format_ok = descriptor_q[F_X_TYPE+:4] <= TYPE_TAGGED && descriptor_q[F_Z_TYPE+:4] <= TYPE_TAGGED
      && descriptor_q[F_SCALE_X_SOURCE+:4] <= SCALAR_SAMPLE && descriptor_q[F_SCALE_Z_SOURCE+:4] <= SCALAR_CHANNEL
      && table_id <= TABLE_SAMPLE && destination <= DESTINATION_TAGGED
      && descriptor_q[F_QUANTIZER+:4] <= QUANTIZER_STOCHASTIC_SCALED
      && (descriptor_q[F_LIMIT_SHIFT+4] || (destination != DESTINATION_SIGNED16 && destination != DESTINATION_TAGGED))
      && descriptor_q[F_SECOND_SUM+:4] <= SECOND_SUM_DOT
      && (descriptor_q[F_SECOND_SUM+:4] == SECOND_SUM_NONE
          || (descriptor_q[F_SUM_ENABLE] && descriptor_q[F_SUM_PER_CHANNEL]))
      && {26'd0, descriptor_q[F_PACK_PLANES+:6]} <= WideBits
      && (descriptor_q[F_QUANTIZER+:4] == QUANTIZER_RAW
          || (bits != 4'd0 && bits <= 4'd8))
      && (!descriptor_q[F_ROUTE_ENABLE] || (z_enable && descriptor_q[F_Z_TYPE+:4] == TYPE_TAGGED))
      && (!(slopes | descriptor_q[F_MASK_ENABLE]) || z_enable)
      && descriptor_q[F_SLOPE_FUNCTION+:4] <= SLOPE_FUNCTION_TRIANGLE
      && (!descriptor_q[F_GRID_ENABLE] || (descriptor_q[F_LIMIT_SHIFT+:5] != 5'd0 && !stochastic
              && destination != DESTINATION_SIGNED16 && destination != DESTINATION_TAGGED))
      && (!descriptor_q[F_SUM_PER_SAMPLE] || (!descriptor_q[F_SUM_PER_CHANNEL]
              && {16'd0, descriptor_q[F_SAMPLES+:16]} <= TableRows))
      && (!random || {descriptor_q[F_RANDOM_HIGH+:32], descriptor_q[F_RANDOM_LOW+:32]} != 64'd0);
  wire stream_ok = stream_counts_ok && stream_order_ok && stream_format_ok && stream_address_ok;

  // TRANSPOSE, UNFOLD: words hold their lanes, maps and rows stay in what the counters hold
  wire [31:0] source_reach = {16'd0, descriptor_q[F_SOURCE_WORDS+:16]} * Lanes;  // lanes that the words hold
  wire [31:0] target_reach = {16'd0, descriptor_q[F_TARGET_WORDS+:16]} * Lanes;
  wire [31:0] source_unit = descriptor_q[F_SOURCE_COLUMNS] ? ColumnUnit : RowUnit;
  wire [31:0] target_unit = descriptor_q[F_TARGET_COLUMNS] ? ColumnUnit : RowUnit;
  wire turn_ok = descriptor_q[F_SOURCE_ROWS+:16] != 16'd0 && descriptor_q[F_SOURCE_LANES+:16] != 16'd0
      && (descriptor_q[F_SOURCE_ADDRESS+:32] & (source_unit - 32'd1)) == 32'd0
      && (descriptor_q[F_TARGET_ADDRESS+:32] & (target_unit - 32'd1)) == 32'd0
      && {16'd0, descriptor_q[F_SOURCE_LANES+:16]} <= source_reach;
  wire transpose_ok = turn_ok && descriptor_q[F_PLANE_WORDS+:32] != 32'd0
      && {16'd0, descriptor_q[F_SOURCE_ROWS+:16]} <= target_reach;
  reg  [15:0] taps_q;
  wire [31:0] unfolded_rows = {16'd0, taps_q} * {16'd0, descriptor_q[F_UNFOLD_TAP_ROWS+:16]};
  wire [7:0]  stride_height = descriptor_q[F_UNFOLD_STRIDE_HEIGHT+:8];
  wire [7:0]  stride_width  = descriptor_q[F_UNFOLD_STRIDE_WIDTH+:8];
  reg  [23:0] last_line_q, last_place_q;
  wire [15:0] target_members = descriptor_q[F_TARGET_COLUMNS] ? ColumnMembers : RowMembers;
  wire unfold_ok = turn_ok && descriptor_q[F_UNFOLD_PLANES+:6] != 6'd0
      && descriptor_q[F_UNFOLD_HEIGHT+:16] != 16'd0 && descriptor_q[F_UNFOLD_WIDTH+:16] != 16'd0
      && descriptor_q[F_UNFOLD_OUT_HEIGHT+:16] != 16'd0 && descriptor_q[F_UNFOLD_OUT_WIDTH+:16] != 16'd0
      && descriptor_q[F_UNFOLD_KERNEL_HEIGHT+:8] != 8'd0 && descriptor_q[F_UNFOLD_KERNEL_WIDTH+:8] != 8'd0
      && (descriptor_q[F_UNFOLD_TAP_ROWS+:16] & (target_members - 16'd1)) == 16'd0
      && descriptor_q[F_SOURCE_LANES+:16] <= descriptor_q[F_UNFOLD_TAP_ROWS+:16] && unfolded_rows[31:16] == 16'd0
      && !descriptor_q[F_UNFOLD_HEIGHT+15] && !descriptor_q[F_UNFOLD_WIDTH+15]
      && stride_height != 8'd0 && stride_width != 8'd0
      && last_line_q <= 24'd65536 && last_place_q <= 24'd65536 && product_q <= target_reach;
  wire legal = (is_load & load_ok) | (is_gemm & gemm_ok) | (is_stream & stream_ok)
      | (is_transpose & transpose_ok) | (is_unfold & unfold_ok);

  reg [3:0] engine_q;  // whose the descriptor is; nobody's if it is illegal
  always @(posedge clk_i) begin
    if (state_q == STATE_PRODUCTS) begin
      span_y_q     <= {7'd0, descriptor_q[F_REACH_Y+:16]} * {17'd0, unit_y};
      span_x_q     <= {7'd0, descriptor_q[F_REACH_X+:16]} * {17'd0, unit_x};
      product_q    <= {16'd0, factor_a} * {16'd0, factor_b};
      taps_q       <= {8'd0, descriptor_q[F_UNFOLD_KERNEL_HEIGHT+:8]} * {8'd0, descriptor_q[F_UNFOLD_KERNEL_WIDTH+:8]};
      last_line_q  <= {8'd0, descriptor_q[F_UNFOLD_OUT_HEIGHT+:16]} * {16'd0, stride_height};
      last_place_q <= {8'd0, descriptor_q[F_UNFOLD_OUT_WIDTH+:16]} * {16'd0, stride_width};
    end
    if (state_q == STATE_CHECK) engine_q <= {is_transpose | is_unfold, is_load, is_stream, is_gemm} & {4{legal}};
  end

  wire giving = enable_i & (state_q == STATE_GIVE);
  assign error_o            = giving & (engine_q == 4'd0);
  assign descriptor_valid_o = engine_q & {4{giving}};
  wire given = (descriptor_valid_o & descriptor_ready_i) != 4'd0;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= STATE_IDLE;
    end else if (clear_i) begin
      state_q <= STATE_IDLE;
    end else if (enable_i) begin
      case (state_q)
        STATE_IDLE: if (start_i & (count_i != 32'd0)) state_q <= STATE_ASK;
        STATE_ASK:  if (request_ready_i) state_q <= STATE_GET;
        STATE_GET:
        if (response_valid_i & ({24'd0, beat_q} + 32'd1 == BurstBeats))
          state_q <= ({24'd0, burst_q} + 32'd1 == Bursts) ? STATE_PRODUCTS : STATE_ASK;
        STATE_PRODUCTS: state_q <= STATE_CHECK;
        STATE_CHECK:    state_q <= STATE_GIVE;
        default:
        if (error_o) state_q <= STATE_IDLE;
        else if (given) state_q <= (left_q == 32'd1) ? STATE_IDLE : STATE_ASK;
      endcase
    end
  end
  always @(posedge clk_i) begin : fetching
    integer i;
    if (state_q == STATE_IDLE) begin
      address_q <= base_i;
      left_q    <= count_i;
      number_q  <= 16'd0;
      burst_q   <= 8'd0;
      beat_q    <= 8'd0;
    end else begin
      if (request_valid_o & request_ready_i) address_q <= address_q + BurstBeats * BusBytes;
      if (given) left_q <= left_q - 32'd1;
      if (given) number_q <= number_q + 16'd1;
      if ((state_q == STATE_GET) & response_valid_i) begin
        beat_q <= ({24'd0, beat_q} + 32'd1 == BurstBeats) ? 8'd0 : beat_q + 8'd1;
        if ({24'd0, beat_q} + 32'd1 == BurstBeats)
          burst_q <= ({24'd0, burst_q} + 32'd1 == Bursts) ? 8'd0 : burst_q + 8'd1;
        for (i = 0; i < FIELD_WORDS; i = i + 1)
          if ({24'd0, burst_q} * BurstBeats + {24'd0, beat_q} == i / BusWords)
            descriptor_q[32*i+:32] <= response_data_i[32*(i%BusWords)+:32];
      end
    end
  end
endmodule
`default_nettype wire
