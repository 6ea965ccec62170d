// SPDX-License-Identifier: Apache-2.0
// AXI4-Lite slave: control, status and counters (map in the generated address_map.md).
// Handshake: every ready and valid is a register. The address and the data of a write come in any order and at any
// distance; the write takes place when both are there and the answer to the one before is taken, and is answered one
// cycle later. A read is answered one cycle after its address. One write waits while another is being answered.
// Addresses: bits 1:0 are ignored. An access that the map does not allow (another address, a write of what is only
// read, a read of what is only written) changes nothing, reads 0 and is answered with SLVERR.
// A run ends in done or error; both are cleared by the next start, or by clear. After an error the device accepts no
// new memory request; the status appears when the last outstanding one has been answered, and a clear, which resets the
// engines, must precede the next start. Code, engine and tag say what failed first; they are 0 before any failure.
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
    input  wire [3:0]   s_axil_wstrb_i,
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
    input  wire         illegal_i,       // the fetched descriptor is
    input  wire [4:0]   bus_error_i,     // memory answered with an error: array, stream unit, DMA, turner, fetch
    input  wire [3:0]   unfinished_i,    // engines that hold a descriptor
    input  wire [79:0]  tag_i,           // tags of their descriptors, and of the fetched one
    input  wire [9:0]   count_events_i   // one counter each after the cycle counter
);
  `include "sf_descriptor.vh"

  reg        busy_q, done_q, error_q, halt_q, starting_q;
  reg [7:0]  code_q;
  reg [2:0]  engine_q;
  reg [15:0] tag_q;
  reg [31:0] base_q, count_q;
  reg [10:0] still_q;
  reg [63:0] counter_q [0:COUNTERS-1];

  // ---- Writes ----
  reg        address_full_q, data_full_q, bvalid_q, bad_write_q;
  reg [9:0]  write_word_q;  // address / 4
  reg [31:0] wdata_q;
  reg [3:0]  wstrb_q;
  wire write = address_full_q & data_full_q & ~bvalid_q;
  assign s_axil_awready_o = ~address_full_q;
  assign s_axil_wready_o  = ~data_full_q;
  assign s_axil_bvalid_o  = bvalid_q;
  assign s_axil_bresp_o   = {bad_write_q, 1'b0};  // SLVERR, OKAY
  wire at_control = write_word_q == ADDRESS_CONTROL[11:2];
  wire at_base    = write_word_q == ADDRESS_DESCRIPTOR_BASE[11:2];
  wire at_count   = write_word_q == ADDRESS_DESCRIPTOR_COUNT[11:2];
  wire write_control = write & at_control & wstrb_q[0];
  wire start = write_control & wdata_q[CONTROL_START] & ~busy_q & ~halt_q;
  wire clear = write_control & wdata_q[CONTROL_CLEAR] & ~busy_q;
  wire [31:0] written = {{8{wstrb_q[3]}}, {8{wstrb_q[2]}}, {8{wstrb_q[1]}}, {8{wstrb_q[0]}}};
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      address_full_q <= 1'b0;
      data_full_q    <= 1'b0;
      bvalid_q       <= 1'b0;
    end else begin
      if (s_axil_awvalid_i & s_axil_awready_o) address_full_q <= 1'b1;
      else if (write) address_full_q <= 1'b0;
      if (s_axil_wvalid_i & s_axil_wready_o) data_full_q <= 1'b1;
      else if (write) data_full_q <= 1'b0;
      if (write) bvalid_q <= 1'b1;
      else if (s_axil_bready_i) bvalid_q <= 1'b0;
    end
  end
  always @(posedge clk_i) begin
    if (s_axil_awvalid_i & s_axil_awready_o) write_word_q <= s_axil_awaddr_i[11:2];
    if (s_axil_wvalid_i & s_axil_wready_o) begin
      wdata_q <= s_axil_wdata_i;
      wstrb_q <= s_axil_wstrb_i;
    end
    if (write) bad_write_q <= ~(at_control | at_base | at_count);
  end

  // ---- A run ----
  // A program begins at a multiple of a descriptor's size, so that no burst of its fetch crosses 4 KiB, and ends below 2^32.
  wire [32:0] program_end = {9'd0, base_q[31:8]} + {1'b0, count_q};  // in descriptors
  wire bad_program = base_q[7:0] != 8'd0 || program_end > 33'd16777216;
  assign start_o = starting_q & ~bad_program;
  assign clear_o = clear;
  assign halt_o  = halt_q;
  assign irq_o   = done_q | error_q;
  assign descriptor_base_o  = base_q;
  assign descriptor_count_o = count_q;

  wire deadlock = still_q == DEADLOCK_CYCLES;
  wire refused  = starting_q & bad_program;
  wire fail = busy_q & ~halt_q & (refused | illegal_i | (bus_error_i != 5'd0) | deadlock);

  // What a failure names: the engine, and its descriptor's tag. In a deadlock all engines wait; the root is the
  // descriptor that the program has first, which has the lowest tag.
  function [2:0] lowest(input [3:0] unfinished, input [63:0] tags);
    integer e;
    reg [16:0] least;
    begin
      lowest = 3'd0;
      least  = 17'h10000;
      for (e = 0; e < 4; e = e + 1)
        if (unfinished[e] && {1'b0, tags[16*e+:16]} < least) begin
          lowest = e[2:0];
          least  = {1'b0, tags[16*e+:16]};
        end
    end
  endfunction
  // Engines that wait have waited for long: their order may be a cycle old, and events may be counted a cycle late, for
  // the last cycles of a run have none.
  reg [2:0]          lowest_q;
  reg [COUNTERS-2:0] events_q;
  always @(posedge clk_i) begin
    lowest_q <= lowest(unfinished_i, tag_i[63:0]);
    events_q <= count_events_i;
  end
  wire [2:0] failed = illegal_i ? ENGINE_FETCH
      : bus_error_i[ENGINE_ARRAY] ? ENGINE_ARRAY : bus_error_i[ENGINE_STREAM] ? ENGINE_STREAM
      : bus_error_i[ENGINE_DMA] ? ENGINE_DMA : bus_error_i[ENGINE_TURNER] ? ENGINE_TURNER
      : bus_error_i[ENGINE_FETCH] ? ENGINE_FETCH : lowest_q;

  always @(posedge clk_i or negedge rst_ni) begin : registers
    integer i;
    if (!rst_ni) begin
      busy_q     <= 1'b0;
      done_q     <= 1'b0;
      error_q    <= 1'b0;
      halt_q     <= 1'b0;
      starting_q <= 1'b0;
      code_q     <= 8'd0;
      engine_q   <= 3'd0;
      tag_q      <= 16'd0;
      base_q     <= 32'd0;
      count_q    <= 32'd0;
      still_q    <= 11'd0;
      for (i = 0; i < COUNTERS; i = i + 1) counter_q[i] <= 64'd0;
    end else begin
      if (write & at_base) base_q <= (wdata_q & written) | (base_q & ~written);
      if (write & at_count) count_q <= (wdata_q & written) | (count_q & ~written);

      starting_q <= start;
      if (start) begin
        busy_q <= 1'b1;
        done_q <= 1'b0;
      end else if (busy_q & ~starting_q & ~halt_q & finished_i & quiet_i & ~fail) begin
        busy_q <= 1'b0;
        done_q <= 1'b1;
      end else if (halt_q & quiet_i & busy_q) begin
        busy_q  <= 1'b0;
        error_q <= 1'b1;
      end
      if (fail) begin
        halt_q <= 1'b1;
        code_q <= refused ? ERROR_PROGRAM : illegal_i ? ERROR_ILLEGAL_DESCRIPTOR
                : (bus_error_i != 5'd0) ? ERROR_BUS : ERROR_DEADLOCK;
        engine_q <= refused ? ENGINE_FETCH : failed;
        tag_q    <= refused ? 16'd0 : tag_i[16*failed+:16];
      end
      if (clear) begin
        done_q  <= 1'b0;
        error_q <= 1'b0;
        halt_q  <= 1'b0;
        code_q   <= 8'd0;
        engine_q <= 3'd0;
        tag_q    <= 16'd0;
      end
      still_q <= (busy_q & ~progress_i & quiet_i & ~finished_i & ~deadlock) ? still_q + 11'd1 : 11'd0;

      if (clear) begin
        for (i = 0; i < COUNTERS; i = i + 1) counter_q[i] <= 64'd0;
      end else if (busy_q) begin
        counter_q[0] <= counter_q[0] + 64'd1;
        for (i = 0; i < COUNTERS - 1; i = i + 1) if (events_q[i]) counter_q[i+1] <= counter_q[i+1] + 64'd1;
      end
    end
  end

  // ---- Reads ----
  reg        rvalid_q, bad_read_q;
  reg [31:0] rdata_q;
  wire read = s_axil_arvalid_i & s_axil_arready_o;
  wire [11:0] read_address   = {s_axil_araddr_i[11:2], 2'd0};
  wire [11:0] counter_offset = read_address - ADDRESS_COUNTERS;
  wire        at_counter     = read_address >= ADDRESS_COUNTERS && {20'd0, counter_offset} < 8 * COUNTERS;
  wire [3:0]  counter_index  = at_counter ? counter_offset[6:3] : 4'd0;
  wire [63:0] counter        = counter_q[counter_index];
  wire [31:0] status = ({16'd0, tag_q} << STATUS_TAG) | ({24'd0, code_q} << STATUS_CODE)
      | ({29'd0, engine_q} << STATUS_ENGINE) | ({31'd0, error_q} << STATUS_ERROR) | ({31'd0, done_q} << STATUS_DONE)
      | ({31'd0, busy_q} << STATUS_BUSY);
  assign s_axil_arready_o = ~rvalid_q;
  assign s_axil_rvalid_o  = rvalid_q;
  assign s_axil_rdata_o   = rdata_q;
  assign s_axil_rresp_o   = {bad_read_q, 1'b0};
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rvalid_q <= 1'b0;
    else if (read) rvalid_q <= 1'b1;
    else if (s_axil_rready_i) rvalid_q <= 1'b0;
  end
  always @(posedge clk_i) begin
    if (read) begin
      bad_read_q <= 1'b0;
      case (read_address)
        ADDRESS_ID:               rdata_q <= DEVICE_ID;
        ADDRESS_CONFIG_HASH:      rdata_q <= ConfigHash[31:0];
        ADDRESS_CONFIG_HASH_HIGH: rdata_q <= ConfigHash[63:32];
        ADDRESS_STATUS:           rdata_q <= status;
        ADDRESS_DESCRIPTOR_BASE:  rdata_q <= base_q;
        ADDRESS_DESCRIPTOR_COUNT: rdata_q <= count_q;
        default: begin
          rdata_q    <= !at_counter ? 32'd0 : counter_offset[2] ? counter[63:32] : counter[31:0];
          bad_read_q <= ~at_counter;
        end
      endcase
    end
  end
endmodule
`default_nettype wire
