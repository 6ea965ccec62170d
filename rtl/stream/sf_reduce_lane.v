// SPDX-License-Identifier: Apache-2.0
// One lane of the reductions: magnitude of y, value and product of a chunk, and their addition to the sums that the
// tables hold. The magnitude is combinational; the new sums follow a taken chunk by a cycle. While chunks of one row
// follow one another the lane keeps the row's sums, and the tables rest. Sums of up to 2^31
// values of 32 bits, and products of 16 x 16 bits, cannot overflow 64 bits.
`default_nettype none
module sf_reduce_lane (
    input  wire        clk_i,
    input  wire        take_i,           // a chunk
    input  wire        take_second_i,    // and it has a second sum
    input  wire        absolute_i,       // |y| is summed, not y
    input  wire        dot_i,            // the second sum is of y z, not y y (the low 16 bits of both)
    input  wire        mask_i,           // inside the tensor
    input  wire [31:0] y_i,
    input  wire [15:0] z_i,
    output wire [31:0] magnitude_o,
    // The chunk taken last, and the row of the tables it belongs to
    input  wire        again_i,          // its row's sums were kept
    input  wire        keep_i,           // the chunk taken now belongs to the same row: the new sums are kept
    input  wire        seen_i,           // the row holds something of this pass
    input  wire [63:0] sum_i,
    input  wire [63:0] second_i,
    output wire [63:0] sum_o,
    output wire [63:0] second_o
);
  wire [31:0] value = mask_i ? y_i : 32'd0;
  assign magnitude_o = value[31] ? 32'd0 - value : value;

  wire signed [15:0] factor_y = value[15:0];
  wire signed [15:0] factor_z = dot_i ? z_i : y_i[15:0];
  reg [31:0] value_q, second_q;
  always @(posedge clk_i) begin
    if (take_i) value_q <= absolute_i ? magnitude_o : value;
    if (take_i & take_second_i) second_q <= factor_y * factor_z;
  end
  reg [63:0] kept_sum_q, kept_second_q;
  assign sum_o    = (again_i ? kept_sum_q : seen_i ? sum_i : 64'd0) + {{32{~absolute_i & value_q[31]}}, value_q};
  assign second_o = (again_i ? kept_second_q : seen_i ? second_i : 64'd0) + {{32{second_q[31]}}, second_q};
  always @(posedge clk_i) begin
    if (keep_i) kept_sum_q <= sum_o;
    if (keep_i & take_second_i) kept_second_q <= second_o;
  end
endmodule
`default_nettype wire
