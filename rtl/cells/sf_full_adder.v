// SPDX-License-Identifier: Apache-2.0
// One full adder. A module of its own so that synthesis can bind it to the library's cell.
`default_nettype none
module sf_full_adder (
    input  wire a_i,
    input  wire b_i,
    input  wire c_i,
    output wire sum_o,
    output wire carry_o
);
  assign sum_o   = a_i ^ b_i ^ c_i;
  assign carry_o = (a_i & b_i) | (c_i & (a_i ^ b_i));
endmodule
`default_nettype wire
