// SPDX-License-Identifier: Apache-2.0
// Twelve token counters between the engines. Each has one engine that takes; any may signal. The
// scheduler keeps every count below 256.
`default_nettype none
module sf_semaphores (
    input  wire        clk_i,
    input  wire        rst_ni,
    input  wire        clear_i,
    input  wire [47:0] take_i,    // 12 bits an engine
    input  wire [47:0] signal_i,
    output wire [11:0] tokens_o
);
  genvar index;
  generate
    for (index = 0; index < 12; index = index + 1) begin : gen_semaphore
      reg [7:0] count_q;
      wire [3:0] signals = {signal_i[36+index], signal_i[24+index], signal_i[12+index], signal_i[index]};
      wire       taken   = take_i[index] | take_i[12+index] | take_i[24+index] | take_i[36+index];
      // What the count may become is there before it is known which
      wire [7:0] less_1 = count_q - 8'd1, plus_1 = count_q + 8'd1, plus_2 = count_q + 8'd2, plus_3 = count_q + 8'd3,
                 plus_4 = count_q + 8'd4;
      reg  [7:0] without, with_take;
      always @* begin
        case (signals)
          4'b0000: begin without = count_q; with_take = less_1; end
          4'b0001, 4'b0010, 4'b0100, 4'b1000: begin without = plus_1; with_take = count_q; end
          4'b0111, 4'b1011, 4'b1101, 4'b1110: begin without = plus_3; with_take = plus_2; end
          4'b1111: begin without = plus_4; with_take = plus_3; end
          default: begin without = plus_2; with_take = plus_1; end
        endcase
      end
      assign tokens_o[index] = count_q != 8'd0;
      always @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) count_q <= 8'd0;
        else if (clear_i) count_q <= 8'd0;
        else count_q <= taken ? with_take : without;
      end
    end
  endgenerate
endmodule
`default_nettype wire
