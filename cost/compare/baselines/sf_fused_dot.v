// SPDX-License-Identifier: Apache-2.0
// Fused dot product in floating point: sum += sum over lanes of a[lane] * b[lane], once a cycle, rounded once.
//
// Operands are {sign, ExponentBits, FractionBits}, subnormal ones as they are; codes of infinity and NaN must not come
// in. The sum is {sign, 8 exponent bits, SumFraction} of bias 127: exponent 0 is zero, a sum below the least normal
// number becomes +0, one too large stays at the largest finite number.
// Products are exact. The exponent of a product is the sum of its operands' (place 2 of its significand, which lies in
// [0, 4)). Those that are not zero are aligned to the greatest of their exponents, bits below Places places cut off, and
// added as integers. That sum and the accumulated one are aligned likewise (the integer downwards), added, and rounded
// to nearest, ties to even: one rounding a cycle.
// Control and drain are those of sf_integer_mac; product_enable_i is for two stages, products and their sum, so that the
// accumulated sum is complete three cycles after its last operands.
`default_nettype none
module sf_fused_dot #(
    parameter ExponentBits = 8,
    parameter FractionBits = 7,
    parameter Lanes = 4,
    parameter SumFraction = 23,
    parameter OperandBits = 1 + ExponentBits + FractionBits,  // derived, like all below; do not set
    parameter SumBits = SumFraction + 9
) (
    input  wire                         clk_i,
    input  wire [Lanes*OperandBits-1:0] a_i,
    input  wire [Lanes*OperandBits-1:0] b_i,
    input  wire                         product_enable_i,
    input  wire                         sum_enable_i,
    input  wire                         sum_clear_i,
    input  wire                         capture_i,
    input  wire                         drain_shift_i,
    input  wire [SumBits-1:0]           drain_i,
    output wire [SumBits-1:0]           drain_o
);
  localparam Significand = FractionBits + 1;
  localparam ProductBits = 2 * Significand;
  localparam Bias = (1 << (ExponentBits - 1)) - 1;
  localparam Places = ProductBits > SumFraction + 1 ? ProductBits : SumFraction + 1;  // of an aligned product
  localparam Growth = $clog2(Lanes);
  localparam DotBits = Places + Growth + 1;  // with a sign
  // Exponents are kept so that those of products are above 0 and the sum's needs little: Offset above its value.
  localparam Offset = (2 * Bias - 1 > 127) ? 2 * Bias - 1 : 127;
  localparam Largest = 2 * ((1 << ExponentBits) - 1) + Offset + 1 - 2 * Bias;
  localparam LargestSum = 254 + Offset - 127;
  localparam TermBits = $clog2((Largest > LargestSum ? Largest : LargestSum) + 1);

  // ---- Products: significands, exponents, signs ----
  wire [Lanes-1:0]          signs;
  wire [Lanes*TermBits-1:0] exponents;  // 0: the product is zero
  wire [Lanes*Places-1:0]   places;     // its magnitude, the exponent's place highest
  genvar lane;
  generate
    for (lane = 0; lane < Lanes; lane = lane + 1) begin : gen_lane
      wire [OperandBits-1:0] a = a_i[lane*OperandBits+:OperandBits];
      wire [OperandBits-1:0] b = b_i[lane*OperandBits+:OperandBits];
      wire [ExponentBits-1:0] a_exponent = a[FractionBits+:ExponentBits];
      wire [ExponentBits-1:0] b_exponent = b[FractionBits+:ExponentBits];
      wire a_normal = |a_exponent;
      wire b_normal = |b_exponent;
      wire zero = ~(a_normal | (|a[FractionBits-1:0])) | ~(b_normal | (|b[FractionBits-1:0]));
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
      localparam [31:0] Shift = Offset + 1 - 2 * Bias;  // two's complement
      wire [TermBits-1:0] exponent = {{(TermBits-ExponentBits){1'b0}}, a_exponent}
          + {{(TermBits-ExponentBits){1'b0}}, b_exponent} + Shift[TermBits-1:0]
          + {{(TermBits-1){1'b0}}, ~a_normal} + {{(TermBits-1){1'b0}}, ~b_normal};
      reg                   sign_q;
      reg [TermBits-1:0]    exponent_q;
      reg [ProductBits-1:0] product_q;
      always @(posedge clk_i) begin
        if (product_enable_i) begin
          sign_q     <= a[OperandBits-1] ^ b[OperandBits-1];
          exponent_q <= exponent & {TermBits{~zero}};
          product_q  <= product;
        end
      end
      assign signs[lane] = sign_q;
      assign exponents[lane*TermBits+:TermBits] = exponent_q;
      assign places[lane*Places+:Places] = {product_q, {(Places-ProductBits){1'b0}}};
    end
  endgenerate

  // ---- Align to the greatest exponent ----
  localparam Steps = $clog2(Places + 1);
  wire [Lanes*DotBits-1:0] aligned;  // in one's complement if negative
  genvar term, step;
  generate
    for (term = 0; term < Lanes; term = term + 1) begin : gen_greatest
      wire [TermBits-1:0] exponent = exponents[term*TermBits+:TermBits];
      wire [TermBits-1:0] so_far;
      if (term == 0) begin : gen_first
        assign so_far = exponent;
      end else begin : gen_next
        assign so_far = gen_greatest[term-1].so_far > exponent ? gen_greatest[term-1].so_far : exponent;
      end
    end
    for (term = 0; term < Lanes; term = term + 1) begin : gen_term
      wire [TermBits-1:0] distance = gen_greatest[Lanes-1].so_far - exponents[term*TermBits+:TermBits];
      for (step = 0; step < Steps; step = step + 1) begin : gen_align
        wire [Places-1:0] from;
        if (step == 0) begin : gen_first
          assign from = places[term*Places+:Places];
        end else begin : gen_next
          assign from = gen_align[step-1].to;
        end
        wire [Places-1:0] to = distance[step] ? from >> (1 << step) : from;
      end
      wire              far  = |distance[TermBits-1:Steps];
      wire [Places-1:0] near = gen_align[Steps-1].to & {Places{~far}};
      assign aligned[term*DotBits+:DotBits] = {{(DotBits-Places){1'b0}}, near} ^ {DotBits{signs[term]}};
    end
  endgenerate

  // ---- Add: column c has a bit of each product, column 0 the ones that two's complement lacks ----
  localparam Depth = 2 * Lanes;
  function [DotBits*16-1:0] heights(input integer unused);
    integer column;
    for (column = 0; column < DotBits; column = column + 1)
      heights[column*16+:16] = column == 0 ? Depth[15:0] : Lanes[15:0];
  endfunction
  wire [DotBits*Depth-1:0] bits;
  genvar column;
  generate
    for (column = 0; column < DotBits; column = column + 1) begin : gen_column
      for (term = 0; term < Lanes; term = term + 1) begin : gen_bit
        assign bits[column*Depth+term] = aligned[term*DotBits+column];
        assign bits[column*Depth+Lanes+term] = column == 0 ? signs[term] : 1'b0;
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
  reg [TermBits-1:0] dot_exponent_q;  // of the products' highest place, Growth below the sum's
  always @(posedge clk_i) begin
    if (product_enable_i) begin
      dot_q          <= dot;
      dot_exponent_q <= gen_greatest[Lanes-1].so_far;
    end
  end

  // ---- The sum, and the smaller of both aligned ----
  localparam ExponentWidth = (TermBits > 8 ? TermBits : 8) + 2;
  localparam SumPlaces = DotBits - 1 + 2;
  localparam SumSteps = $clog2(SumPlaces + 1);
  localparam [31:0] SumShift = Offset - 127;
  localparam [31:0] GrowthShift = Growth;
  reg  [SumBits-1:0] sum_q;
  wire [7:0]         held = sum_q[SumBits-2:SumFraction] & {8{~sum_clear_i}};
  wire               held_zero = ~(|held);
  wire               held_sign = sum_q[SumBits-1] & ~held_zero;
  wire [ExponentWidth-1:0] sum_exponent =
      ({{(ExponentWidth-8){1'b0}}, held} + SumShift[ExponentWidth-1:0]) & {ExponentWidth{~held_zero}};
  wire [ExponentWidth-1:0] dot_exponent =
      ({{(ExponentWidth-TermBits){1'b0}}, dot_exponent_q} + GrowthShift[ExponentWidth-1:0])
      & {ExponentWidth{|dot_exponent_q}};
  wire [ExponentWidth-1:0] sum_above = sum_exponent - dot_exponent;
  wire [ExponentWidth-1:0] dot_above = dot_exponent - sum_exponent;
  wire dot_shifts = ~sum_above[ExponentWidth-1];
  wire [ExponentWidth-1:0] greatest = dot_shifts ? sum_exponent : dot_exponent;
  wire [ExponentWidth-1:0] distance = dot_shifts ? sum_above : dot_above;
  wire [SumPlaces:0] dot_places = {dot_q, 2'b00};
  wire [SumPlaces:0] sum_places = {1'b0, {1'b1, sum_q[SumFraction-1:0]} & {(SumFraction+1){~held_zero}},
                                   {(SumPlaces-SumFraction-1){1'b0}}};
  wire fill = dot_shifts & dot_q[DotBits-1];
  generate
    for (step = 0; step < SumSteps; step = step + 1) begin : gen_meet
      localparam Distance = 1 << step;
      wire [SumPlaces:0] from;
      if (step == 0) begin : gen_first
        assign from = dot_shifts ? dot_places : sum_places;
      end else begin : gen_next
        assign from = gen_meet[step-1].to;
      end
      wire [SumPlaces:0] to = distance[step] ? {{Distance{fill}}, from[SumPlaces:Distance]} : from;
    end
  endgenerate
  wire               gone  = |distance[ExponentWidth-1:SumSteps];
  wire [SumPlaces:0] moved = gone ? {(SumPlaces+1){fill}} : gen_meet[SumSteps-1].to;
  wire [SumPlaces:0] dot_term = dot_shifts ? moved : dot_places;
  wire [SumPlaces:0] sum_term = dot_shifts ? sum_places : moved;
  localparam TotalBits = SumPlaces + 2;
  wire [TotalBits-1:0] total = {dot_term[SumPlaces], dot_term} + ({1'b0, sum_term} ^ {TotalBits{held_sign}})
      + {{(TotalBits-1){1'b0}}, held_sign};

  // ---- Normalise: the first one comes to the highest place ----
  localparam Bits = TotalBits - 1;
  wire            negative = total[Bits];
  wire [Bits-1:0] magnitude = (total[Bits-1:0] ^ {Bits{negative}}) + {{(Bits-1){1'b0}}, negative};
  localparam NormalSteps = $clog2(Bits);
  wire [NormalSteps-1:0] leading;
  generate
    for (step = 0; step < NormalSteps; step = step + 1) begin : gen_normalise
      localparam Distance = 1 << (NormalSteps - 1 - step);
      wire [Bits-1:0] from;
      if (step == 0) begin : gen_first
        assign from = magnitude;
      end else begin : gen_next
        assign from = gen_normalise[step-1].to;
      end
      assign leading[NormalSteps-1-step] = from[Bits-1-:Distance] == {Distance{1'b0}};
      wire [Bits-1:0] to = leading[NormalSteps-1-step] ? from << Distance : from;
    end
  endgenerate
  wire [Bits-1:0] normal = gen_normalise[NormalSteps-1].to;

  // ---- Round ----
  wire [SumFraction:0] kept = normal[Bits-1-:SumFraction+1];
  wire up = normal[Bits-2-SumFraction] & (kept[0] | (|normal[Bits-3-SumFraction:0]));
  wire [SumFraction+1:0] rounded = {1'b0, kept} + {{(SumFraction+1){1'b0}}, up};
  // Exponent of the highest place, two's complement, as the sum has it
  localparam [31:0] HighestShift = Bits - SumPlaces - (Offset - 127);
  wire [ExponentWidth-1:0] exponent = greatest + HighestShift[ExponentWidth-1:0]
      - {{(ExponentWidth-NormalSteps){1'b0}}, leading} + {{(ExponentWidth-1){1'b0}}, rounded[SumFraction+1]};
  wire vanishes = ~normal[Bits-1] | exponent[ExponentWidth-1] | ~(|exponent);
  wire saturates = ~exponent[ExponentWidth-1] & (|exponent[ExponentWidth-1:8] | (&exponent[7:0]));
  wire [SumFraction-1:0] fraction = rounded[SumFraction+1] ? {SumFraction{1'b0}} : rounded[SumFraction-1:0];
  wire [SumBits-1:0] result =
      vanishes ? {SumBits{1'b0}} : saturates ? {negative, 8'd254, {SumFraction{1'b1}}} : {negative, exponent[7:0], fraction};

  reg [SumBits-1:0] drain_q;
  always @(posedge clk_i) begin
    if (capture_i) drain_q <= sum_q;
    else if (drain_shift_i) drain_q <= drain_i;
    if (sum_enable_i) sum_q <= result;
  end
  assign drain_o = drain_q;
endmodule
`default_nettype wire
