// SPDX-License-Identifier: Apache-2.0
// One address; read at once, written at the clock edge: read-modify-write in a cycle.
`default_nettype none
module sf_register_file #(
    parameter Width = 32,
    parameter Depth = 32,
    parameter AddressBits = (Depth > 1) ? $clog2(Depth) : 1  // derived; do not set
) (
    input  wire                   clk_i,
    input  wire                   write_enable_i,
    input  wire [AddressBits-1:0] address_i,
    input  wire [Width-1:0]       write_data_i,
    output wire [Width-1:0]       read_data_o
);
  reg [Width-1:0] memory [0:Depth-1];
  assign read_data_o = memory[address_i];
  always @(posedge clk_i) if (write_enable_i) memory[address_i] <= write_data_i;
endmodule
`default_nettype wire
