// SPDX-License-Identifier: Apache-2.0
// AXI4 read channel shared by Clients. Requests are served in turn (round robin); data come back in the order of
// the requests, so a queue of their owners routes them. Clients must accept every response at once.
// Handshake: the channel's valids and payloads are registers and stay until they are taken; a request goes out one
// cycle after it was accepted, one a cycle. Clients keep a burst within 4 KiB. error_o names whose beat came with an error.
`default_nettype none
module sf_axi_read #(
    parameter Clients = 5,
    parameter BusBytes = 64,
    parameter Outstanding = 32  // power of two
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  enable_i,  // no new requests while low
    output wire                  idle_o,
    output wire [Clients-1:0]    error_o,
    input  wire [Clients-1:0]    request_valid_i,
    output wire [Clients-1:0]    request_ready_o,
    input  wire [32*Clients-1:0] request_address_i,
    input  wire [8*Clients-1:0]  request_length_i,
    output wire [Clients-1:0]    response_valid_o,
    output wire [8*BusBytes-1:0] response_data_o,
    output wire                  m_axi_arvalid_o,
    input  wire                  m_axi_arready_i,
    output wire [31:0]           m_axi_araddr_o,
    output wire [7:0]            m_axi_arlen_o,
    input  wire                  m_axi_rvalid_i,
    output wire                  m_axi_rready_o,
    input  wire [8*BusBytes-1:0] m_axi_rdata_i,
    input  wire [1:0]            m_axi_rresp_i,
    input  wire                  m_axi_rlast_i
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Clients < 2) begin : gen_clients_must_be_2_or_more
      sf_error_clients_must_be_2_or_more u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Outstanding < 2 || (Outstanding & (Outstanding - 1)) != 0) begin : gen_outstanding_must_be_a_power_of_two_from_2
      sf_error_outstanding_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  localparam ClientBits = $clog2(Clients);
  reg                   valid_q;
  reg  [31:0]           address_q;
  reg  [7:0]            length_q;
  reg  [Clients-1:0]    turn_q;  // the clients served first, from one of them to the last

  wire owner_ready, owner_valid;
  wire [ClientBits-1:0] owner;
  wire can_take = enable_i & owner_ready & (~valid_q | m_axi_arready_i);

  // The first requester among those of turn_q, else the first of all
  wire [Clients-1:0] in_turn    = request_valid_i & turn_q;
  wire [Clients-1:0] candidates = (in_turn != {Clients{1'b0}}) ? in_turn : request_valid_i;
  wire [Clients-1:0] grant      = candidates & ~(candidates - 1'b1);
  reg [ClientBits-1:0] chosen;
  reg [31:0]           address;
  reg [7:0]            length;
  always @* begin : choosing
    integer i;
    i       = 0;
    chosen  = {ClientBits{1'b0}};
    address = 32'd0;
    length  = 8'd0;
    for (i = 0; i < Clients; i = i + 1) begin
      chosen  = chosen | (i[ClientBits-1:0] & {ClientBits{grant[i]}});
      address = address | (request_address_i[32*i+:32] & {32{grant[i]}});
      length  = length | (request_length_i[8*i+:8] & {8{grant[i]}});
    end
  end
  wire take = (request_valid_i != {Clients{1'b0}}) & can_take;
  assign request_ready_o = grant & {Clients{can_take}};

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      turn_q  <= {Clients{1'b1}};
    end else begin
      if (take) valid_q <= 1'b1;
      else if (m_axi_arready_i) valid_q <= 1'b0;
      if (take) turn_q <= ~(grant | (grant - 1'b1));  // those after it
    end
  end
  always @(posedge clk_i) begin
    if (take) begin
      address_q <= address;
      length_q  <= length;
    end
  end

  sf_fifo #(
      .Width(ClientBits),
      .Depth(Outstanding)
  ) u_owners (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(1'b0),
      .push_i (take),
      .data_i (chosen),
      .ready_o(owner_ready),
      .valid_o(owner_valid),
      .data_o (owner),
      .pop_i  (m_axi_rvalid_i & m_axi_rlast_i),
      .used_o ()
  );
  assign m_axi_arvalid_o  = valid_q;
  assign m_axi_araddr_o   = address_q;
  assign m_axi_arlen_o    = length_q;
  assign m_axi_rready_o   = 1'b1;
  assign response_valid_o = {{(Clients-1){1'b0}}, m_axi_rvalid_i} << owner;
  assign response_data_o  = m_axi_rdata_i;
  assign error_o          = m_axi_rresp_i[1] ? response_valid_o : {Clients{1'b0}};
  assign idle_o           = ~owner_valid;
endmodule
`default_nettype wire
