// SPDX-License-Identifier: Apache-2.0
// AXI4 write channels shared by Clients; each write is one beat with strobes. Lower clients go first: they
// belong to one pipeline, which waits for all of them. idle_o: every accepted write has been answered;
// client_idle_o: every one of that client, whatever the others write (answers come in order, so a queue of their
// owners tells whose an answer is; error_o names whose write failed).
// Handshake: the channels' valids and payloads are registers and stay until they are taken. Address and data of a write
// appear together one cycle after it was accepted and may be taken in any order; at most Outstanding await answers.
`default_nettype none
module sf_axi_write #(
    parameter Clients = 3,
    parameter BusBytes = 64,
    parameter Outstanding = 128  // power of two
) (
    input  wire                          clk_i,
    input  wire                          rst_ni,
    input  wire                          enable_i,  // no new writes while low
    output wire                          idle_o,
    output wire [Clients-1:0]            client_idle_o,
    output wire [Clients-1:0]            error_o,
    input  wire [Clients-1:0]            request_valid_i,
    output wire [Clients-1:0]            request_ready_o,
    input  wire [32*Clients-1:0]         request_address_i,
    input  wire [8*BusBytes*Clients-1:0] request_data_i,
    input  wire [BusBytes*Clients-1:0]   request_strobe_i,
    output wire                          m_axi_awvalid_o,
    input  wire                          m_axi_awready_i,
    output wire [31:0]                   m_axi_awaddr_o,
    output wire [7:0]                    m_axi_awlen_o,
    output wire                          m_axi_wvalid_o,
    input  wire                          m_axi_wready_i,
    output wire [8*BusBytes-1:0]         m_axi_wdata_o,
    output wire [BusBytes-1:0]           m_axi_wstrb_o,
    output wire                          m_axi_wlast_o,
    input  wire                          m_axi_bvalid_i,
    output wire                          m_axi_bready_o,
    input  wire [1:0]                    m_axi_bresp_i
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
  reg                  address_valid_q, data_valid_q;
  reg [31:0]           address_q;
  reg [8*BusBytes-1:0] data_q;
  reg [BusBytes-1:0]   strobe_q;
  localparam WaitBits = $clog2(Outstanding) + 1;
  reg [WaitBits-1:0]   waiting_q;  // accepted, not answered

  wire can_take = enable_i & (~address_valid_q | m_axi_awready_i) & (~data_valid_q | m_axi_wready_i)
                  & ~waiting_q[WaitBits-1];
  // The first requester. A client is ready when none before it asks, whether it asks itself or not.
  reg [Clients-1:0]    preceded;  // a client before this one asks
  wire [Clients-1:0]   chosen = request_valid_i & ~preceded;
  reg [31:0]           address;
  reg [8*BusBytes-1:0] data;
  reg [BusBytes-1:0]   strobe;
  always @* begin : choosing
    integer i;
    i       = 0;
    preceded  = {Clients{1'b0}};
    for (i = 1; i < Clients; i = i + 1) preceded[i] = preceded[i-1] | request_valid_i[i-1];
    address = 32'd0;
    data    = {8*BusBytes{1'b0}};
    strobe  = {BusBytes{1'b0}};
    for (i = 0; i < Clients; i = i + 1) begin
      address = address | (request_address_i[32*i+:32] & {32{chosen[i]}});
      data    = data | (request_data_i[8*BusBytes*i+:8*BusBytes] & {8*BusBytes{chosen[i]}});
      strobe  = strobe | (request_strobe_i[BusBytes*i+:BusBytes] & {BusBytes{chosen[i]}});
    end
  end
  wire take = (request_valid_i != {Clients{1'b0}}) & can_take;
  wire [WaitBits-1:0] waiting_next = waiting_q + {{(WaitBits-1){1'b0}}, take} - {{(WaitBits-1){1'b0}}, m_axi_bvalid_i};
  assign request_ready_o = ~preceded & {Clients{can_take}};

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      address_valid_q <= 1'b0;
      data_valid_q    <= 1'b0;
      waiting_q       <= {WaitBits{1'b0}};
    end else begin
      if (take) address_valid_q <= 1'b1;
      else if (m_axi_awready_i) address_valid_q <= 1'b0;
      if (take) data_valid_q <= 1'b1;
      else if (m_axi_wready_i) data_valid_q <= 1'b0;
      waiting_q <= waiting_next;
    end
  end
  // Whose the answers are
  localparam ClientBits = $clog2(Clients);
  function [ClientBits-1:0] index_of(input [Clients-1:0] one_hot);
    integer c;
    begin
      index_of = {ClientBits{1'b0}};
      for (c = 0; c < Clients; c = c + 1) if (one_hot[c]) index_of = c[ClientBits-1:0];
    end
  endfunction
  wire [ClientBits-1:0] owner;
  sf_fifo #(
      .Width(ClientBits),
      .Depth(Outstanding)
  ) u_owners (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(1'b0),
      .push_i (take),
      .data_i (index_of(chosen)),
      .ready_o(),
      .valid_o(),
      .data_o (owner),
      .pop_i  (m_axi_bvalid_i),
      .used_o ()
  );
  genvar client;
  generate
    for (client = 0; client < Clients; client = client + 1) begin : gen_client
      reg [WaitBits-1:0] until_q;  // answers up to this client's last one
      always @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) until_q <= {WaitBits{1'b0}};
        else if (take & chosen[client]) until_q <= waiting_next;
        else if (m_axi_bvalid_i && until_q != {WaitBits{1'b0}}) until_q <= until_q - 1'b1;
      end
      assign client_idle_o[client] = until_q == {WaitBits{1'b0}};
    end
  endgenerate
  always @(posedge clk_i) begin
    if (take) begin
      address_q <= address;
      data_q    <= data;
      strobe_q  <= strobe;
    end
  end
  assign m_axi_awvalid_o = address_valid_q;
  assign m_axi_awaddr_o  = address_q;
  assign m_axi_awlen_o   = 8'd0;
  assign m_axi_wvalid_o  = data_valid_q;
  assign m_axi_wdata_o   = data_q;
  assign m_axi_wstrb_o   = strobe_q;
  assign m_axi_wlast_o   = 1'b1;
  assign m_axi_bready_o  = 1'b1;
  assign error_o         = {{(Clients-1){1'b0}}, m_axi_bvalid_i & m_axi_bresp_i[1]} << owner;
  assign idle_o          = waiting_q == {WaitBits{1'b0}};
endmodule
`default_nettype wire
