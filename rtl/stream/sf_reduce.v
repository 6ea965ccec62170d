// SPDX-License-Identifier: Apache-2.0
// Reductions of a pass: max |y| per sample or tensor, sum of y or |y| per channel, sample or tensor, and per channel a
// second sum, of squares of y or of y times z (the low 16 bits of both).
// A tensor that takes several passes is cleared by the first and flushed by the last (reduce_clear, reduce_flush).
// Takes a chunk a cycle, and is through with it three cycles later; flush_start_i, which comes after that, writes the
// results out one by one: maxima as 32-bit words, sums as 64-bit words, second sums after them, then done_o. A result is
// read in one cycle and written, or added to a sum over lanes, in the next.
`default_nettype none
module sf_reduce #(
    parameter StreamLanes = 16,
    parameter MaxSamples = 256,
    parameter TableRows = 32
) (
    input  wire                      clk_i,
    input  wire                      rst_ni,
    input  wire                      clear_i,   // ends a flush
    input  wire                      enable_i,  // not halted
    input  wire                      start_i,
    input  wire [2047:0]             descriptor_i,
    input  wire                      valid_i,
    input  wire [32*StreamLanes-1:0] y_i,
    input  wire [16*StreamLanes-1:0] z_i,
    input  wire [StreamLanes-1:0]    mask_i,
    input  wire [15:0]               chunk_i,
    input  wire [15:0]               sample_i,
    // Results
    input  wire                      flush_start_i,
    output wire                      write_valid_o,
    input  wire                      write_ready_i,
    output wire [31:0]               write_address_o,
    output wire [63:0]               write_data_o,
    output wire [7:0]                write_strobe_o,
    output reg                       done_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
    if (MaxSamples < 2 || (MaxSamples & (MaxSamples - 1)) != 0) begin : gen_max_samples_must_be_a_power_of_two_from_2
      sf_error_max_samples_must_be_a_power_of_two_from_2 u_error ();
    end
    if (TableRows < 1 || (TableRows & (TableRows - 1)) != 0) begin : gen_table_rows_must_be_a_power_of_two
      sf_error_table_rows_must_be_a_power_of_two u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam SampleBits = $clog2(MaxSamples);
  localparam RowBits = (TableRows > 1) ? $clog2(TableRows) : 1;
  localparam LaneBits = (StreamLanes > 1) ? $clog2(StreamLanes) : 1;

  wire max_enable      = descriptor_i[F_MAX_ENABLE];
  wire max_per_sample  = descriptor_i[F_MAX_PER_SAMPLE];
  wire sum_enable      = descriptor_i[F_SUM_ENABLE];
  wire sum_per_channel = descriptor_i[F_SUM_PER_CHANNEL];
  wire sum_per_sample  = descriptor_i[F_SUM_PER_SAMPLE];
  wire sum_absolute    = descriptor_i[F_SUM_ABSOLUTE];
  wire [3:0]  second_sum = descriptor_i[F_SECOND_SUM+:4];
  wire        second_enable = second_sum != SECOND_SUM_NONE;
  wire [15:0] channels = descriptor_i[F_CHANNELS+:16];

  // ---- Lanes, and the maximum over them ----
  wire take = valid_i & (max_enable | sum_enable);
  reg  [MaxSamples-1:0]     max_seen_q;  // entries that hold something of this pass
  reg  [TableRows-1:0]      sum_seen_q;
  wire [RowBits-1:0]        sum_row;
  wire [32*StreamLanes-1:0] magnitude;
  wire [64*StreamLanes-1:0] sum_old, sum_new, second_old, second_new;
  wire lane_clk;
  sf_clock_gate u_gate (
      .clk_i   (clk_i),
      .enable_i(take),
      .clk_o   (lane_clk)
  );
  reg               valid_q;  // a chunk was taken
  reg [RowBits-1:0] row_q;    // its row
  reg               again_q;  // whose sums are in the lanes
  // The chunk that follows is of the same row: the sums stay in the lanes
  wire [RowBits-1:0] next_row = sum_per_channel ? chunk_i[RowBits-1:0] : sum_per_sample ? sample_i[RowBits-1:0] : {RowBits{1'b0}};
  wire               keep = take & valid_q & sum_enable & (next_row == row_q);
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      again_q <= 1'b0;
    end else begin
      valid_q <= take;
      again_q <= keep;
    end
  end
  genvar lane;
  generate
    for (lane = 0; lane < StreamLanes; lane = lane + 1) begin : gen_lane
      sf_reduce_lane u_lane (
          .clk_i        (lane_clk),
          .take_i       (take),
          .take_second_i(second_enable),
          .absolute_i   (sum_absolute),
          .dot_i        (second_sum == SECOND_SUM_DOT),
          .mask_i       (mask_i[lane]),
          .y_i          (y_i[32*lane+:32]),
          .z_i          (z_i[16*lane+:16]),
          .magnitude_o  (magnitude[32*lane+:32]),
          .again_i      (again_q),
          .keep_i       (keep),
          .seen_i       (sum_seen_q[sum_row]),
          .sum_i        (sum_old[64*lane+:64]),
          .second_i     (second_old[64*lane+:64]),
          .sum_o        (sum_new[64*lane+:64]),
          .second_o     (second_new[64*lane+:64])
      );
    end
  endgenerate
  // A tree: the upper half of what is left against the lower (lanes are a power of two). A register behind the first
  // level, one behind the two after it, and one in front of the table
  localparam HalfLanes = (StreamLanes > 1) ? StreamLanes / 2 : 1;
  localparam LastLanes = (StreamLanes > 8) ? StreamLanes / 8 : 1;
  reg [32*StreamLanes-1:0] pairs;
  reg [32*HalfLanes-1:0]   pairs_q, eighths;
  reg [32*LastLanes-1:0]   eighths_q, largest;
  always @* begin : comparing
    integer i, half;
    i       = 0;
    half    = 0;
    pairs   = magnitude;
    for (i = 0; i < StreamLanes / 2; i = i + 1)
      if (pairs[32*(i+StreamLanes/2)+:32] > pairs[32*i+:32]) pairs[32*i+:32] = pairs[32*(i+StreamLanes/2)+:32];
    eighths = pairs_q;
    for (half = HalfLanes / 2; half >= LastLanes; half = half / 2)
      for (i = 0; i < half; i = i + 1)
        if (eighths[32*(i+half)+:32] > eighths[32*i+:32]) eighths[32*i+:32] = eighths[32*(i+half)+:32];
    largest = eighths_q;
    for (half = LastLanes / 2; half > 0; half = half / 2)
      for (i = 0; i < half; i = i + 1)
        if (largest[32*(i+half)+:32] > largest[32*i+:32]) largest[32*i+:32] = largest[32*(i+half)+:32];
  end

  // A chunk's way: its sums meet the tables a cycle after it was taken, its maximum three
  reg                  valid_q2, valid_q3;
  reg [31:0]           max_q;
  reg [SampleBits-1:0] sample_q, sample_q2, sample_q3;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {valid_q3, valid_q2} <= 2'd0;
    else {valid_q3, valid_q2} <= {valid_q2, valid_q};
  end
  always @(posedge clk_i) begin
    if (take) begin
      pairs_q  <= pairs[32*HalfLanes-1:0];
      sample_q <= max_per_sample ? sample_i[SampleBits-1:0] : {SampleBits{1'b0}};
      row_q    <= next_row;
    end
    if (valid_q & max_enable) begin
      eighths_q <= eighths[32*LastLanes-1:0];
      sample_q2 <= sample_q;
    end
    if (valid_q2 & max_enable) begin
      max_q     <= largest[31:0];
      sample_q3 <= sample_q2;
    end
  end

  // ---- Tables: read, combined, written in one cycle ----
  wire [31:0]           max_old;
  wire [SampleBits-1:0] max_index;
  wire [31:0] max_before = max_seen_q[max_index] ? max_old : 32'd0;
  sf_register_file #(
      .Width(32),
      .Depth(MaxSamples)
  ) u_max (
      .clk_i         (clk_i),
      .write_enable_i(valid_q3 & max_enable),
      .address_i     (max_index),
      .write_data_i  (max_q > max_before ? max_q : max_before),
      .read_data_o   (max_old)
  );
  sf_register_file #(
      .Width(64 * StreamLanes),
      .Depth(TableRows)
  ) u_sum (
      .clk_i         (clk_i),
      .write_enable_i(valid_q & sum_enable & ~keep),
      .address_i     (sum_row),
      .write_data_i  (sum_new),
      .read_data_o   (sum_old)
  );
  sf_register_file #(
      .Width(64 * StreamLanes),
      .Depth(TableRows)
  ) u_second (
      .clk_i         (clk_i),
      .write_enable_i(valid_q & sum_enable & second_enable & ~keep),
      .address_i     (sum_row),
      .write_data_i  (second_new),
      .read_data_o   (second_old)
  );
  always @(posedge clk_i) begin
    if (start_i & descriptor_i[F_REDUCE_CLEAR]) begin
      max_seen_q <= {MaxSamples{1'b0}};
      sum_seen_q <= {TableRows{1'b0}};
    end else begin
      if (valid_q3 & max_enable) max_seen_q[max_index] <= 1'b1;
      if (valid_q & sum_enable) sum_seen_q[sum_row] <= 1'b1;
    end
  end

  // ---- Flush: maxima, sums (lane by lane; those of a tensor or a sample are added up first), second sums ----
  // Reader: one word a step from the tables
  localparam [1:0] FLUSH_IDLE = 2'd0, FLUSH_MAX = 2'd1, FLUSH_SUM = 2'd2, FLUSH_SECOND = 2'd3;
  reg [1:0]          state_q;
  reg [15:0]         index_q;      // sample, or channel
  reg [LaneBits-1:0] lane_q;
  reg [RowBits-1:0]  flush_row_q;
  wire        in_sums  = (state_q == FLUSH_SUM) | (state_q == FLUSH_SECOND);
  wire [63:0] sum_word = (state_q == FLUSH_SECOND) ? second_old[64*lane_q+:64] : sum_old[64*lane_q+:64];
  wire [63:0] sum_lane = sum_seen_q[sum_row] ? sum_word : 64'd0;
  wire last_lane = {{(32-LaneBits){1'b0}}, lane_q} == StreamLanes - 1;
  wire last_max = ~max_per_sample | (index_q + 16'd1 == descriptor_i[F_SAMPLES+:16]);
  assign max_index = (state_q == FLUSH_MAX) ? index_q[SampleBits-1:0] : sample_q3;
  assign sum_row   = in_sums ? flush_row_q : row_q;
  wire sum_writes = sum_per_channel | last_lane;  // a sum over lanes leaves with the last
  wire [15:0] sums = sum_per_channel ? channels : sum_per_sample ? descriptor_i[F_SAMPLES+:16] : 16'd1;
  wire last_sum = sum_writes & (index_q + 16'd1 == sums);

  // Writer: the word that was read
  reg         word_q, word_writes_q, word_max_q, word_last_q;  // there is one; it leaves now; which; the last
  reg [63:0]  value_q, total_q;
  reg [31:0]  address_q;    // of the next result
  wire [63:0] total = total_q + value_q;
  assign write_valid_o   = enable_i & word_q & word_writes_q;
  assign write_address_o = address_q;
  assign write_data_o    = (word_max_q | sum_per_channel) ? value_q : total;
  assign write_strobe_o  = word_max_q ? 8'h0f : 8'hff;
  wire step = enable_i & (~write_valid_o | write_ready_i);

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= FLUSH_IDLE;
      word_q  <= 1'b0;
      done_o  <= 1'b0;
    end else if (clear_i) begin
      state_q <= FLUSH_IDLE;
      word_q  <= 1'b0;
      done_o  <= 1'b0;
    end else begin
      done_o <= step & word_q & word_last_q;
      if (step) word_q <= state_q != FLUSH_IDLE;
      case (state_q)
        FLUSH_IDLE:
        if (flush_start_i) begin
          if (!descriptor_i[F_REDUCE_FLUSH]) done_o <= 1'b1;
          else if (max_enable) state_q <= FLUSH_MAX;
          else if (sum_enable) state_q <= FLUSH_SUM;
          else done_o <= 1'b1;
        end
        FLUSH_MAX: if (step & last_max) state_q <= sum_enable ? FLUSH_SUM : FLUSH_IDLE;
        default:
        if (step & last_sum) state_q <= (second_enable & (state_q == FLUSH_SUM)) ? FLUSH_SECOND : FLUSH_IDLE;
      endcase
    end
  end
  always @(posedge clk_i) begin
    if (state_q == FLUSH_IDLE) begin
      index_q     <= 16'd0;
      lane_q      <= {LaneBits{1'b0}};
      flush_row_q <= {RowBits{1'b0}};
    end else if (step) begin
      word_max_q <= state_q == FLUSH_MAX;
      if (state_q == FLUSH_MAX) begin
        index_q       <= last_max ? 16'd0 : index_q + 16'd1;
        value_q       <= {32'd0, max_before};
        word_writes_q <= 1'b1;
        word_last_q   <= last_max & ~sum_enable;
      end else begin
        lane_q        <= (last_lane | last_sum) ? {LaneBits{1'b0}} : lane_q + 1'b1;
        value_q       <= sum_lane;
        word_writes_q <= sum_writes;
        word_last_q   <= last_sum & ~(second_enable & (state_q == FLUSH_SUM));
        if (sum_writes) begin
          index_q <= last_sum ? 16'd0 : index_q + 16'd1;
          if (last_sum) flush_row_q <= {RowBits{1'b0}};
          else if (last_lane) flush_row_q <= flush_row_q + 1'b1;
        end
      end
    end
    if (flush_start_i) begin
      address_q <= max_enable ? descriptor_i[F_MAX_ADDRESS+:32] : descriptor_i[F_SUM_ADDRESS+:32];
      total_q   <= 64'd0;
    end else if (step & word_q) begin
      if (word_max_q & state_q != FLUSH_MAX) address_q <= descriptor_i[F_SUM_ADDRESS+:32];
      else if (word_writes_q) address_q <= address_q + (word_max_q ? 32'd4 : 32'd8);
      if (!word_max_q) total_q <= word_writes_q ? 64'd0 : total;
    end
  end
endmodule
`default_nettype wire
