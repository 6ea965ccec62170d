// SPDX-License-Identifier: Apache-2.0
// The stochastic quantizer of one stream lane (f_G): c = floor(n (y + M) / (2M) + (2U + 1) / 2^(r+1)), n = 2^bits - 1,
// for |y| <= M and a random number U of r = RandomBits bits. It is exact: a restoring division, one code bit a stage, of
//   2^r n (y + M) + (2U + 1) M   by   2^(r+1) M.
// The divisor has r + 1 zeros below M: so many bits of the dividend decide nothing and are left out. What is left of
// it is less than 2^bits M <= 2^40; a shift to the left by 8 - bits puts it where a code of 8 bits would have it, so that
// every stage subtracts M at a place of its own. Before that, with 32-bit values, r = 16 and n = 255, the dividend has
// 58 bits.
// Latency 10 (CODER_STAGES), initiation interval 1; the stages move when go_i and code_enable_i. M comes from outside at
// every stage, for all lanes share it.
`default_nettype none
module sf_stochastic_coder #(
    parameter RandomBits = 16
) (
    input  wire                  clk_i,
    input  wire                  go_i,
    input  wire                  code_enable_i,  // the pass wants the code
    input  wire [3:0]            bits_i,         // 1 to 8
    input  wire [31:0]           y_i,
    input  wire [10*32-1:0]      maximum_i,      // M, unsigned, of the element at stages 0 (with y_i) to 9
    input  wire [RandomBits-1:0] random_i,       // U
    output wire [7:0]            code_o
);
  `include "sf_descriptor.vh"
  localparam ScaledBits = 41;
  // A code of b bits needs what is left of the dividend up to stage b + 1: near stages are those of codes of 4 bits.
  localparam NearStages = 5;
  wire needs_far = code_enable_i & bits_i > 4'd4;
  wire divide_clk, far_clk;
  sf_clock_gate u_divide_gate (
      .clk_i   (clk_i),
      .enable_i(code_enable_i),
      .clk_o   (divide_clk)
  );
  sf_clock_gate u_far_gate (
      .clk_i   (clk_i),
      .enable_i(needs_far),
      .clk_o   (far_clk)
  );

  // ---- Set-up, stages 1 and 2 ----
  reg  [ScaledBits-1:0]  scaled_1;
  reg  [RandomBits+32:0] noise_1;
  reg  [32:0]            y_plus_maximum;
  wire [31:0]            maximum    = maximum_i[31:0];
  wire [RandomBits+32:0] random_odd = {32'd0, random_i, 1'b1};  // 2U + 1
  wire [RandomBits+41:0] dividend   = {1'b0, scaled_1, {RandomBits{1'b0}}} + {9'd0, noise_1};
  always @(posedge divide_clk) begin
    if (go_i & code_enable_i) begin
      y_plus_maximum = {y_i[31], y_i} + {1'b0, maximum};                       // >= 0 because |y| <= M
      scaled_1 <= ({8'd0, y_plus_maximum} << bits_i) - {8'd0, y_plus_maximum};  // n (y + M)
      noise_1  <= {{(RandomBits+1){1'b0}}, maximum} * random_odd;
    end
  end

  // ---- Division, stages 3 to 10 ----
  // Below the bit that stage s decides, the dividend has 10 - s more; above them, what is left of it is less than 2 M
  // before the stage, and less than M behind it.
  genvar stage;
  generate
    for (stage = 2; stage <= CODER_STAGES; stage = stage + 1) begin : gen_stage
      localparam Below = CODER_STAGES - stage;
      reg  [31+Below:0] remainder;
      reg  [7:0]        quotient;
      wire [31+Below:0] next_remainder;
      wire [7:0]        next_quotient;
      if (stage == 2) begin : gen_first
        assign next_remainder = dividend[RandomBits+40:RandomBits+1] << (4'd8 - bits_i);
        assign next_quotient  = 8'd0;
      end else begin : gen_next
        // A quotient of fewer bits takes fewer steps; the rest pass it on.
        wire        works      = {28'd0, bits_i} > stage - 3;
        wire [32:0] above      = gen_stage[stage-1].remainder[32+Below:Below];
        wire [31:0] divisor    = maximum_i[32*(stage-1)+:32];
        wire        fits       = above >= {1'b0, divisor};
        wire [32:0] difference = above - {1'b0, divisor};
        if (Below > 0) begin : gen_below
          assign next_remainder = {fits ? difference[31:0] : above[31:0], gen_stage[stage-1].remainder[Below-1:0]};
        end else begin : gen_last
          assign next_remainder = 32'd0;  // nothing divides any more
        end
        assign next_quotient = works ? {gen_stage[stage-1].quotient[6:0], fits} : gen_stage[stage-1].quotient;
      end
      always @(posedge divide_clk) if (go_i & code_enable_i) quotient <= next_quotient;
      if (stage <= NearStages) begin : gen_near
        always @(posedge divide_clk) if (go_i & code_enable_i) remainder <= next_remainder;
      end else begin : gen_far
        always @(posedge far_clk) if (go_i & needs_far) remainder <= next_remainder;
      end
    end
  endgenerate
  assign code_o = gen_stage[CODER_STAGES].quotient;
endmodule
`default_nettype wire
