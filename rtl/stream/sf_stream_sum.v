// SPDX-License-Identifier: Apache-2.0
// Stage 6 of a stream lane: y = x + z + offset, each if the pass has it, saturated to +-limit; 0 where a mask does not let it
// pass. Combinational; a module of its own so that synthesis does not mix the lane's late enable into the carries.
`default_nettype none
module sf_stream_sum (
    input  wire signed [31:0] x_i,
    input  wire signed [31:0] z_i,
    input  wire signed [31:0] offset_i,
    input  wire               z_enable_i,
    input  wire               offset_enable_i,
    input  wire               pass_i,
    input  wire signed [31:0] limit_i,   // 0 or more
    output wire signed [31:0] y_o
);
  wire signed [33:0] sum = $signed({{2{x_i[31]}}, x_i}) + $signed({{2{z_i[31]}}, z_i} & {34{z_enable_i}})
      + $signed({{2{offset_i[31]}}, offset_i} & {34{offset_enable_i}});
  wire above = sum > $signed({2'b00, limit_i});
  wire below = sum < -$signed({2'b00, limit_i});
  assign y_o = !pass_i ? 32'sd0 : above ? limit_i : below ? -limit_i : sum[31:0];
endmodule
`default_nettype wire
