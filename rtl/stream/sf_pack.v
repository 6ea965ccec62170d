// SPDX-License-Identifier: Apache-2.0
// Packs codes into bit-planes and writes them as parts of operand words (the contract is Pack in
// model/spec/descriptor.hpp of Solfege's sources).
// Codes come in storage order, StreamLanes a step. A block of 16 rows x 16 channels is collected, then written while
// the next one is collected: for each set of group members whose words share a bus beat, plane by plane, the
// two bytes that are the block's channels in each member's word. Rows beyond the samples are written as the zeros
// they are; groups that begin beyond them do not exist and are not written.
// blocked_o asks the pipeline to wait while the block before is being written, the cycle of its last write included, so
// that the memory's answer is not in the path that decides whether the pipeline moves.
`default_nettype none
module sf_pack #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,  // a power of two, 16 or more
    parameter StreamLanes = 16,
    parameter WideBits = 24,
    parameter BusBytes = 64,
    // Derived; do not set: members of a write
    parameter BeatMembers = (8 * BusBytes / Lanes > 16) ? 16 : 8 * BusBytes / Lanes,
    parameter RowMembers = (Rows < BeatMembers) ? Rows : BeatMembers,
    parameter ColumnMembers = (Columns < BeatMembers) ? Columns : BeatMembers,
    parameter Members = (RowMembers > ColumnMembers) ? RowMembers : ColumnMembers
) (
    input  wire                            clk_i,
    input  wire                            rst_ni,
    input  wire                            clear_i,
    input  wire                            enable_i,
    input  wire                            start_i,
    input  wire [2047:0]                   descriptor_i,
    input  wire                            valid_i,          // a result is at the last stage
    input  wire                            go_i,             // and moves on in this cycle
    input  wire [StreamLanes*WideBits-1:0] codes_i,
    input  wire [StreamLanes-1:0]          mask_i,
    input  wire                            pixel_end_i,      // the pixel's last chunk
    input  wire                            row_block_end_i,  // and of the last pixel of these rows
    output wire                            blocked_o,
    output wire                            busy_o,
    // Writes
    output wire                            write_valid_o,
    input  wire                            write_ready_i,
    output wire [31:0]                     write_address_o,
    output reg  [Members*Lanes-1:0]        write_data_o,
    output reg  [Members*Lanes/8-1:0]      write_strobe_o
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
    if (8 * BusBytes < Lanes) begin : gen_a_word_of_lanes_must_fit_the_bus
      sf_error_a_word_of_lanes_must_fit_the_bus u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam WordBytes = Lanes / 8;
  localparam RowsShift = $clog2(Rows);
  localparam ColumnsShift = $clog2(Columns);
  localparam WordShift = $clog2(WordBytes);
  localparam Cells = 256 / StreamLanes;  // steps of a block
  localparam CellShift = $clog2(Cells);
  localparam RowCellShift = 4 - $clog2(StreamLanes);  // cells of a row, of 16 channels
  localparam SetCells = Members << RowCellShift;      // cells of a write
  localparam BankShift = $clog2((WideBits > SetCells) ? WideBits : SetCells);
  localparam Banks = 1 << BankShift;
  localparam WordBlocks = Lanes / 16;    // blocks of channels in a word
  localparam [7:0] CellLast = Cells - 1;
  localparam [4:0] WordBlockLast = WordBlocks - 1;
  localparam [15:0] RowsMask = Rows - 1, ColumnsMask = Columns - 1;
  localparam [4:0] RowsSet = RowMembers, ColumnsSet = ColumnMembers;

  wire        pack_enable  = descriptor_i[F_PACK_ENABLE];
  wire        pack_columns = descriptor_i[F_PACK_COLUMNS];
  wire [5:0]  planes       = descriptor_i[F_PACK_PLANES+:6];
  wire [31:0] group_stride = descriptor_i[F_PACK_GROUP_STRIDE+:32];
  wire [31:0] pixel_words  = {16'd0, descriptor_i[F_PACK_PIXEL_STRIDE+:16]};
  wire [31:0] plane_words  = {16'd0, descriptor_i[F_PACK_PLANE_STRIDE+:16]};
  wire [15:0] samples      = descriptor_i[F_SAMPLES+:16];
  wire [15:0] sample_first = descriptor_i[F_SAMPLE_FIRST+:16];
  // Constants of the group
  wire [15:0] group_mask  = pack_columns ? ColumnsMask : RowsMask;
  wire [31:0] group_bytes = pack_columns ? Columns * WordBytes : Rows * WordBytes;
  wire [31:0] pixel_bytes = pack_columns ? pixel_words << (ColumnsShift + WordShift)
                                         : pixel_words << (RowsShift + WordShift);
  wire [31:0] plane_bytes = pack_columns ? plane_words << (ColumnsShift + WordShift)
                                         : plane_words << (RowsShift + WordShift);
  wire [4:0]  set_members = pack_columns ? ColumnsSet : RowsSet;
  wire [31:0] set_bytes   = pack_columns ? ColumnMembers * WordBytes : RowMembers * WordBytes;
  // From a block of rows to the next: within a group, 16 members on; else 16 / G groups on (small ones), or
  // back to the first member of the next (a large one, whose mask has bits above the low four).
  wire        several_blocks = group_mask[15:4] != 12'd0;
  wire [31:0] many_groups    = pack_columns ? group_stride << ((ColumnsShift < 4) ? 4 - ColumnsShift : 0)
                                            : group_stride << ((RowsShift < 4) ? 4 - RowsShift : 0);

  // ---- Where the block at hand belongs ----
  reg [7:0]  position_q;    // its chunks so far
  reg        bank_q;        // half of the store it goes to
  reg [4:0]  word_block_q;  // its place among the blocks of a word
  reg [15:0] row_q;         // its first row
  reg [31:0] row_base_q, pixel_base_q, word_base_q;
  wire [31:0] within_group = {16'd0, row_q & group_mask} << WordShift;
  wire        group_ends   = (row_q & group_mask) + 16'd16 > group_mask;
  wire [31:0] row_next     = !group_ends ? row_base_q + 16 * WordBytes
                             : several_blocks ? row_base_q - within_group + group_stride
                             : row_base_q + many_groups;
  wire [31:0] pixel_next   = pixel_base_q + pixel_bytes;
  wire [15:0] group_row    = row_q & ~group_mask;  // first row of its (first) group
  wire        take         = valid_i & go_i & pack_enable;
  wire        block_end    = position_q == CellLast;
  wire        block_taken  = take & block_end;

  // The first row's group may not be the first: its base is made by shifts and additions in the cycles before
  // the first block is complete (16 at most, a block takes 16 steps and a pipeline).
  reg        setup_q;
  reg [15:0] multiplier_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) setup_q <= 1'b0;
    else if (start_i) setup_q <= 1'b1;
    else if (multiplier_q == 16'd0) setup_q <= 1'b0;
  end
  always @(posedge clk_i) begin
    if (start_i) begin
      position_q   <= 8'd0;
      bank_q       <= 1'b0;
      word_block_q <= 5'd0;
      row_q        <= sample_first;
      multiplier_q <= pack_columns ? sample_first >> ColumnsShift : sample_first >> RowsShift;
      row_base_q   <= descriptor_i[F_PACK_ADDRESS+:32] + ({16'd0, sample_first & group_mask} << WordShift);
      word_base_q  <= group_stride;
    end else if (setup_q) begin
      // word_base_q holds the multiplicand meanwhile
      multiplier_q <= multiplier_q >> 1;
      if (multiplier_q[0]) row_base_q <= row_base_q + word_base_q;
      word_base_q  <= (multiplier_q == 16'd0) ? row_base_q : word_base_q << 1;
      pixel_base_q <= row_base_q;
    end else if (block_taken) begin
      bank_q       <= ~bank_q;
      word_block_q <= 5'd0;
      if (row_block_end_i) begin
        row_q        <= row_q + 16'd16;
        row_base_q   <= row_next;
        pixel_base_q <= row_next;
        word_base_q  <= row_next;
      end else if (pixel_end_i) begin
        pixel_base_q <= pixel_next;
        word_base_q  <= pixel_next;
      end else if (word_block_q == WordBlockLast) begin
        word_base_q <= word_base_q + group_bytes;
      end else begin
        word_block_q <= word_block_q + 5'd1;
      end
    end
    if (take & ~start_i) position_q <= block_end ? 8'd0 : position_q + 8'd1;
  end

  // ---- The store: two blocks, a corner turn ----
  // A step fills a cell, which is all planes of StreamLanes codes; a write takes one plane of SetCells cells. Plane p of
  // cell k lies in bank k + p (modulo Banks) at address k, so that either is one access of different banks.
  reg  [Banks*StreamLanes-1:0] cell_planes;  // plane p at p*StreamLanes
  wire [Banks*StreamLanes-1:0] cell_turned;
  wire [BankShift-1:0]         cell_shift = {BankShift{1'b0}} - position_q[BankShift-1:0];
  always @* begin : turning
    integer plane, lane;
    plane       = 0;
    lane        = 0;
    cell_planes = {Banks*StreamLanes{1'b0}};
    if (take)
      for (plane = 0; plane < WideBits; plane = plane + 1)
        for (lane = 0; lane < StreamLanes; lane = lane + 1)
          cell_planes[plane*StreamLanes+lane] = codes_i[lane*WideBits+plane] & mask_i[lane];
  end
  sf_rotate #(
      .Units    (Banks),
      .UnitBits (StreamLanes),
      .ShiftBits(BankShift)
  ) u_cell_rotate (
      .enable_i(take),
      .shift_i (cell_shift),
      .data_i  (cell_planes),
      .data_o  (cell_turned)
  );

  // ---- Emission: sets of members, in each all planes ----
  reg        emit_q;
  reg        emit_bank_q;
  reg [5:0]  emit_plane_q;
  reg [4:0]  emit_row_q;      // first row of the set within the block
  reg [16:0] emit_group_q;    // first row of its group
  reg [31:0] emit_group_base_q, emit_set_base_q, emit_address_q;
  reg        out_q;           // a write is offered
  reg [31:0] out_address_q;
  reg [BankShift-1:0] out_bank_q;  // bank of the write's first cell

  wire send       = emit_q & enable_i & (~out_q | write_ready_i);
  wire last_plane = emit_plane_q + 6'd1 == planes;
  wire [4:0]  row_after   = emit_row_q + set_members;
  wire        group_over  = ~several_blocks & ({11'd0, row_after} & group_mask) == 16'd0;
  wire [16:0] group_after = emit_group_q + {1'b0, group_mask} + 17'd1;
  wire [31:0] group_base_after = emit_group_base_q + group_stride;
  wire [31:0] set_base_after   = group_over ? group_base_after : emit_set_base_q + set_bytes;
  wire last_set   = row_after[4] | (group_over & (group_after >= {1'b0, samples}));
  wire emit_end   = send & last_plane & last_set;
  wire emit_start = block_taken & (group_row < samples);
  assign blocked_o = valid_i & pack_enable & block_end & emit_q;
  assign busy_o    = emit_q | out_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      emit_q <= 1'b0;
      out_q  <= 1'b0;
    end else if (clear_i) begin
      emit_q <= 1'b0;
      out_q  <= 1'b0;
    end else begin
      if (emit_start) emit_q <= 1'b1;
      else if (emit_end) emit_q <= 1'b0;
      if (send) out_q <= 1'b1;
      else if (enable_i & write_ready_i) out_q <= 1'b0;
    end
  end

  wire [15:0] emit_cell = {11'd0, emit_row_q} << RowCellShift;  // the set's first
  wire [15:0] set_bank  = emit_cell + {10'd0, emit_plane_q};
  always @(posedge clk_i) begin
    if (emit_start) begin
      emit_bank_q       <= bank_q;
      emit_plane_q      <= 6'd0;
      emit_row_q        <= 5'd0;
      emit_group_q      <= {1'b0, group_row};
      emit_group_base_q <= word_base_q + {26'd0, word_block_q, 1'b0};
      emit_set_base_q   <= word_base_q + {26'd0, word_block_q, 1'b0};
      emit_address_q    <= word_base_q + {26'd0, word_block_q, 1'b0};
    end else if (send) begin
      if (!last_plane) begin
        emit_plane_q   <= emit_plane_q + 6'd1;
        emit_address_q <= emit_address_q + plane_bytes;
      end else begin
        emit_plane_q    <= 6'd0;
        emit_row_q      <= row_after;
        emit_address_q  <= set_base_after;
        emit_set_base_q <= set_base_after;
        if (group_over) begin
          emit_group_base_q <= group_base_after;
          emit_group_q      <= group_after;
        end
      end
    end
    if (send) begin
      out_bank_q    <= set_bank[BankShift-1:0];
      out_address_q <= emit_address_q;
    end
  end

  wire [Banks*StreamLanes-1:0] bank_data, set_data;
  genvar bank;
  generate
    for (bank = 0; bank < Banks; bank = bank + 1) begin : gen_bank
      localparam [15:0] BANK = bank;
      // The bank's cell has the low bits of bank - plane and the high bits of its set's first cell
      wire [15:0] own_cell = (BANK - {10'd0, emit_plane_q}) & (Banks - 16'd1) | emit_cell & ~(Banks - 16'd1);
      sf_ram #(
          .Width(StreamLanes),
          .Depth(2 * Cells)
      ) u_store (
          .clk_i          (clk_i),
          .write_enable_i (take),
          .write_address_i({bank_q, position_q[CellShift-1:0]}),
          .write_data_i   (cell_turned[bank*StreamLanes+:StreamLanes]),
          .read_enable_i  (send),
          .read_address_i ({emit_bank_q, own_cell[CellShift-1:0]}),
          .read_data_o    (bank_data[bank*StreamLanes+:StreamLanes])
      );
    end
  endgenerate
  sf_rotate #(
      .Units    (Banks),
      .UnitBits (StreamLanes),
      .ShiftBits(BankShift)
  ) u_set_rotate (
      .enable_i(out_q),
      .shift_i (out_bank_q),
      .data_i  (bank_data),
      .data_o  (set_data)
  );

  // Each member's two bytes at the place of its word; the address holds the block's place in it
  assign write_valid_o   = out_q & enable_i;
  assign write_address_o = out_address_q;
  always @* begin : placing
    integer member;
    member         = 0;
    write_data_o   = {Members*Lanes{1'b0}};
    write_strobe_o = {Members*WordBytes{1'b0}};
    for (member = 0; member < Members; member = member + 1) begin
      write_data_o[member*Lanes+:16] = set_data[16*member+:16];
      if (member < {27'd0, set_members}) write_strobe_o[member*WordBytes+:2] = 2'b11;
    end
  end
endmodule
`default_nettype wire
