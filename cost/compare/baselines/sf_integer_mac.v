// SPDX-License-Identifier: Apache-2.0
// Multiply-accumulate of signed integers: sum += sum over lanes of a[lane] * b[lane], once a cycle.
//
// The parallel counterpart of sf_pe, with the same control, pipeline and drain: product register, then accumulator; a
// sum is complete two cycles after its last operands, which come from registers that an array shares.
// Overflow: AccumulatorBits >= ABits + BBits + log2(Lanes * longest contraction).
`default_nettype none
module sf_integer_mac #(
    parameter ABits = 8,
    parameter BBits = 8,
    parameter Lanes = 1,
    parameter AccumulatorBits = 32
) (
    input  wire                       clk_i,
    input  wire [Lanes*ABits-1:0]     a_i,
    input  wire [Lanes*BBits-1:0]     b_i,
    input  wire                       product_enable_i,  // take a_i, b_i
    input  wire                       sum_enable_i,      // accumulate the product
    input  wire                       sum_clear_i,       // start a new sum
    input  wire                       capture_i,         // copy the sum for draining
    input  wire                       drain_shift_i,     // pass the captured sums along the column
    input  wire [AccumulatorBits-1:0] drain_i,
    output wire [AccumulatorBits-1:0] drain_o
);
  localparam ProductBits = ABits + BBits + $clog2(Lanes);

  wire [ProductBits-1:0] product;
  sf_multiplier #(
      .ABits(ABits),
      .BBits(BBits),
      .Lanes(Lanes)
  ) u_multiplier (
      .a_i      (a_i),
      .b_i      (b_i),
      .product_o(product)
  );

  reg [ProductBits-1:0]     product_q;
  reg [AccumulatorBits-1:0] sum_q;
  reg [AccumulatorBits-1:0] drain_q;
  wire [AccumulatorBits-1:0] term = {{(AccumulatorBits-ProductBits){product_q[ProductBits-1]}}, product_q};

  always @(posedge clk_i) begin
    if (capture_i) drain_q <= sum_q;
    else if (drain_shift_i) drain_q <= drain_i;
    if (sum_enable_i) sum_q <= (sum_q & {AccumulatorBits{~sum_clear_i}}) + term;
    if (product_enable_i) product_q <= product;
  end

  assign drain_o = drain_q;
endmodule
`default_nettype wire
