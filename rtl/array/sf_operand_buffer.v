// SPDX-License-Identifier: Apache-2.0
// Operand words of Groups x Lanes bits, written a bus beat at a time, read whole. A word is several beats, or
// a beat several words; then words of a beat share its row, and the low bits of write_address_i are not used.
// Read data one cycle after read_enable_i.
`default_nettype none
module sf_operand_buffer #(
    parameter WordBits = 1024,
    parameter BeatBits = 512,
    parameter Depth = 2048,
    parameter AddressBits = $clog2(Depth),  // derived; do not set
    parameter Beats = WordBits / BeatBits,  // derived; do not set
    parameter BeatIndexBits = (Beats > 1) ? $clog2(Beats) : 1  // derived; do not set
) (
    input  wire                     clk_i,
    input  wire                     write_enable_i,
    input  wire [AddressBits-1:0]   write_address_i,
    input  wire [BeatIndexBits-1:0] write_beat_i,
    input  wire [BeatBits-1:0]      write_data_i,
    input  wire                     read_enable_i,
    input  wire [AddressBits-1:0]   read_address_i,
    output wire [WordBits-1:0]      read_data_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (WordBits < 1 || (WordBits & (WordBits - 1)) != 0) begin : gen_word_bits_must_be_a_power_of_two
      sf_error_word_bits_must_be_a_power_of_two u_error ();
    end
    if (BeatBits < 1 || (BeatBits & (BeatBits - 1)) != 0) begin : gen_beat_bits_must_be_a_power_of_two
      sf_error_beat_bits_must_be_a_power_of_two u_error ();
    end
    if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_depth_must_be_a_power_of_two_from_2
      sf_error_depth_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  genvar beat;
  generate
    if (WordBits >= BeatBits) begin : gen_wide
      for (beat = 0; beat < Beats; beat = beat + 1) begin : gen_beat
        sf_ram #(
            .Width(BeatBits),
            .Depth(Depth)
        ) u_ram (
            .clk_i          (clk_i),
            .write_enable_i (write_enable_i && {{(32-BeatIndexBits){1'b0}}, write_beat_i} == beat),
            .write_address_i(write_address_i),
            .write_data_i   (write_data_i),
            .read_enable_i  (read_enable_i),
            .read_address_i (read_address_i),
            .read_data_o    (read_data_o[beat*BeatBits+:BeatBits])
        );
      end
    end else begin : gen_narrow
      localparam SelectBits = $clog2(BeatBits / WordBits);
      wire [BeatBits-1:0]   row;
      reg  [SelectBits-1:0] select_q;
      sf_ram #(
          .Width(BeatBits),
          .Depth(Depth >> SelectBits)
      ) u_ram (
          .clk_i          (clk_i),
          .write_enable_i (write_enable_i),
          .write_address_i(write_address_i[AddressBits-1:SelectBits]),
          .write_data_i   (write_data_i),
          .read_enable_i  (read_enable_i),
          .read_address_i (read_address_i[AddressBits-1:SelectBits]),
          .read_data_o    (row)
      );
      always @(posedge clk_i) if (read_enable_i) select_q <= read_address_i[SelectBits-1:0];
      assign read_data_o = row[select_q*WordBits+:WordBits];
      wire unused_beat = |write_beat_i;  // there is only one
    end
  endgenerate
endmodule
`default_nettype wire
