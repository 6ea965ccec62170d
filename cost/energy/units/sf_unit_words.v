// SPDX-License-Identifier: Apache-2.0
// A sf_ram of flip-flops: each word behind a clock gate of its own, all behind one for the memory. For pricing only.
`default_nettype none
module sf_unit_words #(
    parameter Width = 32,
    parameter Depth = 32,
    parameter AddressBits = (Depth > 1) ? $clog2(Depth) : 1  // derived; do not set
) (
    input  wire                   clk_i,
    input  wire                   write_enable_i,
    input  wire [AddressBits-1:0] write_address_i,
    input  wire [Width-1:0]       write_data_i,
    input  wire                   read_enable_i,
    input  wire [AddressBits-1:0] read_address_i,
    output reg  [Width-1:0]       read_data_o
);
  wire write_clk, read_clk;
  sf_clock_gate u_write_gate (
      .clk_i   (clk_i),
      .enable_i(write_enable_i),
      .clk_o   (write_clk)
  );
  sf_clock_gate u_read_gate (
      .clk_i   (clk_i),
      .enable_i(read_enable_i),
      .clk_o   (read_clk)
  );
  wire [Depth*Width-1:0] words;
  genvar word;
  generate
    for (word = 0; word < Depth; word = word + 1) begin : gen_word
      localparam [AddressBits-1:0] Address = word;
      wire word_clk;
      sf_clock_gate u_gate (
          .clk_i   (write_clk),
          .enable_i(write_address_i == Address),
          .clk_o   (word_clk)
      );
      reg [Width-1:0] word_q;
      always @(posedge word_clk) word_q <= write_data_i;
      assign words[word*Width+:Width] = word_q;
    end
  endgenerate
  always @(posedge read_clk) read_data_o <= words[read_address_i*Width+:Width];
endmodule
`default_nettype wire
