// SPDX-License-Identifier: Apache-2.0
// Turns a sum of plane products into the integer product of the operands. Combinational.
// The four cases and their origin stand in sf_array.v.
`default_nettype none
module sf_bipolar_correction #(
    parameter Bits = 48
) (
    input  wire            row_bipolar_i,
    input  wire            column_bipolar_i,
    input  wire [Bits-1:0] sum_i,
    input  wire [Bits-1:0] row_sum_i,
    input  wire [Bits-1:0] column_sum_i,
    input  wire [Bits-1:0] valid_lanes_i,
    output wire [Bits-1:0] value_o
);
  // One subtraction: 00: sum, 01: 2 sum - row sum, 10: 2 sum - column sum, 11: lanes - 2 sum
  wire [Bits-1:0] twice = {sum_i[Bits-2:0], 1'b0};
  reg  [Bits-1:0] minuend, subtrahend;
  always @* begin
    case ({row_bipolar_i, column_bipolar_i})
      2'b00: begin
        minuend    = sum_i;
        subtrahend = {Bits{1'b0}};
      end
      2'b01: begin
        minuend    = twice;
        subtrahend = row_sum_i;
      end
      2'b10: begin
        minuend    = twice;
        subtrahend = column_sum_i;
      end
      default: begin
        minuend    = valid_lanes_i;
        subtrahend = twice;
      end
    endcase
  end
  assign value_o = minuend - subtrahend;
endmodule
`default_nettype wire
