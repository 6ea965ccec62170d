// SPDX-License-Identifier: Apache-2.0
// Address generator and sequencer of the array: runs one GEMM descriptor.
//
// Tiles: for py, for px, for column group. Contraction of a tile: for pair of a group of row planes and a column plane,
// for valid ty, for valid tx, for word; one operation a cycle. A group is Planes row planes, or what is left; the last
// plane of signed rows is a group of its own. Pairs go by ascending weight, so that those of one weight, and sign, are
// summed before they are flushed: (group + 1, column plane - Planes) is the next of the same weight.
// All rows share one buffer address (rows are samples or channels side by side in a buffer word), so a tap outside the
// map is outside it for every row and is skipped rather than masked; only the last, ragged word needs a lane mask.
// The words of a group are `words` apart in the buffer; where that is a multiple of its banks, LOAD has put those of odd
// planes into their neighbours' banks (row_swap_o).
// One operand is indexed by the window, the other by the tap; with columns_by_tile both by the window.
// A preparer works out the next tile (TILE_SETUP cycles) while the current one runs.
// stall_o: the array waits for its drain (hold_i); everything freezes with it.
`default_nettype none
module sf_gemm #(
    parameter Planes = 1,
    parameter Lanes = 64,
    parameter RowBanks = 1,  // of the row buffer
    parameter RowAddressBits = 11,
    parameter ColumnAddressBits = 11
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,
    input  wire                         clear_i,
    input  wire                         enable_i,
    input  wire                         start_i,
    input  wire [2047:0]                descriptor_i,  // stable from start to done
    output wire                         stall_o,
    output wire                         done_o,
    // Buffers
    output wire [Planes-1:0]            row_enable_o,
    output wire [Planes*RowAddressBits-1:0] row_address_o,
    output wire [Planes-1:0]            row_swap_o,
    output wire                         column_enable_o,
    output wire [ColumnAddressBits-1:0] column_address_o,
    // Array, aligned with the buffers' data
    output reg                          valid_o,
    output reg  [Lanes-1:0]             mask_o,
    output reg  [Planes-1:0]            row_planes_o,      // planes of the group
    output reg                          row_plane_0_o,     // its first is the row's plane 0
    output reg                          column_plane_0_o,
    output reg                          row_negate_o,      // the row's plane weighs negatively
    output reg                          column_negate_o,
    output reg                          flush_o,    // last of its weight, or as many as the array sums at once
    output reg                          first_o,    // in the first flush of a new sum
    output reg                          capture_o,
    output reg  [5:0]                   shift_o,
    output reg  [39:0]                  affine_o,  // q q', q p', p q', log2 p p', as in sf_affine
    input  wire                         hold_i  // what is offered stays
);
  `include "sf_descriptor.vh"
  localparam SummedBits = $clog2(LOW_WORDS);

  // ---- Descriptor ----
  wire [15:0] row_base            = descriptor_i[F_ROW_BASE+:16];
  wire [15:0] column_base         = descriptor_i[F_COLUMN_BASE+:16];
  wire [5:0]  row_planes          = descriptor_i[F_ROW_PLANES+:6];
  wire [5:0]  column_planes       = descriptor_i[F_COLUMN_PLANES+:6];
  wire        clear               = descriptor_i[F_CLEAR];
  wire        drain               = descriptor_i[F_DRAIN];
  wire        rows_by_tap         = descriptor_i[F_ROWS_BY_TAP];
  wire        columns_by_index    = rows_by_tap | descriptor_i[F_COLUMNS_BY_TILE];
  wire [1:0]  window_mode         = descriptor_i[F_WINDOW_MODE+:2];
  wire [5:0]  stride_y            = descriptor_i[F_STRIDE_Y+:6];
  wire [5:0]  stride_x            = descriptor_i[F_STRIDE_X+:6];
  wire [15:0] words               = descriptor_i[F_WORDS+:16];
  wire [15:0] tail_lanes          = descriptor_i[F_TAIL_LANES+:16];
  wire [15:0] column_groups       = descriptor_i[F_COLUMN_GROUPS+:16];
  wire [15:0] column_group_stride = descriptor_i[F_COLUMN_GROUP_STRIDE+:16];
  wire [15:0] tile_y_count        = descriptor_i[F_TILE_Y_COUNT+:16];
  wire [15:0] tile_x_count        = descriptor_i[F_TILE_X_COUNT+:16];
  wire [15:0] tap_x_count         = descriptor_i[F_TAP_X_COUNT+:16];
  wire [15:0] window_width        = descriptor_i[F_WINDOW_WIDTH+:16];
  wire [15:0] map_y_first         = descriptor_i[F_MAP_Y_FIRST+:16];

  wire go = enable_i & ~stall_o;

  // ---- Constants of the descriptor, worked out in two cycles after start ----
  reg [15:0] row_pixel_q, column_pixel_q;        // words a pixel occupies
  reg [15:0] row_step_x_q, column_step_x_q;      // address steps to the next tap in x
  reg [15:0] row_step_y_q, column_step_y_q;      // and in y
  reg [Lanes-1:0] tail_mask_q;
  wire [15:0] row_width    = rows_by_tap ? tap_x_count : window_width;
  wire [15:0] column_width = columns_by_index ? window_width : tap_x_count;
  reg [15:0] row_rise_q, column_rise_q;          // pixels to the next tap in y

  // How far tap and operand index move per step, by window mode (see sf_window_axis)
  function [15:0] tap_step(input [1:0] mode, input [5:0] stride, input [15:0] unit);
    tap_step = (mode == WINDOW_BACKWARD_INPUT) ? unit * {10'd0, stride} : unit;
  endfunction
  function [15:0] index_step(input [1:0] mode, input [5:0] stride, input [15:0] unit);
    case (mode)
      WINDOW_FORWARD:        index_step = unit;
      WINDOW_BACKWARD_INPUT: index_step = 16'd0 - unit;
      default:               index_step = unit * {10'd0, stride};
    endcase
  endfunction

  // ---- Preparer of the next tile ----
  localparam [3:0] PREPARE_IDLE = 4'd0, PREPARE_PIXEL = 4'd1, PREPARE_STEP = 4'd2, PREPARE_BASE = 4'd3,
                   PREPARE_BOUND = 4'd4, PREPARE_COUNT = 4'd5, PREPARE_INDEX = 4'd6,
                   PREPARE_ADDRESS = 4'd7, PREPARE_READY = 4'd8;
  reg [3:0]  prepare_q;
  reg [15:0] tile_y_q, tile_x_q, group_q;  // tile being prepared, counted from 0
  reg [15:0] group_offset_q;
  reg [15:0] row_index_q, column_index_q;
  reg [15:0] next_row_q, next_column_q;
  reg        next_last_q;
  wire       next_valid = prepare_q == PREPARE_READY;
  wire       take_next;

  wire last_group = group_q + 16'd1 == column_groups;
  wire last_x     = tile_x_q + 16'd1 == tile_x_count;
  wire last_y     = tile_y_q + 16'd1 == tile_y_count;

  // Next tile: column group fastest, then x, then y
  wire first_tile = prepare_q == PREPARE_PIXEL;
  wire next_x     = next_valid & take_next & last_group;
  wire [15:0] tap_y, tap_x, index_y, index_x, count_y, count_x;
  sf_window_axis u_axis_y (
      .clk_i        (clk_i),
      .enable_i     (go),
      .load_i       (first_tile),
      .next_i       (next_x & last_x),
      .mode_i       (window_mode),
      .stride_i     (stride_y),
      .place_i      (descriptor_i[F_PLACE_Y+:16]),
      .phase_i      (descriptor_i[F_PHASE_Y+:6]),
      .reach_i      (descriptor_i[F_REACH_Y+:16]),
      .taps_i       (descriptor_i[F_TAP_Y_COUNT+:16]),
      .map_i        (descriptor_i[F_WINDOW_HEIGHT+:16]),
      .first_tap_o  (tap_y),
      .first_index_o(index_y),
      .count_o      (count_y)
  );
  sf_window_axis u_axis_x (
      .clk_i        (clk_i),
      .enable_i     (go),
      .load_i       (first_tile | (next_x & last_x)),
      .next_i       (next_x),
      .mode_i       (window_mode),
      .stride_i     (stride_x),
      .place_i      (descriptor_i[F_PLACE_X+:16]),
      .phase_i      (descriptor_i[F_PHASE_X+:6]),
      .reach_i      (descriptor_i[F_REACH_X+:16]),
      .taps_i       (tap_x_count),
      .map_i        (window_width),
      .first_tap_o  (tap_x),
      .first_index_o(index_x),
      .count_o      (count_x)
  );
  wire [15:0] map_y    = index_y - map_y_first;
  wire [15:0] row_y    = rows_by_tap ? tap_y : map_y;
  wire [15:0] column_y = columns_by_index ? map_y : tap_y;

  always @(posedge clk_i) begin : preparing
    integer lane;
    if (go) begin
      case (prepare_q)
        PREPARE_PIXEL: begin
          row_pixel_q    <= {10'd0, row_planes} * words;
          column_pixel_q <= {10'd0, column_planes} * words;
          row_rise_q     <= rows_by_tap ? tap_step(window_mode, stride_y, row_width)
                                        : index_step(window_mode, stride_y, row_width);
          column_rise_q  <= columns_by_index ? index_step(window_mode, stride_y, column_width)
                                             : tap_step(window_mode, stride_y, column_width);
          for (lane = 0; lane < Lanes; lane = lane + 1) tail_mask_q[lane] <= lane < {16'd0, tail_lanes};
        end
        PREPARE_STEP: begin
          row_step_x_q <= rows_by_tap ? tap_step(window_mode, stride_x, row_pixel_q)
                                      : index_step(window_mode, stride_x, row_pixel_q);
          row_step_y_q <= row_rise_q * row_pixel_q;
          column_step_x_q <= columns_by_index ? index_step(window_mode, stride_x, column_pixel_q)
                                              : tap_step(window_mode, stride_x, column_pixel_q);
          column_step_y_q <= column_rise_q * column_pixel_q;
        end
        PREPARE_INDEX: begin
          row_index_q    <= row_y * row_width + (rows_by_tap ? tap_x : index_x);
          column_index_q <= column_y * column_width + (columns_by_index ? index_x : tap_x);
        end
        PREPARE_ADDRESS: begin
          next_row_q    <= row_base + row_index_q * row_pixel_q;
          next_column_q <= column_base + group_offset_q + column_index_q * column_pixel_q;
          next_last_q   <= last_group & last_x & last_y;
        end
        default: ;
      endcase
    end
  end

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      prepare_q      <= PREPARE_IDLE;
      tile_y_q       <= 16'd0;
      tile_x_q       <= 16'd0;
      group_q        <= 16'd0;
      group_offset_q <= 16'd0;
    end else if (clear_i) begin
      prepare_q      <= PREPARE_IDLE;
      tile_y_q       <= 16'd0;
      tile_x_q       <= 16'd0;
      group_q        <= 16'd0;
      group_offset_q <= 16'd0;
    end else if (go | start_i) begin  // a start is one cycle long, whatever the array waits for
      case (prepare_q)
        PREPARE_IDLE: if (start_i) prepare_q <= PREPARE_PIXEL;
        PREPARE_READY:
        if (take_next) begin
          if (next_last_q) prepare_q <= PREPARE_IDLE;
          else prepare_q <= PREPARE_BASE;
          group_q        <= last_group ? 16'd0 : group_q + 16'd1;
          group_offset_q <= last_group ? 16'd0 : group_offset_q + column_group_stride;
          if (last_group) tile_x_q <= last_x ? 16'd0 : tile_x_q + 16'd1;
          if (last_group & last_x) tile_y_q <= last_y ? 16'd0 : tile_y_q + 16'd1;
        end
        default: prepare_q <= prepare_q + 4'd1;
      endcase
    end
  end

  // ---- Pairs of row planes and column planes ----
  localparam [5:0] Step = Planes;
  localparam [15:0] BankMask = RowBanks - 1;
  wire        row_signed    = descriptor_i[F_ROW_SIGNED];
  wire        column_signed = descriptor_i[F_COLUMN_SIGNED];
  // Planes before the one that weighs negatively; it may share the last group's place and follow it
  wire [5:0]  plain_planes  = row_planes - {5'd0, row_signed};
  wire        swaps = Planes > 1 && (words & BankMask) == 16'd0;
  wire [15:0] group_words = words << $clog2(Planes);

  reg [5:0]  row_plane_q, column_plane_q;    // of the pair; of rows the group's first
  reg [5:0]  start_row_q, start_column_q;    // of the first pair of its weight
  reg [15:0] pair_row_q, pair_column_q;      // addresses of the tile's first word
  reg [15:0] start_row_at_q, start_column_at_q;
  // The group after one of row planes: Planes on, or the plane that weighs negatively; none
  function [6:0] group_after(input [5:0] plane);
    group_after = ({1'b0, plane} + {1'b0, Step} < {1'b0, plain_planes}) ? {1'b0, plane} + {1'b0, Step}
        : (row_signed && plane < plain_planes) ? {1'b0, plain_planes} : 7'd64;
  endfunction
  wire [6:0] along_row  = group_after(row_plane_q);
  wire [6:0] below_row  = group_after(start_row_q);
  wire same_weight      = !along_row[6] && column_plane_q >= Step;
  wire next_column      = start_column_q + 6'd1 < column_planes;
  wire last_pair        = null_q | (!same_weight & !next_column & below_row[6]);
  // From the end of a row of pairs to the next group: the column plane of the next weight, if there is one
  wire        back           = start_column_q + 6'd1 >= Step;
  wire [5:0]  back_column    = back ? start_column_q + 6'd1 - Step : 6'd0;
  wire [15:0] along_words    = (along_row[5:0] == row_plane_q + Step) ? group_words : words;
  wire [15:0] below_words    = (below_row[5:0] == start_row_q + Step) ? group_words : words;
  wire [15:0] next_row_at    = same_weight ? pair_row_q + along_words
                               : next_column ? start_row_at_q : start_row_at_q + below_words;
  wire [15:0] next_column_at = same_weight ? pair_column_q - group_words
                               : next_column ? start_column_at_q + words
                               : back ? start_column_at_q + words - group_words : tile_column_q;

  // ---- Runner of the current tile ----
  reg        run_q, null_q, last_tile_q, fresh_q;
  reg [15:0] x_left_q, y_left_q, x_count_q, y_count_q, word_q;
  reg [15:0] tile_column_q;
  reg [15:0] row_line_q, row_tap_q, row_address_q;
  reg [15:0] column_line_q, column_tap_q, column_address_q;
  reg [SummedBits-1:0] summed_q;  // words since the last flush

  wire last_word  = null_q | (word_q + 16'd1 == words);
  wire last_tap_x = null_q | (x_left_q == 16'd1);
  wire last_tap_y = null_q | (y_left_q == 16'd1);
  wire pair_end   = last_word & last_tap_x & last_tap_y;
  wire last_op    = pair_end & last_pair;
  wire flush      = (pair_end & (~same_weight | row_signed | column_signed | null_q)) | (&summed_q);

  assign stall_o   = hold_i;
  assign take_next = next_valid & (~run_q | last_op);
  assign done_o    = go & run_q & last_op & last_tile_q;

  wire [Planes-1:0] group_planes;  // that there are
  genvar plane;
  generate
    for (plane = 0; plane < Planes; plane = plane + 1) begin : gen_plane
      localparam [5:0] PLANE = plane;
      wire [15:0] address = row_address_q + words * PLANE;
      assign group_planes[plane] = plane == 0 || {1'b0, row_plane_q} + {1'b0, PLANE} < {1'b0, plain_planes};
      assign row_enable_o[plane] = go & run_q & group_planes[plane];
      assign row_address_o[plane*RowAddressBits+:RowAddressBits] = address[RowAddressBits-1:0];
      assign row_swap_o[plane] = swaps & (row_plane_q[0] ^ PLANE[0]);
    end
  endgenerate
  assign column_enable_o  = go & run_q;
  assign column_address_o = column_address_q[ColumnAddressBits-1:0];

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q   <= 1'b0;
      valid_o <= 1'b0;
    end else if (clear_i) begin
      run_q   <= 1'b0;
      valid_o <= 1'b0;
    end else begin
      if (go) begin
        if (take_next) run_q <= 1'b1;
        else if (last_op) run_q <= 1'b0;
      end
      if (!hold_i) valid_o <= go & run_q;
    end
  end

  wire [15:0] row_tap_next     = row_tap_q + row_step_x_q;
  wire [15:0] column_tap_next  = column_tap_q + column_step_x_q;
  wire [15:0] row_line_next    = row_line_q + row_step_y_q;
  wire [15:0] column_line_next = column_line_q + column_step_y_q;

  always @(posedge clk_i) begin
    if (go & take_next) begin
      null_q            <= count_y == 16'd0 || count_x == 16'd0;
      last_tile_q       <= next_last_q;
      fresh_q           <= clear;
      x_left_q          <= count_x;
      x_count_q         <= count_x;
      y_left_q          <= count_y;
      y_count_q         <= count_y;
      word_q            <= 16'd0;
      summed_q          <= {SummedBits{1'b0}};
      tile_column_q     <= next_column_q;
      row_plane_q       <= 6'd0;
      column_plane_q    <= 6'd0;
      start_row_q       <= 6'd0;
      start_column_q    <= 6'd0;
      pair_row_q        <= next_row_q;
      pair_column_q     <= next_column_q;
      start_row_at_q    <= next_row_q;
      start_column_at_q <= next_column_q;
      row_line_q        <= next_row_q;
      row_tap_q         <= next_row_q;
      row_address_q     <= next_row_q;
      column_line_q     <= next_column_q;
      column_tap_q      <= next_column_q;
      column_address_q  <= next_column_q;
    end else if (go & run_q) begin
      summed_q <= flush ? {SummedBits{1'b0}} : summed_q + 1'b1;
      if (flush) fresh_q <= 1'b0;
      if (!last_word) begin
        word_q           <= word_q + 16'd1;
        row_address_q    <= row_address_q + 16'd1;
        column_address_q <= column_address_q + 16'd1;
      end else begin
        word_q <= 16'd0;
        if (!last_tap_x) begin
          x_left_q         <= x_left_q - 16'd1;
          row_tap_q        <= row_tap_next;
          row_address_q    <= row_tap_next;
          column_tap_q     <= column_tap_next;
          column_address_q <= column_tap_next;
        end else if (!last_tap_y) begin
          x_left_q         <= x_count_q;
          y_left_q         <= y_left_q - 16'd1;
          row_line_q       <= row_line_next;
          row_tap_q        <= row_line_next;
          row_address_q    <= row_line_next;
          column_line_q    <= column_line_next;
          column_tap_q     <= column_line_next;
          column_address_q <= column_line_next;
        end else begin
          x_left_q         <= x_count_q;
          y_left_q         <= y_count_q;
          pair_row_q       <= next_row_at;
          pair_column_q    <= next_column_at;
          row_line_q       <= next_row_at;
          row_tap_q        <= next_row_at;
          row_address_q    <= next_row_at;
          column_line_q    <= next_column_at;
          column_tap_q     <= next_column_at;
          column_address_q <= next_column_at;
          if (same_weight) begin
            row_plane_q    <= along_row[5:0];
            column_plane_q <= column_plane_q - Step;
          end else if (next_column) begin
            row_plane_q       <= start_row_q;
            column_plane_q    <= start_column_q + 6'd1;
            start_column_q    <= start_column_q + 6'd1;
            start_row_at_q    <= next_row_at;
            start_column_at_q <= next_column_at;
          end else begin
            row_plane_q       <= below_row[5:0];
            column_plane_q    <= back_column;
            start_row_q       <= below_row[5:0];
            start_column_q    <= back_column;
            start_row_at_q    <= next_row_at;
            start_column_at_q <= next_column_at;
          end
        end
      end
    end
  end

  // ---- To the array, one cycle later with the buffers' data ----
  always @(posedge clk_i) begin
    if (go & run_q) begin
      mask_o           <= null_q ? {Lanes{1'b0}} : last_word ? tail_mask_q : {Lanes{1'b1}};
      row_planes_o     <= group_planes;
      row_plane_0_o    <= row_plane_q == 6'd0;
      column_plane_0_o <= column_plane_q == 6'd0;
      row_negate_o     <= row_signed & (row_plane_q == plain_planes);
      column_negate_o  <= column_signed & (column_plane_q + 6'd1 == column_planes);
      flush_o          <= flush;
      first_o          <= fresh_q;
      capture_o        <= last_op & drain;
      shift_o          <= row_plane_q + column_plane_q;
      affine_o         <= {descriptor_i[F_AFFINE_LANES+:18], descriptor_i[F_AFFINE_COLUMN+:10],
                           descriptor_i[F_AFFINE_ROW+:10], descriptor_i[F_AFFINE_SHIFT+:2]};
    end
  end
endmodule
`default_nettype wire
