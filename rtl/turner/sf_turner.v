// SPDX-License-Identifier: Apache-2.0
// The turner: TRANSPOSE and UNFOLD, one at a time, on the same two memory clients. The descriptor is stable from start to
// done and says which of the two works; the other stands still. Handshakes, latencies and formats are theirs.
// Unfolded words that share a beat come a block of pixels apart: beats are held for them, and leave before done.
`default_nettype none
module sf_turner #(
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
    input  wire [2047:0]         descriptor_i,
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
    input  wire                  writes_idle_i
);
  `include "sf_descriptor.vh"
  wire is_unfold = descriptor_i[F_OPCODE+:4] == OPCODE_UNFOLD;
  wire transpose_stall, transpose_done, transpose_request_valid, transpose_write_valid;
  wire unfold_stall, unfold_done, unfold_request_valid, unfold_write_valid;
  wire [31:0] transpose_request_address, transpose_write_address, unfold_request_address, unfold_write_address;
  wire [8*BusBytes-1:0] transpose_write_data, unfold_write_data;
  wire [BusBytes-1:0]   transpose_write_strobe, unfold_write_strobe;
  wire unfold_flush, unfold_write_ready, unfold_flushed, beat_valid;
  wire [31:0]           beat_address;
  wire [8*BusBytes-1:0] beat_data;
  wire [BusBytes-1:0]   beat_strobe;
  assign stall_o           = is_unfold ? unfold_stall : transpose_stall;
  assign done_o            = is_unfold ? unfold_done : transpose_done;
  assign request_valid_o   = is_unfold ? unfold_request_valid : transpose_request_valid;
  assign request_address_o = is_unfold ? unfold_request_address : transpose_request_address;
  assign write_valid_o     = is_unfold ? beat_valid : transpose_write_valid;
  assign write_address_o   = is_unfold ? beat_address : transpose_write_address;
  assign write_data_o      = is_unfold ? beat_data : transpose_write_data;
  assign write_strobe_o    = is_unfold ? beat_strobe : transpose_write_strobe;
  sf_transpose #(
      .Rows    (Rows),
      .Columns (Columns),
      .Lanes   (Lanes),
      .BusBytes(BusBytes)
  ) u_transpose (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .enable_i         (enable_i),
      .start_i          (start_i & ~is_unfold),
      .descriptor_i     (descriptor_i),
      .stall_o          (transpose_stall),
      .done_o           (transpose_done),
      .request_valid_o  (transpose_request_valid),
      .request_ready_i  (request_ready_i),
      .request_address_o(transpose_request_address),
      .response_valid_i (response_valid_i & ~is_unfold),
      .response_data_i  (response_data_i),
      .write_valid_o    (transpose_write_valid),
      .write_ready_i    (write_ready_i),
      .write_address_o  (transpose_write_address),
      .write_data_o     (transpose_write_data),
      .write_strobe_o   (transpose_write_strobe),
      .writes_idle_i    (writes_idle_i)
  );
  sf_unfold #(
      .Rows    (Rows),
      .Columns (Columns),
      .Lanes   (Lanes),
      .BusBytes(BusBytes)
  ) u_unfold (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .enable_i         (enable_i),
      .start_i          (start_i & is_unfold),
      .descriptor_i     (descriptor_i),
      .stall_o          (unfold_stall),
      .done_o           (unfold_done),
      .request_valid_o  (unfold_request_valid),
      .request_ready_i  (request_ready_i),
      .request_address_o(unfold_request_address),
      .response_valid_i (response_valid_i & is_unfold),
      .response_data_i  (response_data_i),
      .write_valid_o    (unfold_write_valid),
      .write_ready_i    (unfold_write_ready),
      .write_address_o  (unfold_write_address),
      .write_data_o     (unfold_write_data),
      .write_strobe_o   (unfold_write_strobe),
      .flush_o          (unfold_flush),
      .writes_idle_i    (unfold_flushed & writes_idle_i)
  );
  sf_write_combiner #(
      .DataBytes(BusBytes),
      .BusBytes (BusBytes),
      .Lines    (TURNED_BEATS)
  ) u_beats (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .want_i           (unfold_write_valid),
      .push_i           (unfold_write_valid & unfold_write_ready),
      .ready_o          (unfold_write_ready),
      .address_i        (unfold_write_address),
      .data_i           (unfold_write_data),
      .strobe_i         (unfold_write_strobe),
      .flush_i          (unfold_flush),
      .empty_o          (unfold_flushed),
      .request_valid_o  (beat_valid),
      .request_ready_i  (write_ready_i & is_unfold),
      .request_address_o(beat_address),
      .request_data_o   (beat_data),
      .request_strobe_o (beat_strobe)
  );
endmodule
`default_nettype wire
