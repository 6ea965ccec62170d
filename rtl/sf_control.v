// SPDX-License-Identifier: Apache-2.0
// AXI4-Lite slave: control, status and counters (map in the generated address_map.md). One access at a time.
// A run ends in done or error. After an error the device accepts no new memory request and the
// status appears when the last outstanding one has been answered; clearing resets the engines.
`default_nettype none
module sf_control #(
    parameter [63:0] ConfigHash = 64'd0
) (
    input  wire         clk_i,
    input  wire         rst_ni,
    input  wire         s_axil_awvalid_i,
    output wire         s_axil_awready_o,
    input  wire [11:0]  s_axil_awaddr_i,
    input  wire         s_axil_wvalid_i,
    output wire         s_axil_wready_o,
    input  wire [31:0]  s_axil_wdata_i,
    output wire         s_axil_bvalid_o,
    input  wire         s_axil_bready_i,
    output wire [1:0]   s_axil_bresp_o,
    input  wire         s_axil_arvalid_i,
    output wire         s_axil_arready_o,
    input  wire [11:0]  s_axil_araddr_i,
    output wire         s_axil_rvalid_o,
    input  wire         s_axil_rready_i,
    output wire [31:0]  s_axil_rdata_o,
    output wire [1:0]   s_axil_rresp_o,
    output wire         irq_o,
    // Device
    output wire         start_o,
    output wire         clear_o,
    output wire         halt_o,
    output wire [31:0]  descriptor_base_o,
    output wire [31:0]  descriptor_count_o,
    input  wire         quiet_i,         // nothing outstanding on the memory bus
    input  wire         finished_i,      // fetched all, engines idle
    input  wire         progress_i,      // something moved in this cycle
    input  wire         illegal_i,
    input  wire [15:0]  illegal_tag_i,
    input  wire         bus_error_i,
    input  wire [15:0]  running_tag_i,
    input  wire [9:0]   count_events_i   // one counter each after the cycle counter
);
  `include "sf_descriptor.vh"
  localparam DeadlockCycles = 1024;
  localparam Counters = 11;  // cycles, and one for each event

  reg        busy_q, done_q, error_q, halt_q, starting_q;
  reg [7:0]  code_q;
  reg [15:0] tag_q;
  reg [31:0] base_q, count_q;
  reg [10:0] still_q;
  reg [63:0] counter_q [0:Counters-1];

  // ---- Writes ----
  reg bvalid_q;
  wire write = s_axil_awvalid_i & s_axil_wvalid_i & ~bvalid_q;
  assign s_axil_awready_o = write;
  assign s_axil_wready_o  = write;
  assign s_axil_bvalid_o  = bvalid_q;
  assign s_axil_bresp_o   = 2'b00;
  wire write_control = write & s_axil_awaddr_i == ADDRESS_CONTROL;
  wire start = write_control & s_axil_wdata_i[0] & ~busy_q & ~halt_q;
  wire clear = write_control & s_axil_wdata_i[1] & ~busy_q;
  assign start_o = starting_q;
  assign clear_o = clear;
  assign halt_o  = halt_q;
  assign irq_o   = done_q | error_q;
  assign descriptor_base_o  = base_q;
  assign descriptor_count_o = count_q;

  wire deadlock = still_q == DeadlockCycles;
  wire fail = busy_q & ~halt_q & (illegal_i | bus_error_i | deadlock);
  always @(posedge clk_i or negedge rst_ni) begin : registers
    integer i;
    if (!rst_ni) begin
      bvalid_q   <= 1'b0;
      busy_q     <= 1'b0;
      done_q     <= 1'b0;
      error_q    <= 1'b0;
      halt_q     <= 1'b0;
      starting_q <= 1'b0;
      code_q     <= 8'd0;
      tag_q      <= 16'd0;
      base_q     <= 32'd0;
      count_q    <= 32'd0;
      still_q    <= 11'd0;
      for (i = 0; i < Counters; i = i + 1) counter_q[i] <= 64'd0;
    end else begin
      if (write) bvalid_q <= 1'b1;
      else if (s_axil_bready_i) bvalid_q <= 1'b0;
      if (write & s_axil_awaddr_i == ADDRESS_DESCRIPTOR_BASE) base_q <= s_axil_wdata_i;
      if (write & s_axil_awaddr_i == ADDRESS_DESCRIPTOR_COUNT) count_q <= s_axil_wdata_i;

      starting_q <= start;
      if (start) busy_q <= 1'b1;
      else if (busy_q & ~starting_q & ~halt_q & finished_i & quiet_i & ~fail) begin
        busy_q <= 1'b0;
        done_q <= 1'b1;
      end else if (halt_q & quiet_i & busy_q) begin
        busy_q  <= 1'b0;
        error_q <= 1'b1;
      end
      if (fail) begin
        halt_q <= 1'b1;
        code_q <= illegal_i ? ERROR_ILLEGAL_DESCRIPTOR : bus_error_i ? ERROR_BUS : ERROR_DEADLOCK;
        tag_q  <= illegal_i ? illegal_tag_i : running_tag_i;
      end
      if (clear) begin
        done_q  <= 1'b0;
        error_q <= 1'b0;
        halt_q  <= 1'b0;
        code_q  <= 8'd0;
        tag_q   <= 16'd0;
      end
      still_q <= (busy_q & ~progress_i & quiet_i & ~finished_i & ~deadlock) ? still_q + 11'd1 : 11'd0;

      if (clear) begin
        for (i = 0; i < Counters; i = i + 1) counter_q[i] <= 64'd0;
      end else if (busy_q) begin
        counter_q[0] <= counter_q[0] + 64'd1;
        for (i = 0; i < Counters - 1; i = i + 1) if (count_events_i[i]) counter_q[i+1] <= counter_q[i+1] + 64'd1;
      end
    end
  end

  // ---- Reads ----
  reg        rvalid_q;
  reg [31:0] rdata_q;
  wire read = s_axil_arvalid_i & ~rvalid_q;
  wire [11:0] counter_offset = s_axil_araddr_i - ADDRESS_COUNTERS;
  wire [3:0]  counter_index  = ({28'd0, counter_offset[6:3]} < Counters) ? counter_offset[6:3] : 4'd0;
  wire [63:0] counter        = counter_q[counter_index];
  assign s_axil_arready_o = read;
  assign s_axil_rvalid_o  = rvalid_q;
  assign s_axil_rdata_o   = rdata_q;
  assign s_axil_rresp_o   = 2'b00;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rvalid_q <= 1'b0;
    else if (read) rvalid_q <= 1'b1;
    else if (s_axil_rready_i) rvalid_q <= 1'b0;
  end
  always @(posedge clk_i) begin
    if (read) begin
      case (s_axil_araddr_i)
        ADDRESS_ID:               rdata_q <= DEVICE_ID;
        ADDRESS_CONFIG_HASH:      rdata_q <= ConfigHash[31:0];
        ADDRESS_CONFIG_HASH_HIGH: rdata_q <= ConfigHash[63:32];
        ADDRESS_STATUS:           rdata_q <= {tag_q, code_q, 5'd0, error_q, done_q, busy_q};
        ADDRESS_DESCRIPTOR_BASE:  rdata_q <= base_q;
        ADDRESS_DESCRIPTOR_COUNT: rdata_q <= count_q;
        default:
        if (s_axil_araddr_i >= ADDRESS_COUNTERS && {20'd0, counter_offset} < 8 * Counters)
          rdata_q <= counter_offset[2] ? counter[63:32] : counter[31:0];
        else rdata_q <= 32'd0;
      endcase
    end
  end
endmodule
`default_nettype wire
