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
    output reg  [Bits-1:0] value_o
);
  wire [Bits-1:0] twice = {sum_i[Bits-2:0], 1'b0};
  always @* begin
    case ({row_bipolar_i, column_bipolar_i})
      2'b00:   value_o = sum_i;
      2'b01:   value_o = twice - row_sum_i;
      2'b10:   value_o = twice - column_sum_i;
      default: value_o = valid_lanes_i - twice;
    endcase
  end
endmodule
`default_nettype wire
