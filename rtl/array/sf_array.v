// SPDX-License-Identifier: Apache-2.0
// Rows x Columns processing elements, and the sums that make values of codes.
//
// An extra column sums each row's codes: it multiplies the row's operand by the lane mask while the column's plane is its
// plane 0. An extra row does the same for the columns, and their corner counts the valid lanes. With them the drain
// makes products of values of the products of codes (sf_affine).
// Operands are registered words of the buffers: Planes planes of the rows by one of the columns a cycle (initiation
// interval 1). Operations up to a flush_i have one weight, 2^shift_i, and one sign; there are LOW_WORDS of them at most.
// A complete tile waits in the high sums until the last chunk of the one before it is taken; the pipeline holds
// meanwhile (hold_o), and the next tile follows without a gap otherwise.
// The elements are sf_pe, or for simulations sf_array_loops, which holds the same registers in arrays.
// Draining: tile_valid_o says a captured tile is there; chunk_o holds DrainLanes corrected sums of the
// current row; take_i steps to the next chunk, row by row; the last take frees the tile.
`default_nettype none
`ifndef SF_ADDER_TREE
`ifndef SF_BREAK_PE_TERM
`ifndef SF_CLOCK_GATES
`ifdef VERILATOR
`define SF_ARRAY_LOOPS
`endif
`endif
`endif
`endif
module sf_array #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Planes = 1,
    parameter Lanes = 64,
    parameter AccumulatorBits = 48,
    parameter DrainLanes = 16
) (
    input  wire                                  clk_i,
    input  wire                                  rst_ni,
    input  wire                                  clear_i,
    // One operation: operands and lane mask, aligned
    input  wire                                  valid_i,
    input  wire [Planes*Rows*Lanes-1:0]          rows_i,    // plane by plane
    input  wire [Columns*Lanes-1:0]              columns_i,
    input  wire [Lanes-1:0]                      mask_i,
    input  wire [Planes-1:0]                     row_planes_i,      // the planes that there are
    input  wire                                  row_plane_0_i,     // the first of them is the row's plane 0
    input  wire                                  column_plane_0_i,
    input  wire                                  row_negate_i,      // the row's plane weighs negatively
    input  wire                                  column_negate_i,
    input  wire [5:0]                            shift_i,
    input  wire                                  flush_i,    // last of its weight
    input  wire                                  first_i,    // with flush_i: begins a new sum
    input  wire                                  capture_i,  // with flush_i: last of a tile that drains
    input  wire [39:0]                           affine_i,   // q q', q p', p q', log2 p p' of the tile (sf_affine)
    // Drain
    output wire                                  tile_valid_o,
    output wire [DrainLanes*AccumulatorBits-1:0] chunk_o,
    input  wire                                  take_i,
    output wire                                  hold_o  // nothing is taken: a tile waits for the one being drained
);
  `include "sf_descriptor.vh"
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Columns % DrainLanes != 0) begin : gen_drain_lanes_must_divide_the_columns
      sf_error_drain_lanes_must_divide_the_columns u_error ();
    end
  endgenerate
  localparam Chunks = Columns / DrainLanes;
  localparam ChunkBits = (Chunks > 1) ? $clog2(Chunks) : 1;
  localparam RowBits = $clog2(Rows);
  // Of the largest low sum; a sum of all words has less than AccumulatorBits without its sign.
  localparam FullBits = $clog2(LOW_WORDS * Lanes * ((1 << Planes) - 1) + 1);
  localparam LowBits = (FullBits < AccumulatorBits) ? FullBits : AccumulatorBits - 1;
  localparam TermBits = (AccumulatorBits > 18) ? AccumulatorBits : 18;

  // ---- Pipeline: operands, low sums, high sums ----
  reg        valid_q, clear_q, flush_q, first_q, capture_q, row_negate_q, column_negate_q;
  reg        flush_q2, first_q2, capture_q2, row_negate_q2, column_negate_q2;
  reg        capture_q3;
  reg [5:0]  shift_q, shift_q2;
  reg [39:0] affine_q, affine_q2, affine_q3;
  reg [21:0] affine_q4;  // of the tile being drained
  reg        begin_q;  // the next operation begins a weight

  reg  tile_valid_q;
  wire tile_done;  // the last chunk is taken
  assign hold_o = capture_q3 & tile_valid_q & ~tile_done;
  wire flush   = flush_q2 & ~hold_o;
  wire capture = capture_q3 & ~hold_o;
  wire load    = valid_i & ~hold_o;
  wire accumulate = valid_q & ~hold_o;

  wire [Planes*Rows*Lanes-1:0] rows_masked;
  wire [Columns*Lanes-1:0]     columns_masked = columns_i & {Columns{mask_i}};
  genvar plane;
  generate
    for (plane = 0; plane < Planes; plane = plane + 1) begin : gen_plane
      assign rows_masked[plane*Rows*Lanes+:Rows*Lanes] =
          rows_i[plane*Rows*Lanes+:Rows*Lanes] & {Rows{mask_i & {Lanes{row_planes_i[plane]}}}};
    end
  endgenerate

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q    <= 1'b0;
      flush_q2   <= 1'b0;
      capture_q3 <= 1'b0;
      begin_q    <= 1'b1;
    end else if (clear_i) begin
      valid_q    <= 1'b0;
      flush_q2   <= 1'b0;
      capture_q3 <= 1'b0;
      begin_q    <= 1'b1;
    end else if (!hold_o) begin
      valid_q    <= valid_i;
      flush_q2   <= valid_q & flush_q;
      capture_q3 <= flush_q2 & capture_q2;
      if (valid_i) begin_q <= flush_i;
    end
  end

  always @(posedge clk_i) begin
    if (load) begin
      clear_q         <= begin_q;
      flush_q         <= flush_i;
      first_q         <= first_i;
      capture_q       <= capture_i;
      shift_q         <= shift_i;
      row_negate_q    <= row_negate_i;
      column_negate_q <= column_negate_i;
    end
    if (accumulate & flush_q) begin
      first_q2         <= first_q;
      capture_q2       <= capture_q;
      shift_q2         <= shift_q;
      row_negate_q2    <= row_negate_q;
      column_negate_q2 <= column_negate_q;
      affine_q2        <= affine_q;
    end
    if (load & flush_i) affine_q <= affine_i;
    if (flush) affine_q3 <= affine_q2;
    if (capture) affine_q4 <= affine_q3[21:0];
  end

  // ---- Drain position ----
  reg [ChunkBits-1:0] chunk_q;
  reg [RowBits-1:0]   row_q;
  wire last_chunk = {{(32-ChunkBits){1'b0}}, chunk_q} == Chunks - 1;
  wire last_row   = {{(32-RowBits){1'b0}}, row_q} == Rows - 1;
  wire row_shift  = take_i & last_chunk;
  assign tile_done = take_i & last_chunk & last_row;
  assign tile_valid_o = tile_valid_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tile_valid_q <= 1'b0;
      chunk_q      <= {ChunkBits{1'b0}};
      row_q        <= {RowBits{1'b0}};
    end else if (clear_i) begin
      tile_valid_q <= 1'b0;
      chunk_q      <= {ChunkBits{1'b0}};
      row_q        <= {RowBits{1'b0}};
    end else begin
      if (capture) tile_valid_q <= 1'b1;
      else if (tile_done) tile_valid_q <= 1'b0;
      if (take_i) chunk_q <= last_chunk ? {ChunkBits{1'b0}} : chunk_q + 1'b1;
      if (row_shift) row_q <= last_row ? {RowBits{1'b0}} : row_q + 1'b1;
    end
  end

  // ---- Processing elements; index Columns is the extra column, Rows the extra row. What each kind of them does: products,
  // row sums, column sums, lanes. The last three work in operations with a plane 0, and begin every weight with 0. ----
  wire [3:0] negate = {1'b0, column_negate_q2, row_negate_q2, row_negate_q2 ^ column_negate_q2};
  wire [Columns*AccumulatorBits-1:0] head_sums, extra_sums;
  wire [AccumulatorBits-1:0] first_high, corner_high, next_sum;  // of the extra column: see the values of the chunk
`ifdef SF_ARRAY_LOOPS
  sf_array_loops #(
      .Rows           (Rows),
      .Columns        (Columns),
      .Planes         (Planes),
      .Lanes          (Lanes),
      .LowBits        (LowBits),
      .AccumulatorBits(AccumulatorBits)
  ) u_loops (
      .clk_i        (clk_i),
      .load_i       (load),
      .rows_i       (rows_masked),
      .columns_i    (columns_masked),
      .row_mask_i   (mask_i & {Lanes{column_plane_0_i}}),
      .column_mask_i(mask_i & {Lanes{row_plane_0_i}}),
      .accumulate_i (accumulate),
      .low_clear_i  (clear_q),
      .flush_i      (flush),
      .capture_i    (capture),
      .high_clear_i (first_q2),
      .negate_i     (negate),
      .shift_i      (shift_q2),
      .drain_shift_i(row_shift),
      .first_high_o (first_high),
      .corner_high_o(corner_high),
      .next_sum_o   (next_sum),
      .head_sums_o  (head_sums),
      .extra_sums_o (extra_sums)
  );
`else
  // ---- Clocks, of the operand registers and of each row of elements ----
  wire operand_clk;
  sf_clock_gate u_operand_gate (
      .clk_i   (clk_i),
      .enable_i(load),
      .clk_o   (operand_clk)
  );
  reg [Planes*Rows*Lanes-1:0] rows_q;
  reg [Columns*Lanes-1:0]     columns_q;
  reg [Lanes-1:0]             row_mask_q, column_mask_q;  // of the extra column's and row's operands
  always @(posedge operand_clk) begin
    if (load) begin
      rows_q        <= rows_masked;
      columns_q     <= columns_masked;
      row_mask_q    <= mask_i & {Lanes{column_plane_0_i}};
      column_mask_q <= mask_i & {Lanes{row_plane_0_i}};
    end
  end
  genvar row, column, row_plane;
  generate
    for (row = 0; row <= Rows; row = row + 1) begin : gen_row
      // A sum passes into row r until that of the last row has: Rows - 1 - r times.
      wire shifts;
      if (row < Rows - 1) begin : gen_shifts
        localparam [31:0] Times = Rows - 1 - row;
        assign shifts = row_shift & ({{(32-RowBits){1'b0}}, row_q} < Times);
      end else begin : gen_stays
        assign shifts = 1'b0;
      end
      wire low_clk, high_clk, drain_clk;
      sf_clock_gate u_low_gate (
          .clk_i   (clk_i),
          .enable_i(accumulate),
          .clk_o   (low_clk)
      );
      sf_clock_gate u_high_gate (
          .clk_i   (clk_i),
          .enable_i(flush),
          .clk_o   (high_clk)
      );
      sf_clock_gate u_drain_gate (
          .clk_i   (clk_i),
          .enable_i(capture | shifts),
          .clk_o   (drain_clk)
      );
      wire [Planes*Lanes-1:0] words;
      for (row_plane = 0; row_plane < Planes; row_plane = row_plane + 1) begin : gen_plane
        if (row < Rows) begin : gen_operand
          assign words[row_plane*Lanes+:Lanes] = rows_q[(row_plane*Rows+row)*Lanes+:Lanes];
        end else begin : gen_mask
          assign words[row_plane*Lanes+:Lanes] = (row_plane == 0) ? column_mask_q : {Lanes{1'b0}};
        end
      end
      for (column = 0; column <= Columns; column = column + 1) begin : gen_column
        localparam KIND = (row == Rows ? 2 : 0) + (column == Columns ? 1 : 0);
        wire [Lanes-1:0] word;
        if (column == Columns) begin : gen_column_mask
          assign word = row_mask_q & {Lanes{accumulate}};
        end else begin : gen_column_operand
          assign word = columns_q[column*Lanes+:Lanes] & {Lanes{accumulate}};
        end
        wire [AccumulatorBits-1:0] captured, high;
        wire [AccumulatorBits-1:0] from_next;
        if (row < Rows - 1) begin : gen_chain
          assign from_next = gen_row[row+1].gen_column[column].captured;
        end else begin : gen_chain_end
          assign from_next = {AccumulatorBits{1'b0}};
        end
        sf_pe #(
            .Planes         (Planes),
            .Lanes          (Lanes),
            .LowBits        (LowBits),
            .AccumulatorBits(AccumulatorBits)
        ) u_pe (
            .clk_i        (low_clk),
            .high_clk_i   (high_clk),
            .drain_clk_i  (drain_clk),
            .rows_i       (words),
            .column_i     (word),
            .low_clear_i  (accumulate & clear_q),
            .flush_i      (flush),
            .high_clear_i (first_q2),
            .negate_i     (negate[KIND]),
            .shift_i      (shift_q2),
            .capture_i    (capture),
            .drain_shift_i(shifts),
            .drain_i      (from_next),
            .drain_o      (captured),
            .high_o       (high)
        );
      end
    end
    for (column = 0; column < Columns; column = column + 1) begin : gen_head
      assign head_sums[AccumulatorBits*column+:AccumulatorBits] = gen_row[0].gen_column[column].captured;
      assign extra_sums[AccumulatorBits*column+:AccumulatorBits] = gen_row[Rows].gen_column[column].captured;
    end
  endgenerate
  assign first_high  = gen_row[0].gen_column[Columns].high;
  assign corner_high = gen_row[Rows].gen_column[Columns].high;
  assign next_sum    = gen_row[1].gen_column[Columns].captured;
`endif

  // ---- Values of the chunk at the head; the products that its row shares are made as the row comes to the head ----
  // A tile that is captured comes when none is there, or behind the last row: so the products need not wait for take_i.
  wire                              first_row    = capture_q3 & (~tile_valid_q | last_row);
  wire signed [9:0]                 row_factor   = first_row ? affine_q3[11:2] : affine_q4[11:2];
  wire signed [17:0]                lanes_factor = affine_q3[39:22];
  wire signed [AccumulatorBits-1:0] row_sum      = first_row ? first_high : next_sum;
  wire signed [AccumulatorBits-1:0] valid_lanes  = corner_high;
  wire signed [TermBits-1:0]        row_product   = row_factor * row_sum;
  wire signed [TermBits-1:0]        lanes_product = lanes_factor * valid_lanes;
  reg         [AccumulatorBits-1:0] row_product_q, lanes_product_q;
  always @(posedge clk_i) begin
    if (capture | row_shift) row_product_q <= row_product[AccumulatorBits-1:0];
    if (capture) lanes_product_q <= lanes_product[AccumulatorBits-1:0];
  end
  genvar lane, chunk;
  generate
    for (lane = 0; lane < DrainLanes; lane = lane + 1) begin : gen_lane
      wire [Chunks*AccumulatorBits-1:0] lane_sums, column_sums;
      for (chunk = 0; chunk < Chunks; chunk = chunk + 1) begin : gen_chunk
        assign lane_sums[chunk*AccumulatorBits+:AccumulatorBits] =
            head_sums[AccumulatorBits*(chunk*DrainLanes+lane)+:AccumulatorBits];
        assign column_sums[chunk*AccumulatorBits+:AccumulatorBits] =
            extra_sums[AccumulatorBits*(chunk*DrainLanes+lane)+:AccumulatorBits];
      end
      sf_affine #(
          .Bits(AccumulatorBits)
      ) u_affine (
          .shift_i        (affine_q4[1:0]),
          .column_factor_i(affine_q4[21:12]),
          .sum_i          (lane_sums[chunk_q*AccumulatorBits+:AccumulatorBits]),
          .column_sum_i   (column_sums[chunk_q*AccumulatorBits+:AccumulatorBits]),
          .row_term_i     (row_product_q),
          .lanes_term_i   (lanes_product_q),
          .value_o        (chunk_o[lane*AccumulatorBits+:AccumulatorBits])
      );
    end
  endgenerate
endmodule
`default_nettype wire
