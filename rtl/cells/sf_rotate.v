// SPDX-License-Identifier: Apache-2.0
// Rotates a row of units: unit u of the output is unit u + shift_i (modulo Units) of the input. Zero unless enabled, so
// that a simulator need not compute it.
`default_nettype none
module sf_rotate #(
    parameter Units = 16,  // a power of two
    parameter UnitBits = 16,
    parameter ShiftBits = 4
) (
    input  wire                      enable_i,
    input  wire [ShiftBits-1:0]      shift_i,
    input  wire [Units*UnitBits-1:0] data_i,
    output wire [Units*UnitBits-1:0] data_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Units < 1 || (Units & (Units - 1)) != 0) begin : gen_units_must_be_a_power_of_two
      sf_error_units_must_be_a_power_of_two u_error ();
    end
  endgenerate
  localparam Bits = Units * UnitBits;
  reg [Bits-1:0] rotated;
  always @* begin : rotation
    integer stage;
    stage   = 0;
    rotated = {Bits{1'b0}};
    if (enable_i) begin
      rotated = data_i;
      for (stage = 0; stage < ShiftBits; stage = stage + 1)
        if (shift_i[stage]) rotated = (rotated >> (UnitBits << stage)) | (rotated << (Bits - (UnitBits << stage)));
    end
  end
  assign data_o = rotated;
endmodule
`default_nettype wire
