// SPDX-License-Identifier: Apache-2.0
// Products of integers, summed: sum over lanes of a[lane] * b[lane]. Combinational.
//
// Signed: two's complement after Baugh and Wooley, whose inverted partial products and constant replace sign
// extension; else unsigned. A Dadda tree of full adders, as the popcount it is compared with is a tree of full adders.
// Range: 2^(ABits + BBits - 1) * Lanes fits signed ProductBits; one lane's product is exact in ABits + BBits.
`default_nettype none
module sf_multiplier #(
    parameter ABits = 8,  // at least 2 if signed
    parameter BBits = 8,
    parameter Lanes = 1,
    parameter Signed = 1,
    parameter ProductBits = ABits + BBits + $clog2(Lanes)  // derived; do not set
) (
    input  wire [Lanes*ABits-1:0] a_i,
    input  wire [Lanes*BBits-1:0] b_i,
    output wire [ProductBits-1:0] product_o
);
  // Bit of the constant of Baugh and Wooley: 2^(ABits-1) + 2^(BBits-1) - 2^(ABits+BBits-1) a lane
  function integer constant_bit(input integer column);
    reg [63:0] constant;
    begin
      constant = Lanes * ((64'd1 << (ABits - 1)) + (64'd1 << (BBits - 1)) - (64'd1 << (ABits + BBits - 1)));
      constant_bit = Signed != 0 && constant[column] ? 1 : 0;
    end
  endfunction

  // Partial products of weight 2^column
  function integer terms(input integer column);
    integer first, last;
    begin
      first = column < ABits ? 0 : column - ABits + 1;  // of the bits of b
      last = column < BBits ? column : BBits - 1;
      terms = last >= first ? last - first + 1 : 0;
    end
  endfunction

  function [ProductBits*16-1:0] all_heights(input integer unused);
    integer column, height;
    begin
      for (column = 0; column < ProductBits; column = column + 1) begin
        height = Lanes * terms(column) + constant_bit(column);
        all_heights[column*16+:16] = height[15:0];
      end
    end
  endfunction

  localparam Depth = Lanes * (ABits < BBits ? ABits : BBits) + 1;
  wire [ProductBits*Depth-1:0] bits;
  genvar column, lane, term;
  generate
    for (column = 0; column < ProductBits; column = column + 1) begin : gen_column
      localparam Terms = terms(column);
      localparam First = column < ABits ? 0 : column - ABits + 1;
      localparam Constant = constant_bit(column);
      localparam Height = Lanes * Terms + Constant;
      for (lane = 0; lane < Lanes; lane = lane + 1) begin : gen_lane
        for (term = 0; term < Terms; term = term + 1) begin : gen_term
          // Exactly one of both bits a sign: inverted
          localparam Inverted = Signed != 0 && ((First + term == BBits - 1) != (column - First - term == ABits - 1));
          wire bit_product = a_i[lane*ABits+column-First-term] & b_i[lane*BBits+First+term];
          assign bits[column*Depth+lane*Terms+term] = Inverted ? ~bit_product : bit_product;
        end
      end
      if (Constant == 1) begin : gen_constant
        assign bits[column*Depth+Lanes*Terms] = 1'b1;
      end
      if (Height < Depth) begin : gen_unused
        assign bits[column*Depth+Height+:Depth-Height] = {(Depth-Height){1'b0}};
      end
    end
  endgenerate

  sf_column_adder #(
      .Columns(ProductBits),
      .Depth  (Depth),
      .Heights(all_heights(0))
  ) u_sum (
      .bits_i(bits),
      .sum_o (product_o)
  );
endmodule
`default_nettype wire
