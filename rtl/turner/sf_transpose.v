// SPDX-License-Identifier: Apache-2.0
// Corner turn of packed planes: lanes along one index become lanes along the other. For each plane of each
// pixel, and each block of Lanes x Lanes bits: read Lanes words, turn, write the words of the other index. A
// beat holds the words of up to Lanes members of a group; a group narrower than the bus fills a part of it.
// Missing rows of the last block are zero. Reads of a block follow one another without waiting; writing the
// block follows reading it.
`default_nettype none
module sf_transpose #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,
    parameter BusBytes = 64
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  clear_i,
    input  wire                  enable_i,
    input  wire                  start_i,
    input  wire [2047:0]         descriptor_i,
    output wire                  stall_o,
    output wire                  done_o,
    output wire                  request_valid_o,
    input  wire                  request_ready_i,
    output wire [31:0]           request_address_o,
    input  wire                  response_valid_i,
    input  wire [8*BusBytes-1:0] response_data_i,
    output wire                  write_valid_o,
    input  wire                  write_ready_i,
    output wire [31:0]           write_address_o,
    output wire [8*BusBytes-1:0] write_data_o,
    output wire [BusBytes-1:0]   write_strobe_o,
    input  wire                  writes_idle_i
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Rows < 2 || (Rows & (Rows - 1)) != 0) begin : gen_rows_must_be_a_power_of_two_from_2
      sf_error_rows_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Columns < 2 || (Columns & (Columns - 1)) != 0) begin : gen_columns_must_be_a_power_of_two_from_2
      sf_error_columns_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Lanes < 8 || (Lanes & (Lanes - 1)) != 0) begin : gen_lanes_must_be_a_power_of_two_from_8
      sf_error_lanes_must_be_a_power_of_two_from_8 u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
    if (8 * BusBytes < Lanes) begin : gen_a_word_of_lanes_must_fit_the_bus
      sf_error_a_word_of_lanes_must_fit_the_bus u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam WordBytes = Lanes / 8;
  localparam BeatWords = BusBytes / WordBytes;
  localparam BeatMembers = (BeatWords < Lanes) ? BeatWords : Lanes;
  localparam RowMembers = (Rows < BeatMembers) ? Rows : BeatMembers;  // of one block, in one beat
  localparam ColumnMembers = (Columns < BeatMembers) ? Columns : BeatMembers;
  localparam Least = (RowMembers < ColumnMembers) ? RowMembers : ColumnMembers;
  localparam Most = (RowMembers > ColumnMembers) ? RowMembers : ColumnMembers;
  localparam CountBits = $clog2(Lanes) + 1;
  localparam [CountBits-1:0] RowStep = RowMembers;
  localparam [CountBits-1:0] ColumnStep = ColumnMembers;
  localparam PlaceBits = (BeatWords > 1) ? $clog2(BeatWords) : 1;
  localparam WordShift = $clog2(WordBytes);
  localparam LaneShift = $clog2(Lanes);
  localparam [4:0] RowShift = $clog2(Rows);
  localparam [4:0] ColumnShift = $clog2(Columns);
  localparam [4:0] LaneLog2 = LaneShift;
  localparam [4:0] WordLog2 = WordShift;
  localparam [CountBits-1:0] BlockEnd = Lanes;
  localparam [15:0] BlockMembers = Lanes;

  wire [31:0] planes        = descriptor_i[F_PLANE_WORDS+:32];  // planes of all pixels
  wire [15:0] source_rows   = descriptor_i[F_SOURCE_ROWS+:16];
  wire [15:0] source_lanes  = descriptor_i[F_SOURCE_LANES+:16];
  wire [15:0] source_words  = descriptor_i[F_SOURCE_WORDS+:16];
  wire [15:0] target_words  = descriptor_i[F_TARGET_WORDS+:16];
  wire [4:0]  source_shift  = descriptor_i[F_SOURCE_COLUMNS] ? ColumnShift : RowShift;
  wire [4:0]  target_shift  = descriptor_i[F_TARGET_COLUMNS] ? ColumnShift : RowShift;
  wire [CountBits-1:0] source_members = descriptor_i[F_SOURCE_COLUMNS] ? ColumnStep : RowStep;
  wire [CountBits-1:0] target_members = descriptor_i[F_TARGET_COLUMNS] ? ColumnStep : RowStep;

  wire [15:0] source_members_16 = {{(16-CountBits){1'b0}}, source_members};
  wire [15:0] target_members_16 = {{(16-CountBits){1'b0}}, target_members};

  localparam [1:0] STATE_IDLE = 2'd0, STATE_READ = 2'd1, STATE_WRITE = 2'd2, STATE_WAIT = 2'd3;
  reg [1:0]  state_q;
  reg [31:0] plane_q;
  reg [15:0] block_q, word_q;             // block of source rows, source word
  reg [CountBits-1:0] asked_q, got_q, put_q;  // members of this block

  // Operand words of one index lie group by group: ((group * planes + plane) * words + word) * group size + member. Their
  // addresses are kept by additions: of the block's first member (plane 0 at the same word; this plane), and of the member
  // at hand. A block's members are a part of a group, or several groups.
  wire [4:0]  source_unit  = source_shift + WordLog2;
  wire [4:0]  target_unit  = target_shift + WordLog2;
  wire [31:0] source_plane = {16'd0, source_words} << source_unit;  // bytes from one plane to the next
  wire [31:0] target_plane = {16'd0, target_words} << target_unit;
  wire [31:0] source_word  = 32'd1 << source_unit;
  wire [31:0] target_word  = 32'd1 << target_unit;
  reg  [31:0] source_group_q, target_group_q;  // from one group to the next, made before the descriptor starts
  reg  [31:0] source_block_q, source_word_q, source_plane_q, source_at_q;  // base; and word; and plane; and member
  reg  [31:0] target_base_q, target_word_q, target_plane_q, target_at_q;
  reg  [31:0] answer_at_q;
  // To the member so many on: within the group, or to the first of the next
  function [31:0] moved(input [31:0] at, input [15:0] index, input [15:0] members, input [4:0] shift,
                        input [31:0] group);
    reg [15:0] mask, after;
    begin
      mask  = (16'd1 << shift) - 16'd1;
      after = (index & mask) + members;  // at most the group's size, if members divide it
      moved = at + ((after > mask) ? group - ({16'd0, index & mask} << WordShift) : {16'd0, members} << WordShift);
    end
  endfunction
  // To the next block's first member
  function [31:0] block_moved(input [31:0] at, input [15:0] block, input [4:0] shift, input [31:0] group);
    block_moved = (Lanes >= (32'd1 << shift)) ? at + (group << (LaneLog2 - shift))
        : moved(at, block << LaneShift, BlockMembers, shift, group);
  endfunction

  wire [15:0] source_index = (block_q << LaneShift) + {{(16-CountBits){1'b0}}, asked_q};  // their low bits count
  wire [15:0] answer_index = (block_q << LaneShift) + {{(16-CountBits){1'b0}}, got_q};
  wire [15:0] target_index = (word_q << LaneShift) + {{(16-CountBits){1'b0}}, put_q};
  reg  [15:0] rows_left_q, lanes_left_q;  // of the source, from this block on
  wire        all_asked = asked_q == BlockEnd || {{(16-CountBits){1'b0}}, asked_q} >= rows_left_q;
  wire        all_put   = put_q == BlockEnd || {{(16-CountBits){1'b0}}, put_q} >= lanes_left_q;
  assign request_valid_o   = enable_i & (state_q == STATE_READ) & ~all_asked;
  assign request_address_o = source_at_q & ~(BusBytes - 32'd1);
  assign write_valid_o     = enable_i & (state_q == STATE_WRITE) & ~all_put;
  assign write_address_o   = target_at_q & ~(BusBytes - 32'd1);
  // Where in its beat the first member lies
  wire [PlaceBits-1:0] answer_place = (BeatWords > 1) ? answer_at_q[WordShift+:PlaceBits] : {PlaceBits{1'b0}};
  wire [PlaceBits-1:0] target_place = (BeatWords > 1) ? target_at_q[WordShift+:PlaceBits] : {PlaceBits{1'b0}};
  wire asked = request_valid_o & request_ready_i;
  wire put   = write_valid_o & write_ready_i;

  // ---- The block: filled by rows, emptied by columns ----
  reg [Lanes*Lanes-1:0] block_bits;  // row r at r*Lanes
  reg [8*BusBytes-1:0]  answer;       // moved so that the first member comes first
  reg [8*BusBytes-1:0]  columns;      // the same of the members to write
  reg [BusBytes-1:0]    column_strobe;
  always @(posedge clk_i) begin : filling
    integer first, w;
    if (state_q == STATE_IDLE || (state_q == STATE_WRITE && all_put)) block_bits <= {Lanes{{Lanes{1'b0}}}};
    else if (response_valid_i) begin
      answer = response_data_i >> (answer_place * Lanes);
      for (first = 0; first < Lanes; first = first + Least)
        if ({{(32-CountBits){1'b0}}, got_q} == first)
          for (w = 0; w < Most; w = w + 1)
            if (first + w < Lanes)
              if (w < {{(32-CountBits){1'b0}}, source_members} && first + w < {16'd0, rows_left_q})
                block_bits[(first+w)*Lanes+:Lanes] <= answer[w*Lanes+:Lanes];
    end
  end
  always @* begin : emptying
    integer first, w, r;
    first         = 0;
    w             = 0;
    r             = 0;
    columns       = {8*BusBytes{1'b0}};
    column_strobe = {BusBytes{1'b0}};
    if (write_valid_o) begin
      for (first = 0; first < Lanes; first = first + Least)
        if ({{(32-CountBits){1'b0}}, put_q} == first)
          for (w = 0; w < Most; w = w + 1)
            if (first + w < Lanes)
              for (r = 0; r < Lanes; r = r + 1) columns[w*Lanes+r] = block_bits[r*Lanes+first+w];
      columns = columns << (target_place * Lanes);
      for (w = 0; w < BeatWords; w = w + 1)
        if (w - {{(32-PlaceBits){1'b0}}, target_place} < {{(32-CountBits){1'b0}}, target_members})
          column_strobe[w*WordBytes+:WordBytes] = {WordBytes{1'b1}};
    end
  end
  assign write_data_o   = columns;
  assign write_strobe_o = column_strobe;

  wire last_plane = plane_q + 32'd1 == planes;
  wire last_word  = word_q + 16'd1 == source_words;
  wire last_block = block_q + 16'd1 == target_words;
  wire block_read = all_asked & (got_q == asked_q);

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= STATE_IDLE;
    end else if (clear_i) begin
      state_q <= STATE_IDLE;
    end else if (enable_i) begin
      case (state_q)
        STATE_IDLE: if (start_i) state_q <= STATE_READ;
        STATE_READ: if (block_read) state_q <= STATE_WRITE;
        STATE_WRITE:
        if (all_put) state_q <= (last_plane & last_word & last_block) ? STATE_WAIT : STATE_READ;
        default: if (writes_idle_i) state_q <= STATE_IDLE;
      endcase
    end
  end
  wire block_put = enable_i & (state_q == STATE_WRITE) & all_put;
  wire [31:0] source_block_next = block_moved(source_block_q, block_q, source_shift, source_group_q);
  wire [31:0] target_word_next  = block_moved(target_word_q, word_q, target_shift, target_group_q);
  wire [31:0] source_plane_next = !last_plane ? source_plane_q + source_plane
      : !last_word ? source_word_q + source_word : source_block_next;
  wire [31:0] target_plane_next = !last_plane ? target_plane_q + target_plane
      : !last_word ? target_word_next : target_base_q + target_word;
  always @(posedge clk_i) begin
    if (state_q == STATE_IDLE) begin
      plane_q        <= 32'd0;
      block_q        <= 16'd0;
      word_q         <= 16'd0;
      rows_left_q    <= source_rows;
      lanes_left_q   <= source_lanes;
      source_group_q <= (planes * {16'd0, source_words}) << source_unit;
      target_group_q <= (planes * {16'd0, target_words}) << target_unit;
      source_block_q <= descriptor_i[F_SOURCE_ADDRESS+:32];
      source_word_q  <= descriptor_i[F_SOURCE_ADDRESS+:32];
      source_plane_q <= descriptor_i[F_SOURCE_ADDRESS+:32];
      target_base_q  <= descriptor_i[F_TARGET_ADDRESS+:32];
      target_word_q  <= descriptor_i[F_TARGET_ADDRESS+:32];
      target_plane_q <= descriptor_i[F_TARGET_ADDRESS+:32];
    end else if (block_put) begin
      // Next block: planes fastest, then words, then blocks of rows
      plane_q        <= last_plane ? 32'd0 : plane_q + 32'd1;
      source_plane_q <= source_plane_next;
      target_plane_q <= target_plane_next;
      if (last_plane) begin
        word_q        <= last_word ? 16'd0 : word_q + 16'd1;
        source_word_q <= source_plane_next;
        target_word_q <= target_plane_next;
        // A word or a block may have no member of its own: nothing is left of the lanes or rows before it
        lanes_left_q  <= last_word ? source_lanes : (lanes_left_q > BlockMembers) ? lanes_left_q - BlockMembers : 16'd0;
        if (last_word) begin
          block_q        <= block_q + 16'd1;
          source_block_q <= source_plane_next;
          target_base_q  <= target_plane_next;
          rows_left_q    <= (rows_left_q > BlockMembers) ? rows_left_q - BlockMembers : 16'd0;
        end
      end
    end
    if (state_q == STATE_READ) begin
      if (asked) begin
        asked_q     <= asked_q + source_members;
        source_at_q <= moved(source_at_q, source_index, source_members_16, source_shift, source_group_q);
      end
      if (response_valid_i) begin
        got_q       <= got_q + source_members;
        answer_at_q <= moved(answer_at_q, answer_index, source_members_16, source_shift, source_group_q);
      end
    end else begin
      asked_q     <= {CountBits{1'b0}};
      got_q       <= {CountBits{1'b0}};
      source_at_q <= (state_q == STATE_IDLE) ? descriptor_i[F_SOURCE_ADDRESS+:32] : source_plane_next;
      answer_at_q <= (state_q == STATE_IDLE) ? descriptor_i[F_SOURCE_ADDRESS+:32] : source_plane_next;
    end
    if (state_q != STATE_WRITE) begin
      put_q       <= {CountBits{1'b0}};
      target_at_q <= target_plane_q;
    end else if (put) begin
      put_q       <= put_q + target_members;
      target_at_q <= moved(target_at_q, target_index, target_members_16, target_shift, target_group_q);
    end
  end

  assign done_o  = enable_i & (state_q == STATE_WAIT) & writes_idle_i;
  assign stall_o = (state_q == STATE_READ) ? ~(asked | block_read)
      : (state_q == STATE_WRITE) ? ~(put | all_put) : (state_q == STATE_WAIT) & ~writes_idle_i;
endmodule
`default_nettype wire
