// SPDX-License-Identifier: Apache-2.0
// The largest of a pooling window, one lane: a state of value and 8-bit tag (place in the window) for each chunk of
// a pixel. A window comes step by step; each gives the largest so far, first of equals. Read one stage ahead
// of the value, written with it: visits of a state must be two or more moves (go_i) apart.
`default_nettype none
module sf_pool #(
    parameter Depth = 512,
    parameter AddressBits = (Depth > 1) ? $clog2(Depth) : 1  // derived; do not set
) (
    input  wire                   clk_i,
    input  wire                   go_i,
    input  wire                   enable_i,
    input  wire [AddressBits-1:0] read_address_i,   // of the chunk one stage behind
    input  wire                   valid_i,          // a step is here
    input  wire [AddressBits-1:0] write_address_i,  // of this chunk
    input  wire                   first_i,          // first of its window
    input  wire [7:0]             index_i,          // its place in the window
    input  wire [31:0]            value_i,
    output wire [31:0]            value_o,
    output wire [7:0]             tag_o
);
  wire [31:0] best;
  wire [7:0]  best_tag;
  wire        larger = first_i | ($signed(value_i) > $signed(best));
  assign value_o = larger ? value_i : best;
  assign tag_o   = larger ? index_i : best_tag;
  sf_ram #(
      .Width(40),
      .Depth(Depth)
  ) u_state (
      .clk_i          (clk_i),
      .write_enable_i (go_i & enable_i & valid_i),
      .write_address_i(write_address_i),
      .write_data_i   ({tag_o, value_o}),
      .read_enable_i  (go_i & enable_i),
      .read_address_i (read_address_i),
      .read_data_o    ({best_tag, best})
  );
endmodule
`default_nettype wire
