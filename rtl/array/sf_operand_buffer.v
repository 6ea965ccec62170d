// SPDX-License-Identifier: Apache-2.0
// Operand words, written a bus beat at a time; Planes of them are read at once, each whole.
// Words of up to a beat are spread over banks, the words of a beat over different ones: word w lies in bank w modulo
// Banks, its lowest bit inverted where write_swap_i and read_swap_i say so. Of a read only the banks asked for work.
// The words read at once must lie in different banks: sf_loader and sf_gemm swap where they would not.
// A word of several beats lies in as many memories of its bank. A beat of several words begins at a multiple of them.
// Read data one cycle after read_enable_i.
`default_nettype none
module sf_operand_buffer #(
    parameter WordBits = 1024,
    parameter BeatBits = 512,
    parameter Depth = 2048,  // words
    parameter BankDepth = 512,  // of the memories that it consists of, or less
    parameter Planes = 1,
    parameter AddressBits = $clog2(Depth),  // derived; do not set
    parameter Beats = WordBits / BeatBits,  // derived; do not set
    parameter BeatIndexBits = (Beats > 1) ? $clog2(Beats) : 1  // derived; do not set
) (
    input  wire                          clk_i,
    input  wire                          write_enable_i,
    input  wire [AddressBits-1:0]        write_address_i,
    input  wire [BeatIndexBits-1:0]      write_beat_i,
    input  wire                          write_swap_i,
    input  wire [BeatBits-1:0]           write_data_i,
    input  wire [Planes-1:0]             read_enable_i,
    input  wire [Planes*AddressBits-1:0] read_address_i,
    input  wire [Planes-1:0]             read_swap_i,
    output wire [Planes*WordBits-1:0]    read_data_o
);
  localparam BeatWords = (BeatBits > WordBits) ? BeatBits / WordBits : 1;
  localparam Banks = (BeatWords > Planes) ? BeatWords : Planes;
  localparam BankBits = (Banks > 1) ? $clog2(Banks) : 1;
  localparam BankShift = $clog2(Banks);
  localparam PartBits = (WordBits < BeatBits) ? WordBits : BeatBits;  // of a word in one memory
  localparam Parts = WordBits / PartBits;
  localparam RowBits = AddressBits - BankShift;
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (WordBits < 1 || (WordBits & (WordBits - 1)) != 0) begin : gen_word_bits_must_be_a_power_of_two
      sf_error_word_bits_must_be_a_power_of_two u_error ();
    end
    if (BeatBits < 1 || (BeatBits & (BeatBits - 1)) != 0) begin : gen_beat_bits_must_be_a_power_of_two
      sf_error_beat_bits_must_be_a_power_of_two u_error ();
    end
    if (Planes != 1 && Planes != 2) begin : gen_planes_must_be_1_or_2
      sf_error_planes_must_be_1_or_2 u_error ();
    end
    if (Depth < 2 * Banks || (Depth & (Depth - 1)) != 0) begin : gen_depth_must_be_a_power_of_two_from_twice_the_banks
      sf_error_depth_must_be_a_power_of_two_from_twice_the_banks u_error ();
    end
  endgenerate

  // Bank of a word
  function [BankBits-1:0] bank_of(input [AddressBits-1:0] address, input swap);
    begin
      bank_of    = address[BankBits-1:0];
      bank_of[0] = (Banks > 1) & (bank_of[0] ^ swap);
    end
  endfunction
  wire [BankBits-1:0] write_bank = bank_of(write_address_i, write_swap_i);

  genvar bank, part, plane;
  generate
    wire [Planes*BankBits-1:0] read_bank;
    for (plane = 0; plane < Planes; plane = plane + 1) begin : gen_read_bank
      assign read_bank[plane*BankBits+:BankBits] =
          bank_of(read_address_i[plane*AddressBits+:AddressBits], read_swap_i[plane]);
    end
    wire [Banks*WordBits-1:0] bank_data;
    for (bank = 0; bank < Banks; bank = bank + 1) begin : gen_bank
      localparam [BankBits-1:0] BANK = bank;
      wire [Planes-1:0] asked;
      for (plane = 0; plane < Planes; plane = plane + 1) begin : gen_asked
        assign asked[plane] = read_enable_i[plane] & (read_bank[plane*BankBits+:BankBits] == BANK);
      end
      wire [AddressBits-1:0] address = asked[Planes-1] ? read_address_i[(Planes-1)*AddressBits+:AddressBits]
                                                       : read_address_i[AddressBits-1:0];
      // Which part of a beat is the bank's
      wire                written;
      wire [PartBits-1:0] data;
      if (BeatWords == Banks) begin : gen_beat
        assign written = write_enable_i;
        if (Banks > 1) begin : gen_word
          assign data = write_swap_i ? write_data_i[(bank^1)*PartBits+:PartBits] : write_data_i[bank*PartBits+:PartBits];
        end else begin : gen_whole
          assign data = write_data_i;
        end
      end else begin : gen_one
        assign written = write_enable_i & (write_bank == BANK);
        assign data    = write_data_i;
      end
      for (part = 0; part < Parts; part = part + 1) begin : gen_part
        sf_banked_ram #(
            .Width    (PartBits),
            .Depth    (Depth / Banks),
            .BankDepth(BankDepth)
        ) u_ram (
            .clk_i          (clk_i),
            .write_enable_i (written && {{(32-BeatIndexBits){1'b0}}, write_beat_i} == part),
            .write_address_i(write_address_i[AddressBits-1-:RowBits]),
            .write_data_i   (data),
            .read_enable_i  (asked != {Planes{1'b0}}),
            .read_address_i (address[AddressBits-1-:RowBits]),
            .read_data_o    (bank_data[bank*WordBits+part*PartBits+:PartBits])
        );
      end
    end
    for (plane = 0; plane < Planes; plane = plane + 1) begin : gen_plane
      if (Banks > 1) begin : gen_select
        reg [BankBits-1:0] select_q;
        always @(posedge clk_i) if (read_enable_i[plane]) select_q <= read_bank[plane*BankBits+:BankBits];
        assign read_data_o[plane*WordBits+:WordBits] = bank_data[select_q*WordBits+:WordBits];
      end else begin : gen_only
        assign read_data_o[plane*WordBits+:WordBits] = bank_data;
      end
    end
    if (BeatWords == Banks) begin : gen_unused
      wire unused = |{write_bank, write_swap_i, write_address_i};
    end
    if (Banks == 1) begin : gen_unused_swap
      wire unused = |{read_swap_i, read_bank};
    end
  endgenerate
endmodule
`default_nettype wire
