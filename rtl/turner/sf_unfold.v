// SPDX-License-Identifier: Apache-2.0
// Unfolding: im2col of packed planes with a corner turn, lanes along channels to lanes along output pixels
// (the contract is UNFOLD in model/spec/descriptor.hpp of Solfege's sources). Three parts, each ahead of the next:
//   asker   walks scans (for tap y, tap x, slices, sample group) of output pixels (y, x), one pixel a cycle: a read
//           of one beat, or nothing where the tap is outside the map. Lanes pixels, or the last fewer, make a block.
//   filler  takes the answers into half of a store, a pixel a cycle: SlabWords words of Lanes channels each.
//   drainer writes the other half turned: for each slice and group of target members, for each sample, one beat.
// The halves change roles when both are done.
// A slice is a word of a plane for all members of a group. The slices of a pixel lie next to one another, plane by plane.
// A scan takes 2^n slices that share a beat: the largest n for which both the slices of a pixel and the source's first
// slice are multiples of 2^n, and a block has at most 8192 bits. Where a beat or a block does not hold one slice, a scan
// takes as many of its members as they hold.
// The asker never has more reads under way than the answers' queue holds.
// Channels past source_lanes are written, as the source has them, up to a beat's members (at most Lanes); pixels past
// the last and outside the map are 0.
// Cycles not stalled: 23 + sum over blocks k = 0.. of max(pixels of block k, beats of block k - 1).
`default_nettype none
module sf_unfold #(
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Lanes = 64,
    parameter BusBytes = 64
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  clear_i,
    input  wire                  enable_i,
    input  wire                  start_i,
    input  wire [2047:0]         descriptor_i,  // stable from start to done
    output wire                  stall_o,
    output wire                  done_o,
    output wire                  request_valid_o,
    input  wire                  request_ready_i,
    output wire [31:0]           request_address_o,
    input  wire                  response_valid_i,
    input  wire [8*BusBytes-1:0] response_data_i,
    output wire                  write_valid_o,
    input  wire                  write_ready_i,
    output wire [31:0]           write_address_o,
    output wire [8*BusBytes-1:0] write_data_o,
    output wire [BusBytes-1:0]   write_strobe_o,
    output wire                  flush_o,        // all is written
    input  wire                  writes_idle_i
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Rows < 2 || (Rows & (Rows - 1)) != 0) begin : gen_rows_must_be_a_power_of_two_from_2
      sf_error_rows_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Columns < 2 || (Columns & (Columns - 1)) != 0) begin : gen_columns_must_be_a_power_of_two_from_2
      sf_error_columns_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Lanes < 8 || (Lanes & (Lanes - 1)) != 0) begin : gen_lanes_must_be_a_power_of_two_from_8
      sf_error_lanes_must_be_a_power_of_two_from_8 u_error ();
    end
    if (BusBytes < 2 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_2
      sf_error_bus_bytes_must_be_a_power_of_two_from_2 u_error ();
    end
    if (8 * BusBytes < Lanes) begin : gen_a_word_of_lanes_must_fit_the_bus
      sf_error_a_word_of_lanes_must_fit_the_bus u_error ();
    end
  endgenerate
  `include "sf_descriptor.vh"
  localparam WordBytes = Lanes / 8;
  localparam BeatWords = BusBytes / WordBytes;
  localparam WordShift = $clog2(WordBytes);
  localparam [4:0] WordLog2 = WordShift;
  localparam PlaceBits = (BeatWords > 1) ? $clog2(BeatWords) : 1;
  localparam [4:0] RowShift = $clog2(Rows);
  localparam [4:0] ColumnShift = $clog2(Columns);
  // Words that a block has of a pixel; samples of a block, and slices at most, by the source's group
  localparam BankWords = (8192 / (Lanes * Lanes) > 1) ? 8192 / (Lanes * Lanes) : 1;
  localparam SlabWords = (BeatWords < BankWords) ? BeatWords : BankWords;
  localparam RowSamples = (Rows < SlabWords) ? Rows : SlabWords;
  localparam ColumnSamples = (Columns < SlabWords) ? Columns : SlabWords;
  localparam [4:0] RowSampleShift = $clog2(RowSamples);
  localparam [4:0] ColumnSampleShift = $clog2(ColumnSamples);
  localparam [4:0] RowSliceShift = $clog2(SlabWords / RowSamples);
  localparam [4:0] ColumnSliceShift = $clog2(SlabWords / ColumnSamples);
  localparam MaxSliceShift = (RowSliceShift > ColumnSliceShift) ? RowSliceShift : ColumnSliceShift;
  localparam ReadStep = (RowSamples < ColumnSamples) ? RowSamples : ColumnSamples;
  // Members of a write, by the target's group
  localparam WriteLimit = (BeatWords < Lanes) ? BeatWords : Lanes;
  localparam RowMembers = (Rows < WriteLimit) ? Rows : WriteLimit;
  localparam ColumnMembers = (Columns < WriteLimit) ? Columns : WriteLimit;
  localparam Members = (RowMembers > ColumnMembers) ? RowMembers : ColumnMembers;
  localparam WriteStep = (RowMembers < ColumnMembers) ? RowMembers : ColumnMembers;
  localparam LaneBits = $clog2(Lanes);
  localparam SlabBits = SlabWords * Lanes;  // a pixel of a block
  // A beat takes one unit, Members channels of a sample of a slice, of every pixel
  localparam Units = SlabBits / Members;  // of a pixel, a power of two
  localparam UnitBits = (Units > 1) ? $clog2(Units) : 1;
  localparam Banks = (Units > Lanes) ? Units : Lanes;
  localparam BankBits = $clog2(Banks);
  localparam StoreDepth = (Units > Lanes) ? Lanes : Units;  // of a half
  localparam StoreBits = (StoreDepth > 1) ? $clog2(StoreDepth) : 1;
  localparam SampleUnitShift = $clog2(Lanes / Members);
  localparam MemberShift = $clog2(Members);
  localparam ReservedBits = $clog2(UNFOLD_ANSWERS) + 1;

  wire [15:0] source_rows  = descriptor_i[F_SOURCE_ROWS+:16];
  wire [15:0] source_lanes = descriptor_i[F_SOURCE_LANES+:16];
  wire [15:0] source_words = descriptor_i[F_SOURCE_WORDS+:16];
  wire [15:0] height       = descriptor_i[F_UNFOLD_HEIGHT+:16];
  wire [15:0] width        = descriptor_i[F_UNFOLD_WIDTH+:16];
  wire [15:0] out_height   = descriptor_i[F_UNFOLD_OUT_HEIGHT+:16];
  wire [15:0] out_width    = descriptor_i[F_UNFOLD_OUT_WIDTH+:16];
  wire [7:0]  padding_y    = descriptor_i[F_UNFOLD_PADDING_HEIGHT+:8];
  wire [7:0]  padding_x    = descriptor_i[F_UNFOLD_PADDING_WIDTH+:8];
  wire [7:0]  stride_y     = descriptor_i[F_UNFOLD_STRIDE_HEIGHT+:8];
  wire [7:0]  stride_x     = descriptor_i[F_UNFOLD_STRIDE_WIDTH+:8];
  wire [5:0]  planes       = descriptor_i[F_UNFOLD_PLANES+:6];
  wire        source_columns = descriptor_i[F_SOURCE_COLUMNS];
  wire        target_columns = descriptor_i[F_TARGET_COLUMNS];
  wire [4:0]  source_shift = source_columns ? ColumnShift : RowShift;
  wire [4:0]  target_shift = target_columns ? ColumnShift : RowShift;
  wire [4:0]  samples_shift = source_columns ? ColumnSampleShift : RowSampleShift;
  wire [15:0] samples_step = source_columns ? ColumnSamples : RowSamples;
  wire [15:0] members_step = target_columns ? ColumnMembers : RowMembers;
  wire [15:0] target_mask  = (16'd1 << target_shift) - 16'd1;
  wire [15:0] source_mask  = (16'd1 << source_shift) - 16'd1;

  // ---- Slices of a scan, 2^slices_shift, and how far they go: planes, and words beyond ----
  wire [4:0] most_slices = source_columns ? ColumnSliceShift : RowSliceShift;
  // Modulo 64: slices of a pixel, and the source's place in slices
  wire [5:0] some_slices = planes * source_words[5:0];
  wire [31:0] source_place = descriptor_i[F_SOURCE_ADDRESS+:32] >> (source_shift + WordLog2);
  reg  [4:0] slices_shift, slices_shift_q;
  reg  [5:0] slice_planes, slice_planes_q;
  wire [5:0] slices = 6'd1 << slices_shift_q;
  always @* begin : counting_slices
    integer shift, count;
    shift        = 0;
    count        = 0;
    slices_shift = 5'd0;
    slice_planes = 6'd0;
    for (shift = 1; shift <= MaxSliceShift; shift = shift + 1)
      if (shift <= {27'd0, most_slices} && ((some_slices | source_place[5:0]) & ((6'd1 << shift) - 6'd1)) == 6'd0) slices_shift = shift[4:0];
    for (count = 1; count <= (1 << MaxSliceShift); count = count + 1)
      if (count * {16'd0, source_words} <= {26'd0, slices}) slice_planes = count[5:0];
  end
  reg [15:0] slice_words_q;
  always @(posedge clk_i) begin
    slices_shift_q <= slices_shift;
    slice_planes_q <= slice_planes;
    slice_words_q  <= {10'd0, slices} - slice_planes_q * source_words;
  end

  // ---- States: strides first (a product in two cycles), then running, then the writes' answers ----
  localparam [3:0] STATE_IDLE = 4'd0, STATE_SOURCE_PIXEL = 4'd1, STATE_SOURCE_LINE = 4'd2, STATE_SOURCE_GROUP = 4'd3,
                   STATE_PADDING_Y = 4'd4, STATE_PADDING_X = 4'd5, STATE_STEP_Y = 4'd6, STATE_STEP_X = 4'd7,
                   STATE_TARGET_PIXEL = 4'd8, STATE_TARGET_GROUP = 4'd9, STATE_TARGET_PLANES = 4'd10,
                   STATE_BEGIN = 4'd11, STATE_RUN = 4'd12, STATE_WAIT = 4'd13;
  reg [3:0] state_q;
  wire run = enable_i & (state_q == STATE_RUN);
  wire finish;

  // Bytes from one to the next of the packed layouts
  wire [31:0] source_word  = 32'd1 << (source_shift + WordLog2);
  wire [31:0] source_plane = {16'd0, source_words} << (source_shift + WordLog2);
  wire [31:0] target_word  = 32'd1 << (target_shift + WordLog2);
  wire [31:0] target_plane = {16'd0, descriptor_i[F_TARGET_WORDS+:16]} << (target_shift + WordLog2);
  reg  [31:0] source_pixel_q, source_line_q, source_group_q, target_pixel_q, target_group_q;
  reg  [31:0] target_planes_q;           // planes that a scan's slices go on
  reg  [31:0] padding_y_q, padding_x_q;  // what lies before the map
  reg  [31:0] step_y_q, step_x_q;        // from one output pixel to the next
  wire [31:0] samples_bytes = {16'd0, samples_step} << WordShift;
  wire [31:0] members_bytes = {16'd0, members_step} << WordShift;

  // ---- Next scan: prepared while the current one runs. The multiplier also makes the strides ----
  localparam [1:0] NEXT_NONE = 2'd0, NEXT_SUM = 2'd1, NEXT_PRODUCT = 2'd2, NEXT_READY = 2'd3;
  reg [1:0]  next_q;
  reg [7:0]  tap_y_q, tap_x_q;
  reg [15:0] word_q;         // of the first slice
  reg [5:0]  plane_q;
  reg [15:0] sample_q;       // first of the group
  reg [15:0] tap_row_q;      // target row of the tap's channel 0
  reg [31:0] tap_line_q, tap_at_q;             // source addresses: of the tap's y, of the tap
  reg [31:0] slice_at_q, group_at_q, sample_at_q;             // source offsets
  reg [31:0] target_plane_at_q, target_sample_at_q;           // target offsets
  reg [31:0] product_q, source_sum_q, target_sum_q;
  reg [31:0] plane_sum_q, tap_product_q;  // of word 0 of the next plane
  wire [15:0] target_row  = tap_row_q + (word_q << LaneBits);
  wire [15:0] samples_left = source_rows - sample_q;
  wire last_sample = samples_left <= samples_step;
  wire [16:0] next_word   = {1'b0, word_q} + {1'b0, slice_words_q};
  wire        over_plane  = next_word >= {1'b0, source_words};
  wire [6:0]  next_plane  = {1'b0, plane_q} + {1'b0, slice_planes_q} + {6'd0, over_plane};
  wire last_slices = next_plane == {1'b0, planes};
  wire first_slices = word_q == 16'd0 & plane_q == 6'd0;
  wire last_tap_x  = tap_x_q + 8'd1 == descriptor_i[F_UNFOLD_KERNEL_WIDTH+:8];
  wire last_tap_y  = tap_y_q + 8'd1 == descriptor_i[F_UNFOLD_KERNEL_HEIGHT+:8];
  wire last_group_sample = ((sample_q + samples_step) & source_mask) == 16'd0;
  wire last_scan = last_sample & last_slices & last_tap_x & last_tap_y;
  wire load;  // the scan starts

  reg [31:0] factor;
  reg [15:0] times;
  always @* begin
    case (state_q)
      STATE_SOURCE_PIXEL: begin factor = source_plane; times = {10'd0, planes}; end
      STATE_SOURCE_LINE:  begin factor = source_pixel_q; times = width; end
      STATE_SOURCE_GROUP: begin factor = source_line_q; times = height; end
      STATE_PADDING_Y:    begin factor = source_line_q; times = {8'd0, padding_y}; end
      STATE_PADDING_X:    begin factor = source_pixel_q; times = {8'd0, padding_x}; end
      STATE_STEP_Y:       begin factor = source_line_q; times = {8'd0, stride_y}; end
      STATE_STEP_X:       begin factor = source_pixel_q; times = {8'd0, stride_x}; end
      STATE_TARGET_PIXEL: begin factor = target_plane; times = {10'd0, planes}; end
      STATE_TARGET_GROUP: begin factor = target_pixel_q; times = source_rows; end
      STATE_TARGET_PLANES: begin factor = target_plane; times = {10'd0, slice_planes_q}; end
      default:            begin factor = target_group_q; times = target_row >> target_shift; end
    endcase
  end
  reg         factors_q;  // the state's factors are in front of the multiplier
  reg  [31:0] factor_q;
  reg  [15:0] times_q;
  wire [31:0] product = factor_q * {16'd0, times_q};
  wire        prepares = state_q != STATE_IDLE & state_q < STATE_BEGIN;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= STATE_IDLE;
      next_q    <= NEXT_NONE;
      factors_q <= 1'b0;
    end else if (clear_i) begin
      state_q   <= STATE_IDLE;
      next_q    <= NEXT_NONE;
      factors_q <= 1'b0;
    end else if (enable_i) begin
      factors_q <= prepares & ~factors_q;
      case (state_q)
        STATE_IDLE: if (start_i) state_q <= STATE_SOURCE_PIXEL;
        STATE_RUN:  if (finish) state_q <= STATE_WAIT;
        STATE_WAIT: if (done_o) state_q <= STATE_IDLE;
        default:    if (factors_q | ~prepares) state_q <= state_q + 4'd1;
      endcase
      case (next_q)
        NEXT_SUM:     next_q <= NEXT_PRODUCT;
        NEXT_PRODUCT: next_q <= NEXT_READY;
        NEXT_READY: if (load) next_q <= last_scan ? NEXT_NONE : NEXT_SUM;
        default:    if (state_q == STATE_BEGIN) next_q <= NEXT_SUM;
      endcase
    end
  end
  always @(posedge clk_i) begin
    if (enable_i) begin
      factor_q <= factor;
      times_q  <= times;
      case (state_q)
        STATE_SOURCE_PIXEL: source_pixel_q <= product;
        STATE_SOURCE_LINE:  source_line_q <= product;
        STATE_SOURCE_GROUP: source_group_q <= product;
        STATE_PADDING_Y:    padding_y_q <= product;
        STATE_PADDING_X:    padding_x_q <= product;
        STATE_STEP_Y:       step_y_q <= product;
        STATE_STEP_X:       step_x_q <= product;
        STATE_TARGET_PIXEL: target_pixel_q <= product;
        STATE_TARGET_GROUP: target_group_q <= product;
        STATE_TARGET_PLANES: target_planes_q <= product;
        default:            product_q <= product;
      endcase
      // The sums of a scan, one cycle after its indices; its product is there after two
      source_sum_q <= tap_at_q + slice_at_q + sample_at_q;
      target_sum_q <= descriptor_i[F_TARGET_ADDRESS+:32] + target_plane_at_q + target_sample_at_q
                      + ({16'd0, target_row & target_mask} << WordShift);
      plane_sum_q  <= descriptor_i[F_TARGET_ADDRESS+:32] + target_plane_at_q + target_plane + target_sample_at_q
                      + ({16'd0, tap_row_q & target_mask} << WordShift);
      if (state_q == STATE_BEGIN) begin
        tap_y_q      <= 8'd0;
        tap_x_q      <= 8'd0;
        tap_row_q    <= 16'd0;
        tap_line_q   <= descriptor_i[F_SOURCE_ADDRESS+:32] - padding_y_q - padding_x_q;
        tap_at_q     <= descriptor_i[F_SOURCE_ADDRESS+:32] - padding_y_q - padding_x_q;
        word_q       <= 16'd0;
        plane_q      <= 6'd0;
        slice_at_q   <= 32'd0;
        sample_q     <= 16'd0;
        group_at_q   <= 32'd0;
        sample_at_q  <= 32'd0;
        target_plane_at_q  <= 32'd0;
        target_sample_at_q <= 32'd0;
      end else if (load) begin
        // Next indices: sample group fastest, then slices, tap x, tap y
        if (first_slices) tap_product_q <= product_q;
        sample_q           <= last_sample ? 16'd0 : sample_q + samples_step;
        target_sample_at_q <= last_sample ? 32'd0 : target_sample_at_q + (target_pixel_q << samples_shift);
        if (last_sample) begin
          group_at_q  <= 32'd0;
          sample_at_q <= 32'd0;
        end else if (last_group_sample) begin
          group_at_q  <= group_at_q + source_group_q;
          sample_at_q <= group_at_q + source_group_q;
        end else sample_at_q <= sample_at_q + samples_bytes;
        if (last_sample) begin
          word_q            <= last_slices ? 16'd0 : over_plane ? next_word[15:0] - source_words : next_word[15:0];
          plane_q           <= last_slices ? 6'd0 : next_plane[5:0];
          slice_at_q        <= last_slices ? 32'd0 : slice_at_q + (source_word << slices_shift_q);
          target_plane_at_q <= last_slices ? 32'd0
                               : target_plane_at_q + target_planes_q + (over_plane ? target_plane : 32'd0);
          if (last_slices) begin
            tap_row_q <= tap_row_q + descriptor_i[F_UNFOLD_TAP_ROWS+:16];
            tap_x_q   <= last_tap_x ? 8'd0 : tap_x_q + 8'd1;
            tap_at_q  <= last_tap_x ? tap_line_q + source_line_q : tap_at_q + source_pixel_q;
            if (last_tap_x) begin
              tap_y_q    <= tap_y_q + 8'd1;
              tap_line_q <= tap_line_q + source_line_q;
            end
          end
        end
      end
    end
  end

  // ---- Asker: the current scan ----
  reg        scan_q;                      // a scan is under way
  reg [15:0] out_x_q, out_y_q;
  reg signed [17:0] x_first_q, x_q, y_q;  // place in the map; 18 bits hold it for maps below 2^15
  reg [31:0] line_at_q, at_q;
  reg [LaneBits-1:0] lane_q;
  reg [31:0] block_at_q;                  // target address of the block's first member and sample
  reg [31:0] block_plane_at_q;            // of word 0 of the next plane
  reg [15:0] block_member_q, block_plane_member_q;
  reg [15:0] block_words_q;               // from the first slice to the plane's last
  reg [15:0] block_samples_q;
  reg        block_final_q;               // the scan is the last

  wire tag_ready, block_ready;
  reg [ReservedBits-1:0] reserved_q;  // reads asked for whose answers have not been taken
  wire in_map  = !x_q[17] && !y_q[17] && {14'd0, x_q} < {16'd0, width} && {14'd0, y_q} < {16'd0, height};
  wire last_x  = out_x_q + 16'd1 == out_width;
  wire last_y  = out_y_q + 16'd1 == out_height;
  wire scan_end  = last_x & last_y;
  wire block_end = scan_end | (&lane_q);
  wire block_start = lane_q == {LaneBits{1'b0}};
  wire room    = tag_ready & (block_ready | ~block_start);
  wire credit  = {{(32-ReservedBits){1'b0}}, reserved_q} < UNFOLD_ANSWERS;
  assign request_valid_o   = run & scan_q & room & in_map & credit;
  assign request_address_o = at_q & ~(BusBytes - 32'd1);
  wire ask  = request_valid_o & request_ready_i;
  wire step = ask | (run & scan_q & room & ~in_map);
  assign load = run & (next_q == NEXT_READY) & (~scan_q | (step & scan_end));
  wire take_answer;

  wire signed [17:0] tap_x_place = {10'd0, tap_x_q} - {10'd0, padding_x};
  wire signed [17:0] tap_y_place = {10'd0, tap_y_q} - {10'd0, padding_y};
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      scan_q     <= 1'b0;
      reserved_q <= {ReservedBits{1'b0}};
    end else if (clear_i) begin
      scan_q     <= 1'b0;
      reserved_q <= {ReservedBits{1'b0}};
    end else begin
      if (load) scan_q <= 1'b1;
      else if (step & scan_end) scan_q <= 1'b0;
      if (ask & ~take_answer) reserved_q <= reserved_q + 1'b1;
      else if (take_answer & ~ask) reserved_q <= reserved_q - 1'b1;
    end
  end
  always @(posedge clk_i) begin
    if (load) begin
      out_x_q         <= 16'd0;
      out_y_q         <= 16'd0;
      x_first_q       <= tap_x_place;
      x_q             <= tap_x_place;
      y_q             <= tap_y_place;
      line_at_q       <= source_sum_q;
      at_q            <= source_sum_q;
      lane_q          <= {LaneBits{1'b0}};
      block_at_q      <= target_sum_q + product_q;
      block_member_q  <= target_row & target_mask;
      block_plane_at_q     <= plane_sum_q + (first_slices ? product_q : tap_product_q);
      block_plane_member_q <= tap_row_q & target_mask;
      block_words_q   <= source_words - word_q;
      block_samples_q <= last_sample ? samples_left : samples_step;
      block_final_q   <= last_scan;
    end else if (step) begin
      lane_q <= lane_q + 1'b1;
      if (&lane_q) block_at_q <= block_at_q + target_word;
      if (&lane_q) block_plane_at_q <= block_plane_at_q + target_word;
      out_x_q <= last_x ? 16'd0 : out_x_q + 16'd1;
      x_q     <= last_x ? x_first_q : x_q + {10'd0, stride_x};
      at_q    <= last_x ? line_at_q + step_y_q : at_q + step_x_q;
      if (last_x) begin
        out_y_q   <= out_y_q + 16'd1;
        y_q       <= y_q + {10'd0, stride_y};
        line_at_q <= line_at_q + step_y_q;
      end
    end
  end

  // ---- What is under way: pixels (read or not, last of block), places in beats, answers, blocks ----
  wire tag_valid, tag_read, tag_last, answer_valid, fill, swap;
  sf_fifo #(
      .Width(2),
      .Depth(UNFOLD_TAGS)
  ) u_tags (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (step),
      .data_i ({in_map, block_end}),
      .ready_o(tag_ready),
      .valid_o(tag_valid),
      .data_o ({tag_read, tag_last}),
      .pop_i  (fill),
      .used_o ()
  );
  wire [PlaceBits-1:0] place;
  wire [PlaceBits-1:0] place_now = (BeatWords > 1) ? at_q[WordShift+:PlaceBits] : {PlaceBits{1'b0}};
  sf_fifo #(
      .Width(PlaceBits),
      .Depth(UNFOLD_ANSWERS)
  ) u_places (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (ask),
      .data_i (place_now),
      .ready_o(),
      .valid_o(),
      .data_o (place),
      .pop_i  (response_valid_i),
      .used_o ()
  );
  reg [SlabBits-1:0] answer_in;
  wire [SlabBits-1:0] answer;
  always @* begin : answering
    integer at, w;
    at        = 0;
    w         = 0;
    answer_in = response_data_i[SlabBits-1:0];
    if (response_valid_i)
      for (at = 0; at < BeatWords; at = at + ReadStep)
        if ({{(32-PlaceBits){1'b0}}, place} == at)
          for (w = 0; w < SlabWords; w = w + 1)
            if (at + w < BeatWords) answer_in[w*Lanes+:Lanes] = response_data_i[(at+w)*Lanes+:Lanes];
  end
  sf_fifo #(
      .Width(SlabBits),
      .Depth(UNFOLD_ANSWERS)
  ) u_answers (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (response_valid_i),
      .data_i (answer_in),
      .ready_o(),
      .valid_o(answer_valid),
      .data_o (answer),
      .pop_i  (take_answer),
      .used_o ()
  );
  wire [31:0] block_at, block_plane_at;
  wire [15:0] block_member, block_plane_member, block_words, block_samples;
  wire        block_final;
  sf_fifo #(
      .Width(129),
      .Depth(UNFOLD_BLOCKS)
  ) u_blocks (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (step & block_end),
      .data_i ({block_at_q, block_member_q, block_plane_at_q, block_plane_member_q, block_words_q, block_samples_q,
                block_final_q & scan_end}),
      .ready_o(block_ready),
      .valid_o(),
      .data_o ({block_at, block_member, block_plane_at, block_plane_member, block_words, block_samples, block_final}),
      .pop_i  (swap),
      .used_o ()
  );

  // ---- Two halves of a store: one filled a pixel at a time, one drained a unit of all pixels at a time ----
  reg [Lanes-1:0]          present0_q, present1_q;  // pixels that were read; the others are 0
  reg                      bank_q;            // the half being filled
  reg                      full_q, drain_q;
  reg [15:0]               filled_q, drained_q;  // pixels, beats since the halves changed
  wire last_fill = fill & tag_last;
  assign fill        = run & tag_valid & ~full_q & (answer_valid | ~tag_read);
  assign take_answer = fill & tag_read;
  always @(posedge clk_i) begin
    if (state_q == STATE_BEGIN) begin
      present0_q <= {Lanes{1'b0}};
      present1_q <= {Lanes{1'b0}};
    end else begin
      // The half that was drained will be filled
      if (swap & bank_q) present0_q <= {Lanes{1'b0}};
      else if (take_answer & ~bank_q) present0_q[filled_q[LaneBits-1:0]] <= 1'b1;
      if (swap & ~bank_q) present1_q <= {Lanes{1'b0}};
      else if (take_answer & bank_q) present1_q[filled_q[LaneBits-1:0]] <= 1'b1;
    end
  end

  reg [31:0] drain_row_q, drain_at_q;         // target address of the members' first sample, of the beat
  reg [15:0] drain_member_q;                  // of the target group
  reg [31:0] drain_plane_at_q;                // the same of word 0 of the next plane
  reg [15:0] drain_plane_member_q;
  reg [5:0]  drain_slice_q;
  reg [15:0] drain_words_q;                   // to the plane's last
  reg [15:0] drain_lane_q, drain_sample_q;    // channel of the word, sample of the block
  reg [15:0] drain_samples_q;
  reg        drain_final_q;
  reg        out_valid_q;
  wire put = run & drain_q & (~out_valid_q | write_ready_i);
  wire last_put_sample = drain_sample_q + 16'd1 == drain_samples_q;
  wire last_of_plane   = drain_words_q == 16'd1;
  wire [15:0] last_lanes = (source_lanes - 16'd1) & (Lanes - 16'd1);  // before the last of a plane's last word
  wire last_put_lane   = {1'b0, drain_lane_q} + {1'b0, members_step} > (last_of_plane ? {1'b0, last_lanes} : Lanes - 17'd1);
  wire last_put_slice  = drain_slice_q + 6'd1 == slices;
  wire end_slice = last_put_sample & last_put_lane;
  wire last_put = put & end_slice & last_put_slice;
  assign swap = (full_q | last_fill) & (~drain_q | last_put);
  assign finish = last_put & drain_final_q;
  wire group_end = ((drain_member_q + members_step) & target_mask) == 16'd0;
  wire [31:0] next_row = (end_slice & last_of_plane) ? drain_plane_at_q
                         : group_end ? drain_row_q + members_bytes - target_word + target_group_q
                         : drain_row_q + members_bytes;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bank_q      <= 1'b0;
      full_q      <= 1'b0;
      drain_q     <= 1'b0;
      out_valid_q <= 1'b0;
    end else if (clear_i) begin
      bank_q      <= 1'b0;
      full_q      <= 1'b0;
      drain_q     <= 1'b0;
      out_valid_q <= 1'b0;
    end else begin
      if (swap) begin
        bank_q  <= ~bank_q;
        full_q  <= 1'b0;
        drain_q <= 1'b1;
      end else begin
        if (last_fill) full_q <= 1'b1;
        if (last_put) drain_q <= 1'b0;
      end
      if (put) out_valid_q <= 1'b1;
      else if (write_valid_o & write_ready_i) out_valid_q <= 1'b0;
    end
  end
  always @(posedge clk_i) begin
    if (swap | state_q == STATE_BEGIN) begin
      filled_q  <= 16'd0;
      drained_q <= 16'd0;
    end else begin
      if (fill) filled_q <= filled_q + 16'd1;
      if (put) drained_q <= drained_q + 16'd1;
    end
    if (swap) begin
      drain_row_q     <= block_at;
      drain_at_q      <= block_at;
      drain_member_q  <= block_member;
      drain_plane_at_q     <= block_plane_at;
      drain_plane_member_q <= block_plane_member;
      drain_words_q   <= block_words;
      drain_samples_q <= block_samples;
      drain_final_q   <= block_final;
      drain_slice_q   <= 6'd0;
      drain_lane_q    <= 16'd0;
      drain_sample_q  <= 16'd0;
    end else if (put) begin
      drain_sample_q <= last_put_sample ? 16'd0 : drain_sample_q + 16'd1;
      drain_at_q     <= last_put_sample ? next_row : drain_at_q + target_pixel_q;
      if (last_put_sample) begin
        drain_row_q    <= next_row;
        drain_member_q <= (end_slice & last_of_plane) ? drain_plane_member_q
                          : (drain_member_q + members_step) & target_mask;
        drain_lane_q   <= last_put_lane ? 16'd0 : drain_lane_q + members_step;
      end
      if (end_slice) begin
        drain_slice_q <= drain_slice_q + 6'd1;
        drain_words_q <= last_of_plane ? source_words : drain_words_q - 16'd1;
        if (last_of_plane) drain_plane_at_q <= drain_plane_at_q + target_plane;
      end
    end
  end

  // ---- The corner turn: unit u of pixel p lies in bank p + u (modulo Banks), at the address of the fewer: u or p ----
  wire [UnitBits-1:0] fill_shift = {UnitBits{1'b0}} - filled_q[UnitBits-1:0];
  wire [15:0]         drain_unit = ({10'd0, drain_slice_q} << samples_shift | drain_sample_q) << SampleUnitShift
      | drain_lane_q >> MemberShift;
  wire [SlabBits-1:0] slab;  // of the pixel, its units in the order of their banks
  wire [Banks*Members-1:0] bank_data, units;
  sf_rotate #(
      .Units    (Units),
      .UnitBits (Members),
      .ShiftBits(UnitBits)
  ) u_slab_rotate (
      .enable_i(take_answer),
      .shift_i (fill_shift),
      .data_i  (answer),
      .data_o  (slab)
  );
  genvar bank;
  generate
    for (bank = 0; bank < Banks; bank = bank + 1) begin : gen_bank
      localparam [BankBits-1:0] BANK = bank;
      wire [StoreBits-1:0] write_at, read_at;
      wire write, read;
      if (Units > Lanes) begin : gen_by_pixel
        wire [BankBits-1:0] own_pixel = BANK - drain_unit[BankBits-1:0];  // of the unit being drained
        assign write_at = filled_q[StoreBits-1:0];
        assign read_at  = own_pixel[StoreBits-1:0];
        assign write    = take_answer;
        assign read     = put & {16'd0, own_pixel} < Lanes;
      end else begin : gen_by_unit
        wire [BankBits-1:0] own_unit = BANK - filled_q[BankBits-1:0];  // of the pixel being filled
        assign write_at = own_unit[StoreBits-1:0];
        assign read_at  = drain_unit[StoreBits-1:0];
        assign write    = take_answer & {16'd0, own_unit} < Units;
        assign read     = put;
      end
      sf_ram #(
          .Width(Members),
          .Depth(2 * StoreDepth)
      ) u_store (
          .clk_i          (clk_i),
          .write_enable_i (write),
          .write_address_i({bank_q, write_at}),
          .write_data_i   (slab[(bank%Units)*Members+:Members]),
          .read_enable_i  (read),
          .read_address_i ({~bank_q, read_at}),
          .read_data_o    (bank_data[bank*Members+:Members])
      );
    end
  endgenerate
  reg [31:0]         out_at_q;
  reg [Lanes-1:0]    out_present_q;
  reg [UnitBits-1:0] out_unit_q;
  reg [15:0]         out_channel_q;  // first of the beat's within the unit
  always @(posedge clk_i) begin
    if (put) begin
      out_at_q      <= drain_at_q;
      out_present_q <= bank_q ? present0_q : present1_q;
      out_unit_q    <= drain_unit[UnitBits-1:0];
      out_channel_q <= drain_lane_q & (Members - 16'd1);
    end
  end
  sf_rotate #(
      .Units    (Banks),
      .UnitBits (Members),
      .ShiftBits(UnitBits)
  ) u_units_rotate (
      .enable_i(out_valid_q),
      .shift_i (out_unit_q),
      .data_i  (bank_data),
      .data_o  (units)
  );
  // Words of pixels, of the unit's channels from out_channel_q on
  reg [Members*Lanes-1:0] turned, out_words;
  always @* begin : turning
    integer p, m, first;
    p         = 0;
    m         = 0;
    first     = 0;
    turned    = {Members{{Lanes{1'b0}}}};
    out_words = {Members{{Lanes{1'b0}}}};
    if (out_valid_q) begin
      for (m = 0; m < Members; m = m + 1)
        for (p = 0; p < Lanes; p = p + 1) turned[m*Lanes+p] = units[p*Members+m] & out_present_q[p];
      for (first = 0; first < Members; first = first + WriteStep)
        if ({16'd0, out_channel_q} == first) out_words = turned >> (first * Lanes);
    end
  end
  reg [8*BusBytes-1:0] beat;
  reg [BusBytes-1:0]   strobe;
  wire [PlaceBits-1:0] out_place = (BeatWords > 1) ? out_at_q[WordShift+:PlaceBits] : {PlaceBits{1'b0}};
  always @* begin : placing
    integer b, m;
    b      = 0;
    m      = 0;
    beat   = {8*BusBytes{1'b0}};
    strobe = {BusBytes{1'b0}};
    if (out_valid_q)
      for (b = 0; b < BeatWords; b = b + 1)
        for (m = 0; m < Members; m = m + 1)
          if (m < {16'd0, members_step} && {{(32-PlaceBits){1'b0}}, out_place} + m == b) begin
            beat[b*Lanes+:Lanes] = out_words[m*Lanes+:Lanes];
            strobe[b*WordBytes+:WordBytes] = {WordBytes{1'b1}};
          end
  end
  assign write_valid_o   = enable_i & out_valid_q;
  assign write_address_o = out_at_q & ~(BusBytes - 32'd1);
  assign write_data_o    = beat;
  assign write_strobe_o  = strobe;

  assign flush_o = enable_i & (state_q == STATE_WAIT) & ~out_valid_q;
  assign done_o  = flush_o & writes_idle_i;
  // Running advances with whichever is ahead, filling or draining; the other goes along
  wire ahead = (fill & filled_q >= drained_q) | (put & drained_q >= filled_q);
  assign stall_o = (state_q == STATE_RUN) ? ~ahead : (state_q == STATE_WAIT) & ~done_o;
endmodule
`default_nettype wire
