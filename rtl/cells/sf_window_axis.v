// SPDX-License-Identifier: Apache-2.0
// One axis of a convolution window: which taps t of [0, taps) meet an operand index d inside [0, map), at tile
// position p. Padding and stride holes are thereby never visited.
//   forward          d = origin + stride p + t      t and d step by 1         unit 1,      fine index d
//   backward input   stride d + t = origin + p      t by stride, d by -1      unit stride, fine index t
//   backward weight  d = origin + p + stride t      t by 1, d by stride       unit stride, fine index d
// Nothing is divided: origin = place * unit + phase, and place and phase move on with p. The fine indices of a
// phase are every unit-th from it on, and the last of the reach units lacks those from rest on.
// load_i: p = 0. next_i: p + 1. Outputs follow after 3 cycles of enable_i; other inputs are held from a cycle before
// load_i on. count_o = 0: no tap is valid. 18-bit signed arithmetic holds every sum for positions below 2^16.
`default_nettype none
module sf_window_axis (
    input  wire        clk_i,
    input  wire        enable_i,
    input  wire        load_i,
    input  wire        next_i,
    input  wire [1:0]  mode_i,
    input  wire [5:0]  stride_i,
    input  wire [15:0] place_i,  // two's complement
    input  wire [5:0]  phase_i,  // below the unit
    input  wire [15:0] reach_i,  // units that hold the fine index
    input  wire [15:0] taps_i,
    input  wire [15:0] map_i,
    output reg  [15:0] first_tap_o,
    output reg  [15:0] first_index_o,
    output reg  [15:0] count_o
);
  `include "sf_descriptor.vh"

  wire        backwards = mode_i == WINDOW_BACKWARD_INPUT;
  wire [5:0]  unit   = (mode_i == WINDOW_FORWARD) ? 6'd1 : stride_i;
  wire [15:0] fine   = backwards ? taps_i : map_i;
  wire [15:0] coarse = backwards ? map_i : taps_i;

  // Where the tile is
  reg signed [17:0] place_q;
  reg [5:0]         phase_q;
  wire              wraps = phase_q + 6'd1 == stride_i;
  // Of a descriptor: fine indices in the last unit, 1 to unit
  reg [6:0]         rest_q;
  wire [15:0]       whole = (reach_i - 16'd1) * {10'd0, unit};

  // Cycle 1: the first step of the window, counted by units, and the fine indices of its phase
  reg signed [17:0] first_q;
  reg [16:0]        members_q;
  wire signed [17:0] too_early = backwards ? place_q - {2'b00, coarse} + 18'sd1 : -place_q;
  // Cycle 2: the last step, and what the stride multiplies
  reg signed [17:0] last_q, first_2_q, coarse_q, strides_q;
  wire signed [17:0] members_end = $signed({1'b0, members_q}) - 18'sd1;
  wire signed [17:0] fine_last   = backwards ? members_end : members_end - place_q;
  wire signed [17:0] coarse_last = backwards ? place_q : $signed({2'b00, coarse}) - 18'sd1;
  // Cycle 3: tap, index and count
  wire signed [17:0] steps = last_q - first_2_q + 18'sd1;
  wire [15:0]        fine_first = strides_q[15:0] * {10'd0, unit} + {10'd0, phase_q};

  always @(posedge clk_i) begin
    if (enable_i) begin
      rest_q <= fine[6:0] - whole[6:0];
      if (load_i) begin
        place_q <= {{2{place_i[15]}}, place_i};
        phase_q <= phase_i;
      end else if (next_i) begin
        if (mode_i == WINDOW_FORWARD) place_q <= place_q + {12'd0, stride_i};
        else begin
          place_q <= place_q + {17'd0, wraps};
          phase_q <= wraps ? 6'd0 : phase_q + 6'd1;
        end
      end

      first_q   <= too_early[17] ? 18'sd0 : too_early;
      members_q <= {1'b0, reach_i} - {16'd0, {1'b0, phase_q} >= rest_q};

      last_q    <= (fine_last < coarse_last) ? fine_last : coarse_last;
      first_2_q <= first_q;
      coarse_q  <= backwards ? place_q - first_q : first_q;
      strides_q <= backwards ? first_q : place_q + first_q;

      first_tap_o   <= backwards ? fine_first : coarse_q[15:0];
      first_index_o <= backwards ? coarse_q[15:0] : fine_first;
      count_o       <= steps[17] ? 16'd0 : steps[15:0];
    end
  end
endmodule
`default_nettype wire
