// SPDX-License-Identifier: Apache-2.0
// First-in first-out queue; Depth a power of two >= 2. data_o shows the head while valid_o; both sides may move
// in the same cycle; pushing when full or popping when empty is the caller's error (proved never to
// happen by the users' credits). used_o counts what is inside.
`default_nettype none
module sf_fifo #(
    parameter Width = 8,
    parameter Depth = 4,
    parameter UsedBits = $clog2(Depth) + 1  // derived; do not set
) (
    input  wire                clk_i,
    input  wire                rst_ni,
    input  wire                clear_i,
    input  wire                push_i,
    input  wire [Width-1:0]    data_i,
    output wire                ready_o,
    output wire                valid_o,
    output wire [Width-1:0]    data_o,
    input  wire                pop_i,
    output wire [UsedBits-1:0] used_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_depth_must_be_a_power_of_two_from_2
      sf_error_depth_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  localparam PointerBits = $clog2(Depth);
  reg [Width-1:0]       memory [0:Depth-1];
  reg [PointerBits-1:0] head_q, tail_q;
  reg [UsedBits-1:0]    used_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= {PointerBits{1'b0}};
      tail_q <= {PointerBits{1'b0}};
      used_q <= {UsedBits{1'b0}};
    end else if (clear_i) begin
      head_q <= {PointerBits{1'b0}};
      tail_q <= {PointerBits{1'b0}};
      used_q <= {UsedBits{1'b0}};
    end else begin
      if (push_i) tail_q <= tail_q + 1'b1;
      if (pop_i) head_q <= head_q + 1'b1;
      if (push_i & ~pop_i) used_q <= used_q + 1'b1;
      else if (pop_i & ~push_i) used_q <= used_q - 1'b1;
    end
  end
  always @(posedge clk_i) if (push_i) memory[tail_q] <= data_i;

  assign data_o  = memory[head_q];
  assign valid_o = used_q != {UsedBits{1'b0}};
  assign ready_o = ~used_q[UsedBits-1];
  assign used_o  = used_q;
endmodule
`default_nettype wire
