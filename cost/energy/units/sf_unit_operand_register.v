// SPDX-License-Identifier: Apache-2.0
// One word of sf_array's operand registers: taken under the lane mask while the array moves. For pricing only.
// Isolated: of columns, which elements see as 0 unless an operation uses them.
`default_nettype none
module sf_unit_operand_register #(
    parameter Lanes = 64,
    parameter Isolated = 1
) (
    input  wire             clk_i,
    input  wire             enable_i,
    input  wire [Lanes-1:0] word_i,
    input  wire [Lanes-1:0] mask_i,
    input  wire             use_i,
    output wire [Lanes-1:0] word_o
);
  reg [Lanes-1:0] word_q;
  always @(posedge clk_i) if (enable_i) word_q <= word_i & mask_i;
  assign word_o = word_q & {Lanes{use_i | (Isolated == 0)}};
endmodule
`default_nettype wire
