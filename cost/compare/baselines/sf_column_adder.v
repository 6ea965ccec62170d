// SPDX-License-Identifier: Apache-2.0
// Sum of bits of many weights: column c holds HEIGHTS[c] bits of weight 2^c. Combinational.
//
// A Dadda tree from explicit adder cells, one level an instance: columns higher than the level's limit (2, 3, 4,
// 6, 9, 13 ...) are brought down to it with the fewest full and half adders; a ripple adder joins the last two rows.
// The counterpart of sf_popcount_adders for multipliers, so that both sides of a comparison are mapped alike.
// What lies beyond the last column is dropped: the sum is modulo 2^Columns.
`default_nettype none
module sf_column_adder #(
    parameter Columns = 4,
    parameter Depth = 3,                             // places for bits of a column, at least the highest column's
    parameter [Columns*16-1:0] Heights = {Columns{16'd3}}  // 16 bits a column; places above stay unused
) (
    input  wire [Columns*Depth-1:0] bits_i,
    output wire [Columns-1:0]       sum_o
);
  function integer height_of(input [Columns*16-1:0] heights, input integer c);
    height_of = {16'd0, heights[c*16+:16]};
  endfunction

  function integer largest(input [Columns*16-1:0] heights);
    integer c;
    begin
      largest = 0;
      for (c = 0; c < Columns; c = c + 1)
        if (height_of(heights, c) > largest) largest = height_of(heights, c);
    end
  endfunction

  // Height to which a level reduces columns of this one
  function integer limit_below(input integer height);
    integer next;
    begin
      limit_below = 2;
      next = 3;
      while (next < height) begin
        limit_below = next;
        next = next * 3 / 2;
      end
    end
  endfunction

  // What a level does: per column, heights after it (0), full adders (1), half adders (2).
  function [Columns*16-1:0] plan(input [Columns*16-1:0] heights, input integer limit, input integer what);
    integer c, height, carries, excess;
    begin
      carries = 0;
      for (c = 0; c < Columns; c = c + 1) begin
        height = height_of(heights, c) + carries;
        excess = height > limit ? height - limit : 0;
        carries = (excess + 1) / 2;
        case (what)
          0: plan[c*16+:16] = height[15:0] - excess[15:0];
          1: plan[c*16+:16] = excess[16:1];
          default: plan[c*16+:16] = {15'd0, excess[0]};
        endcase
      end
    end
  endfunction

  localparam Highest = largest(Heights);
  localparam Limit = limit_below(Highest);
  genvar column, cell_index;
  generate
    if (Highest <= 2) begin : gen_ripple
      wire [Columns:0] carry;
      assign carry[0] = 1'b0;
      for (column = 0; column < Columns; column = column + 1) begin : gen_column
        localparam Height = height_of(Heights, column);
        // A carry comes in once a column below has two bits.
        localparam [Columns*16-1:0] Below = Heights & ~({(Columns*16){1'b1}} << (column * 16));
        localparam CarryIn = largest(Below) == 2 ? 1 : 0;
        if (Height + CarryIn == 3) begin : gen_full
          sf_full_adder u_full (
              .a_i    (bits_i[column*Depth]),
              .b_i    (bits_i[column*Depth+1]),
              .c_i    (carry[column]),
              .sum_o  (sum_o[column]),
              .carry_o(carry[column+1])
          );
        end else if (Height + CarryIn == 2) begin : gen_half
          sf_half_adder u_half (
              .a_i    (bits_i[column*Depth]),
              .b_i    (Height == 2 ? bits_i[column*Depth+1] : carry[column]),
              .sum_o  (sum_o[column]),
              .carry_o(carry[column+1])
          );
        end else begin : gen_wire
          assign sum_o[column]   = Height == 1 ? bits_i[column*Depth] : CarryIn == 1 ? carry[column] : 1'b0;
          assign carry[column+1] = 1'b0;
        end
      end
    end else begin : gen_level
      localparam [Columns*16-1:0] After = plan(Heights, Limit, 0);
      localparam [Columns*16-1:0] Fulls = plan(Heights, Limit, 1);
      localparam [Columns*16-1:0] Halves = plan(Heights, Limit, 2);
      wire [Columns*Limit-1:0] next;
      wire [Columns*Limit-1:0] carries;  // out of a column's cells, which are fewer than Limit
      // Order in a column: sums of its cells, bits passed on, carries of the column below.
      for (column = 0; column < Columns; column = column + 1) begin : gen_column
        localparam Full = height_of(Fulls, column);
        localparam Half = height_of(Halves, column);
        localparam Height = height_of(Heights, column);
        localparam NextHeight = height_of(After, column);
        localparam Passed = Height - 3 * Full - 2 * Half;
        assign carries[column*Limit+Full+Half+:Limit-Full-Half] = {(Limit-Full-Half){1'b0}};
        for (cell_index = 0; cell_index < Full; cell_index = cell_index + 1) begin : gen_full
          sf_full_adder u_full (
              .a_i    (bits_i[column*Depth+3*cell_index]),
              .b_i    (bits_i[column*Depth+3*cell_index+1]),
              .c_i    (bits_i[column*Depth+3*cell_index+2]),
              .sum_o  (next[column*Limit+cell_index]),
              .carry_o(carries[column*Limit+cell_index])
          );
        end
        if (Half == 1) begin : gen_half
          sf_half_adder u_half (
              .a_i    (bits_i[column*Depth+3*Full]),
              .b_i    (bits_i[column*Depth+3*Full+1]),
              .sum_o  (next[column*Limit+Full]),
              .carry_o(carries[column*Limit+Full])
          );
        end
        if (Passed > 0) begin : gen_passed
          assign next[column*Limit+Full+Half+:Passed] = bits_i[column*Depth+3*Full+2*Half+:Passed];
        end
        if (NextHeight > Full + Half + Passed) begin : gen_carries
          assign next[column*Limit+Full+Half+Passed+:NextHeight-Full-Half-Passed] =
              carries[(column-1)*Limit+:NextHeight-Full-Half-Passed];
        end
        if (NextHeight < Limit) begin : gen_unused
          assign next[column*Limit+NextHeight+:Limit-NextHeight] = {(Limit-NextHeight){1'b0}};
        end
      end
      sf_column_adder #(
          .Columns(Columns),
          .Depth  (Limit),
          .Heights(After)
      ) u_next (
          .bits_i(next),
          .sum_o (sum_o)
      );
    end
  endgenerate
endmodule
`default_nettype wire
