// SPDX-License-Identifier: Apache-2.0
// The threshold quantizer of one stream lane (f_A, f_W): the code of y is the number of thresholds that y reaches. It is
// a binary search in a tree, one level a stage, each level with a table of its own; code bits from the highest on.
// Latency 10 (CODER_STAGES), initiation interval 1; the stages move when go_i and code_enable_i.
// A tree has the nodes 1 .. 2^bits - 1 in heap order: the children of node i are 2 i and 2 i + 1. Rows are channels of
// this lane; levels from ThresholdBits on have the one row of a tree that all channels share.
`default_nettype none
module sf_threshold_coder #(
    parameter ThresholdBits = 2,   // code bits with thresholds per channel
    parameter ThresholdRows = 32
) (
    input  wire        clk_i,
    input  wire        go_i,
    input  wire        code_enable_i,    // the pass wants the code
    input  wire [3:0]  bits_i,           // 1 to 8
    input  wire        per_channel_i,
    input  wire [31:0] y_i,
    input  wire [15:0] row_1_i,          // y's row, a stage later than y
    // y_i becomes a threshold
    input  wire        write_i,
    input  wire [7:0]  write_node_i,
    input  wire [15:0] write_row_i,
    output wire [7:0]  code_o
);
  `include "sf_descriptor.vh"
  localparam Levels = CODER_STAGES - 2;
  // A code of b bits needs y up to stage b + 1: near stages are those of codes with thresholds per channel.
  localparam NearStages = ThresholdBits + 1;
  wire needs_far = code_enable_i & {28'd0, bits_i} > ThresholdBits;
  wire search_clk, far_clk;
  sf_clock_gate u_far_gate (
      .clk_i   (clk_i),
      .enable_i(needs_far),
      .clk_o   (far_clk)
  );
  sf_clock_gate u_search_gate (
      .clk_i   (clk_i),
      .enable_i(code_enable_i),
      .clk_o   (search_clk)
  );
  reg signed [31:0] y_1;
  always @(posedge search_clk) if (go_i & code_enable_i) y_1 <= y_i;

  // The root of a row is read once while elements of the row follow one another.
  wire [15:0] row_1 = per_channel_i ? row_1_i : 16'd0;
  reg         root_read_q;  // of stage 2's row, as it is in the table
  always @(posedge clk_i) begin
    if (go_i & write_i) root_read_q <= 1'b0;
    else if (go_i & code_enable_i) root_read_q <= 1'b1;
  end
  wire        root_needed = ~(root_read_q & (row_1 == gen_stage[2].row));

  wire [32*Levels-1:0] threshold;  // word of each level
  genvar stage, level;
  generate
    for (stage = 2; stage <= CODER_STAGES; stage = stage + 1) begin : gen_stage
      reg signed [31:0] y;
      reg [7:0]  found;
      reg [15:0] row;
      wire signed [31:0] y_before;
      if (stage <= NearStages) begin : gen_near
        always @(posedge search_clk) if (go_i & code_enable_i) y <= y_before;
      end else begin : gen_far
        always @(posedge far_clk) if (go_i & needs_far) y <= y_before;
      end
      if (stage == 2) begin : gen_first
        assign y_before = y_1;
        always @(posedge search_clk) begin
          if (go_i & code_enable_i) begin
            found <= 8'd0;
            row   <= row_1;
          end
        end
      end else begin : gen_next
        // A code of fewer bits takes fewer steps; the rest pass it on.
        wire works = {28'd0, bits_i} > stage - 3;
        assign y_before = gen_stage[stage-1].y;
        always @(posedge search_clk) begin
          if (go_i & code_enable_i) begin
            row   <= gen_stage[stage-1].row;
            found <= works ? {gen_stage[stage-1].found[6:0],
                              y_before >= $signed(threshold[32*(stage-3)+:32])}
                           : gen_stage[stage-1].found;
          end
        end
      end
    end
  endgenerate

  // Level i holds 2^i thresholds a row; its word for stage 2 + i is read from stage 1 + i, where the code so far is
  // what stage 2 + i is about to hold. A code of b bits reads the levels below b.
  generate
    for (level = 0; level < Levels; level = level + 1) begin : gen_level
      localparam LevelRows = (level < ThresholdBits) ? ThresholdRows : 1;
      localparam Depth = LevelRows << level;
      localparam AddressBits = (Depth > 1) ? $clog2(Depth) : 1;
      wire [AddressBits-1:0] read_address, write_address;
      wire [7:0] node_prefix = write_node_i - (8'd1 << level);
      if (level == 0) begin : gen_root
        assign read_address  = row_1[AddressBits-1:0];
        assign write_address = write_row_i[AddressBits-1:0];
      end else begin : gen_inner
        wire [7:0] prefix = {gen_stage[1+level].found[6:0],
                             gen_stage[1+level].y >= $signed(threshold[32*(level-1)+:32])};
        wire [23:0] read_word  = ({8'd0, gen_stage[1+level].row} << level) | {16'd0, prefix};
        wire [23:0] write_word = ({8'd0, write_row_i} << level) | {16'd0, node_prefix};
        assign read_address  = read_word[AddressBits-1:0];
        assign write_address = write_word[AddressBits-1:0];
      end
      sf_ram #(
          .Width(32),
          .Depth(Depth)
      ) u_level (
          .clk_i          (clk_i),
          .write_enable_i (go_i & write_i & (write_node_i >> level) == 8'd1),
          .write_address_i(write_address),
          .write_data_i   (y_i),
          .read_enable_i  (go_i & code_enable_i & {28'd0, bits_i} > level & (level != 0 || root_needed)),
          .read_address_i (read_address),
          .read_data_o    (threshold[32*level+:32])
      );
    end
  endgenerate
  assign code_o = gen_stage[CODER_STAGES].found;
endmodule
`default_nettype wire
