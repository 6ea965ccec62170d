// SPDX-License-Identifier: Apache-2.0
// Properties of sf_axi_write, put before its endmodule by scripts/formal so that induction may speak of its state;
// owners_used is the count of its queue. Contract of the clients: addresses aligned to the bus. Contract of the memory:
// no answer before it has both address and data.
reg settled_q = 1'b0;  // reset has been given
always @(posedge clk_i) settled_q <= 1'b1;
always @* if (!settled_q) assume (!rst_ni);
genvar asking;
generate
  for (asking = 0; asking < Clients; asking = asking + 1) begin : gen_contract
    always @* if (request_valid_i[asking]) assume ((request_address_i[32*asking+:32] & (BusBytes - 1)) == 32'd0);
  end
endgenerate

// Writes whose address, whose data the memory has, and not yet answered
reg [WaitBits-1:0] addresses_q = {WaitBits{1'b0}}, beats_q = {WaitBits{1'b0}};
always @* if (addresses_q == 0 || beats_q == 0) assume (!m_axi_bvalid_i);
wire [Clients-1:0] accepted = request_ready_o & request_valid_i;
wire address_goes = m_axi_awvalid_o & m_axi_awready_i;
wire beat_goes = m_axi_wvalid_o & m_axi_wready_i;
wire answered = m_axi_bvalid_i & m_axi_bready_o;
reg before_q = 1'b0, address_held_q = 1'b0, data_held_q = 1'b0, take_q = 1'b0;
reg [31:0] old_address_q, asked_address_q;
reg [9*BusBytes:0] old_data_q, asked_data_q;
always @(posedge clk_i) begin
  if (!rst_ni) begin
    addresses_q <= {WaitBits{1'b0}};
    beats_q     <= {WaitBits{1'b0}};
  end else begin
    addresses_q <= addresses_q + address_goes - answered;
    beats_q     <= beats_q + beat_goes - answered;
  end
  before_q        <= settled_q & rst_ni;
  address_held_q  <= m_axi_awvalid_o & ~m_axi_awready_i;
  data_held_q     <= m_axi_wvalid_o & ~m_axi_wready_i;
  old_address_q   <= m_axi_awaddr_o;
  old_data_q      <= {m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o};
  take_q          <= take;
  asked_address_q <= address;
  asked_data_q    <= {1'b1, strobe, data};
end

// One write, any one, is followed to its answer; its client is not idle before.
(* anyseq *) wire follow;
reg                  followed_q = 1'b0;
reg [Clients-1:0]    followed_client_q;
reg [WaitBits-1:0]   ahead_q;
always @(posedge clk_i) begin
  if (!rst_ni) followed_q <= 1'b0;
  else if (followed_q) begin
    if (answered & ahead_q == 0) followed_q <= 1'b0;
    else if (answered) ahead_q <= ahead_q - 1'b1;
  end else if (take & follow) begin
    followed_q        <= 1'b1;
    followed_client_q <= chosen;
    ahead_q           <= waiting_q - {{(WaitBits-1){1'b0}}, answered};
  end
end

always @* begin
  if (settled_q & !rst_ni) assert (!m_axi_awvalid_o && !m_axi_wvalid_o);
  if (settled_q & rst_ni) begin
    // Valid and payload stay until they are taken, and are what one client asked for: a single beat, with its strobes.
    if (before_q & address_held_q) assert (m_axi_awvalid_o && m_axi_awaddr_o == old_address_q);
    if (before_q & data_held_q) assert (m_axi_wvalid_o && {m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o} == old_data_q);
    if (before_q & take_q) assert (m_axi_awvalid_o && m_axi_wvalid_o && m_axi_awaddr_o == asked_address_q
        && {m_axi_wlast_o, m_axi_wstrb_o, m_axi_wdata_o} == asked_data_q);
    if (m_axi_awvalid_o) assert (m_axi_awlen_o == 8'd0 && (m_axi_awaddr_o & (BusBytes - 1)) == 32'd0);
    if (m_axi_wvalid_o) assert (m_axi_wlast_o);
    // At most one client is accepted; none while writes are stopped.
    assert ((accepted & (accepted - 1'b1)) == {Clients{1'b0}} && take == (accepted != {Clients{1'b0}}));
    assert (enable_i || request_ready_o == {Clients{1'b0}});
    // Outstanding writes are counted, never more than there is room for.
    assert (waiting_q <= Outstanding && owners_used == waiting_q);
    assert (waiting_q == addresses_q + {{(WaitBits-1){1'b0}}, m_axi_awvalid_o});
    assert (waiting_q == beats_q + {{(WaitBits-1){1'b0}}, m_axi_wvalid_o});
    assert (idle_o == (waiting_q == 0));
    if (idle_o) assert (&client_idle_o);
    if (followed_q) begin
      assert (ahead_q < waiting_q);
      assert ((client_idle_o & followed_client_q) == {Clients{1'b0}});
`ifndef SF_INDUCTION  // what the queue holds is proved of the queue
      if (m_axi_bvalid_i && ahead_q == 0) assert (error_o == (m_axi_bresp_i[1] ? followed_client_q : 0));
`endif
    end
  end
end
// What induction needs: the answers up to a client's last write are among those that are waited for, and beyond the
// followed write of that client.
generate
  for (asking = 0; asking < Clients; asking = asking + 1) begin : gen_until
    always @* if (settled_q & rst_ni) begin
      assert (gen_client[asking].until_q <= waiting_q);
      if (followed_q && followed_client_q[asking]) assert (gen_client[asking].until_q > ahead_q);
    end
  end
endgenerate

reg [3:0] seen_q = 4'd0;
always @(posedge clk_i) if (settled_q & rst_ni) begin
  if (waiting_q == Outstanding) seen_q[0] <= 1'b1;
  if (address_held_q && !data_held_q && address_goes) seen_q[1] <= 1'b1;
  if (data_held_q && !address_held_q && beat_goes) seen_q[2] <= 1'b1;
  if (followed_q && ahead_q == 0 && m_axi_bvalid_i && m_axi_bresp_i[1] && followed_client_q[Clients-1]) seen_q[3] <= 1'b1;
end
always @* if (rst_ni) cover (&seen_q);
