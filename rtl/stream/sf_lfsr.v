// SPDX-License-Identifier: Apache-2.0
// The random sequence of the rounding units: x[n+64] = x[n] ^ x[n+1] ^ x[n+3] ^ x[n+4] over GF(2)
// (x^64 + x^4 + x^3 + x + 1, primitive: period 2^64 - 1). Number e is bits e*RandomBits upwards of the sequence
// that starts with the loaded state; a step gives Numbers of them. The host jumps ahead for a
// tensor's start state, so no number of a run is used twice. A zero state is refused by the device.
`default_nettype none
module sf_lfsr #(
    parameter RandomBits = 16,
    parameter Numbers = 16
) (
    input  wire                          clk_i,
    input  wire                          load_i,
    input  wire [63:0]                   state_i,
    input  wire                          step_i,
    output wire [Numbers*RandomBits-1:0] numbers_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (RandomBits < 1 || RandomBits > 16) begin : gen_random_bits_must_be_1_to_16
      sf_error_random_bits_must_be_1_to_16 u_error ();
    end
  endgenerate
  localparam Used = Numbers * RandomBits;  // bits a step consumes
  // 60 new bits depend only on 64 older ones, so they are made 60 at a time.
  localparam Blocks = (Used + 59) / 60;
  reg  [63:0] state_q;
  reg  [63+60*Blocks:0] sequence_bits;
  always @* begin : extending
    integer block;
    block         = 0;
    sequence_bits = {{60*Blocks{1'b0}}, state_q};
    for (block = 0; block < Blocks; block = block + 1)
      sequence_bits[64+60*block+:60] =
          sequence_bits[60*block+:60] ^ sequence_bits[60*block+1+:60] ^
          sequence_bits[60*block+3+:60] ^ sequence_bits[60*block+4+:60];
  end
  assign numbers_o = sequence_bits[Used-1:0];
  always @(posedge clk_i) begin
    if (load_i) state_q <= state_i;
    else if (step_i) state_q <= sequence_bits[Used+:64];
  end
endmodule
`default_nettype wire
