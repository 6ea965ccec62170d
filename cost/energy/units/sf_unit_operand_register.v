// SPDX-License-Identifier: Apache-2.0
// One word of sf_array's operand registers: taken under the lane mask while the array moves. For pricing only.
`default_nettype none
module sf_unit_operand_register #(
    parameter Lanes = 64
) (
    input  wire             clk_i,
    input  wire             enable_i,
    input  wire [Lanes-1:0] word_i,
    input  wire [Lanes-1:0] mask_i,
    output wire [Lanes-1:0] word_o
);
  reg [Lanes-1:0] word_q;
  always @(posedge clk_i) if (enable_i) word_q <= word_i & mask_i;
  assign word_o = word_q;
endmodule
`default_nettype wire
