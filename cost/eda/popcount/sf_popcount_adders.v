// SPDX-License-Identifier: Apache-2.0
// Number of ones among Width bits, from explicit adder cells. Combinational.
//
// Width = 2^k + b: one bit is the carry into a ripple adder that joins the counts of 2^k - 1 bits
// and of b bits. Every cell turns bits of weight w into one of w and one of 2w without waste, so
// Width - popcount(Width) cells suffice, which is the least possible.
`default_nettype none
module sf_popcount_adders #(
    parameter Width = 64,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input  wire [Width-1:0]     bits_i,
    output wire [CountBits-1:0] count_o
);
  generate
    if (Width == 1) begin : gen_wire
      assign count_o = bits_i;
    end else begin : gen_split
      localparam Left = (1 << (CountBits - 1)) - 1;  // 2^k - 1, counted in k bits
      localparam LeftBits = CountBits - 1;
      localparam Right = Width - 1 - Left;  // b, counted in at most k bits
      localparam RightBits = $clog2(Right + 1);

      wire [LeftBits-1:0] left_count;
      wire [LeftBits:0]   carry;
      assign carry[0] = bits_i[Width-1];
      assign count_o[CountBits-1] = carry[LeftBits];

      sf_popcount_adders #(.Width(Left)) u_left (
          .bits_i (bits_i[Left-1:0]),
          .count_o(left_count)
      );

      genvar bit_index;
      if (Right == 0) begin : gen_increment
        for (bit_index = 0; bit_index < LeftBits; bit_index = bit_index + 1) begin : gen_cell
          sf_half_adder u_half (
              .a_i    (left_count[bit_index]),
              .b_i    (carry[bit_index]),
              .sum_o  (count_o[bit_index]),
              .carry_o(carry[bit_index+1])
          );
        end
      end else begin : gen_add
        wire [RightBits-1:0] right_count;
        sf_popcount_adders #(.Width(Right)) u_right (
            .bits_i (bits_i[Left+Right-1:Left]),
            .count_o(right_count)
        );
        for (bit_index = 0; bit_index < LeftBits; bit_index = bit_index + 1) begin : gen_cell
          if (bit_index < RightBits) begin : gen_full
            sf_full_adder u_full (
                .a_i    (left_count[bit_index]),
                .b_i    (right_count[bit_index]),
                .c_i    (carry[bit_index]),
                .sum_o  (count_o[bit_index]),
                .carry_o(carry[bit_index+1])
            );
          end else begin : gen_half
            sf_half_adder u_half (
                .a_i    (left_count[bit_index]),
                .b_i    (carry[bit_index]),
                .sum_o  (count_o[bit_index]),
                .carry_o(carry[bit_index+1])
            );
          end
        end
      end
    end
  endgenerate
endmodule
`default_nettype wire
