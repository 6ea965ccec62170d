// SPDX-License-Identifier: Apache-2.0
// sf_array of processing elements and sf_array in its simulation form, from the same reset, give the same tiles at the
// same cycles, whatever is offered and taken. sf_array_elements is sf_array.v read without SF_ARRAY_LOOPS.
`default_nettype none
module sf_array_loops_proof #(
    parameter Rows = 2,
    parameter Columns = 2,
    parameter Planes = 2,
    parameter Lanes = 2,
    parameter Bits = 6
) (
    input wire clk_i
);
  (* anyseq *) wire valid, clear, row_plane_0, column_plane_0, row_negate, column_negate, flush, first, capture, take;
  (* anyseq *) wire [Planes*Rows*Lanes-1:0] rows;
  (* anyseq *) wire [Columns*Lanes-1:0] columns;
  (* anyseq *) wire [Lanes-1:0] mask;
  (* anyseq *) wire [Planes-1:0] row_planes;
  (* anyseq *) wire [1:0] shift;
  (* anyseq *) wire [39:0] affine;

  reg started_q = 1'b0;
  always @(posedge clk_i) started_q <= 1'b1;
  wire [1:0] tile_valid, hold;
  wire [2*Columns*Bits-1:0] chunk;

  sf_array #(
      .Rows(Rows), .Columns(Columns), .Planes(Planes), .Lanes(Lanes), .AccumulatorBits(Bits), .DrainLanes(Columns)
  ) u_loops (
      .clk_i(clk_i), .rst_ni(started_q), .clear_i(clear), .valid_i(valid), .rows_i(rows), .columns_i(columns),
      .mask_i(mask), .row_planes_i(row_planes), .row_plane_0_i(row_plane_0), .column_plane_0_i(column_plane_0), .row_negate_i(row_negate),
      .column_negate_i(column_negate), .flush_i(flush), .first_i(first), .capture_i(capture), .shift_i({4'd0, shift}), .affine_i(affine), .tile_valid_o(tile_valid[0]),
      .chunk_o(chunk[Columns*Bits-1:0]), .take_i(take & tile_valid[0]), .hold_o(hold[0])
  );
  sf_array_elements #(
      .Rows(Rows), .Columns(Columns), .Planes(Planes), .Lanes(Lanes), .AccumulatorBits(Bits), .DrainLanes(Columns)
  ) u_elements (
      .clk_i(clk_i), .rst_ni(started_q), .clear_i(clear), .valid_i(valid), .rows_i(rows), .columns_i(columns),
      .mask_i(mask), .row_planes_i(row_planes), .row_plane_0_i(row_plane_0), .column_plane_0_i(column_plane_0), .row_negate_i(row_negate),
      .column_negate_i(column_negate), .flush_i(flush), .first_i(first), .capture_i(capture), .shift_i({4'd0, shift}), .affine_i(affine), .tile_valid_o(tile_valid[1]),
      .chunk_o(chunk[Columns*Bits+:Columns*Bits]), .take_i(take & tile_valid[1]), .hold_o(hold[1])
  );
  always @(posedge clk_i) begin
    if (started_q) begin
      assert (tile_valid[0] == tile_valid[1]);
      assert (hold[0] == hold[1]);
      if (tile_valid[0]) assert (chunk[Columns*Bits-1:0] == chunk[Columns*Bits+:Columns*Bits]);
    end
  end
endmodule
`default_nettype wire
