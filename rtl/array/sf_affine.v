// SPDX-License-Identifier: Apache-2.0
// Makes the products of values of the products of codes. Combinational. Operands' values are affine in their codes,
// x = p c + q and x' = p' c' + q', so that the sum over N lanes is
//   sum x x' = p p' S + p q' A + q p' B + q q' N,  S = sum c c', A = sum c (of the row), B = sum c' (of the column).
// p p' is a power of two, 2^shift_i; column_factor_i is q p'; row_term_i, p q' A, is the same for all columns, and
// lanes_term_i, q q' N, for the whole tile.
// Overflow: arithmetic is modulo 2^Bits; the configuration sizes Bits for the result.
`default_nettype none
module sf_affine #(
    parameter Bits = 48
) (
    input  wire        [1:0]      shift_i,
    input  wire signed [9:0]      column_factor_i,
    input  wire        [Bits-1:0] sum_i,
    input  wire signed [Bits-1:0] column_sum_i,
    input  wire        [Bits-1:0] row_term_i,
    input  wire        [Bits-1:0] lanes_term_i,
    output wire        [Bits-1:0] value_o
);
  wire signed [Bits-1:0] column_term = column_factor_i * column_sum_i;
  assign value_o = (sum_i << shift_i) + column_term + row_term_i + lanes_term_i;
endmodule
`default_nettype wire
