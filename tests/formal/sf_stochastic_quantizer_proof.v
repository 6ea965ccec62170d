// SPDX-License-Identifier: Apache-2.0
// The restoring division of sf_stochastic_coder is the integer formula
//   c = floor(n (y + M) / (2 M) + (2 U + 1) / 2^(r+1)),  n = 2^bits - 1,
// here over the common denominator M 2^(r+1): c is the only integer with
//   c M 2^(r+1) <= n (y + M) 2^r + (2 U + 1) M < (c + 1) M 2^(r+1).
// The real coder runs with constant inputs until the value has passed all its stages. Values are narrow so
// that the proof ends in seconds; the coder's datapath is the one of every configuration.
// SF_KNOWN_BAD makes the noise 2 U instead of 2 U + 1; the proof must then fail.
`default_nettype none
module sf_stochastic_quantizer_proof #(
    parameter Bits = 4,
    parameter ValueBits = 4,
    parameter RandomBits = 2
) (
    input wire clk_i
);
  `include "sf_descriptor.vh"

  (* anyconst *) wire [ValueBits-1:0] maximum;
  (* anyconst *) wire signed [ValueBits:0] y;
  (* anyconst *) wire [RandomBits-1:0] random;
  wire signed [ValueBits+1:0] maximum_signed = {2'b00, maximum};
  wire signed [ValueBits+1:0] y_wide = {y[ValueBits], y};
  always @* assume (maximum != 0);
  always @* assume (y_wide <= maximum_signed && y_wide >= -maximum_signed);

  wire [7:0] code;
  sf_stochastic_coder #(
      .RandomBits(RandomBits)
  ) u_coder (
      .clk_i        (clk_i),
      .go_i         (1'b1),
      .code_enable_i(1'b1),
      .bits_i       (Bits[3:0]),
      .y_i          ({{(31-ValueBits){y[ValueBits]}}, y}),
      .maximum_i    ({10{{(32-ValueBits){1'b0}}, maximum}}),
      .random_i     (random),
      .code_o       (code)
  );

  // (n + 1) M 2^(r+1) is the largest number.
  localparam WorkBits = Bits + ValueBits + RandomBits + 4;
`ifdef SF_KNOWN_BAD
  localparam [RandomBits:0] Centre = 0;
`else
  localparam [RandomBits:0] Centre = 1;
`endif
  localparam [WorkBits-1:0] Levels = (1 << Bits) - 1;
  wire [WorkBits-1:0] maximum_work = {{(WorkBits-ValueBits){1'b0}}, maximum};
  wire [WorkBits-1:0] above = {{(WorkBits-ValueBits-2){1'b0}}, y_wide + maximum_signed};  // y + M
  wire [WorkBits-1:0] noise = {{(WorkBits-RandomBits-1){1'b0}}, {random, 1'b0} | Centre};
  wire [WorkBits-1:0] numerator = ((Levels * above) << RandomBits) + noise * maximum_work;
  wire [WorkBits-1:0] unit = maximum_work << (RandomBits + 1);
  wire [WorkBits-1:0] code_work = {{WorkBits{1'b0}}, code};

  reg [4:0] age = 5'd0;
  always @(posedge clk_i) if ({27'd0, age} != CODER_STAGES) age <= age + 5'd1;
  always @* begin
    if ({27'd0, age} == CODER_STAGES) begin
      assert (code <= Levels);
      assert (code_work * unit <= numerator);
      assert (numerator < (code_work + 1'b1) * unit);
    end
  end
endmodule
`default_nettype wire
