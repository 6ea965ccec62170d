// SPDX-License-Identifier: Apache-2.0
// bench/array_bench.cpp for simulators that take only Verilog: sf_array, every cycle with random operands. The sums of
// the first tile are compared with sums made here; then it runs on.
//
//   +cycles=N   operations after the first tile
`default_nettype none
`timescale 1ns / 1ns
module sf_array_bench;
  parameter Rows = 16;
  parameter Columns = 16;
  parameter Lanes = 64;
  parameter AccumulatorBits = 48;
  localparam TileOperations = 64;

  reg                                clk, rst_n, valid;
  reg  [Rows*Lanes-1:0]              rows;
  reg  [Columns*Lanes-1:0]           columns;
  reg  [5:0]                         place;
  wire                               tile_valid;
  wire [Columns*AccumulatorBits-1:0] chunk;

  sf_array #(
      .Rows           (Rows),
      .Columns        (Columns),
      .Lanes          (Lanes),
      .AccumulatorBits(AccumulatorBits),
      .DrainLanes     (Columns)
  ) u_array (
      .clk_i           (clk),
      .rst_ni          (rst_n),
      .clear_i         (1'b0),
      .valid_i         (valid),
      .rows_i          (rows),
      .columns_i       (columns),
      .mask_i          ({Lanes{1'b1}}),
      .row_planes_i    (1'b1),
      .row_plane_0_i   (1'b1),
      .column_plane_0_i(1'b1),
      .row_negate_i    (1'b0),
      .column_negate_i (1'b0),
      .shift_i         ({4'd0, place[5:4]}),  // 16 operations of each weight
      .flush_i         (&place[3:0]),
      .first_i         (place[5:4] == 2'd0),
      .capture_i       (place == TileOperations - 1),
      .affine_i        (40'd0),
      .tile_valid_o    (tile_valid),
      .chunk_o         (chunk),
      .take_i          (tile_valid),
      .hold_o          ()
  );

  integer word, row, column, lane, count, cycles, drained;
  reg [AccumulatorBits-1:0] expected[0:Rows*Columns-1];
  reg [Lanes-1:0]           product;

  task step;
    begin
      #1 clk = 1'b1;
      #1 clk = 1'b0;
      place = place + 6'd1;
      for (word = 0; word < Rows * Lanes / 32; word = word + 1) rows[32*word+:32] = $random;
      for (word = 0; word < Columns * Lanes / 32; word = word + 1) columns[32*word+:32] = $random;
    end
  endtask

  task expect_operation;
    for (row = 0; row < Rows; row = row + 1)
      for (column = 0; column < Columns; column = column + 1) begin
        product = rows[Lanes*row+:Lanes] & columns[Lanes*column+:Lanes];
        count   = 0;
        for (lane = 0; lane < Lanes; lane = lane + 1) count = count + product[lane];
        expected[Columns*row+column] = expected[Columns*row+column] + (count << place[5:4]);
      end
  endtask

  task check_chunk;
    begin
      for (column = 0; column < Columns; column = column + 1)
        if (chunk[AccumulatorBits*column+:AccumulatorBits] !== expected[Columns*drained+column]) begin
          $display("sf_array_bench: row %0d column %0d differs", drained, column);
          $finish_and_return(1);
        end
      drained = drained + 1;
    end
  endtask

  initial begin
    if (!$value$plusargs("cycles=%d", cycles)) cycles = 0;
    for (word = 0; word < Rows * Columns; word = word + 1) expected[word] = 0;
    drained = 0;
    rows    = 0;
    columns = 0;
    clk     = 1'b0;
    rst_n   = 1'b0;
    valid   = 1'b0;
    place   = 6'd63;
    step;
    rst_n = 1'b1;
    valid = 1'b1;
    repeat (TileOperations) begin
      expect_operation;
      step;
    end
    while (drained < Rows) begin
      if (tile_valid) check_chunk;
      step;
    end
    repeat (cycles) step;
    $display("%0d sums agree", drained * Columns);
    $finish;
  end
endmodule
`default_nettype wire
