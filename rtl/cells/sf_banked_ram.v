// SPDX-License-Identifier: Apache-2.0
// A sf_ram made of shallower ones, of which only the one that is asked for works: a read costs what a memory of
// BankDepth words costs, and a multiplexer.
// Ports and latency are those of sf_ram: read data one cycle after read_enable_i, held until the next read.
`default_nettype none
module sf_banked_ram #(
    parameter Width = 64,
    parameter Depth = 1024,    // a power of two
    parameter BankDepth = 512, // likewise; Depth where that is less
    parameter AddressBits = (Depth > 1) ? $clog2(Depth) : 1  // derived; do not set
) (
    input  wire                   clk_i,
    input  wire                   write_enable_i,
    input  wire [AddressBits-1:0] write_address_i,
    input  wire [Width-1:0]       write_data_i,
    input  wire                   read_enable_i,
    input  wire [AddressBits-1:0] read_address_i,
    output wire [Width-1:0]       read_data_o
);
  localparam Banks = (Depth > BankDepth) ? Depth / BankDepth : 1;
  generate
    if (BankDepth < 2 || (BankDepth & (BankDepth - 1)) != 0) begin : gen_bank_depth_must_be_a_power_of_two_from_2
      sf_error_bank_depth_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_depth_must_be_a_power_of_two_from_2
      sf_error_depth_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  genvar bank;
  generate
    if (Banks == 1) begin : gen_whole
      sf_ram #(
          .Width(Width),
          .Depth(Depth)
      ) u_ram (
          .clk_i          (clk_i),
          .write_enable_i (write_enable_i),
          .write_address_i(write_address_i),
          .write_data_i   (write_data_i),
          .read_enable_i  (read_enable_i),
          .read_address_i (read_address_i),
          .read_data_o    (read_data_o)
      );
    end else begin : gen_banks
      localparam PlaceBits = $clog2(BankDepth);
      localparam BankBits = AddressBits - PlaceBits;
      wire [Banks*Width-1:0] bank_data;
      reg  [BankBits-1:0]    bank_q;  // of the last read
      always @(posedge clk_i) if (read_enable_i) bank_q <= read_address_i[AddressBits-1-:BankBits];
      for (bank = 0; bank < Banks; bank = bank + 1) begin : gen_bank
        localparam [BankBits-1:0] BANK = bank;
        sf_ram #(
            .Width(Width),
            .Depth(BankDepth)
        ) u_ram (
            .clk_i          (clk_i),
            .write_enable_i (write_enable_i & (write_address_i[AddressBits-1-:BankBits] == BANK)),
            .write_address_i(write_address_i[PlaceBits-1:0]),
            .write_data_i   (write_data_i),
            .read_enable_i  (read_enable_i & (read_address_i[AddressBits-1-:BankBits] == BANK)),
            .read_address_i (read_address_i[PlaceBits-1:0]),
            .read_data_o    (bank_data[bank*Width+:Width])
        );
      end
      assign read_data_o = bank_data[bank_q*Width+:Width];
    end
  endgenerate
endmodule
`default_nettype wire
