// SPDX-License-Identifier: Apache-2.0
// The two clients that ask for bursts, sf_loader and sf_fetch: aligned, never across 4 KiB, and, the loader's, beats
// as many as its words have. Addresses and lengths are any that are legal (model/spec/legality.cpp).
`default_nettype none
module sf_burst_proof #(
    parameter BusBytes = 64,
    parameter WordBytes = 128
) (
    input wire clk_i
);
  `include "sf_descriptor.vh"
  localparam ByteBits = $clog2(BusBytes);
  reg rst_n = 1'b0;
  always @(posedge clk_i) rst_n <= 1'b1;

  (* anyconst *) wire [31:0] address;
  (* anyconst *) wire [15:0] words;
  (* anyseq *) wire enable, loader_start, loader_ready, loader_response;
  (* anyseq *) wire fetch_start, fetch_ready, fetch_response, clear;
  (* anyseq *) wire [31:0] base, count;
  (* anyseq *) wire [3:0] descriptor_ready;
  (* anyseq *) wire [8*BusBytes-1:0] data;
  // A beat holds BusBytes / WordBytes words, if that is more than one.
  localparam [15:0] WordsMask = (WordBytes < BusBytes) ? BusBytes / WordBytes - 1 : 0;
  always @* assume ((address & (BusBytes - 1)) == 32'd0 && words != 16'd0 && (words & WordsMask) == 16'd0);
`ifndef SF_UNALIGNED_PROGRAM
  always @* if (fetch_start) assume (base[7:0] == 8'd0);  // sf_control starts no other
`endif

  reg [2047:0] descriptor;
  always @* begin
    descriptor = 2048'd0;
    descriptor[F_LOAD_ADDRESS+:32] = address;
    descriptor[F_LOAD_WORDS+:16] = words;
  end
  reg  running_q = 1'b0;
  wire loader_done, loader_valid, fetch_valid, fetch_active;
  wire [31:0] loader_address, fetch_address;
  wire [7:0]  loader_length, fetch_length;
  wire [31:0] total = {16'd0, words} * WordBytes / BusBytes;  // beats
  reg [31:0] left_q, waits_q, next_q;  // beats to ask for, beats to come, address of the next
  // An engine starts when it is idle, and memory answers what was asked.
  always @* assume (!(loader_start & running_q) && !(loader_response & (!running_q | waits_q == left_q)));
  always @* assume (!(fetch_start & fetch_active));
  always @(posedge clk_i) begin
    if (!rst_n | clear) running_q <= 1'b0;
    else if (loader_start & enable) running_q <= 1'b1;
    else if (loader_done) running_q <= 1'b0;
    if (!running_q) begin
      left_q  <= total;
      waits_q <= total;
      next_q  <= address;
    end else begin
      if (loader_valid & loader_ready) left_q <= left_q - {24'd0, loader_length} - 32'd1;
      if (loader_valid & loader_ready) next_q <= loader_address + (({24'd0, loader_length} + 32'd1) << ByteBits);
      if (loader_response) waits_q <= waits_q - 32'd1;
    end
  end
  sf_loader #(
      .RowWordBytes   (WordBytes),
      .ColumnWordBytes(WordBytes),
      .BusBytes       (BusBytes)
  ) u_loader (
      .clk_i            (clk_i),
      .rst_ni           (rst_n),
      .clear_i          (clear),
      .enable_i         (enable),
      .start_i          (loader_start & enable),
      .descriptor_i     (descriptor),
      .stall_o          (),
      .done_o           (loader_done),
      .request_valid_o  (loader_valid),
      .request_ready_i  (loader_ready),
      .request_address_o(loader_address),
      .request_length_o (loader_length),
      .response_valid_i (loader_response),
      .write_rows_o     (),
      .write_columns_o  (),
      .write_address_o  (),
      .write_beat_o     ()
  );
  sf_fetch #(
      .BusBytes(BusBytes)
  ) u_fetch (
      .clk_i             (clk_i),
      .rst_ni            (rst_n),
      .clear_i           (clear),
      .enable_i          (enable),
      .start_i           (fetch_start),
      .base_i            (base),
      .count_i           (count),
      .active_o          (fetch_active),
      .error_o           (),
      .tag_o             (),
      .request_valid_o   (fetch_valid),
      .request_ready_i   (fetch_ready),
      .request_address_o (fetch_address),
      .request_length_o  (fetch_length),
      .response_valid_i  (fetch_response),
      .response_data_i   (data),
      .descriptor_valid_o(),
      .descriptor_ready_i(descriptor_ready),
      .descriptor_o      ()
  );

  function within(input [31:0] at, input [7:0] length);
    within = (at & (BusBytes - 1)) == 32'd0
        && {20'd0, at[11:0]} + (({24'd0, length} + 32'd1) << ByteBits) <= 32'd4096;
  endfunction
`ifndef SF_COVER
  always @* begin
    if (rst_n) begin
      if (loader_valid) begin
        assert (within(loader_address, loader_length));
        assert (loader_length <= 8'd15 && {24'd0, loader_length} < left_q);
        assert (loader_address == next_q);
      end
      if (loader_done) assert (running_q && left_q == 32'd0 && waits_q == 32'd0);
      if (fetch_valid) assert (within(fetch_address, fetch_length) && fetch_address[6:0] == 7'd0);
    end
  end
`else
  // Not vacuous: a load that asked on both sides of a page's end is done, while the fetch asks for a page's last bytes.
  // The opposite is asserted, to be refuted.
  reg [2:0] seen_q = 3'd0;
  always @(posedge clk_i) if (rst_n) begin
    if (loader_valid && loader_ready && loader_address[11:0] == 12'd0 && left_q != total) seen_q[0] <= 1'b1;
    if (loader_done) seen_q[1] <= seen_q[0];
    if (fetch_valid && fetch_ready && fetch_address[11:8] == 4'd15) seen_q[2] <= 1'b1;
  end
  always @* if (rst_n) assert (!(&seen_q));
`endif
endmodule
`default_nettype wire
