// SPDX-License-Identifier: Apache-2.0
// One axis of a convolution window: which taps t of [tap_first, tap_first + tap_count) meet an operand
// index d inside [0, limit), for tile position p. Padding and stride holes are thereby never visited.
//   forward          d = (p << s) + t - padding        t steps by 1
//   backward input   d = (p + padding - t) >> s        t steps by 1 << s, where it divides
//   backward weight  d = (t << s) + p - padding        t steps by 1
// Latency 3 cycles while enable_i; inputs held stable meanwhile. count_o = 0: no tap is valid.
// 18-bit signed arithmetic holds every sum for positions below 2^15; maps are far smaller.
`default_nettype none
module sf_window_axis (
    input  wire        clk_i,
    input  wire        enable_i,
    input  wire [1:0]  mode_i,
    input  wire [1:0]  stride_log2_i,
    input  wire [15:0] padding_i,
    input  wire [15:0] position_i,
    input  wire [15:0] tap_first_i,
    input  wire [15:0] tap_count_i,
    input  wire [15:0] limit_i,
    output reg  [15:0] first_tap_o,
    output reg  [15:0] first_index_o,
    output reg  [15:0] count_o
);
  `include "sf_descriptor.vh"

  wire signed [17:0] position  = {2'b00, position_i};
  wire signed [17:0] padding   = {2'b00, padding_i};
  wire signed [17:0] tap_first = {2'b00, tap_first_i};
  wire signed [17:0] tap_last  = {2'b00, tap_first_i} + {2'b00, tap_count_i} - 18'd1;
  wire signed [17:0] index_last = {2'b00, limit_i} - 18'd1;
  wire signed [17:0] stride_mask = (18'sd1 <<< stride_log2_i) - 18'sd1;

  // Cycle 1: the index at tap 0
  reg signed [17:0] base_q;
  // Cycle 2: bounds of the tap
  reg signed [17:0] low, high;
  reg signed [17:0] low_q, high_q;
  wire signed [17:0] low_clamped = (low > tap_first) ? low : tap_first;
  always @* begin
    case (mode_i)
      WINDOW_FORWARD: begin
        low  = -base_q;
        high = index_last - base_q;
      end
      WINDOW_BACKWARD_INPUT: begin
        low  = base_q - (index_last <<< stride_log2_i);
        high = base_q;
      end
      default: begin
        low  = (stride_mask - base_q) >>> stride_log2_i;
        high = (index_last - base_q) >>> stride_log2_i;
      end
    endcase
  end
  // Cycle 3: index and count
  wire signed [17:0] span = high_q - low_q;
  wire signed [17:0] back_index = (base_q - low_q) >>> stride_log2_i;
  wire signed [17:0] forward_index = base_q + low_q;
  wire signed [17:0] weight_index = base_q + (low_q <<< stride_log2_i);
  wire signed [17:0] back_count = (span >>> stride_log2_i) + 18'sd1;
  wire signed [17:0] step_count = span + 18'sd1;

  always @(posedge clk_i) begin
    if (enable_i) begin
      case (mode_i)
        WINDOW_FORWARD:        base_q <= (position <<< stride_log2_i) - padding;
        WINDOW_BACKWARD_INPUT: base_q <= position + padding;
        default:               base_q <= position - padding;
      endcase

      low_q  <= (mode_i == WINDOW_BACKWARD_INPUT)
                ? low_clamped + ((base_q - low_clamped) & stride_mask) : low_clamped;
      high_q <= (high < tap_last) ? high : tap_last;

      first_tap_o <= low_q[15:0];
      case (mode_i)
        WINDOW_FORWARD:        first_index_o <= forward_index[15:0];
        WINDOW_BACKWARD_INPUT: first_index_o <= back_index[15:0];
        default:               first_index_o <= weight_index[15:0];
      endcase
      if (span < 18'sd0) count_o <= 16'd0;
      else count_o <= (mode_i == WINDOW_BACKWARD_INPUT) ? back_count[15:0] : step_count[15:0];
    end
  end
endmodule
`default_nettype wire
