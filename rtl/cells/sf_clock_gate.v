// SPDX-License-Identifier: Apache-2.0
// A clock for registers that all keep their values while enable_i is low, so that leaving the gate out changes nothing
// but energy. enable_i has until the rising edge, as a register's input has.
// Without SF_CLOCK_GATES it is a wire: simulations are faster, FPGAs use enables. With it, a latch and a gate, which a
// flow for a chip replaces by its library's cell.
`default_nettype none
module sf_clock_gate (
    input  wire clk_i,
    input  wire enable_i,
    output wire clk_o
);
`ifdef SF_CLOCK_GATES
  reg enable_q;
  always @* if (!clk_i) enable_q = enable_i;
`ifdef SF_BREAK_CLOCK_GATE
  // Known-bad, for the tests that must notice: never opens.
  assign clk_o = clk_i & enable_q & 1'b0;
`else
  assign clk_o = clk_i & enable_q;
`endif
`else
  wire unused = enable_i;
  assign clk_o = clk_i;
`endif
endmodule
`default_nettype wire
