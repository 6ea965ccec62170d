// SPDX-License-Identifier: Apache-2.0
// Properties of sf_axi_read, put before its endmodule by scripts/formal so that induction may speak of its state;
// owners_used is the count of its queue.
// Contract of the clients (proved of sf_loader and sf_fetch beside it; the others ask for single beats): a burst is
// aligned to the bus and stays within 4 KiB. Contract of the memory: no beat without an accepted burst.
reg settled_q = 1'b0;  // reset has been given
always @(posedge clk_i) settled_q <= 1'b1;
always @* if (!settled_q) assume (!rst_ni);
localparam ByteBits = $clog2(BusBytes);
function within(input [31:0] address, input [7:0] length);
  within = (address & (BusBytes - 1)) == 32'd0
      && {20'd0, address[11:0]} + (({24'd0, length} + 32'd1) << ByteBits) <= 32'd4096;
endfunction
genvar asking;
generate
  for (asking = 0; asking < Clients; asking = asking + 1) begin : gen_contract
    always @* if (request_valid_i[asking])
      assume (within(request_address_i[32*asking+:32], request_length_i[8*asking+:8]));
  end
endgenerate

reg [UsedWidth-1:0] accepted_q = {UsedWidth{1'b0}};  // bursts whose address the memory has, and not yet all beats
wire arrives = m_axi_rvalid_i & m_axi_rready_o & m_axi_rlast_i;
always @* if (accepted_q == {UsedWidth{1'b0}}) assume (!m_axi_rvalid_i);
reg        before_q = 1'b0, held_q = 1'b0, take_q = 1'b0;
reg [39:0] payload_q, asked_q;
always @(posedge clk_i) begin
  if (!rst_ni) accepted_q <= {UsedWidth{1'b0}};
  else accepted_q <= accepted_q + (m_axi_arvalid_o & m_axi_arready_i) - arrives;
  before_q  <= settled_q & rst_ni;
  held_q    <= m_axi_arvalid_o & ~m_axi_arready_i;
  payload_q <= {m_axi_araddr_o, m_axi_arlen_o};
  take_q    <= take;
  asked_q   <= {request_address_i[32*chosen+:32], request_length_i[8*chosen+:8]};
end

// One burst, any one, is followed to its owner.
(* anyseq *) wire follow;
reg                  followed_q = 1'b0;
reg [ClientBits-1:0] followed_client_q;
reg [UsedWidth-1:0]  ahead_q;
always @(posedge clk_i) begin
  if (!rst_ni) followed_q <= 1'b0;
  else if (followed_q) begin
    if (arrives & ahead_q == 0) followed_q <= 1'b0;
    else if (arrives) ahead_q <= ahead_q - 1'b1;
  end else if (take & follow) begin
    followed_q        <= 1'b1;
    followed_client_q <= chosen;
    ahead_q           <= owners_used - {{(UsedWidth-1){1'b0}}, arrives};
  end
end

always @* begin
  if (settled_q & !rst_ni) assert (!m_axi_arvalid_o);
  if (settled_q & rst_ni) begin
    // Valid and payload stay until they are taken, and are what one client asked for.
    if (before_q & held_q) assert (m_axi_arvalid_o && {m_axi_araddr_o, m_axi_arlen_o} == payload_q);
    if (before_q & take_q) assert (m_axi_arvalid_o && {m_axi_araddr_o, m_axi_arlen_o} == asked_q);
    if (m_axi_arvalid_o) assert (within(m_axi_araddr_o, m_axi_arlen_o));
    // At most one client is accepted, which asks; none while requests are stopped.
    assert ((request_ready_o & (request_ready_o - 1'b1)) == {Clients{1'b0}});
    assert ((request_ready_o & ~request_valid_i) == {Clients{1'b0}} && (enable_i || request_ready_o == {Clients{1'b0}}));
    // Outstanding bursts are counted, never more than there is room for; each beat has one owner.
    assert (owners_used <= Outstanding);
    assert (owners_used == accepted_q + {{(UsedWidth-1){1'b0}}, m_axi_arvalid_o});
    assert (idle_o == (accepted_q == 0 && !m_axi_arvalid_o));
    if (m_axi_rvalid_i) assert (owner_valid);
    else assert (response_valid_o == 0);
    assert (error_o == (m_axi_rresp_i[1] ? response_valid_o : 0));
    if (followed_q) begin
      assert (ahead_q < owners_used);
`ifndef SF_INDUCTION  // what the queue holds is proved of the queue
      if (m_axi_rvalid_i && ahead_q == 0) assert (response_valid_o == ({{(Clients-1){1'b0}}, 1'b1} << followed_client_q));
`endif
    end
  end
end

reg [2:0] seen_q = 3'd0;
always @(posedge clk_i) if (settled_q & rst_ni) begin
  if (owners_used == Outstanding) seen_q[0] <= 1'b1;
  if (held_q & m_axi_arvalid_o & m_axi_arready_i) seen_q[1] <= 1'b1;
  if (followed_q && m_axi_rvalid_i && ahead_q == 0 && response_valid_o[Clients-1]) seen_q[2] <= 1'b1;
end
always @* if (rst_ni) cover (&seen_q);
