// SPDX-License-Identifier: Apache-2.0
// The stream unit: one pass over the elements of a tensor, StreamLanes a cycle (initiation interval 1).
// x comes from the array's drain or from memory, z from memory; sf_stream_lane has the arithmetic. Results
// go to memory as elements, into planes (sf_pack), into reductions (sf_reduce), or into a table. Steps that only
// take part in a pooling window or in a sum over samples are no results: they write and draw nothing.
// The pipeline is rigid: it moves as a whole (go) or waits; waiting cycles are stalls, so the moving ones
// are a function of the descriptor alone: steps + 25 + results of the reductions, and one more if there are any.
`default_nettype none
module sf_stream #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,
    parameter AccumulatorBits = 48,
    parameter StreamLanes = 16,
    parameter StoredBits = 16,
    parameter WideBits = 24,
    parameter RandomBits = 16,
    parameter ThresholdBits = 2,
    parameter TableRows = 32,
    parameter ThresholdRows = 32,
    parameter SumTiles = 16,
    parameter MaxSamples = 256,
    parameter BusBytes = 64
) (
    input  wire                                   clk_i,
    input  wire                                   rst_ni,
    input  wire                                   clear_i,
    input  wire                                   enable_i,
    input  wire                                   start_i,
    input  wire [2047:0]                          descriptor_i,
    output wire                                   stall_o,
    output wire                                   done_o,
    // Array drain
    input  wire                                   tile_valid_i,
    input  wire [StreamLanes*AccumulatorBits-1:0] tile_chunk_i,
    output wire                                   tile_take_o,
    // Memory reads: x, z
    output wire                                   x_request_valid_o,
    input  wire                                   x_request_ready_i,
    output wire [31:0]                            x_request_address_o,
    input  wire                                   x_response_valid_i,
    output wire                                   z_request_valid_o,
    input  wire                                   z_request_ready_i,
    output wire [31:0]                            z_request_address_o,
    input  wire                                   z_response_valid_i,
    input  wire [8*BusBytes-1:0]                  response_data_i,
    // Memory writes: elements; planes and reductions
    output wire                                   element_request_valid_o,
    input  wire                                   element_request_ready_i,
    output wire [31:0]                            element_request_address_o,
    output wire [8*BusBytes-1:0]                  element_request_data_o,
    output wire [BusBytes-1:0]                    element_request_strobe_o,
    output wire                                   pack_request_valid_o,
    input  wire                                   pack_request_ready_i,
    output wire [31:0]                            pack_request_address_o,
    output wire [8*BusBytes-1:0]                  pack_request_data_o,
    output wire [BusBytes-1:0]                    pack_request_strobe_o,
    input  wire                                   writes_idle_i
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Rows < 2 || (Rows & (Rows - 1)) != 0) begin : gen_rows_must_be_a_power_of_two_from_2
      sf_error_rows_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Columns < 2 || (Columns & (Columns - 1)) != 0) begin : gen_columns_must_be_a_power_of_two_from_2
      sf_error_columns_must_be_a_power_of_two_from_2 u_error ();
    end
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
    if (StreamLanes > Columns) begin : gen_stream_lanes_must_fit_the_columns
      sf_error_stream_lanes_must_fit_the_columns u_error ();
    end
    if (4 * StreamLanes > BusBytes) begin : gen_a_chunk_of_stream_lanes_must_fit_the_bus
      sf_error_a_chunk_of_stream_lanes_must_fit_the_bus u_error ();
    end
    if (TableRows < 1 || (TableRows & (TableRows - 1)) != 0) begin : gen_table_rows_must_be_a_power_of_two
      sf_error_table_rows_must_be_a_power_of_two u_error ();
    end
    if (ThresholdRows < 1 || (ThresholdRows & (ThresholdRows - 1)) != 0) begin : gen_threshold_rows_must_be_a_power_of_two
      sf_error_threshold_rows_must_be_a_power_of_two u_error ();
    end
    if (MaxSamples < 2 || (MaxSamples & (MaxSamples - 1)) != 0) begin : gen_max_samples_must_be_a_power_of_two_from_2
      sf_error_max_samples_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam RowBits = (TableRows > 1) ? $clog2(TableRows) : 1;
  localparam SampleRows = (MaxSamples > StreamLanes) ? MaxSamples / StreamLanes : 1;
  localparam SampleRowBits = (SampleRows > 1) ? $clog2(SampleRows) : 1;
  localparam LaneBits = (StreamLanes > 1) ? $clog2(StreamLanes) : 1;
  localparam LaneShift = $clog2(StreamLanes);
  localparam TileSteps = Rows * Columns / StreamLanes;
  localparam Positions = TileSteps * SumTiles;  // of sums over samples
  localparam PositionBits = (Positions > 1) ? $clog2(Positions) : 1;
  localparam Places = 16 * TableRows;  // steps of a pixel of the most channels
  localparam PlaceBits = $clog2(Places);
  localparam ValueBits = (AccumulatorBits > 32) ? AccumulatorBits : 32;

  // ---- Descriptor ----
  wire        x_from_array = descriptor_i[F_X_FROM_ARRAY];
  wire        z_enable     = descriptor_i[F_Z_ENABLE];
  wire [3:0]  x_type       = descriptor_i[F_X_TYPE+:4];
  wire [3:0]  z_type       = descriptor_i[F_Z_TYPE+:4];
  wire        accumulate   = descriptor_i[F_ACCUMULATE_ENABLE];
  wire        pool         = descriptor_i[F_POOL_ENABLE];
  wire [3:0]  destination  = descriptor_i[F_DESTINATION+:4];
  wire [4:0]  table_id     = descriptor_i[F_TABLE+:5];
  wire [3:0]  quantizer    = descriptor_i[F_QUANTIZER+:4];
  wire [3:0]  quantizer_bits = descriptor_i[F_QUANTIZER_BITS+:4];
  wire        copies       = descriptor_i[F_PACK_ENABLE] & quantizer == QUANTIZER_RAW;
  wire        stochastic   = quantizer == QUANTIZER_STOCHASTIC || quantizer == QUANTIZER_STOCHASTIC_SCALED;
  wire        rounds       = descriptor_i[F_PACK_ENABLE] & stochastic;
  wire        draws        = stochastic | descriptor_i[F_DROP_ENABLE] | descriptor_i[F_GRID_ENABLE];
  wire        store16      = destination == DESTINATION_SIGNED16;
  wire        store32      = destination == DESTINATION_SIGNED32;
  wire        store_tagged = destination == DESTINATION_TAGGED;
  wire        store_table  = destination == DESTINATION_TABLE;

  // ---- Pass control ----
  localparam [2:0] STATE_IDLE = 3'd0, STATE_RUN = 3'd1, STATE_EMIT = 3'd2, STATE_REDUCE = 3'd3,
                   STATE_FLUSH = 3'd4, STATE_WAIT = 3'd5;
  reg [2:0] state_q;
  wire      running = state_q == STATE_RUN;

  wire        nest_active, nest_valid, nest_window_first, nest_window_last, nest_sum_first, nest_sum_last,
              nest_pixel_end, nest_row_block_end;
  wire [31:0] nest_offset;
  wire [15:0] nest_chunk, nest_sample, nest_scale_sample, nest_place, nest_position;
  wire [7:0]  nest_sum_tile;
  wire [7:0]  nest_route_index, nest_pool_index;
  wire        go, step;
  sf_loop_nest #(.StreamLanes(StreamLanes)) u_nest (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .start_i        (start_i),
      .advance_i      (step),
      .descriptor_i   (descriptor_i),
      .strides_b_i    (descriptor_i[F_DESTINATION_STRIDES_B]),
      .active_o       (nest_active),
      .last_o         (),
      .valid_o        (nest_valid),
      .offset_o       (nest_offset),
      .chunk_o        (nest_chunk),
      .sample_o       (nest_sample),
      .scale_sample_o (nest_scale_sample),
      .route_index_o  (nest_route_index),
      .pool_index_o   (nest_pool_index),
      .window_first_o (nest_window_first),
      .window_last_o  (nest_window_last),
      .place_o        (nest_place),
      .again_o        (),
      .position_o     (nest_position),
      .sum_tile_o     (nest_sum_tile),
      .sum_first_o    (nest_sum_first),
      .sum_last_o     (nest_sum_last),
      .pixel_end_o    (nest_pixel_end),
      .row_block_end_o(nest_row_block_end)
  );
  wire nest_result = (~pool | nest_window_last)
      & (~accumulate | (descriptor_i[F_ACCUMULATE_LAST] & nest_sum_last));

  wire                       x_valid, z_valid;
  wire [32*StreamLanes-1:0]  x_data, z_data;
  sf_stream_reader #(
      .StreamLanes(StreamLanes),
      .BusBytes   (BusBytes)
  ) u_read_x (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .enable_i         (enable_i),
      .start_i          (start_i & ~x_from_array),
      .descriptor_i     (descriptor_i),
      .strides_b_i      (1'b0),
      .address_i        (descriptor_i[F_X_ADDRESS+:32]),
      .type_i           (x_type),
      .request_valid_o  (x_request_valid_o),
      .request_ready_i  (x_request_ready_i),
      .request_address_o(x_request_address_o),
      .response_valid_i (x_response_valid_i),
      .response_data_i  (response_data_i),
      .valid_o          (x_valid),
      .data_o           (x_data),
      .take_i           (step & ~x_from_array)
  );
  sf_stream_reader #(
      .StreamLanes(StreamLanes),
      .BusBytes   (BusBytes),
      .Repeats    (1)
  ) u_read_z (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .enable_i         (enable_i),
      .start_i          (start_i & z_enable),
      .descriptor_i     (descriptor_i),
      .strides_b_i      (descriptor_i[F_Z_STRIDES_B]),
      .address_i        (descriptor_i[F_Z_ADDRESS+:32]),
      .type_i           (z_type),
      .request_valid_o  (z_request_valid_o),
      .request_ready_i  (z_request_ready_i),
      .request_address_o(z_request_address_o),
      .response_valid_i (z_response_valid_i),
      .response_data_i  (response_data_i),
      .valid_o          (z_valid),
      .data_o           (z_data),
      .take_i           (step & z_enable)
  );

  // ---- The pipeline moves ----
  wire head_ready = (x_from_array ? tile_valid_i : x_valid) & (~z_enable | z_valid);
  wire element_wanted, element_ready, pack_blocked;
  assign go = enable_i & running & (~nest_active | head_ready) & ~(element_wanted & ~element_ready)
              & ~pack_blocked;
  assign step        = go & nest_active;
  assign tile_take_o = step & x_from_array;

  // What travels with a chunk: index = stage
  reg  [LANE_STAGES:1]     step_q;             // a step of the nest is here
  reg  [LANE_STAGES:1]     result_q;           // and its result counts
  reg  [LANE_STAGES:1]     pixel_end_q, row_block_end_q;
  reg  [StreamLanes-1:0]   mask_q   [1:LANE_STAGES];  // lanes inside the tensor
  reg  [31:0]              offset_q [1:6];
  reg  [31:0]              element_address_q;  // at stage 7
  reg  [15:0]              chunk_q  [1:8];
  reg  [15:0]              sample_q [1:7];
  reg  [PlaceBits-1:0]     place_q  [1:6];
  reg  [7:0]               pool_index_q [1:6];
  reg  [6:1]               window_first_q;
  reg  [PositionBits-1:0]  position_q1, position_q2;
  reg  [2:1]               sum_first_q;
  reg  [LaneBits-1:0]      sample_lane_q1;
  reg  [2:0]               turn_q;             // counts moves while y itself is packed, 0 to CODER_STAGES / 2 - 1
  reg  [31:0]              sample_value_q [2:LANE_STAGES-1];
  wire [11*32-1:0]         samples_7;          // of stages 7 to 17, in passes that round at random
  wire [32*StreamLanes-1:0] sample_row;
  wire [31:0]              sample_1 = sample_row[32*sample_lane_q1+:32];
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_q   <= {LANE_STAGES{1'b0}};
      result_q <= {LANE_STAGES{1'b0}};
      turn_q   <= 3'd0;
    end else if (clear_i) begin
      step_q   <= {LANE_STAGES{1'b0}};
      result_q <= {LANE_STAGES{1'b0}};
    end else if (go) begin
      step_q   <= {step_q[LANE_STAGES-1:1], nest_active};
      result_q <= {result_q[LANE_STAGES-1:1], nest_active & nest_result};
      if (copies) turn_q <= ({29'd0, turn_q} == CODER_STAGES / 2 - 1) ? 3'd0 : turn_q + 3'd1;
    end
  end
  genvar stage;
  generate
    for (stage = 7; stage < LANE_STAGES; stage = stage + 1) begin : gen_sample
      assign samples_7[32*(stage-7)+:32] = sample_value_q[stage];
    end
  endgenerate
  wire [15:0] channels = descriptor_i[F_CHANNELS+:16];
  wire [31:0] position = ({24'd0, nest_sum_tile} * TileSteps) | {16'd0, nest_position};
  wire [31:0] first_channel = {16'd0, nest_chunk} * StreamLanes;
  always @(posedge clk_i) begin : stages
    integer i;
    if (go) begin
      for (i = 0; i < StreamLanes; i = i + 1)
        mask_q[1][i] <= nest_active & nest_valid & (first_channel + i < {16'd0, channels});
      offset_q[1]     <= nest_offset;
      chunk_q[1]      <= nest_chunk;
      sample_q[1]     <= nest_sample;
      place_q[1]      <= nest_place[PlaceBits-1:0];
      pool_index_q[1] <= nest_pool_index;
      position_q1     <= position[PositionBits-1:0];
      position_q2     <= position_q1;
      window_first_q  <= {window_first_q[5:1], nest_window_first};
      sum_first_q     <= {sum_first_q[1], descriptor_i[F_ACCUMULATE_FIRST] & nest_sum_first};
      pixel_end_q     <= {pixel_end_q[LANE_STAGES-1:1], nest_pixel_end};
      row_block_end_q <= {row_block_end_q[LANE_STAGES-1:1], nest_row_block_end};
      sample_lane_q1  <= (StreamLanes > 1) ? nest_scale_sample[LaneBits-1:0] : {LaneBits{1'b0}};
      for (i = 2; i <= LANE_STAGES; i = i + 1) mask_q[i] <= mask_q[i-1];
      for (i = 2; i <= 7; i = i + 1) sample_q[i] <= sample_q[i-1];
      for (i = 2; i <= 6; i = i + 1) begin
        offset_q[i]     <= offset_q[i-1];
        place_q[i]      <= place_q[i-1];
        pool_index_q[i] <= pool_index_q[i-1];
      end
      element_address_q <= descriptor_i[F_DESTINATION_ADDRESS+:32]
          + (store16 ? {offset_q[RESULT_STAGE-1][30:0], 1'b0} : {offset_q[RESULT_STAGE-1][29:0], 2'b00});
      for (i = 2; i <= 8; i = i + 1) chunk_q[i] <= chunk_q[i-1];
      if (rounds) begin
        sample_value_q[2] <= sample_1;
        for (i = 3; i < LANE_STAGES; i = i + 1) sample_value_q[i] <= sample_value_q[i-1];
      end
    end
  end

  // ---- Tables ----
  reg [15:0] table_row_q, threshold_row_q;
  reg [7:0]  threshold_node_q;
  wire       table_step = result_q[RESULT_STAGE] & store_table;
  wire [7:0] threshold_last = (8'd1 << quantizer_bits) - 8'd1;
  always @(posedge clk_i) begin
    if (start_i) begin
      table_row_q      <= 16'd0;
      threshold_row_q  <= 16'd0;
      threshold_node_q <= 8'd1;
    end else if (go & table_step) begin
      table_row_q <= table_row_q + 16'd1;
      if (threshold_node_q == threshold_last) begin
        threshold_node_q <= 8'd1;
        threshold_row_q  <= threshold_row_q + 16'd1;
      end else begin
        threshold_node_q <= threshold_node_q + 8'd1;
      end
    end
  end
  // What tables hold of a chunk's channels and of samples is read where the chunk or the row of samples changes; a
  // descriptor begins with a read.
  wire [SampleRowBits-1:0] sample_table_row = nest_scale_sample[LaneShift+:SampleRowBits];
  reg  [SampleRowBits-1:0] sample_read_q;
  reg  [15:0]              chunk_read_q;
  reg                      tables_read_q;
  wire chunk_new  = ~tables_read_q | nest_chunk != chunk_read_q;
  wire sample_new = ~tables_read_q | sample_table_row != sample_read_q;
  always @(posedge clk_i) begin
    if (start_i) begin
      tables_read_q <= 1'b0;
    end else if (go) begin
      tables_read_q <= 1'b1;
      chunk_read_q  <= nest_chunk;
      sample_read_q <= sample_table_row;
    end
  end
  wire [32*StreamLanes-1:0] y_7;
  wire [8*StreamLanes-1:0]  tag_7;
  wire [16*StreamLanes-1:0] z_7;
  sf_ram #(
      .Width(32 * StreamLanes),
      .Depth(SampleRows)
  ) u_samples (
      .clk_i          (clk_i),
      .write_enable_i (go & table_step & table_id == TABLE_SAMPLE),
      .write_address_i(table_row_q[SampleRowBits-1:0]),
      .write_data_i   (y_7),
      .read_enable_i  (go & sample_new & (rounds | descriptor_i[F_SCALE_X_SOURCE+:4] == SCALAR_SAMPLE)),
      .read_address_i (sample_table_row),
      .read_data_o    (sample_row)
  );

  // ---- Random numbers: one sequence for all lanes; each result draws StreamLanes ----
  wire [StreamLanes*RandomBits-1:0] random_numbers;
  sf_lfsr #(
      .RandomBits(RandomBits),
      .Numbers   (StreamLanes)
  ) u_lfsr (
      .clk_i    (clk_i),
      .load_i   (start_i & draws),
      .state_i  ({descriptor_i[F_RANDOM_HIGH+:32], descriptor_i[F_RANDOM_LOW+:32]}),
      .step_i   (go & result_q[RESULT_STAGE-1] & draws),
      .numbers_o(random_numbers)
  );

  // ---- Lanes ----
  wire [StreamLanes*WideBits-1:0] codes;
  genvar lane;
  generate
    for (lane = 0; lane < StreamLanes; lane = lane + 1) begin : gen_lane
      // Either source, extended to the wider of the two; the value of a tagged element is its low half
      wire [31:0] x_element = (x_type == TYPE_TAGGED) ? {{16{x_data[32*lane+15]}}, x_data[32*lane+:16]}
                                                      : x_data[32*lane+:32];
      wire [ValueBits-1:0] x_memory = {{(ValueBits-31){x_element[31]}}, x_element[30:0]};
      wire [ValueBits-1:0] x_array =
          {{(ValueBits-AccumulatorBits+1){tile_chunk_i[AccumulatorBits*(lane+1)-1]}},
           tile_chunk_i[AccumulatorBits*lane+:AccumulatorBits-1]};
      wire lane_clk;
      sf_clock_gate u_gate (
          .clk_i   (clk_i),
          .enable_i(go),
          .clk_o   (lane_clk)
      );
      sf_stream_lane #(
          .AccumulatorBits(AccumulatorBits),
          .StoredBits     (StoredBits),
          .WideBits       (WideBits),
          .RandomBits     (RandomBits),
          .ThresholdBits  (ThresholdBits),
          .TableRows      (TableRows),
          .ThresholdRows  (ThresholdRows),
          .Positions      (Positions),
          .Places         (Places)
      ) u_lane (
          .clk_i            (lane_clk),
          .go_i             (go),
          .descriptor_i     (descriptor_i),
          .x_i              (x_from_array ? x_array : x_memory),
          .z_i              (z_data[32*lane+:32]),
          .chunk_i          (nest_chunk),
          .chunk_new_i      (chunk_new),
          .route_index_i    (nest_route_index),
          .sample_1_i       (sample_1),
          .samples_7_i      (samples_7),
          .position_1_i     (position_q1),
          .position_2_i     (position_q2),
          .sum_first_2_i    (sum_first_q[2]),
          .step_2_i         (step_q[2]),
          .place_5_i        (place_q[5]),
          .place_6_i        (place_q[6]),
          .window_first_6_i (window_first_q[6]),
          .pool_index_6_i   (pool_index_q[6]),
          .step_6_i         (step_q[6]),
          .random_6_i       (random_numbers[RandomBits*lane+:RandomBits]),
          .chunk_8_i        (chunk_q[8]),
          .turn_i           (turn_q),
          .table_write_i    ({5{table_step}} & (5'd1 << table_id)),
          .table_row_i      (table_row_q),
          .threshold_write_i(table_step & table_id == TABLE_THRESHOLD),
          .threshold_node_i (threshold_node_q),
          .threshold_row_i  (threshold_row_q),
          .y_o              (y_7[32*lane+:32]),
          .tag_o            (tag_7[8*lane+:8]),
          .z_o              (z_7[16*lane+:16]),
          .code_o           (codes[WideBits*lane+:WideBits])
      );
    end
  endgenerate

  // ---- Elements to memory, at stage 7 ----
  wire [StreamLanes-1:0]   mask_7 = mask_q[RESULT_STAGE];
  reg [32*StreamLanes-1:0] element_data;
  reg [4*StreamLanes-1:0]  element_strobe;
  always @* begin : placing
    integer i;
    i              = 0;
    element_data   = {32*StreamLanes{1'b0}};
    element_strobe = {4*StreamLanes{1'b0}};
    for (i = 0; i < StreamLanes; i = i + 1) begin
      if (store16) begin
        element_data[16*i+:16] = y_7[32*i+:16];
        element_strobe[2*i+:2] = {2{mask_7[i]}};
      end else begin
        element_data[32*i+:32] = store_tagged ? {8'd0, tag_7[8*i+:8], y_7[32*i+:16]} : y_7[32*i+:32];
        element_strobe[4*i+:4] = {4{mask_7[i]}};
      end
    end
  end
  wire element_flushed;
  assign element_wanted = result_q[RESULT_STAGE] & (store16 | store32 | store_tagged) & (mask_7 != {StreamLanes{1'b0}});
  wire flush = state_q == STATE_FLUSH;
  sf_write_combiner #(
      .DataBytes(4 * StreamLanes),
      .BusBytes (BusBytes)
  ) u_elements (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .want_i           (element_wanted),
      .push_i           (element_wanted & go),
      .ready_o          (element_ready),
      .address_i        (element_address_q),
      .data_i           (element_data),
      .strobe_i         (element_strobe),
      .flush_i          (flush & enable_i),
      .empty_o          (element_flushed),
      .request_valid_o  (element_request_valid_o),
      .request_ready_i  (element_request_ready_i),
      .request_address_o(element_request_address_o),
      .request_data_o   (element_request_data_o),
      .request_strobe_o (element_request_strobe_o)
  );

  // ---- Planes and reductions to memory ----
  localparam BeatMembers   = (8 * BusBytes / Lanes > 16) ? 16 : 8 * BusBytes / Lanes;
  localparam RowMembers    = (Rows < BeatMembers) ? Rows : BeatMembers;
  localparam ColumnMembers = (Columns < BeatMembers) ? Columns : BeatMembers;
  localparam Members       = (RowMembers > ColumnMembers) ? RowMembers : ColumnMembers;
  localparam WordsBytes    = Members * Lanes / 8;
  wire                    pack_busy, pack_write, reduce_write, reduce_done, pack_ready, pack_flushed;
  wire [31:0]             pack_address, reduce_address;
  wire [8*WordsBytes-1:0] pack_data;
  wire [WordsBytes-1:0]   pack_strobe;
  wire [63:0]             reduce_data;
  wire [7:0]              reduce_strobe;
  sf_pack #(
      .Rows       (Rows),
      .Columns    (Columns),
      .Lanes      (Lanes),
      .StreamLanes(StreamLanes),
      .WideBits   (WideBits),
      .BusBytes   (BusBytes)
  ) u_pack (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .clear_i        (clear_i),
      .enable_i       (enable_i),
      .start_i        (start_i),
      .descriptor_i   (descriptor_i),
      .valid_i        (result_q[LANE_STAGES]),
      .go_i           (go),
      .codes_i        (codes),
      .mask_i         (mask_q[LANE_STAGES]),
      .pixel_end_i    (pixel_end_q[LANE_STAGES]),
      .row_block_end_i(row_block_end_q[LANE_STAGES]),
      .blocked_o      (pack_blocked),
      .busy_o         (pack_busy),
      .write_valid_o  (pack_write),
      .write_ready_i  (pack_ready),
      .write_address_o(pack_address),
      .write_data_o   (pack_data),
      .write_strobe_o (pack_strobe)
  );
  reg reduce_start_q;
  sf_reduce #(
      .StreamLanes(StreamLanes),
      .MaxSamples (MaxSamples),
      .TableRows  (TableRows)
  ) u_reduce (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .clear_i        (clear_i),
      .enable_i       (enable_i),
      .start_i        (start_i),
      .descriptor_i   (descriptor_i),
      .valid_i        (result_q[RESULT_STAGE] & go),
      .y_i            (y_7),
      .z_i            (z_7),
      .mask_i         (mask_q[RESULT_STAGE]),
      .chunk_i        (chunk_q[RESULT_STAGE]),
      .sample_i       (sample_q[RESULT_STAGE]),
      .flush_start_i  (reduce_start_q),
      .write_valid_o  (reduce_write),
      .write_ready_i  (pack_ready),
      .write_address_o(reduce_address),
      .write_data_o   (reduce_data),
      .write_strobe_o (reduce_strobe),
      .done_o         (reduce_done)
  );
  // Words of planes, or a result of 8 bytes; never both, for reductions leave after the last plane.
  localparam PackBytes = (WordsBytes > 8) ? WordsBytes : 8;
  reg [8*PackBytes-1:0] pack_write_data;
  reg [PackBytes-1:0]   pack_write_strobe;
  always @* begin
    pack_write_data   = {8*PackBytes{1'b0}};
    pack_write_strobe = {PackBytes{1'b0}};
    if (reduce_write) begin
      pack_write_data[63:0]  = reduce_data;
      pack_write_strobe[7:0] = reduce_strobe;
    end else begin
      pack_write_data[8*WordsBytes-1:0] = pack_data;
      pack_write_strobe[WordsBytes-1:0] = pack_strobe;
    end
  end
  sf_write_combiner #(
      .DataBytes(PackBytes),
      .BusBytes (BusBytes),
      .Lines    (PLANE_BEATS)
  ) u_planes (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .want_i           (pack_write | reduce_write),
      .push_i           ((pack_write | reduce_write) & pack_ready),
      .ready_o          (pack_ready),
      .address_i        (reduce_write ? reduce_address : pack_address),
      .data_i           (pack_write_data),
      .strobe_i         (pack_write_strobe),
      .flush_i          (flush & enable_i),
      .empty_o          (pack_flushed),
      .request_valid_o  (pack_request_valid_o),
      .request_ready_i  (pack_request_ready_i),
      .request_address_o(pack_request_address_o),
      .request_data_o   (pack_request_data_o),
      .request_strobe_o (pack_request_strobe_o)
  );

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q        <= STATE_IDLE;
      reduce_start_q <= 1'b0;
    end else if (clear_i) begin
      state_q        <= STATE_IDLE;
      reduce_start_q <= 1'b0;
    end else if (enable_i) begin
      reduce_start_q <= 1'b0;
      case (state_q)
        STATE_IDLE: if (start_i) state_q <= STATE_RUN;
        // The nest is done and the last step has left stage 18
        STATE_RUN: if (go & ~nest_active & (step_q == {LANE_STAGES{1'b0}})) state_q <= STATE_EMIT;
        STATE_EMIT:
        if (!pack_busy) begin
          state_q        <= STATE_REDUCE;
          reduce_start_q <= 1'b1;
        end
        STATE_REDUCE: if (reduce_done) state_q <= STATE_FLUSH;
        STATE_FLUSH: if (element_flushed & pack_flushed) state_q <= STATE_WAIT;
        default: if (writes_idle_i) state_q <= STATE_IDLE;
      endcase
    end
  end
  assign done_o  = enable_i & (state_q == STATE_WAIT) & writes_idle_i;
  assign stall_o = running ? ~go
      : (state_q == STATE_EMIT) ? pack_busy
      : (state_q == STATE_REDUCE) ? (reduce_write & ~pack_ready)
      : ((state_q == STATE_FLUSH) ? ~(element_flushed & pack_flushed)
         : (state_q == STATE_WAIT) & ~writes_idle_i);
endmodule
`default_nettype wire
