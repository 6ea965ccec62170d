// SPDX-License-Identifier: Apache-2.0
// The stochastic quantizer of one stream lane (f_G): c = floor(n (y + M) / (2M) + (2U + 1) / 2^(r+1)), n = 2^bits - 1,
// for |y| <= M and a random number U of r = RandomBits bits. It is exact: a restoring division, one code bit a stage, of
//   2^r n (y + M) + (2U + 1) M   by   2^(r+1) M.
// The divisor has r + 1 zeros below M: so many bits of the dividend decide nothing and are left out. What is left of
// it is less than (2n + 1) M < 2^(8+1) 2^32, so 41 bits hold it. Before that, with 32-bit values, r = 16 and n = 255,
// the dividend has 58 bits.
// Latency 10 (CODER_STAGES), initiation interval 1; the stages move when go_i and code_enable_i.
`default_nettype none
module sf_stochastic_coder #(
    parameter RandomBits = 16
) (
    input  wire                  clk_i,
    input  wire                  go_i,
    input  wire                  code_enable_i,  // the pass wants the code
    input  wire [3:0]            bits_i,         // 1 to 8
    input  wire [31:0]           y_i,
    input  wire [31:0]           maximum_i,      // M, unsigned
    input  wire [RandomBits-1:0] random_i,       // U
    output wire [7:0]            code_o
);
  `include "sf_descriptor.vh"
  localparam DivisionBits = 41;
  wire divide = go_i & code_enable_i;

  // ---- Set-up, stages 1 and 2 ----
  reg  [DivisionBits-1:0] scaled_1;
  reg  [RandomBits+32:0]  noise_1;
  reg  [31:0]             maximum_1;
  reg  [32:0]             y_plus_maximum;
  wire [RandomBits+32:0]  random_odd = {32'd0, random_i, 1'b1};  // 2U + 1
  wire [RandomBits+41:0]  dividend = {1'b0, scaled_1, {RandomBits{1'b0}}} + {9'd0, noise_1};
  always @(posedge clk_i) begin
    if (divide) begin
      y_plus_maximum = {y_i[31], y_i} + {1'b0, maximum_i};                     // >= 0 because |y| <= M
      scaled_1  <= ({8'd0, y_plus_maximum} << bits_i) - {8'd0, y_plus_maximum};  // n (y + M)
      noise_1   <= {{(RandomBits+1){1'b0}}, maximum_i} * random_odd;
      maximum_1 <= maximum_i;
    end
  end

  // ---- Division, stages 3 to 10 ----
  genvar stage;
  generate
    for (stage = 2; stage <= CODER_STAGES; stage = stage + 1) begin : gen_stage
      reg [DivisionBits-1:0] remainder, divisor;
      reg [7:0]              quotient;
      if (stage == 2) begin : gen_first
        always @(posedge clk_i) begin
          if (divide) begin
            remainder <= dividend[RandomBits+41:RandomBits+1];
            divisor   <= {9'd0, maximum_1} << (bits_i - 4'd1);
            quotient  <= 8'd0;
          end
        end
      end else begin : gen_next
        // A quotient of fewer bits takes fewer steps; the rest pass it on.
        wire works = {28'd0, bits_i} > stage - 3;
        always @(posedge clk_i) begin
          if (divide) begin
            divisor <= gen_stage[stage-1].divisor >> 1;
            if (works & gen_stage[stage-1].remainder >= gen_stage[stage-1].divisor) begin
              remainder <= gen_stage[stage-1].remainder - gen_stage[stage-1].divisor;
              quotient  <= {gen_stage[stage-1].quotient[6:0], 1'b1};
            end else begin
              remainder <= gen_stage[stage-1].remainder;
              quotient  <= works ? {gen_stage[stage-1].quotient[6:0], 1'b0} : gen_stage[stage-1].quotient;
            end
          end
        end
      end
    end
  endgenerate
  assign code_o = gen_stage[CODER_STAGES].quotient;
endmodule
`default_nettype wire
