// SPDX-License-Identifier: Apache-2.0
// Reads a tensor from memory chunk by chunk along the loop nest, running ahead of the pipeline.
// Consecutive chunks of one bus beat share one read. With Repeats, chunks that loop 1 goes over again are kept where
// there are 2 to REPEATED_ELEMENTS / StreamLanes of them, and read once.
// Elements come out as 32-bit signed values, tagged ones as they are. Chunks outside the tensor are not read; what comes
// out for them means nothing.
// A read is asked for only when its beat has a place, so responses are always accepted. The loop nest is up to three chunks
// ahead of the asker, so that the memory's answer is not in the path that moves the nest.
`default_nettype none
module sf_stream_reader #(
    parameter StreamLanes = 16,
    parameter BusBytes = 64,
    parameter Repeats = 0
) (
    input  wire                      clk_i,
    input  wire                      rst_ni,
    input  wire                      clear_i,
    input  wire                      enable_i,
    input  wire                      start_i,
    input  wire [2047:0]             descriptor_i,
    input  wire                      strides_b_i,
    input  wire [31:0]               address_i,
    input  wire [3:0]                type_i,
    // Memory
    output wire                      request_valid_o,
    input  wire                      request_ready_i,
    output wire [31:0]               request_address_o,
    input  wire                      response_valid_i,
    input  wire [8*BusBytes-1:0]     response_data_i,
    // Chunks, in order
    output wire                      valid_o,
    output wire [32*StreamLanes-1:0] data_o,
    input  wire                      take_i
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
    if (4 * StreamLanes > BusBytes) begin : gen_a_chunk_of_stream_lanes_must_fit_the_bus
      sf_error_a_chunk_of_stream_lanes_must_fit_the_bus u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam ByteBits = $clog2(BusBytes);
  localparam KeptChunks = REPEATED_ELEMENTS / StreamLanes;
  localparam KeptBits = $clog2(KeptChunks);
  localparam UsedBits = $clog2(BEATS_AHEAD) + 1;

  // ---- Ask ----
  wire        nest_active, nest_valid, nest_last;
  wire [31:0] nest_offset;
  wire [15:0] nest_place;
  wire        nest_again;
  wire        advance;
  sf_loop_nest #(.StreamLanes(StreamLanes)) u_nest (
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .start_i        (start_i | clear_i),
      .advance_i      (advance),
      .descriptor_i   (descriptor_i),
      .strides_b_i    (strides_b_i),
      .active_o       (nest_active),
      .last_o         (nest_last),
      .valid_o        (nest_valid),
      .offset_o       (nest_offset),
      .chunk_o        (),
      .sample_o       (),
      .scale_sample_o (),
      .route_index_o  (),
      .pool_index_o   (),
      .window_first_o (),
      .window_last_o  (),
      .place_o        (nest_place),
      .again_o        (nest_again),
      .position_o     (),
      .sum_tile_o     (),
      .sum_first_o    (),
      .sum_last_o     (),
      .pixel_end_o    (),
      .row_block_end_o()
  );
  reg running_q;  // the nest belongs to a pass that reads
  wire [1:0]  size_log2 = (type_i == TYPE_UNSIGNED8) ? 2'd0 : (type_i == TYPE_SIGNED16) ? 2'd1 : 2'd2;
  wire [31:0] stride_1 = strides_b_i ? descriptor_i[F_STRIDE_B1+:32] : descriptor_i[F_STRIDE_A1+:32];
  wire [15:0] count_0  = descriptor_i[F_COUNT0+:16];
  wire        keeps    = (Repeats != 0) & ~descriptor_i[F_X_FROM_ARRAY] & (descriptor_i[F_COUNT1+:16] != 16'd1)
      & (stride_1 == 32'd0) & (count_0 != 16'd1) & ({16'd0, count_0} <= KeptChunks);
  // The chunk behind the nest, and whether it needs another beat than the one before it
  reg         placed_q, placed_valid_q, placed_repeated_q;
  reg  [KeptBits-1:0] placed_place_q;
  reg  [31:0] placed_address_q;
  reg         last_valid_q;
  reg  [31:ByteBits] last_beat_q;
  wire        ahead_ready, ahead_valid, ahead_pop;
  wire        placed_taken = placed_q & ahead_ready;
  wire        placed_new   = placed_valid_q & ~placed_repeated_q & ~(last_valid_q & (last_beat_q == placed_address_q[31:ByteBits]));
  wire        chunk_counts, new_beat, repeated;
  wire [KeptBits-1:0] place;
  wire [31:0] address;
  assign advance = running_q & nest_active & (~placed_q | ahead_ready);
  sf_fifo #(
      .Width(KeptBits + 35),
      .Depth(2)
  ) u_ahead (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (placed_taken),
      .data_i ({placed_place_q, placed_repeated_q, placed_valid_q, placed_new, placed_address_q}),
      .ready_o(ahead_ready),
      .valid_o(ahead_valid),
      .data_o ({place, repeated, chunk_counts, new_beat, address}),
      .pop_i  (ahead_pop),
      .used_o ()
  );

  wire                 chunk_ready, chunk_valid, chunk_pop;
  wire [KeptBits+ByteBits+2:0] chunk_head;
  wire                 beat_valid, beat_pop;
  wire [8*BusBytes-1:0] beat_head;
  reg  [UsedBits-1:0]  credit_q;  // free places for beats
  wire can_ask = enable_i & ahead_valid & chunk_ready;
  assign request_valid_o   = can_ask & new_beat & (credit_q != {UsedBits{1'b0}});
  assign request_address_o = {address[31:ByteBits], {ByteBits{1'b0}}};
  wire asked = request_valid_o & request_ready_i;
  assign ahead_pop = can_ask & (~new_beat | asked);

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q    <= 1'b0;
      placed_q     <= 1'b0;
      last_valid_q <= 1'b0;
      credit_q     <= BEATS_AHEAD;
    end else if (clear_i) begin
      running_q    <= 1'b0;
      placed_q     <= 1'b0;
      last_valid_q <= 1'b0;
      credit_q     <= BEATS_AHEAD;
    end else begin
      if (start_i) running_q <= 1'b1;
      else if (advance & nest_last) running_q <= 1'b0;
      if (advance) placed_q <= 1'b1;
      else if (placed_taken) placed_q <= 1'b0;
      if (start_i) last_valid_q <= 1'b0;
      else if (placed_taken & placed_new) last_valid_q <= 1'b1;
      if (asked & ~beat_pop) credit_q <= credit_q - 1'b1;
      else if (beat_pop & ~asked) credit_q <= credit_q + 1'b1;
    end
  end
  always @(posedge clk_i) begin
    if (advance) begin
      placed_valid_q    <= nest_valid;
      placed_repeated_q <= keeps & nest_again;
      placed_place_q    <= nest_place[KeptBits-1:0];
      placed_address_q  <= address_i + (nest_offset << size_log2);
    end
    if (placed_taken & placed_new) last_beat_q <= placed_address_q[31:ByteBits];
  end

  sf_fifo #(
      .Width(KeptBits + ByteBits + 3),
      .Depth(CHUNKS_AHEAD)
  ) u_chunks (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (ahead_pop),
      .data_i ({place, repeated, chunk_counts, new_beat, address[ByteBits-1:0]}),
      .ready_o(chunk_ready),
      .valid_o(chunk_valid),
      .data_o (chunk_head),
      .pop_i  (chunk_pop),
      .used_o ()
  );
  sf_fifo #(
      .Width(8 * BusBytes),
      .Depth(BEATS_AHEAD)
  ) u_beats (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (response_valid_i),
      .data_i (response_data_i),
      .ready_o(),
      .valid_o(beat_valid),
      .data_o (beat_head),
      .pop_i  (beat_pop),
      .used_o ()
  );

  // ---- Give ----
  reg                      out_valid_q;
  reg [32*StreamLanes-1:0] out_q;
  reg [8*BusBytes-1:0]     beat_q;
  wire head_new = chunk_head[ByteBits];
  wire give = chunk_valid & (~head_new | beat_valid) & (~out_valid_q | take_i);
  assign chunk_pop = give;
  assign beat_pop  = give & head_new;
  assign valid_o   = out_valid_q;

  // ---- Chunks that are kept, each a cycle after it was given: one comes again two gives later at the earliest ----
  generate
    if (Repeats != 0) begin : gen_kept
      wire [KeptBits-1:0] head_place = chunk_head[ByteBits+3+:KeptBits];
      wire                head_repeated = chunk_head[ByteBits+2];
      reg                 fresh_q, repeated_q;
      reg  [KeptBits-1:0] place_q;
      wire [32*StreamLanes-1:0] kept;
      always @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) fresh_q <= 1'b0;
        else fresh_q <= give & ~head_repeated & keeps;
      end
      always @(posedge clk_i) begin
        if (give) begin
          repeated_q <= head_repeated;
          place_q    <= head_place;
        end
      end
      sf_ram #(
          .Width(32 * StreamLanes),
          .Depth(KeptChunks)
      ) u_kept (
          .clk_i          (clk_i),
          .write_enable_i (fresh_q),
          .write_address_i(place_q),
          .write_data_i   (out_q),
          .read_enable_i  (give & head_repeated),
          .read_address_i (head_place),
          .read_data_o    (kept)
      );
      assign data_o = repeated_q ? kept : out_q;
    end else begin : gen_unused
      wire unused = |{chunk_head[ByteBits+2+:KeptBits+1]};
      assign data_o = out_q;
    end
  endgenerate

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (clear_i) out_valid_q <= 1'b0;
    else if (give) out_valid_q <= 1'b1;
    else if (take_i) out_valid_q <= 1'b0;
  end

  reg [8*BusBytes-1:0] aligned;
  always @(posedge clk_i) begin : aligning
    integer lane;
    if (beat_pop) beat_q <= beat_head;
    if (give) begin
      aligned = (head_new ? beat_head : beat_q) >> {chunk_head[ByteBits-1:0], 3'b000};
      for (lane = 0; lane < StreamLanes; lane = lane + 1) begin
        case (type_i)
          TYPE_UNSIGNED8: out_q[32*lane+:32] <= {24'd0, aligned[8*lane+:8]};
          TYPE_SIGNED16:  out_q[32*lane+:32] <= {{16{aligned[16*lane+15]}}, aligned[16*lane+:16]};
          default:        out_q[32*lane+:32] <= aligned[32*lane+:32];
        endcase
      end
    end
  end
endmodule
`default_nettype wire
