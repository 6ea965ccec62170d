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
      wire [7:0] more = {7'd0, signal_i[index]} + {7'd0, signal_i[12+index]} + {7'd0, signal_i[24+index]}
                        + {7'd0, signal_i[36+index]};
      wire [7:0] less = {7'd0, take_i[index]} + {7'd0, take_i[12+index]} + {7'd0, take_i[24+index]}
                        + {7'd0, take_i[36+index]};
      assign tokens_o[index] = count_q != 8'd0;
      always @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) count_q <= 8'd0;
        else if (clear_i) count_q <= 8'd0;
        else count_q <= count_q + more - less;
      end
    end
  endgenerate
endmodule
`default_nettype wire
