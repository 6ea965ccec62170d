// SPDX-License-Identifier: Apache-2.0
// Joins writes that fall into one bus beat. Lines beats are held; a write of another beat sends the one that was begun
// first, flush_i sends all. want_i offers a write, push_i (only while want_i and ready_o) makes it: the held beat may
// leave before the offer is taken up, which keeps the memory's answer out of the path that decides whether it is.
`default_nettype none
module sf_write_combiner #(
    parameter DataBytes = 8,
    parameter BusBytes = 64,
    parameter Lines = 1  // a power of two
) (
    input  wire                   clk_i,
    input  wire                   rst_ni,
    input  wire                   clear_i,
    input  wire                   want_i,
    input  wire                   push_i,
    output wire                   ready_o,
    input  wire [31:0]            address_i,
    input  wire [8*DataBytes-1:0] data_i,
    input  wire [DataBytes-1:0]   strobe_i,
    input  wire                   flush_i,
    output wire                   empty_o,
    // Memory
    output wire                   request_valid_o,
    input  wire                   request_ready_i,
    output wire [31:0]            request_address_o,
    output wire [8*BusBytes-1:0]  request_data_o,
    output wire [BusBytes-1:0]    request_strobe_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Lines < 1 || (Lines & (Lines - 1)) != 0) begin : gen_lines_must_be_a_power_of_two
      sf_error_lines_must_be_a_power_of_two u_error ();
    end
    if (DataBytes > BusBytes) begin : gen_data_must_fit_the_bus
      sf_error_data_must_fit_the_bus u_error ();
    end
  endgenerate
  localparam ByteBits = $clog2(BusBytes);
  localparam BeatBits = 32 - ByteBits;
  localparam LineBits = (Lines > 1) ? $clog2(Lines) : 1;

  // ---- The lines: which beat each holds. They are begun in turn, so that the next, if it is held, is the oldest ----
  reg  [Lines-1:0]          held_q;
  reg  [LineBits-1:0]       next_q;
  wire [Lines-1:0]          same, sent, taken;
  wire hit   = |same;
  wire evict = want_i & ~hit & held_q[next_q];
  reg  [LineBits-1:0] send_line;  // the oldest, or at a flush the first
  always @* begin : choosing
    integer i;
    i         = 0;
    send_line = next_q;
    if (!evict) for (i = Lines - 1; i >= 0; i = i - 1) if (held_q[i]) send_line = i[LineBits-1:0];
  end
  assign ready_o           = hit | ~held_q[next_q] | request_ready_i;
  assign request_valid_o   = evict | (flush_i & (held_q != {Lines{1'b0}}));
  assign request_address_o = {gen_line[Lines-1].beat, {ByteBits{1'b0}}};
  assign request_data_o    = gen_line[Lines-1].data;
  assign request_strobe_o  = gen_line[Lines-1].strobe;
  assign empty_o           = held_q == {Lines{1'b0}};

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q <= {Lines{1'b0}};
      next_q <= {LineBits{1'b0}};
    end else if (clear_i) begin
      held_q <= {Lines{1'b0}};
      next_q <= {LineBits{1'b0}};
    end else begin
      held_q <= (held_q & ~sent) | taken;
      if (push_i & ~hit & (Lines > 1)) next_q <= next_q + 1'b1;
    end
  end

  // ---- Where the data go in a beat ----
  reg [8*BusBytes-1:0] placed_data;
  reg [BusBytes-1:0]   placed_strobe;
  always @* begin
    placed_data   = {8*BusBytes{1'b0}};
    placed_strobe = {BusBytes{1'b0}};
    if (push_i) begin
      placed_data[8*DataBytes-1:0] = data_i;
      placed_strobe[DataBytes-1:0] = strobe_i;
      placed_data   = placed_data << {address_i[ByteBits-1:0], 3'b000};
      placed_strobe = placed_strobe << address_i[ByteBits-1:0];
    end
  end
  genvar line;
  generate
    for (line = 0; line < Lines; line = line + 1) begin : gen_line
      localparam [LineBits-1:0] LINE = line;
      reg [BeatBits-1:0]   beat_q;
      reg [8*BusBytes-1:0] data_q;
      reg [BusBytes-1:0]   strobe_q;
      wire line_clk;
      sf_clock_gate u_gate (
          .clk_i   (clk_i),
          .enable_i(taken[line]),
          .clk_o   (line_clk)
      );
      assign same[line]  = held_q[line] & (beat_q == address_i[31:ByteBits]);
      wire sends = send_line == LINE;
      assign sent[line]  = request_valid_o & request_ready_i & sends;
      assign taken[line] = push_i & (hit ? same[line] : next_q == LINE);
      always @(posedge line_clk) begin : combining
        integer i;
        if (taken[line]) begin
          beat_q   <= address_i[31:ByteBits];
          strobe_q <= hit ? strobe_q | placed_strobe : placed_strobe;
          for (i = 0; i < BusBytes; i = i + 1)
            if (placed_strobe[i] | ~hit) data_q[8*i+:8] <= placed_data[8*i+:8];
        end
      end
      // What is sent, of the lines up to this one
      wire [BeatBits-1:0]   beat;
      wire [8*BusBytes-1:0] data;
      wire [BusBytes-1:0]   strobe;
      if (line == 0) begin : gen_first
        assign beat   = beat_q & {BeatBits{sends}};
        assign data   = data_q & {8*BusBytes{sends}};
        assign strobe = strobe_q & {BusBytes{sends}};
      end else begin : gen_next
        assign beat   = gen_line[line-1].beat | (beat_q & {BeatBits{sends}});
        assign data   = gen_line[line-1].data | (data_q & {8*BusBytes{sends}});
        assign strobe = gen_line[line-1].strobe | (strobe_q & {BusBytes{sends}});
      end
    end
  endgenerate
endmodule
`default_nettype wire
