// SPDX-License-Identifier: Apache-2.0
// Packs codes into bit-planes and writes them as operand words. A word is Lanes consecutive channels of one
// row and pixel; planes and words lie so that an operand buffer word (Rows or Columns of them) is contiguous.
// Loops of a packing pass: 0 chunk, 1 pixel, 2 row. Emission of a finished word's planes, one a write,
// overlaps the assembly of the next; blocked_o asks the pipeline to wait when it cannot.
`default_nettype none
module sf_pack #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,
    parameter StreamLanes = 16,
    parameter WideBits = 24
) (
    input  wire                            clk_i,
    input  wire                            rst_ni,
    input  wire                            clear_i,
    input  wire                            enable_i,
    input  wire                            start_i,
    input  wire [1023:0]                   descriptor_i,
    input  wire                            valid_i,   // a chunk is at the last stage
    input  wire                            go_i,      // and moves on in this cycle
    input  wire [StreamLanes*WideBits-1:0] codes_i,
    input  wire [StreamLanes-1:0]          mask_i,
    output wire                            blocked_o,
    output wire                            busy_o,
    // Writes
    output wire                            write_valid_o,
    input  wire                            write_ready_i,
    output wire [31:0]                     write_address_o,
    output wire [Lanes-1:0]                write_data_o
);
  `include "sf_descriptor.vh"
  localparam ChunksPerWord = Lanes / StreamLanes;
  localparam PositionBits = (ChunksPerWord > 1) ? $clog2(ChunksPerWord) : 1;
  localparam WordBytes = Lanes / 8;

  wire        pack_enable  = descriptor_i[F_PACK_ENABLE];
  wire        pack_columns = descriptor_i[F_PACK_COLUMNS];
  wire [5:0]  planes       = descriptor_i[F_PACK_PLANES+:6];
  wire [31:0] group_stride = descriptor_i[F_PACK_GROUP_STRIDE+:32];
  wire [31:0] pixel_stride = descriptor_i[F_PACK_PIXEL_STRIDE+:32];
  wire [31:0] plane_stride = descriptor_i[F_PACK_PLANE_STRIDE+:32];
  wire [31:0] group_bytes  = pack_columns ? Columns * WordBytes : Rows * WordBytes;
  wire [15:0] group_last   = pack_columns ? Columns - 1 : Rows - 1;

  // ---- Where the chunk at hand belongs ----
  reg [15:0]             chunk_q, pixel_q, row_in_group_q;
  reg [PositionBits-1:0] position_q;
  reg [31:0]             group_base_q, row_base_q, pixel_base_q, word_address_q;
  wire end_chunk = chunk_q + 16'd1 == descriptor_i[F_COUNT0+:16];
  wire end_pixel = pixel_q + 16'd1 == descriptor_i[F_COUNT1+:16];
  wire end_word  = end_chunk | ({{(32-PositionBits){1'b0}}, position_q} == ChunksPerWord - 1);
  wire [31:0] group_next = group_base_q + group_stride;
  wire [31:0] row_next   = (row_in_group_q == group_last) ? group_next : row_base_q + WordBytes;
  wire [31:0] pixel_next = pixel_base_q + pixel_stride;
  wire take = valid_i & go_i & pack_enable;

  // The word so far with this chunk in its place; only computed when a chunk is taken.
  reg [WideBits*Lanes-1:0] word_q, word;
  integer place, plane, lane;

  // ---- Emission ----
  reg                      emit_q;
  reg [5:0]                emit_plane_q;
  reg [31:0]               emit_address_q;
  reg [WideBits*Lanes-1:0] emit_word_q;
  assign write_valid_o   = emit_q & enable_i;
  assign write_address_o = emit_address_q;
  assign write_data_o    = emit_word_q[Lanes-1:0];
  wire emitted  = write_valid_o & write_ready_i;
  wire emit_end = emitted & (emit_plane_q + 6'd1 == planes);
  assign blocked_o = valid_i & pack_enable & end_word & emit_q & ~emit_end;
  assign busy_o    = emit_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) emit_q <= 1'b0;
    else if (clear_i) emit_q <= 1'b0;
    else if (take & end_word) emit_q <= 1'b1;
    else if (emit_end) emit_q <= 1'b0;
  end

  always @(posedge clk_i) begin
    if (start_i) begin
      chunk_q        <= 16'd0;
      pixel_q        <= 16'd0;
      row_in_group_q <= 16'd0;
      position_q     <= {PositionBits{1'b0}};
      group_base_q   <= descriptor_i[F_PACK_ADDRESS+:32];
      row_base_q     <= descriptor_i[F_PACK_ADDRESS+:32];
      pixel_base_q   <= descriptor_i[F_PACK_ADDRESS+:32];
      word_address_q <= descriptor_i[F_PACK_ADDRESS+:32];
    end else if (take) begin
      position_q <= end_word ? {PositionBits{1'b0}} : position_q + 1'b1;
      chunk_q    <= end_chunk ? 16'd0 : chunk_q + 16'd1;
      if (end_word & ~end_chunk) word_address_q <= word_address_q + group_bytes;
      if (end_chunk) begin
        if (!end_pixel) begin
          pixel_q        <= pixel_q + 16'd1;
          pixel_base_q   <= pixel_next;
          word_address_q <= pixel_next;
        end else begin
          pixel_q        <= 16'd0;
          row_base_q     <= row_next;
          pixel_base_q   <= row_next;
          word_address_q <= row_next;
          if (row_in_group_q == group_last) begin
            row_in_group_q <= 16'd0;
            group_base_q   <= group_next;
          end else begin
            row_in_group_q <= row_in_group_q + 16'd1;
          end
        end
      end
    end
    if (take) begin
      word = (position_q == {PositionBits{1'b0}}) ? {WideBits*Lanes{1'b0}} : word_q;
      for (place = 0; place < ChunksPerWord; place = place + 1)
        if ({{(32-PositionBits){1'b0}}, position_q} == place)
          for (plane = 0; plane < WideBits; plane = plane + 1)
            for (lane = 0; lane < StreamLanes; lane = lane + 1)
              word[plane*Lanes+place*StreamLanes+lane] = codes_i[lane*WideBits+plane] & mask_i[lane];
      word_q <= word;
    end
    if (emitted) emit_word_q <= emit_word_q >> Lanes;
    if (take & end_word) emit_word_q <= word;
    if (take & end_word) begin
      emit_address_q <= word_address_q;
      emit_plane_q   <= 6'd0;
    end else if (emitted) begin
      emit_address_q <= emit_address_q + plane_stride;
      emit_plane_q   <= emit_plane_q + 6'd1;
    end
  end
endmodule
`default_nettype wire
