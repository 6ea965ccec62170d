// SPDX-License-Identifier: Apache-2.0
// DMA: copies operand words from memory into a buffer, whole beats. Bursts of up to 16 beats that never cross 4 KiB.
// A word is several beats or a beat several words (address, offset and length then keep to beats, see
// sf_fetch); the buffers take a beat a cycle, so responses are always accepted.
// Words of row planes that are read together must lie in different banks of the row buffer. Planes whose words are a
// multiple of the banks would not; of those the odd ones' words change places with their neighbours (write_swap_o).
`default_nettype none
module sf_loader #(
    parameter RowWordBytes = 128,
    parameter ColumnWordBytes = 128,
    parameter BusBytes = 64,
    parameter Planes = 1,   // read together
    parameter RowBanks = 1
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          clear_i,
    input  wire          enable_i,
    input  wire          start_i,
    input  wire [2047:0] descriptor_i,
    output wire          stall_o,
    output wire          done_o,
    output wire          request_valid_o,
    input  wire          request_ready_i,
    output wire [31:0]   request_address_o,
    output wire [7:0]    request_length_o,  // beats - 1
    input  wire          response_valid_i,
    output wire          write_rows_o,
    output wire          write_columns_o,
    output wire [15:0]   write_address_o,
    output wire [15:0]   write_beat_o,
    output wire          write_swap_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (RowWordBytes < 1 || (RowWordBytes & (RowWordBytes - 1)) != 0) begin : gen_row_word_bytes_must_be_a_power_of_two
      sf_error_row_word_bytes_must_be_a_power_of_two u_error ();
    end
    if (ColumnWordBytes < 1 || (ColumnWordBytes & (ColumnWordBytes - 1)) != 0) begin : gen_column_word_bytes_must_be_a_power_of_two
      sf_error_column_word_bytes_must_be_a_power_of_two u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam ByteBits = $clog2(BusBytes);
  // Beats of a word, words of a beat: one of the two is 1
  localparam RowBeats = (RowWordBytes > BusBytes) ? RowWordBytes / BusBytes : 1;
  localparam ColumnBeats = (ColumnWordBytes > BusBytes) ? ColumnWordBytes / BusBytes : 1;
  localparam [15:0] RowWords = (RowWordBytes < BusBytes) ? BusBytes / RowWordBytes : 1;
  localparam [15:0] ColumnWords = (ColumnWordBytes < BusBytes) ? BusBytes / ColumnWordBytes : 1;
  localparam [15:0] BankMask = RowBanks - 1;
  localparam PageBeats = 4096 / BusBytes;

  wire        to_columns = descriptor_i[F_LOAD_TO_COLUMNS];
  wire [31:0] word_beats = to_columns ? ColumnBeats : RowBeats;
  wire [15:0] beat_words = to_columns ? ColumnWords : RowWords;
  wire [31:0] words = {16'd0, descriptor_i[F_LOAD_WORDS+:16]};
  wire [31:0] total_beats = to_columns ? words * ColumnBeats / {16'd0, ColumnWords}
                                       : words * RowBeats / {16'd0, RowWords};

  reg        busy_q;
  reg [31:0] address_q, ask_left_q, get_left_q;
  reg [15:0] word_q, beat_q;
  reg [15:0] plane_word_q;  // of the plane at hand
  reg [5:0]  plane_q;

  wire [31:0] page_left = PageBeats - {{ByteBits{1'b0}}, address_q[31:ByteBits]} % PageBeats;
  wire [31:0] up_to = (page_left < BURST_BEATS) ? page_left : BURST_BEATS;
  wire [31:0] burst = (ask_left_q < up_to) ? ask_left_q : up_to;
  wire [31:0] burst_last = burst - 32'd1;
  assign request_valid_o   = enable_i & busy_q & (ask_left_q != 32'd0);
  assign request_address_o = address_q;
  assign request_length_o  = burst_last[7:0];
  assign write_rows_o      = busy_q & response_valid_i & ~to_columns;
  assign write_columns_o   = busy_q & response_valid_i & to_columns;
  assign write_address_o   = word_q;
  assign write_beat_o      = beat_q;
  wire last_beat = {16'd0, beat_q} + 32'd1 == word_beats;
  wire [5:0]  planes      = descriptor_i[F_LOAD_PLANES+:6];
  wire [15:0] plane_words = descriptor_i[F_LOAD_PLANE_WORDS+:16];
  wire last_plane_word = plane_word_q + beat_words == plane_words;
  assign write_swap_o = Planes > 1 && (plane_words & BankMask) == 16'd0 && plane_q[0];
  assign done_o  = busy_q & enable_i & (get_left_q == 32'd0);
  assign stall_o = busy_q & (get_left_q != 32'd0) & ~response_valid_i;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (clear_i) busy_q <= 1'b0;
    else if (start_i & enable_i) busy_q <= 1'b1;
    else if (done_o) busy_q <= 1'b0;
  end
  always @(posedge clk_i) begin
    if (start_i) begin
      address_q  <= descriptor_i[F_LOAD_ADDRESS+:32];
      ask_left_q <= total_beats;
      get_left_q <= total_beats;
      word_q     <= descriptor_i[F_LOAD_OFFSET+:16];
      beat_q     <= 16'd0;
      plane_word_q <= 16'd0;
      plane_q      <= 6'd0;
    end else begin
      if (request_valid_o & request_ready_i) begin
        address_q  <= address_q + (burst << ByteBits);
        ask_left_q <= ask_left_q - burst;
      end
      if (response_valid_i) begin
        get_left_q <= get_left_q - 32'd1;
        beat_q     <= last_beat ? 16'd0 : beat_q + 16'd1;
        if (last_beat) begin
          word_q       <= word_q + beat_words;
          plane_word_q <= last_plane_word ? 16'd0 : plane_word_q + beat_words;
          if (last_plane_word) plane_q <= (plane_q + 6'd1 == planes) ? 6'd0 : plane_q + 6'd1;
        end
      end
    end
  end
endmodule
`default_nettype wire
