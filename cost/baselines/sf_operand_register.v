// SPDX-License-Identifier: Apache-2.0
// Operand word of a row or column, as sf_array keeps it: masked, taken while valid.
`default_nettype none
module sf_operand_register #(
    parameter Bits = 16
) (
    input  wire            clk_i,
    input  wire            valid_i,
    input  wire [Bits-1:0] mask_i,
    input  wire [Bits-1:0] word_i,
    output wire [Bits-1:0] word_o
);
  reg [Bits-1:0] word_q;
  always @(posedge clk_i) begin
    if (valid_i) word_q <= word_i & mask_i;
  end
  assign word_o = word_q;
endmodule
`default_nettype wire
