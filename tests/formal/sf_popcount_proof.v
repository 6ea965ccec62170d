// SPDX-License-Identifier: Apache-2.0
// The two forms of the population count agree on every input of one width.
`default_nettype none
module sf_popcount_proof #(
    parameter Width = 8,
    parameter CountBits = $clog2(Width + 1)  // derived; do not set
) (
    input wire [Width-1:0] bits_i
);
  wire [CountBits-1:0] behavioural, structural;
  sf_popcount #(.Width(Width)) u_behavioural (
      .bits_i (bits_i),
      .count_o(behavioural)
  );
  sf_popcount_adders #(.Width(Width)) u_structural (
      .bits_i (bits_i),
      .count_o(structural)
  );
  always @* assert (behavioural == structural);
endmodule
`default_nettype wire
