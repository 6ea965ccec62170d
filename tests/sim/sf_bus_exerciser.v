// SPDX-License-Identifier: Apache-2.0
// Stand-in for the accelerator in tests of the platform: same name, pins and registers. Started, it
// reads 4 * DESCRIPTOR_COUNT beats from DESCRIPTOR_BASE in bursts and writes each, inverted, 64 KiB
// higher; bit 31 of DESCRIPTOR_COUNT makes it write the odd bytes of a beat only. With a memory that keeps up it moves a beat in and a beat out every cycle.
`default_nettype none

`ifndef SF_BUS_BYTES
`define SF_BUS_BYTES 8
`endif

module sf_accelerator #(
    parameter BUS_BYTES = `SF_BUS_BYTES
) (
    input  wire         clk_i,
    input  wire         rst_ni,
    // AXI4-Lite slave
    input  wire         s_axil_awvalid_i,
    output wire         s_axil_awready_o,
    input  wire [ 11:0] s_axil_awaddr_i,
    input  wire         s_axil_wvalid_i,
    output wire         s_axil_wready_o,
    input  wire [ 31:0] s_axil_wdata_i,
    input  wire [  3:0] s_axil_wstrb_i,
    output wire         s_axil_bvalid_o,
    input  wire         s_axil_bready_i,
    output wire [  1:0] s_axil_bresp_o,
    input  wire         s_axil_arvalid_i,
    output wire         s_axil_arready_o,
    input  wire [ 11:0] s_axil_araddr_i,
    output wire         s_axil_rvalid_o,
    input  wire         s_axil_rready_i,
    output wire [ 31:0] s_axil_rdata_o,
    output wire [  1:0] s_axil_rresp_o,
    // AXI4 master
    output wire         m_axi_arvalid_o,
    input  wire         m_axi_arready_i,
    output wire [ 31:0] m_axi_araddr_o,
    output wire [  7:0] m_axi_arlen_o,
    output wire [  2:0] m_axi_arsize_o,
    output wire [  1:0] m_axi_arburst_o,
    input  wire         m_axi_rvalid_i,
    output wire         m_axi_rready_o,
    input  wire [8*BUS_BYTES-1:0] m_axi_rdata_i,
    input  wire [  1:0] m_axi_rresp_i,
    input  wire         m_axi_rlast_i,
    output wire         m_axi_awvalid_o,
    input  wire         m_axi_awready_i,
    output wire [ 31:0] m_axi_awaddr_o,
    output wire [  7:0] m_axi_awlen_o,
    output wire [  2:0] m_axi_awsize_o,
    output wire [  1:0] m_axi_awburst_o,
    output wire         m_axi_wvalid_o,
    input  wire         m_axi_wready_i,
    output wire [8*BUS_BYTES-1:0] m_axi_wdata_o,
    output wire [BUS_BYTES-1:0] m_axi_wstrb_o,
    output wire         m_axi_wlast_o,
    input  wire         m_axi_bvalid_i,
    output wire         m_axi_bready_o,
    input  wire [  1:0] m_axi_bresp_i,
    // status
    output wire         irq_o,
    output wire [  3:0] trace_valid_o,
    output wire [ 63:0] trace_tag_o,
    output wire [127:0] trace_active_cycles_o,
    output wire [127:0] trace_stall_cycles_o
);

  `include "sf_descriptor.vh"
  localparam BUS_BITS = 8 * BUS_BYTES;
  localparam BUS_SIZE = $clog2(BUS_BYTES);
  localparam BURST = 16;
  localparam FIFO = 64;
  localparam [63:0] CONFIG_HASH = 64'h0123_4567_89AB_CDEF;
  localparam [31:0] WRITE_OFFSET = 32'h0001_0000;

  localparam [7:0] ERROR_READ = 8'd1;
  localparam [7:0] ERROR_WRITE = 8'd2;

  wire unused = m_axi_rlast_i & (&s_axil_wstrb_i);  // bursts are counted in beats; hosts write whole words

  // ---- registers

  reg [31:0] base_q, count_q;
  reg busy_q, done_q, error_q;
  reg [7:0] error_code_q;
  reg [63:0] cycles_q, active_q, stall_q, read_beats_q, write_beats_q;

  reg aw_full_q, w_full_q, b_valid_q, r_valid_q;
  reg [11:0] csr_awaddr_q;
  reg [31:0] csr_wdata_q, csr_rdata_q;

  assign s_axil_awready_o = !aw_full_q;
  assign s_axil_wready_o = !w_full_q;
  assign s_axil_bvalid_o = b_valid_q;
  assign s_axil_bresp_o = 2'b00;
  assign s_axil_arready_o = !r_valid_q;
  assign s_axil_rvalid_o = r_valid_q;
  assign s_axil_rdata_o = csr_rdata_q;
  assign s_axil_rresp_o = 2'b00;

  wire csr_write = aw_full_q && w_full_q && !b_valid_q;
  wire control_write = csr_write && csr_awaddr_q == ADDRESS_CONTROL;
  wire start = control_write && csr_wdata_q[CONTROL_START] && !busy_q;
  wire [31:0] status = ({16'd0, count_q[15:0]} << STATUS_TAG) | ({24'd0, error_code_q} << STATUS_CODE)
      | ({31'd0, error_q} << STATUS_ERROR) | ({31'd0, done_q} << STATUS_DONE) | ({31'd0, busy_q} << STATUS_BUSY);
  wire clear = control_write && csr_wdata_q[CONTROL_CLEAR];

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      aw_full_q <= 1'b0;
      w_full_q <= 1'b0;
      b_valid_q <= 1'b0;
      r_valid_q <= 1'b0;
      base_q <= 32'd0;
      count_q <= 32'd0;
    end else begin
      if (s_axil_awvalid_i && s_axil_awready_o) begin
        aw_full_q <= 1'b1;
        csr_awaddr_q <= s_axil_awaddr_i;
      end
      if (s_axil_wvalid_i && s_axil_wready_o) begin
        w_full_q <= 1'b1;
        csr_wdata_q <= s_axil_wdata_i;
      end
      if (csr_write) begin
        aw_full_q <= 1'b0;
        w_full_q <= 1'b0;
        b_valid_q <= 1'b1;
        if (csr_awaddr_q == ADDRESS_DESCRIPTOR_BASE) base_q <= csr_wdata_q;
        if (csr_awaddr_q == ADDRESS_DESCRIPTOR_COUNT) count_q <= csr_wdata_q;
      end
      if (b_valid_q && s_axil_bready_i) b_valid_q <= 1'b0;
      if (s_axil_arvalid_i && s_axil_arready_o) begin
        r_valid_q <= 1'b1;
        case (s_axil_araddr_i)
          ADDRESS_ID: csr_rdata_q <= DEVICE_ID;
          ADDRESS_CONFIG_HASH: csr_rdata_q <= CONFIG_HASH[31:0];
          ADDRESS_CONFIG_HASH_HIGH: csr_rdata_q <= CONFIG_HASH[63:32];
          ADDRESS_STATUS: csr_rdata_q <= status;
          ADDRESS_DESCRIPTOR_BASE: csr_rdata_q <= base_q;
          ADDRESS_DESCRIPTOR_COUNT: csr_rdata_q <= count_q;
          ADDRESS_CYCLES: csr_rdata_q <= cycles_q[31:0];
          ADDRESS_CYCLES + 12'd4: csr_rdata_q <= cycles_q[63:32];
          ADDRESS_DMA_ACTIVE: csr_rdata_q <= active_q[31:0];
          ADDRESS_DMA_ACTIVE + 12'd4: csr_rdata_q <= active_q[63:32];
          ADDRESS_DMA_STALL: csr_rdata_q <= stall_q[31:0];
          ADDRESS_DMA_STALL + 12'd4: csr_rdata_q <= stall_q[63:32];
          ADDRESS_READ_BEATS: csr_rdata_q <= read_beats_q[31:0];
          ADDRESS_READ_BEATS + 12'd4: csr_rdata_q <= read_beats_q[63:32];
          ADDRESS_WRITE_BEATS: csr_rdata_q <= write_beats_q[31:0];
          ADDRESS_WRITE_BEATS + 12'd4: csr_rdata_q <= write_beats_q[63:32];
          default: csr_rdata_q <= 32'd0;
        endcase
      end
      if (r_valid_q && s_axil_rready_i) r_valid_q <= 1'b0;
    end
  end

  // ---- data path: bursts in, FIFO, single beats out

  reg [BUS_BITS-1:0] fifo_q[0:FIFO-1];
  reg [6:0] fifo_head_q, fifo_tail_q;  // one bit more than an index
  reg [6:0] reserved_q;  // beats asked for and not yet taken from the FIFO
  reg [31:0] to_request_q, to_finish_q, read_address_q, write_address_q;
  reg ar_valid_q;
  reg aw_valid_q, w_valid_q;
  reg [31:0] araddr_q, awaddr_q;
  reg [3:0] arlen_q;
  reg [BUS_BITS-1:0] wdata_q;
  reg retire_q;

  wire [4:0] burst = to_request_q < BURST ? to_request_q[4:0] : 5'd16;
  wire ar_free = !ar_valid_q || m_axi_arready_i;
  wire request = busy_q && ar_free && to_request_q != 0 && reserved_q <= FIFO - BURST;
  wire r_take = m_axi_rvalid_i && m_axi_rready_o;
  wire aw_free = !aw_valid_q || m_axi_awready_i;
  wire w_free = !w_valid_q || m_axi_wready_i;
  wire fifo_empty = fifo_head_q == fifo_tail_q;
  wire pop = busy_q && aw_free && w_free && !fifo_empty;
  wire b_take = m_axi_bvalid_i && m_axi_bready_o;

  assign m_axi_arvalid_o = ar_valid_q;
  assign m_axi_araddr_o = araddr_q;
  assign m_axi_arlen_o = {4'd0, arlen_q};
  assign m_axi_arsize_o = BUS_SIZE[2:0];
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_rready_o = 1'b1;  // room was reserved before asking
  assign m_axi_awvalid_o = aw_valid_q;
  assign m_axi_awaddr_o = awaddr_q;
  assign m_axi_awlen_o = 8'd0;
  assign m_axi_awsize_o = BUS_SIZE[2:0];
  assign m_axi_awburst_o = 2'b01;
  assign m_axi_wvalid_o = w_valid_q;
  assign m_axi_wdata_o = wdata_q;
  assign m_axi_wstrb_o = {BUS_BYTES / 2{1'b1, !count_q[31]}};
  assign m_axi_wlast_o = 1'b1;
  assign m_axi_bready_o = 1'b1;

  assign irq_o = done_q || error_q;
  assign trace_valid_o = {1'b0, retire_q, 2'b00};
  assign trace_tag_o = {16'd0, count_q[15:0], 32'd0};
  assign trace_active_cycles_o = {32'd0, active_q[31:0], 64'd0};
  assign trace_stall_cycles_o = {32'd0, stall_q[31:0], 64'd0};

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      done_q <= 1'b0;
      error_q <= 1'b0;
      error_code_q <= 8'd0;
      cycles_q <= 64'd0;
      active_q <= 64'd0;
      stall_q <= 64'd0;
      read_beats_q <= 64'd0;
      write_beats_q <= 64'd0;
      fifo_head_q <= 7'd0;
      fifo_tail_q <= 7'd0;
      reserved_q <= 7'd0;
      to_request_q <= 32'd0;
      to_finish_q <= 32'd0;
      read_address_q <= 32'd0;
      write_address_q <= 32'd0;
      ar_valid_q <= 1'b0;
      aw_valid_q <= 1'b0;
      w_valid_q <= 1'b0;
      retire_q <= 1'b0;
    end else begin
      retire_q <= 1'b0;
      if (clear) begin
        done_q <= 1'b0;
        error_q <= 1'b0;
        error_code_q <= 8'd0;
        cycles_q <= 64'd0;
        active_q <= 64'd0;
        stall_q <= 64'd0;
        read_beats_q <= 64'd0;
        write_beats_q <= 64'd0;
      end
      if (start) begin
        busy_q <= 1'b1;
        to_request_q <= count_q << 2;
        to_finish_q <= count_q << 2;
        read_address_q <= base_q;
        write_address_q <= base_q + WRITE_OFFSET;
      end

      if (ar_free) ar_valid_q <= request;
      if (request) begin
        araddr_q <= read_address_q;
        arlen_q <= burst[3:0] - 4'd1;
        read_address_q <= read_address_q + ({27'd0, burst} << BUS_SIZE);
        to_request_q <= to_request_q - {27'd0, burst};
      end
      reserved_q <= reserved_q + (request ? {2'd0, burst} : 7'd0) - {6'd0, pop};

      if (r_take) begin
        fifo_q[fifo_tail_q[5:0]] <= ~m_axi_rdata_i;
        fifo_tail_q <= fifo_tail_q + 7'd1;
        if (m_axi_rresp_i != 2'b00 && error_code_q == 8'd0) error_code_q <= ERROR_READ;
      end

      if (aw_free) aw_valid_q <= pop;
      if (w_free) w_valid_q <= pop;
      // one pair at a time: a channel that went first waits for the other
      if (!aw_free || !w_free) begin
        if (aw_free) aw_valid_q <= 1'b0;
        if (w_free) w_valid_q <= 1'b0;
      end
      if (pop) begin
        wdata_q <= fifo_q[fifo_head_q[5:0]];
        awaddr_q <= write_address_q;
        write_address_q <= write_address_q + BUS_BYTES;
        fifo_head_q <= fifo_head_q + 7'd1;
      end

      if (b_take) begin
        to_finish_q <= to_finish_q - 32'd1;
        if (m_axi_bresp_i != 2'b00 && error_code_q == 8'd0) error_code_q <= ERROR_WRITE;
      end

      if (busy_q) begin
        cycles_q <= cycles_q + 64'd1;
        if (r_take || (w_valid_q && m_axi_wready_i)) active_q <= active_q + 64'd1;
        else stall_q <= stall_q + 64'd1;
        if (r_take) read_beats_q <= read_beats_q + 64'd1;
        if (w_valid_q && m_axi_wready_i) write_beats_q <= write_beats_q + 64'd1;
        if (to_finish_q == 32'd0) begin
          busy_q <= 1'b0;
          done_q <= error_code_q == 8'd0;
          error_q <= error_code_q != 8'd0;
          retire_q <= 1'b1;
        end
      end
    end
  end

endmodule

`default_nettype wire
