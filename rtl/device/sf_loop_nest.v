// SPDX-License-Identifier: Apache-2.0
// Six nested loops over chunks of StreamLanes elements, count0 innermost, in one of the two orders of the descriptors'
// contract (model/spec/descriptor.hpp of Solfege's sources): storage order (from memory), or the order in which the array
// drains its tiles (x_from_array). Outputs describe the current chunk; advance_i steps. Elements lie in blocks of
// 16 x 16, so within a pixel the offset is made of the bits of chunk and row; the outer loops add their strides (A, or B
// by strides_b_i).
`default_nettype none
module sf_loop_nest #(
    parameter StreamLanes = 16
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          start_i,
    input  wire          advance_i,
    input  wire [2047:0] descriptor_i,
    input  wire          strides_b_i,
    output wire          active_o,
    output wire          last_o,
    output wire          valid_o,         // some lane is inside the tensor
    output wire [31:0]   offset_o,        // elements from the tensor's base
    output wire [15:0]   chunk_o,         // channel / StreamLanes
    output wire [15:0]   sample_o,
    output wire [15:0]   scale_sample_o,  // entry of the sample table
    output wire [7:0]    route_index_o,   // i3 count1 + i1
    output wire [7:0]    pool_index_o,    // i2 count1 + i1
    output wire          window_first_o,  // i1 = i2 = 0
    output wire          window_last_o,
    output wire [15:0]   place_o,         // i0
    output wire          again_o,         // i1 is not 0
    output wire [15:0]   position_o,      // (i2 count1 + i1) count0 + i0
    output wire [7:0]    sum_tile_o,      // accumulate_tile + i3
    output wire          sum_first_o,     // i4 = 0
    output wire          sum_last_o,
    output wire          pixel_end_o,     // last i0
    output wire          row_block_end_o  // and last of loops 1 to 4
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam LaneShift = $clog2(StreamLanes);
  localparam PartShift = 4 - LaneShift;  // chunks of a block row
  localparam [15:0] PartMask = 16 / StreamLanes - 1;

  wire        tile_order = descriptor_i[F_X_FROM_ARRAY];
  wire        accumulate = descriptor_i[F_ACCUMULATE_ENABLE];
  wire [15:0] count0 = descriptor_i[F_COUNT0+:16];
  wire [15:0] count1 = descriptor_i[F_COUNT1+:16];
  wire [15:0] count2 = descriptor_i[F_COUNT2+:16];
  wire [15:0] count3 = descriptor_i[F_COUNT3+:16];
  wire [15:0] count4 = descriptor_i[F_COUNT4+:16];
  wire [15:0] count5 = descriptor_i[F_COUNT5+:16];
  wire [31:0] stride1_any = strides_b_i ? descriptor_i[F_STRIDE_B1+:32] : descriptor_i[F_STRIDE_A1+:32];
  wire [31:0] stride3_any = strides_b_i ? descriptor_i[F_STRIDE_B3+:32] : descriptor_i[F_STRIDE_A3+:32];
  wire [31:0] stride1 = tile_order ? 32'd0 : stride1_any;
  wire [31:0] stride2 = strides_b_i ? descriptor_i[F_STRIDE_B2+:32] : descriptor_i[F_STRIDE_A2+:32];
  wire [31:0] stride3 = tile_order ? 32'd0 : stride3_any;
  wire [31:0] stride4 = strides_b_i ? descriptor_i[F_STRIDE_B4+:32] : descriptor_i[F_STRIDE_A4+:32];
  wire [31:0] stride5 = strides_b_i ? descriptor_i[F_STRIDE_B5+:32] : descriptor_i[F_STRIDE_A5+:32];

  reg        active_q;
  reg [15:0] index0_q, index1_q, index2_q, index3_q, index4_q, index5_q;
  reg [31:0] base1_q, base2_q, base3_q, base4_q, base5_q;  // offset at the start of each loop's body
  reg [15:0] group_chunk_q;    // chunk_first, and i3 count0 in tile order
  reg [15:0] sample_block_q;   // sample_first + 16 i5, or 16 i2 in tile order
  reg [15:0] scale_sample_q;   // accumulate_sample + i4
  reg [15:0] position_q;
  reg [7:0]  sum_tile_q;
  reg [7:0]  route_base_q, pool_base_q;  // i3 count1, i2 count1

  wire end0 = index0_q + 16'd1 == count0;
  wire end1 = index1_q + 16'd1 == count1;
  wire end2 = index2_q + 16'd1 == count2;
  wire end3 = index3_q + 16'd1 == count3;
  wire end4 = index4_q + 16'd1 == count4;
  wire end5 = index5_q + 16'd1 == count5;
  // The loop that moves: 0 (none but the innermost) to 5
  wire [2:0] moves = !end0 ? 3'd0 : !end1 ? 3'd1 : !end2 ? 3'd2 : !end3 ? 3'd3 : !end4 ? 3'd4 : 3'd5;
  wire [31:0] base1_next = base1_q + stride1;
  wire [31:0] base2_next = base2_q + stride2;
  wire [31:0] base3_next = base3_q + stride3;
  wire [31:0] base4_next = base4_q + stride4;
  wire [31:0] base5_next = base5_q + stride5;

  // ---- Chunk and row: bits of i0 in storage order, loops of their own in tile order ----
  wire [15:0] memory_chunk = ((index0_q >> (PartShift + 4)) << PartShift) | (index0_q & PartMask);
  wire [15:0] memory_row   = {12'd0, index0_q[PartShift+:4]};
  assign chunk_o  = group_chunk_q + (tile_order ? index0_q : memory_chunk);
  assign sample_o = sample_block_q + (tile_order ? index1_q : memory_row);
  wire [3:0]  row    = tile_order ? sample_o[3:0] : memory_row[3:0];
  wire [31:0] element = (({16'd0, chunk_o} >> PartShift) << 8) | {24'd0, row, 4'd0}
                        | ({16'd0, chunk_o & PartMask} << LaneShift);

  assign active_o        = active_q;
  assign last_o          = end0 & end1 & end2 & end3 & end4 & end5;
  assign offset_o        = base1_q + element;
  assign valid_o         = (({16'd0, chunk_o} << LaneShift) < {16'd0, descriptor_i[F_CHANNELS+:16]})
                           & (sample_o < descriptor_i[F_SAMPLES+:16]);
  assign scale_sample_o  = accumulate ? scale_sample_q : sample_o;
  assign route_index_o   = route_base_q + index1_q[7:0];
  assign pool_index_o    = pool_base_q + index1_q[7:0];
  assign window_first_o  = (index1_q == 16'd0) & (index2_q == 16'd0);
  assign window_last_o   = end1 & end2;
  assign place_o         = index0_q;
  assign again_o         = index1_q != 16'd0;
  assign position_o      = position_q;
  assign sum_tile_o      = sum_tile_q;
  assign sum_first_o     = index4_q == 16'd0;
  assign sum_last_o      = end4;
  assign pixel_end_o     = end0;
  assign row_block_end_o = end0 & end1 & end2 & end3 & end4;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (advance_i & last_o) active_q <= 1'b0;
  end

  always @(posedge clk_i) begin
    if (start_i) begin
      index0_q       <= 16'd0;
      index1_q       <= 16'd0;
      index2_q       <= 16'd0;
      index3_q       <= 16'd0;
      index4_q       <= 16'd0;
      index5_q       <= 16'd0;
      base1_q        <= 32'd0;
      base2_q        <= 32'd0;
      base3_q        <= 32'd0;
      base4_q        <= 32'd0;
      base5_q        <= 32'd0;
      group_chunk_q  <= descriptor_i[F_CHUNK_FIRST+:16];
      sample_block_q <= descriptor_i[F_SAMPLE_FIRST+:16];
      scale_sample_q <= descriptor_i[F_ACCUMULATE_SAMPLE+:16];
      position_q     <= 16'd0;
      sum_tile_q     <= descriptor_i[F_ACCUMULATE_TILE+:8];
      route_base_q   <= 8'd0;
      pool_base_q    <= 8'd0;
    end else if (advance_i) begin
      index0_q   <= end0 ? 16'd0 : index0_q + 16'd1;
      position_q <= (moves > 3'd2) ? 16'd0 : position_q + 16'd1;
      if (moves >= 3'd1) index1_q <= end1 ? 16'd0 : index1_q + 16'd1;
      if (moves >= 3'd2) index2_q <= end2 ? 16'd0 : index2_q + 16'd1;
      if (moves >= 3'd3) index3_q <= end3 ? 16'd0 : index3_q + 16'd1;
      if (moves >= 3'd4) index4_q <= end4 ? 16'd0 : index4_q + 16'd1;
      if (moves >= 3'd5) index5_q <= index5_q + 16'd1;
      // A loop that moves starts those inside it anew.
      case (moves)
        3'd0: ;
        3'd1: base1_q <= base1_next;
        3'd2: begin
          base2_q     <= base2_next;
          base1_q     <= base2_next;
          pool_base_q <= pool_base_q + count1[7:0];
          if (tile_order) sample_block_q <= sample_block_q + 16'd16;
        end
        3'd3: begin
          base3_q       <= base3_next;
          base2_q       <= base3_next;
          base1_q       <= base3_next;
          route_base_q  <= route_base_q + count1[7:0];
          sum_tile_q    <= sum_tile_q + 8'd1;
          if (tile_order) group_chunk_q <= group_chunk_q + count0;
        end
        3'd4: begin
          base4_q        <= base4_next;
          base3_q        <= base4_next;
          base2_q        <= base4_next;
          base1_q        <= base4_next;
          scale_sample_q <= scale_sample_q + 16'd1;
        end
        default: begin
          base5_q        <= base5_next;
          base4_q        <= base5_next;
          base3_q        <= base5_next;
          base2_q        <= base5_next;
          base1_q        <= base5_next;
          scale_sample_q <= descriptor_i[F_ACCUMULATE_SAMPLE+:16];
          if (!tile_order) sample_block_q <= sample_block_q + 16'd16;
        end
      endcase
      if (moves > 3'd2) begin
        pool_base_q <= 8'd0;
        if (tile_order) sample_block_q <= descriptor_i[F_SAMPLE_FIRST+:16];
      end
      if (moves > 3'd3) begin
        route_base_q  <= 8'd0;
        sum_tile_q    <= descriptor_i[F_ACCUMULATE_TILE+:8];
        group_chunk_q <= descriptor_i[F_CHUNK_FIRST+:16];
      end
    end
  end
endmodule
`default_nettype wire
