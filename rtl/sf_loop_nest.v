// SPDX-License-Identifier: Apache-2.0
// Five nested loops over chunks of StreamLanes elements. count0 is innermost: consecutive chunks of one row of
// channels; the outer loops move by their strides (elements). One loop may count samples and one
// channel groups (each count0 chunks wide). Outputs describe the current chunk; advance_i steps.
`default_nettype none
module sf_loop_nest #(
    parameter StreamLanes = 16
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          start_i,
    input  wire          advance_i,
    input  wire [1023:0] descriptor_i,
    output wire          active_o,
    output wire          last_o,
    output wire          valid_o,   // some lane is inside the tensor
    output wire [31:0]   offset_o,  // elements from the tensor's base
    output wire [15:0]   chunk_o,   // channel / StreamLanes
    output wire [15:0]   sample_o
);
  `include "sf_descriptor.vh"

  wire [15:0] count0 = descriptor_i[F_COUNT0+:16];
  wire [15:0] count1 = descriptor_i[F_COUNT1+:16];
  wire [15:0] count2 = descriptor_i[F_COUNT2+:16];
  wire [15:0] count3 = descriptor_i[F_COUNT3+:16];
  wire [15:0] count4 = descriptor_i[F_COUNT4+:16];
  wire [2:0]  sample_loop = descriptor_i[F_SAMPLE_LOOP+:3];
  wire [2:0]  group_loop  = descriptor_i[F_GROUP_LOOP+:3];

  reg        active_q;
  reg [15:0] index0_q, index1_q, index2_q, index3_q, index4_q;
  reg [31:0] base1_q, base2_q, base3_q, base4_q;  // offset at the start of each loop's body
  reg [15:0] group_chunk_q, sample_q;

  wire end0 = index0_q + 16'd1 == count0;
  wire end1 = index1_q + 16'd1 == count1;
  wire end2 = index2_q + 16'd1 == count2;
  wire end3 = index3_q + 16'd1 == count3;
  wire end4 = index4_q + 16'd1 == count4;
  // The loop that moves: 0 (none but the innermost) to 4
  wire [2:0] moves = !end0 ? 3'd0 : !end1 ? 3'd1 : !end2 ? 3'd2 : !end3 ? 3'd3 : 3'd4;
  wire [31:0] base1_next = base1_q + descriptor_i[F_STRIDE1+:32];
  wire [31:0] base2_next = base2_q + descriptor_i[F_STRIDE2+:32];
  wire [31:0] base3_next = base3_q + descriptor_i[F_STRIDE3+:32];
  wire [31:0] base4_next = base4_q + descriptor_i[F_STRIDE4+:32];

  assign last_o   = end0 & end1 & end2 & end3 & end4;
  assign active_o = active_q;
  assign offset_o = base1_q + {16'd0, index0_q} * StreamLanes;
  assign chunk_o  = group_chunk_q + index0_q;
  assign sample_o = sample_q;
  assign valid_o  = ({16'd0, chunk_o} * StreamLanes < {16'd0, descriptor_i[F_CHANNELS+:16]})
                    & (sample_q < descriptor_i[F_SAMPLES+:16]);

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (advance_i & last_o) active_q <= 1'b0;
  end

  always @(posedge clk_i) begin
    if (start_i) begin
      index0_q      <= 16'd0;
      index1_q      <= 16'd0;
      index2_q      <= 16'd0;
      index3_q      <= 16'd0;
      index4_q      <= 16'd0;
      base1_q       <= 32'd0;
      base2_q       <= 32'd0;
      base3_q       <= 32'd0;
      base4_q       <= 32'd0;
      group_chunk_q <= descriptor_i[F_CHUNK_FIRST+:16];
      sample_q      <= descriptor_i[F_SAMPLE_FIRST+:16];
    end else if (advance_i) begin
      index0_q <= end0 ? 16'd0 : index0_q + 16'd1;
      if (end0) index1_q <= end1 ? 16'd0 : index1_q + 16'd1;
      if (end0 & end1) index2_q <= end2 ? 16'd0 : index2_q + 16'd1;
      if (end0 & end1 & end2) index3_q <= end3 ? 16'd0 : index3_q + 16'd1;
      if (end0 & end1 & end2 & end3) index4_q <= index4_q + 16'd1;
      case (moves)
        3'd0: ;
        3'd1: base1_q <= base1_next;
        3'd2: begin
          base2_q <= base2_next;
          base1_q <= base2_next;
        end
        3'd3: begin
          base3_q <= base3_next;
          base2_q <= base3_next;
          base1_q <= base3_next;
        end
        default: begin
          base4_q <= base4_next;
          base3_q <= base4_next;
          base2_q <= base4_next;
          base1_q <= base4_next;
        end
      endcase
      if (moves != 3'd0) begin
        if (moves == group_loop) group_chunk_q <= group_chunk_q + count0;
        else if (moves > group_loop) group_chunk_q <= descriptor_i[F_CHUNK_FIRST+:16];
        if (moves == sample_loop) sample_q <= sample_q + 16'd1;
        else if (moves > sample_loop) sample_q <= descriptor_i[F_SAMPLE_FIRST+:16];
      end
    end
  end
endmodule
`default_nettype wire
