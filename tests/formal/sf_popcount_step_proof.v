// SPDX-License-Identifier: Apache-2.0
// The inductive step of sf_popcount_adders: whatever numbers its two halves report, it adds them and the odd bit.
//
// scripts/formal renames the module header of sf_popcount_adders to sf_popcount_step, so that its instances of
// sf_popcount_adders bind to the stand-in below. With the one-bit base case, the step at every width
// up to N proves the count at every width up to N; a plain miter is out of reach of SAT there.
`default_nettype none

// Reports the number written in its low input bits: any number at all.
module sf_popcount_adders #(
    parameter Width = 64,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input  wire [Width-1:0]     bits_i,
    output wire [CountBits-1:0] count_o
);
  assign count_o = bits_i[CountBits-1:0];
endmodule

module sf_popcount_step_proof #(
    parameter Width = 64,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input wire [Width-1:0] bits_i
);
  wire [CountBits-1:0] count;
  sf_popcount_step #(.Width(Width)) u_step (
      .bits_i (bits_i),
      .count_o(count)
  );

  // The halves as the definition splits them: 2^k - 1 bits, the rest, and the last bit.
  localparam Left = (1 << (CountBits - 1)) - 1;
  localparam Right = Width - 1 - Left;
  localparam LeftBits = CountBits - 1;
  localparam RightBits = (Right > 0) ? $clog2(Right + 1) : 1;
  generate
    if (Width == 1) begin : gen_base
      always @* assert (count == bits_i);
    end else if (Right == 0) begin : gen_one
      wire [CountBits-1:0] sum = {1'b0, bits_i[LeftBits-1:0]} + {{LeftBits{1'b0}}, bits_i[Width-1]};
      always @* assert (count == sum);
    end else begin : gen_two
      wire [CountBits-1:0] sum = {1'b0, bits_i[LeftBits-1:0]}
          + {{(CountBits-RightBits){1'b0}}, bits_i[Left+:RightBits]} + {{LeftBits{1'b0}}, bits_i[Width-1]};
      always @* assert (count == sum);
    end
  endgenerate
endmodule
`default_nettype wire
