// SPDX-License-Identifier: Apache-2.0
// Fused dot product in floating point: sum += sum over lanes of a[lane] * b[lane], once a cycle, rounded once: outside,
// when it has been drained.
//
// Operands are {sign, ExponentBits, FractionBits}, subnormal ones as they are; codes of infinity and NaN must not come
// in. Products are exact. The exponent of a product is the sum of its operands' (place 2 of its significand, which lies
// in [0, 4)). Those that are not zero are aligned to the greatest of their exponents, magnitudes cut at Places places,
// and added as integers. The sum is such an integer beside the greatest exponent that it has met: whichever has the
// smaller exponent, the sum or what is added to it, is shifted down first (two's complement, so cut downwards).
// Three stages: products, their sum, the sum of all; it is complete three cycles after its last operands. Nothing has
// an enable: operands are zeros in cycles without any. Capture and drain are those of sf_integer_mac.
// Value of what is drained, {exponent, integer}: integer * 2^(exponent - 2 * bias + 1 - (Places - 1)), bias that of the
// operands; exponent 0 is the sum of nothing.
`default_nettype none
module sf_fused_dot #(
    parameter ExponentBits = 8,
    parameter FractionBits = 7,
    parameter Lanes = 4,
    parameter Places = 24,       // at least those of a product, 2 * FractionBits + 2
    parameter GrowthBits = 16,   // log2 of the products of a sum
    parameter OperandBits = 1 + ExponentBits + FractionBits,       // derived, like all below; do not set
    parameter SumBits = ExponentBits + 1 + Places + GrowthBits + 1
) (
    input  wire                         clk_i,
    input  wire [Lanes*OperandBits-1:0] a_i,
    input  wire [Lanes*OperandBits-1:0] b_i,
    input  wire                         sum_clear_i,  // with the sum of products that begins a sum
    input  wire                         capture_i,
    input  wire                         drain_shift_i,
    input  wire [SumBits-1:0]           drain_i,
    output wire [SumBits-1:0]           drain_o
);
  localparam Significand = FractionBits + 1;
  localparam ProductBits = 2 * Significand;
  localparam TermBits = ExponentBits + 1;
  localparam DotBits = Places + $clog2(Lanes) + 1;   // with a sign
  localparam IntegerBits = Places + GrowthBits + 1;
  localparam Steps = $clog2(Places + 1);

  // ---- Products: significands, signs, and how far below the greatest exponent they are ----
  reg  [Lanes-1:0]             signs_q;
  reg  [Lanes*ProductBits-1:0] products_q;
  reg  [Lanes*Steps-1:0]       distances_q;  // all ones: beyond the last place
  reg  [TermBits-1:0]          greatest_q;   // 0: there is no product
  genvar lane, step;
  generate
    for (lane = 0; lane < Lanes; lane = lane + 1) begin : gen_lane
      wire [OperandBits-1:0]  a = a_i[lane*OperandBits+:OperandBits];
      wire [OperandBits-1:0]  b = b_i[lane*OperandBits+:OperandBits];
      wire [ExponentBits-1:0] a_exponent = a[FractionBits+:ExponentBits];
      wire [ExponentBits-1:0] b_exponent = b[FractionBits+:ExponentBits];
      wire a_normal = |a_exponent;
      wire b_normal = |b_exponent;
      wire there = (a_normal | (|a[FractionBits-1:0])) & (b_normal | (|b[FractionBits-1:0]));
      wire [ProductBits-1:0] product;
      sf_multiplier #(
          .ABits (Significand),
          .BBits (Significand),
          .Signed(0)
      ) u_multiplier (
          .a_i      ({a_normal, a[FractionBits-1:0]}),
          .b_i      ({b_normal, b[FractionBits-1:0]}),
          .product_o(product)
      );
      wire [TermBits-1:0] exponent = ({1'b0, a_exponent[ExponentBits-1:1], a_exponent[0] | ~a_normal}
          + {1'b0, b_exponent[ExponentBits-1:1], b_exponent[0] | ~b_normal}) & {TermBits{there}};
      wire [TermBits-1:0] so_far;
      if (lane == 0) begin : gen_first
        assign so_far = exponent;
      end else begin : gen_next
        assign so_far = gen_lane[lane-1].so_far > exponent ? gen_lane[lane-1].so_far : exponent;
      end
      wire [TermBits-1:0] distance = gen_lane[Lanes-1].so_far - exponent;
      wire                far;
      if (TermBits > Steps) begin : gen_far
        assign far = |distance[TermBits-1:Steps];
      end else begin : gen_near
        assign far = 1'b0;
      end
      always @(posedge clk_i) begin
        signs_q[lane] <= a[OperandBits-1] ^ b[OperandBits-1];
        products_q[lane*ProductBits+:ProductBits] <= product;
        distances_q[lane*Steps+:Steps] <= distance[Steps-1:0] | {Steps{far}};
      end
    end
  endgenerate
  always @(posedge clk_i) greatest_q <= gen_lane[Lanes-1].so_far;

  // ---- Their sum: of each aligned product a bit in every column, and in column 0 the ones that two's complement lacks
  localparam Depth = 2 * Lanes;
  function [DotBits*16-1:0] heights(input integer unused);
    integer c;
    for (c = 0; c < DotBits; c = c + 1) heights[c*16+:16] = c == 0 ? Depth[15:0] : Lanes[15:0];
  endfunction
  wire [DotBits*Depth-1:0] bits;
  genvar column;
  generate
    for (lane = 0; lane < Lanes; lane = lane + 1) begin : gen_aligned
      for (step = 0; step < Steps; step = step + 1) begin : gen_step
        wire [Places-1:0] from;
        if (step == 0) begin : gen_first
          assign from = {products_q[lane*ProductBits+:ProductBits], {(Places-ProductBits){1'b0}}};
        end else begin : gen_next
          assign from = gen_step[step-1].to;
        end
        wire [Places-1:0] to = distances_q[lane*Steps+step] ? from >> (1 << step) : from;
      end
      wire [DotBits-1:0] term = {{(DotBits-Places){1'b0}}, gen_step[Steps-1].to} ^ {DotBits{signs_q[lane]}};
      for (column = 0; column < DotBits; column = column + 1) begin : gen_bit
        assign bits[column*Depth+lane]       = term[column];
        assign bits[column*Depth+Lanes+lane] = column == 0 ? signs_q[lane] : 1'b0;
      end
    end
  endgenerate
  wire [DotBits-1:0] dot;
  sf_column_adder #(
      .Columns(DotBits),
      .Depth  (Depth),
      .Heights(heights(0))
  ) u_dot (
      .bits_i(bits),
      .sum_o (dot)
  );
  reg [DotBits-1:0]  dot_q;
  reg [TermBits-1:0] dot_exponent_q;
  always @(posedge clk_i) begin
    dot_q          <= dot;
    dot_exponent_q <= greatest_q;
  end

  // ---- The sum of all ----
  reg  [IntegerBits-1:0] sum_q;
  reg  [TermBits-1:0]    exponent_q;
  wire [IntegerBits-1:0] held          = sum_q & {IntegerBits{~sum_clear_i}};
  wire [TermBits-1:0]    held_exponent = exponent_q & {TermBits{~sum_clear_i}};
  wire [IntegerBits-1:0] added         = {{(IntegerBits-DotBits){dot_q[DotBits-1]}}, dot_q};
  wire [TermBits:0]      above         = {1'b0, held_exponent} - {1'b0, dot_exponent_q};
  wire                   rises         = above[TermBits];
  wire [TermBits-1:0]    away          = rises ? dot_exponent_q - held_exponent : above[TermBits-1:0];
  wire [IntegerBits-1:0] lower         = rises ? held : added;
  localparam SumSteps = $clog2(IntegerBits) < TermBits ? $clog2(IntegerBits) : TermBits;
  generate
    for (step = 0; step < SumSteps; step = step + 1) begin : gen_meet
      localparam Distance = 1 << step;
      wire [IntegerBits-1:0] from;
      if (step == 0) begin : gen_first
        assign from = lower;
      end else begin : gen_next
        assign from = gen_meet[step-1].to;
      end
      wire [IntegerBits-1:0] to =
          away[step] ? {{Distance{lower[IntegerBits-1]}}, from[IntegerBits-1:Distance]} : from;
    end
  endgenerate
  wire gone;
  generate
    if (TermBits > SumSteps) begin : gen_gone
      assign gone = |away[TermBits-1:SumSteps];
    end else begin : gen_stays
      assign gone = 1'b0;
    end
  endgenerate
  wire [IntegerBits-1:0] moved = gone ? {IntegerBits{lower[IntegerBits-1]}} : gen_meet[SumSteps-1].to;

  reg [SumBits-1:0] drain_q;
  always @(posedge clk_i) begin
    if (capture_i) drain_q <= {exponent_q, sum_q};
    else if (drain_shift_i) drain_q <= drain_i;
    sum_q      <= (rises ? added : held) + moved;
    exponent_q <= rises ? dot_exponent_q : held_exponent;
  end
  assign drain_o = drain_q;
endmodule
`default_nettype wire
