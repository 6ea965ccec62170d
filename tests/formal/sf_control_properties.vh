// SPDX-License-Identifier: Apache-2.0
// Properties of sf_control's AXI4-Lite port, put before its endmodule by scripts/formal so that induction may speak of
// its state. Masters keep valid and payload until they are taken; nothing else is assumed of them.
reg settled_q = 1'b0;  // reset has been given
always @(posedge clk_i) settled_q <= 1'b1;
always @* if (!settled_q) assume (!rst_ni);

// What the port must remember of the cycle before
reg        before_q = 1'b0;
reg        awheld_q, wheld_q, arheld_q, bheld_q, rheld_q;
reg [11:0] awaddr_q, araddr_q;
reg [35:0] w_q;
reg [1:0]  bresp_q;
reg [33:0] r_q;
always @(posedge clk_i) begin
  before_q <= settled_q & rst_ni;
  awheld_q <= s_axil_awvalid_i & ~s_axil_awready_o;
  wheld_q  <= s_axil_wvalid_i & ~s_axil_wready_o;
  arheld_q <= s_axil_arvalid_i & ~s_axil_arready_o;
  bheld_q  <= s_axil_bvalid_o & ~s_axil_bready_i;
  rheld_q  <= s_axil_rvalid_o & ~s_axil_rready_i;
  awaddr_q <= s_axil_awaddr_i;
  araddr_q <= s_axil_araddr_i;
  w_q      <= {s_axil_wdata_i, s_axil_wstrb_i};
  bresp_q  <= s_axil_bresp_o;
  r_q      <= {s_axil_rdata_o, s_axil_rresp_o};
end
always @* if (before_q & rst_ni) begin
  if (awheld_q) assume (s_axil_awvalid_i && s_axil_awaddr_i == awaddr_q);
  if (wheld_q) assume (s_axil_wvalid_i && {s_axil_wdata_i, s_axil_wstrb_i} == w_q);
  if (arheld_q) assume (s_axil_arvalid_i && s_axil_araddr_i == araddr_q);
end

// Accepted and not yet answered
reg [2:0] addresses_q = 3'd0, data_q = 3'd0, reads_q = 3'd0;
reg [1:0] late_q = 2'd0;  // cycles that a whole write has waited though no answer was in the way
wire answer = s_axil_bvalid_o & s_axil_bready_i;
always @(posedge clk_i) begin
  if (!rst_ni) begin
    addresses_q <= 3'd0;
    data_q      <= 3'd0;
    reads_q     <= 3'd0;
    late_q      <= 2'd0;
  end else begin
    addresses_q <= addresses_q + (s_axil_awvalid_i & s_axil_awready_o) - answer;
    data_q      <= data_q + (s_axil_wvalid_i & s_axil_wready_o) - answer;
    reads_q     <= reads_q + (s_axil_arvalid_i & s_axil_arready_o) - (s_axil_rvalid_o & s_axil_rready_i);
    if (addresses_q == 3'd0 || data_q == 3'd0 || s_axil_bvalid_o) late_q <= 2'd0;
    else if (late_q != 2'd3) late_q <= late_q + 2'd1;
  end
end

always @* begin
  if (settled_q & !rst_ni) begin
    assert (!s_axil_bvalid_o);
    assert (!s_axil_rvalid_o);
    assert (!irq_o && !start_o);
  end
  if (settled_q & rst_ni) begin
    // An answer is for a whole write, stays until it is taken, and is not late; likewise a read's.
    if (s_axil_bvalid_o) assert (addresses_q != 3'd0 && data_q != 3'd0 && !s_axil_bresp_o[0]);
    if (s_axil_rvalid_o) assert (reads_q != 3'd0 && !s_axil_rresp_o[0]);
    if (before_q & bheld_q) assert (s_axil_bvalid_o && s_axil_bresp_o == bresp_q);
    if (before_q & rheld_q) assert (s_axil_rvalid_o && {s_axil_rdata_o, s_axil_rresp_o} == r_q);
    assert (addresses_q <= 3'd2 && data_q <= 3'd2 && reads_q <= 3'd1);
    assert (late_q <= 2'd1);
    assert (s_axil_rvalid_o == (reads_q != 3'd0));
    // What induction needs
    assert (addresses_q == {2'd0, address_full_q} + {2'd0, bvalid_q});
    assert (data_q == {2'd0, data_full_q} + {2'd0, bvalid_q});
    // The fetch begins only where its bursts stay within 4 KiB.
    if (start_o) assert (descriptor_base_o[7:0] == 8'd0);
    assert (!(done_q & error_q));
    if (error_q) assert (halt_q && !busy_q);
    if (done_q) assert (!busy_q && !halt_q);
    if (code_q != 8'd0) assert (halt_q);
  end
end

// Not vacuous: each order of address and data, two writes in flight, an answer that waits, both responses
reg [5:0] seen_q = 6'd0;
always @(posedge clk_i) if (settled_q & rst_ni) begin
  if (addresses_q == 3'd1 && data_q == 3'd0 && !s_axil_wvalid_i) seen_q[0] <= 1'b1;
  if (addresses_q == 3'd0 && data_q == 3'd1 && !s_axil_awvalid_i) seen_q[1] <= 1'b1;
  if (addresses_q == 3'd2 && data_q == 3'd2) seen_q[2] <= 1'b1;
  if (bheld_q & answer) seen_q[3] <= 1'b1;
  if (s_axil_bvalid_o && s_axil_bresp_o == 2'd2) seen_q[4] <= 1'b1;
  if (s_axil_rvalid_o && s_axil_rresp_o == 2'd0 && s_axil_rready_i) seen_q[5] <= 1'b1;
end
always @* if (rst_ni) cover (&seen_q);
always @* if (rst_ni) cover (start_o);
