// SPDX-License-Identifier: Apache-2.0
// The descriptors waiting for one engine. The head starts when every semaphore of its wait mask holds a token;
// at its end it signals. Counts the cycles a descriptor advances and stalls.
`default_nettype none
module sf_engine_queue #(
    parameter Depth = 4,
    parameter Words = 64  // of a descriptor that its engine reads; the others are 0
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          clear_i,
    input  wire          enable_i,
    input  wire          descriptor_valid_i,
    output wire          descriptor_ready_o,
    input  wire [2047:0] descriptor_i,
    // Semaphores
    input  wire [11:0]   tokens_i,  // a token is there
    output wire [11:0]   take_o,
    output wire [11:0]   signal_o,
    // Engine
    output wire          start_o,
    output wire [2047:0] descriptor_o,
    input  wire          stall_i,
    input  wire          done_i,
    output wire          idle_o,
    output wire          running_o,
    // Trace
    output wire          retire_o,
    output wire [15:0]   tag_o,
    output wire [31:0]   active_cycles_o,
    output wire [31:0]   stall_cycles_o
);
  `include "sf_descriptor.vh"
  wire          queue_valid;
  wire [32*Words-1:0] queue_head;
  reg           loaded_q, running_q;
  reg  [32*Words-1:0] descriptor_q;
  reg  [31:0]   active_q, stall_q;
  wire          pop = queue_valid & (~loaded_q | retire_o);
  wire [11:0]   wait_mask = descriptor_q[F_WAIT_MASK+:12];

  sf_fifo #(
      .Width(32 * Words),
      .Depth(Depth)
  ) u_queue (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (descriptor_valid_i & descriptor_ready_o),
      .data_i (descriptor_i[32*Words-1:0]),
      .ready_o(descriptor_ready_o),
      .valid_o(queue_valid),
      .data_o (queue_head),
      .pop_i  (pop),
      .used_o ()
  );

  assign start_o         = enable_i & loaded_q & ~running_q & ((wait_mask & ~tokens_i) == 12'd0);
  assign take_o          = start_o ? wait_mask : 12'd0;
  assign retire_o        = enable_i & running_q & done_i;
  assign signal_o        = retire_o ? descriptor_q[F_SIGNAL_MASK+:12] : 12'd0;
  assign descriptor_o    = {{(32*(DESCRIPTOR_WORDS-Words)){1'b0}}, descriptor_q};
  assign idle_o          = ~loaded_q & ~queue_valid;
  assign running_o       = running_q;
  assign tag_o           = descriptor_q[F_TAG+:16];
  // The cycle of the retirement itself is still to be counted
  wire [31:0] active_next = active_q + 32'd1, stall_next = stall_q + 32'd1;
  assign active_cycles_o = stall_i ? active_q : active_next;
  assign stall_cycles_o  = stall_i ? stall_next : stall_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      loaded_q  <= 1'b0;
      running_q <= 1'b0;
    end else if (clear_i) begin
      loaded_q  <= 1'b0;
      running_q <= 1'b0;
    end else begin
      if (pop) loaded_q <= 1'b1;
      else if (retire_o) loaded_q <= 1'b0;
      if (start_o) running_q <= 1'b1;
      else if (retire_o) running_q <= 1'b0;
    end
  end
  always @(posedge clk_i) begin
    if (pop) descriptor_q <= queue_head;
    if (start_o) begin
      active_q <= 32'd1;
      stall_q  <= 32'd0;
    end else if (running_q) begin
      active_q <= active_cycles_o;
      stall_q  <= stall_cycles_o;
    end
  end
endmodule
`default_nettype wire
