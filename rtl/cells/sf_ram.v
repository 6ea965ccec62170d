// SPDX-License-Identifier: Apache-2.0
// One write port, one read port; read data one cycle after read_enable_i, held until the next.
// A read beside a write to the same address gives the word before it. The write follows the read in one process, and
// nothing else sees the words, so it need not be delayed: that would cost a simulator a copy.
// Every memory of the design is one of these (or a sf_fifo), so that a macro can take its place.
`default_nettype none
module sf_ram #(
    parameter Width = 64,
    parameter Depth = 256,
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
  reg [Width-1:0] memory [0:Depth-1];
  always @(posedge clk_i) begin
    if (read_enable_i) read_data_o <= memory[read_address_i];
    if (write_enable_i) memory[write_address_i] = write_data_i;
  end
endmodule
`default_nettype wire
