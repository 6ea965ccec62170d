// SPDX-License-Identifier: Apache-2.0
// Multiply-accumulate of bfloat16 in floating point: sum += a * b, once a cycle.
//
// Numbers are {sign, 8 exponent bits, fraction}; operands have 7 fraction bits, the sum FractionBits (23: single
// precision, 7: bfloat16). A number of exponent 0 is zero: subnormal operands count as zero, a sum below the least
// normal number becomes +0. Infinity and NaN do not exist: exponent 255 must not come in, and a sum too large stays at
// the largest finite number. The product is exact, with an exponent of its own range; each addition rounds once:
//   RandomBits = 0  to nearest, ties to even, as a fused multiply-add does
//   RandomBits > 0  stochastically: the magnitude's fraction below the last place, cut to RandomBits bits, rounds up
//                   when its sum with random_i carries
// Control, pipeline and drain are those of sf_integer_mac; alignment, addition and rounding take one cycle, because the
// next addition waits for them.
`default_nettype none
module sf_bf16_mac #(
    parameter FractionBits = 23,     // 7 to 23
    parameter RandomBits = 0,        // 0 to 24
    parameter SumBits = FractionBits + 9,                     // derived; do not set
    parameter RandomPorts = RandomBits > 0 ? RandomBits : 1   // derived; do not set
) (
    input  wire                   clk_i,
    input  wire [15:0]            a_i,
    input  wire [15:0]            b_i,
    input  wire [RandomPorts-1:0] random_i,  // with sum_enable_i; unused while RandomBits = 0
    input  wire                   product_enable_i,
    input  wire                   sum_enable_i,
    input  wire                   sum_clear_i,
    input  wire                   capture_i,
    input  wire                   drain_shift_i,
    input  wire [SumBits-1:0]     drain_i,
    output wire [SumBits-1:0]     drain_o
);
  localparam Significand = FractionBits + 1;
  // Places of an aligned operand: product or sum, the fraction that rounding looks at, and two more, the last of which
  // tells whether anything was shifted out.
  localparam Fraction = RandomBits > 0 ? RandomBits : 1;
  localparam Places = (Significand + Fraction > 16 ? Significand + Fraction : 16) + 2;

  // ---- Product ----
  wire [15:0] product;  // of significands in [1, 2), 14 fraction bits
  sf_multiplier #(
      .ABits (8),
      .BBits (8),
      .Signed(0)
  ) u_multiplier (
      .a_i      ({1'b1, a_i[6:0]}),
      .b_i      ({1'b1, b_i[6:0]}),
      .product_o(product)
  );
  wire product_zero = a_i[14:7] == 8'd0 || b_i[14:7] == 8'd0;

  // Exponents are kept 128 above the sum's bias of 127: all positive, and the sum's needs no adder.
  reg        product_sign_q, product_zero_q;
  reg [9:0]  product_exponent_q;
  reg [15:0] product_q;  // highest bit set
  always @(posedge clk_i) begin
    if (product_enable_i) begin
      product_sign_q     <= a_i[15] ^ b_i[15];
      product_zero_q     <= product_zero;
      product_exponent_q <= {2'b00, a_i[14:7]} + {2'b00, b_i[14:7]} + {8'd0, product[15], ~product[15]};
      product_q          <= product[15] ? product : {product[14:0], 1'b0};
    end
  end

  // ---- Sum: operands by exponent, the smaller aligned ----
  reg  [SumBits-1:0] sum_q;
  wire [7:0] held_exponent = sum_q[SumBits-2:FractionBits];
  wire       sum_zero      = sum_clear_i || held_exponent == 8'd0;
  // Zero is below all.
  wire [9:0] product_exponent = product_exponent_q & {10{~product_zero_q}};
  wire [9:0] sum_exponent = {1'b0, held_exponent[7], ~held_exponent[7], held_exponent[6:0]} & {10{~sum_zero}};
  wire [Places-1:0] product_places = {product_q & {16{~product_zero_q}}, {(Places-16){1'b0}}};
  wire [Places-1:0] sum_places =
      {{1'b1, sum_q[FractionBits-1:0]} & {Significand{~sum_zero}}, {(Places-Significand){1'b0}}};

  wire [10:0] sum_above     = {1'b0, sum_exponent} - {1'b0, product_exponent};
  wire [9:0]  product_above = product_exponent - sum_exponent;
  wire        sum_larger    = ~sum_above[10];
  wire [9:0]  distance      = sum_larger ? sum_above[9:0] : product_above;
  wire [9:0]  exponent      = sum_larger ? sum_exponent : product_exponent;
  wire [Places-1:0] greater = sum_larger ? sum_places : product_places;
  wire [Places-1:0] lesser  = sum_larger ? product_places : sum_places;
  wire              greater_sign = sum_larger ? sum_q[SumBits-1] : product_sign_q;
  wire              lesser_sign  = sum_larger ? product_sign_q : sum_q[SumBits-1];

  // What is shifted out stays in the last place.
  localparam Steps = $clog2(Places + 1);
  genvar step;
  generate
    for (step = 0; step < Steps; step = step + 1) begin : gen_align
      localparam Distance = 1 << step;
      wire [Places-1:0] from;
      if (step == 0) begin : gen_first
        assign from = lesser;
      end else begin : gen_next
        assign from = gen_align[step-1].to;
      end
      wire [Places-1:0] further;
      if (Distance + 1 < Places) begin : gen_some
        assign further = {{Distance{1'b0}}, from[Places-1:Distance+1], |from[Distance:0]};
      end else begin : gen_all
        assign further = {{(Places-1){1'b0}}, |from};
      end
      wire [Places-1:0] to = distance[step] ? further : from;
    end
  endgenerate
  wire              far     = |distance[9:Steps];
  wire [Places-1:0] near    = gen_align[Steps-1].to;
  wire [Places-1:0] aligned = {near[Places-1:1] & {(Places-1){~far}}, near[0] | (far & lesser[Places-1])};

  // ---- Magnitude and sign ----
  wire subtract = greater_sign ^ lesser_sign;
  wire [Places:0] total    = {1'b0, greater} + ({1'b0, aligned} ^ {(Places+1){subtract}}) + {{Places{1'b0}}, subtract};
  wire            negative = subtract & total[Places];  // only where exponents are equal
  wire [Places:0] magnitude = negative ? ~total + 1'b1 : total;

  // ---- Normalise: the first one comes to the highest place ----
  wire [Steps-1:0] leading;
  generate
    for (step = 0; step < Steps; step = step + 1) begin : gen_normalise
      localparam Distance = 1 << (Steps - 1 - step);
      wire [Places:0] from;
      if (step == 0) begin : gen_first
        assign from = magnitude;
      end else begin : gen_next
        assign from = gen_normalise[step-1].to;
      end
      assign leading[Steps-1-step] = from[Places-:Distance] == {Distance{1'b0}};
      wire [Places:0] to = leading[Steps-1-step] ? from << Distance : from;
    end
  endgenerate
  wire [Places:0] normal = gen_normalise[Steps-1].to;

  // ---- Round ----
  wire [Significand-1:0] kept = normal[Places-:Significand];
  wire                   up;
  generate
    if (RandomBits > 0) begin : gen_stochastic
      wire [RandomBits:0] carried = {1'b0, normal[Places-Significand-:RandomBits]} + {1'b0, random_i};
      assign up = carried[RandomBits];
    end else begin : gen_nearest
      assign up = normal[Places-Significand] & (kept[0] | (|normal[Places-Significand-1:0]));
    end
  endgenerate
  wire [Significand:0] rounded = {1'b0, kept} + {{Significand{1'b0}}, up};

  // The highest place of `normal` is one above that of `greater`.
  wire [10:0] unrounded = {1'b0, exponent} - {{(11-Steps){1'b0}}, leading};
  wire [10:0] result_exponent = unrounded + {9'd0, rounded[Significand], ~rounded[Significand]};
  wire result_zero  = ~normal[Places] | result_exponent[10] | (result_exponent[9:0] < 10'd129);
  wire result_large = result_exponent[9:0] > 10'd382;
  wire [FractionBits-1:0] fraction = rounded[Significand] ? {FractionBits{1'b0}} : rounded[FractionBits-1:0];
  wire [SumBits-1:0] result =
      result_zero  ? {SumBits{1'b0}}
    : result_large ? {greater_sign ^ negative, 8'd254, {FractionBits{1'b1}}}
                   : {greater_sign ^ negative, ~result_exponent[7], result_exponent[6:0], fraction};

  reg [SumBits-1:0] drain_q;
  always @(posedge clk_i) begin
    if (capture_i) drain_q <= sum_q;
    else if (drain_shift_i) drain_q <= drain_i;
    if (sum_enable_i) sum_q <= result;
  end
  assign drain_o = drain_q;
endmodule
`default_nettype wire
