// SPDX-License-Identifier: Apache-2.0
// Joins writes that fall into one bus beat. A write of another beat, or flush_i, sends the held one. want_i offers a
// write, push_i (only while want_i and ready_o) makes it: the held beat may leave before the offer is taken up,
// which keeps the memory's answer out of the path that decides whether it is.
`default_nettype none
module sf_write_combiner #(
    parameter DataBytes = 8,
    parameter BusBytes = 64
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
    if (DataBytes > BusBytes) begin : gen_data_must_fit_the_bus
      sf_error_data_must_fit_the_bus u_error ();
    end
  endgenerate
  localparam ByteBits = $clog2(BusBytes);

  reg                   held_q;
  reg  [31:ByteBits]    beat_q;
  reg  [8*BusBytes-1:0] data_q;
  reg  [BusBytes-1:0]   strobe_q;

  wire same = beat_q == address_i[31:ByteBits];
  wire send = request_valid_o & request_ready_i;
  assign ready_o           = ~held_q | same | request_ready_i;
  assign request_valid_o   = held_q & (flush_i | (want_i & ~same));
  assign request_address_o = {beat_q, {ByteBits{1'b0}}};
  assign request_data_o    = data_q;
  assign request_strobe_o  = strobe_q;
  assign empty_o           = ~held_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) held_q <= 1'b0;
    else if (clear_i) held_q <= 1'b0;
    else if (push_i) held_q <= 1'b1;
    else if (send) held_q <= 1'b0;
  end

  reg [8*BusBytes-1:0] placed_data;
  reg [BusBytes-1:0]   placed_strobe;
  always @(posedge clk_i) begin : combining
    integer i;
    if (push_i) begin
      placed_data = {8*BusBytes{1'b0}};
      placed_data[8*DataBytes-1:0] = data_i;
      placed_data = placed_data << {address_i[ByteBits-1:0], 3'b000};
      placed_strobe = {BusBytes{1'b0}};
      placed_strobe[DataBytes-1:0] = strobe_i;
      placed_strobe = placed_strobe << address_i[ByteBits-1:0];
      beat_q <= address_i[31:ByteBits];
      if (held_q & same) begin
        strobe_q <= strobe_q | placed_strobe;
        for (i = 0; i < BusBytes; i = i + 1)
          if (placed_strobe[i]) data_q[8*i+:8] <= placed_data[8*i+:8];
      end else begin
        strobe_q <= placed_strobe;
        data_q   <= placed_data;
      end
    end
  end
endmodule
`default_nettype wire
