// SPDX-License-Identifier: Apache-2.0
// The accelerator: descriptor fetch, four engines with their queues (array, stream unit, DMA, turner), operand
// buffers, semaphores, memory channels and control registers. The generated sf_accelerator
// instantiates it with the configuration's parameters.
`default_nettype none
module sf_device #(
    parameter [63:0] ConfigHash = 64'd0,
    parameter Rows = 16,
    parameter Columns = 16,
    parameter Planes = 1,
    parameter Lanes = 64,
    parameter AccumulatorBits = 48,
    parameter RowBufferDepth = 2048,
    parameter ColumnBufferDepth = 2048,
    parameter BufferBankDepth = 512,
    parameter StreamLanes = 16,
    parameter StoredBits = 16,
    parameter WideBits = 24,
    parameter RandomBits = 16,
    parameter ThresholdBits = 2,
    parameter TableRows = 32,
    parameter ThresholdRows = 32,
    parameter SumTiles = 16,
    parameter MaxSamples = 256,
    parameter BusBytes = 64,
    parameter QueueDepth = 4
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    // Control
    input  wire                  s_axil_awvalid_i,
    output wire                  s_axil_awready_o,
    input  wire [11:0]           s_axil_awaddr_i,
    input  wire                  s_axil_wvalid_i,
    output wire                  s_axil_wready_o,
    input  wire [31:0]           s_axil_wdata_i,
    input  wire [3:0]            s_axil_wstrb_i,
    output wire                  s_axil_bvalid_o,
    input  wire                  s_axil_bready_i,
    output wire [1:0]            s_axil_bresp_o,
    input  wire                  s_axil_arvalid_i,
    output wire                  s_axil_arready_o,
    input  wire [11:0]           s_axil_araddr_i,
    output wire                  s_axil_rvalid_o,
    input  wire                  s_axil_rready_i,
    output wire [31:0]           s_axil_rdata_o,
    output wire [1:0]            s_axil_rresp_o,
    output wire                  irq_o,
    // Memory
    output wire                  m_axi_arvalid_o,
    input  wire                  m_axi_arready_i,
    output wire [31:0]           m_axi_araddr_o,
    output wire [7:0]            m_axi_arlen_o,
    output wire [2:0]            m_axi_arsize_o,
    output wire [1:0]            m_axi_arburst_o,
    input  wire                  m_axi_rvalid_i,
    output wire                  m_axi_rready_o,
    input  wire [8*BusBytes-1:0] m_axi_rdata_i,
    input  wire [1:0]            m_axi_rresp_i,
    input  wire                  m_axi_rlast_i,
    output wire                  m_axi_awvalid_o,
    input  wire                  m_axi_awready_i,
    output wire [31:0]           m_axi_awaddr_o,
    output wire [7:0]            m_axi_awlen_o,
    output wire [2:0]            m_axi_awsize_o,
    output wire [1:0]            m_axi_awburst_o,
    output wire                  m_axi_wvalid_o,
    input  wire                  m_axi_wready_i,
    output wire [8*BusBytes-1:0] m_axi_wdata_o,
    output wire [BusBytes-1:0]   m_axi_wstrb_o,
    output wire                  m_axi_wlast_o,
    input  wire                  m_axi_bvalid_i,
    output wire                  m_axi_bready_o,
    input  wire [1:0]            m_axi_bresp_i,
    // Trace of retired descriptors: array, stream unit, DMA, turner
    output wire [3:0]            trace_valid_o,
    output wire [63:0]           trace_tag_o,
    output wire [127:0]          trace_active_cycles_o,
    output wire [127:0]          trace_stall_cycles_o
);
  // Parameters that cannot be: elaboration stops at a module that is nowhere.
  generate
    if (Rows < 2 || (Rows & (Rows - 1)) != 0) begin : gen_rows_must_be_a_power_of_two_from_2
      sf_error_rows_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Columns < 2 || (Columns & (Columns - 1)) != 0) begin : gen_columns_must_be_a_power_of_two_from_2
      sf_error_columns_must_be_a_power_of_two_from_2 u_error ();
    end
    if (Planes != 1 && Planes != 2) begin : gen_planes_must_be_1_or_2
      sf_error_planes_must_be_1_or_2 u_error ();
    end
    if (Lanes < 16 || (Lanes & (Lanes - 1)) != 0) begin : gen_lanes_must_be_a_power_of_two_from_16
      sf_error_lanes_must_be_a_power_of_two_from_16 u_error ();
    end
    if (RowBufferDepth < 2 || (RowBufferDepth & (RowBufferDepth - 1)) != 0) begin : gen_row_buffer_depth_must_be_a_power_of_two_from_2
      sf_error_row_buffer_depth_must_be_a_power_of_two_from_2 u_error ();
    end
    if (ColumnBufferDepth < 2 || (ColumnBufferDepth & (ColumnBufferDepth - 1)) != 0) begin : gen_column_buffer_depth_must_be_a_power_of_two_from_2
      sf_error_column_buffer_depth_must_be_a_power_of_two_from_2 u_error ();
    end
    if (StreamLanes < 1 || (StreamLanes & (StreamLanes - 1)) != 0) begin : gen_stream_lanes_must_be_a_power_of_two
      sf_error_stream_lanes_must_be_a_power_of_two u_error ();
    end
    if (StreamLanes > 16) begin : gen_stream_lanes_must_be_16_or_fewer
      sf_error_stream_lanes_must_be_16_or_fewer u_error ();
    end
    if (StreamLanes > Columns) begin : gen_stream_lanes_must_fit_the_columns
      sf_error_stream_lanes_must_fit_the_columns u_error ();
    end
    if (StoredBits != 16 && StoredBits != 32) begin : gen_stored_bits_must_be_16_or_32
      sf_error_stored_bits_must_be_16_or_32 u_error ();
    end
    if (WideBits < 8 || WideBits > 32) begin : gen_wide_bits_must_be_8_to_32
      sf_error_wide_bits_must_be_8_to_32 u_error ();
    end
    if (RandomBits < 1 || RandomBits > 16) begin : gen_random_bits_must_be_1_to_16
      sf_error_random_bits_must_be_1_to_16 u_error ();
    end
    if (ThresholdBits < 1 || ThresholdBits > 8) begin : gen_threshold_bits_must_be_1_to_8
      sf_error_threshold_bits_must_be_1_to_8 u_error ();
    end
    if (AccumulatorBits < 2 || AccumulatorBits > 48) begin : gen_accumulator_bits_must_be_2_to_48
      sf_error_accumulator_bits_must_be_2_to_48 u_error ();
    end
    if (TableRows < 1 || (TableRows & (TableRows - 1)) != 0) begin : gen_table_rows_must_be_a_power_of_two
      sf_error_table_rows_must_be_a_power_of_two u_error ();
    end
    if (ThresholdRows < 1 || (ThresholdRows & (ThresholdRows - 1)) != 0) begin : gen_threshold_rows_must_be_a_power_of_two
      sf_error_threshold_rows_must_be_a_power_of_two u_error ();
    end
    if (MaxSamples < 2 || (MaxSamples & (MaxSamples - 1)) != 0) begin : gen_max_samples_must_be_a_power_of_two_from_2
      sf_error_max_samples_must_be_a_power_of_two_from_2 u_error ();
    end
    if (BusBytes < 8 || (BusBytes & (BusBytes - 1)) != 0) begin : gen_bus_bytes_must_be_a_power_of_two_from_8
      sf_error_bus_bytes_must_be_a_power_of_two_from_8 u_error ();
    end
    if (BusBytes > 128) begin : gen_bus_bytes_must_be_128_or_fewer
      sf_error_bus_bytes_must_be_128_or_fewer u_error ();
    end
    if (4 * StreamLanes > BusBytes) begin : gen_a_chunk_of_stream_lanes_must_fit_the_bus
      sf_error_a_chunk_of_stream_lanes_must_fit_the_bus u_error ();
    end
    if (8 * BusBytes < Lanes) begin : gen_a_word_of_lanes_must_fit_the_bus
      sf_error_a_word_of_lanes_must_fit_the_bus u_error ();
    end
    if (QueueDepth < 2 || (QueueDepth & (QueueDepth - 1)) != 0) begin : gen_queue_depth_must_be_a_power_of_two_from_2
      sf_error_queue_depth_must_be_a_power_of_two_from_2 u_error ();
    end
  endgenerate
  localparam RowAddressBits = $clog2(RowBufferDepth);
  localparam ColumnAddressBits = $clog2(ColumnBufferDepth);
  localparam RowWordBytes = Rows * Lanes / 8;
  localparam ColumnWordBytes = Columns * Lanes / 8;
  localparam RowBeats = RowWordBytes / BusBytes;  // 0: a beat holds several words
  localparam ColumnBeats = ColumnWordBytes / BusBytes;
  localparam BeatRowWords = (RowWordBytes < BusBytes) ? BusBytes / RowWordBytes : 1;
  localparam RowBanks = (BeatRowWords > Planes) ? BeatRowWords : Planes;  // of the row buffer
  localparam RowBeatBits = (RowBeats > 1) ? $clog2(RowBeats) : 1;
  localparam ColumnBeatBits = (ColumnBeats > 1) ? $clog2(ColumnBeats) : 1;
  localparam [2:0] BusSize = $clog2(BusBytes);

  assign m_axi_arsize_o  = BusSize;
  assign m_axi_awsize_o  = BusSize;
  assign m_axi_arburst_o = 2'b01;  // INCR
  assign m_axi_awburst_o = 2'b01;

  wire        start, clear, halt;
  wire        enable = ~halt;
  wire [31:0] descriptor_base, descriptor_count;

  // ---- Memory channels ----
  localparam ReadFetch = 0, ReadLoad = 1, ReadX = 2, ReadZ = 3, ReadTurn = 4, Readers = 5;
  localparam WriteElements = 0, WritePlanes = 1, WriteTurn = 2, Writers = 3;
  wire [Readers-1:0]             read_valid, read_ready, read_response;
  wire [32*Readers-1:0]          read_address;
  wire [8*Readers-1:0]           read_length;
  wire [8*BusBytes-1:0]          read_data;
  wire [Writers-1:0]             write_valid, write_ready;
  wire [32*Writers-1:0]          write_address;
  wire [8*BusBytes*Writers-1:0]  write_data;
  wire [BusBytes*Writers-1:0]    write_strobe;
  wire [Writers-1:0]             client_idle;
  wire read_idle, write_idle;
  wire [Readers-1:0]             read_error;
  wire [Writers-1:0]             write_error;
  // These clients ask for single beats
  assign read_length[8*ReadX+:8]    = 8'd0;
  assign read_length[8*ReadZ+:8]    = 8'd0;
  assign read_length[8*ReadTurn+:8] = 8'd0;

  sf_axi_read #(
      .Clients (Readers),
      .BusBytes(BusBytes)
  ) u_axi_read (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .enable_i         (enable),
      .idle_o           (read_idle),
      .error_o          (read_error),
      .request_valid_i  (read_valid),
      .request_ready_o  (read_ready),
      .request_address_i(read_address),
      .request_length_i (read_length),
      .response_valid_o (read_response),
      .response_data_o  (read_data),
      .m_axi_arvalid_o  (m_axi_arvalid_o),
      .m_axi_arready_i  (m_axi_arready_i),
      .m_axi_araddr_o   (m_axi_araddr_o),
      .m_axi_arlen_o    (m_axi_arlen_o),
      .m_axi_rvalid_i   (m_axi_rvalid_i),
      .m_axi_rready_o   (m_axi_rready_o),
      .m_axi_rdata_i    (m_axi_rdata_i),
      .m_axi_rresp_i    (m_axi_rresp_i),
      .m_axi_rlast_i    (m_axi_rlast_i)
  );
  sf_axi_write #(
      .Clients (Writers),
      .BusBytes(BusBytes)
  ) u_axi_write (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .enable_i         (enable),
      .idle_o           (write_idle),
      .client_idle_o    (client_idle),
      .error_o          (write_error),
      .request_valid_i  (write_valid),
      .request_ready_o  (write_ready),
      .request_address_i(write_address),
      .request_data_i   (write_data),
      .request_strobe_i (write_strobe),
      .m_axi_awvalid_o  (m_axi_awvalid_o),
      .m_axi_awready_i  (m_axi_awready_i),
      .m_axi_awaddr_o   (m_axi_awaddr_o),
      .m_axi_awlen_o    (m_axi_awlen_o),
      .m_axi_wvalid_o   (m_axi_wvalid_o),
      .m_axi_wready_i   (m_axi_wready_i),
      .m_axi_wdata_o    (m_axi_wdata_o),
      .m_axi_wstrb_o    (m_axi_wstrb_o),
      .m_axi_wlast_o    (m_axi_wlast_o),
      .m_axi_bvalid_i   (m_axi_bvalid_i),
      .m_axi_bready_o   (m_axi_bready_o),
      .m_axi_bresp_i    (m_axi_bresp_i)
  );

  // ---- Descriptors: fetch, queues, semaphores ----
  `include "sf_descriptor.vh"
  localparam integer EngineArray = ENGINE_ARRAY, EngineStream = ENGINE_STREAM, EngineLoad = ENGINE_DMA,
      EngineTurn = ENGINE_TURNER, Engines = ENGINES;
  wire [Engines-1:0] fetched_valid, fetched_ready, engine_start, engine_stall, engine_done, engine_idle,
                     engine_running;
  wire [2047:0]         fetched;
  wire [2048*Engines-1:0] engine_descriptor;
  wire [12*Engines-1:0] take, signal_tokens;
  wire [11:0]           tokens;
  wire fetch_active, fetch_illegal;
  wire [15:0] fetch_tag;
  sf_fetch #(
      .Rows             (Rows),
      .Columns          (Columns),
      .Lanes            (Lanes),
      .WideBits         (WideBits),
      .RowBufferDepth   (RowBufferDepth),
      .ColumnBufferDepth(ColumnBufferDepth),
      .TableRows        (TableRows),
      .ThresholdBits    (ThresholdBits),
      .ThresholdRows    (ThresholdRows),
      .StreamLanes      (StreamLanes),
      .SumTiles         (SumTiles),
      .MaxSamples       (MaxSamples),
      .BusBytes         (BusBytes)
  ) u_fetch (
      .clk_i             (clk_i),
      .rst_ni            (rst_ni),
      .clear_i           (clear),
      .enable_i          (enable),
      .start_i           (start),
      .base_i            (descriptor_base),
      .count_i           (descriptor_count),
      .active_o          (fetch_active),
      .error_o           (fetch_illegal),
      .tag_o             (fetch_tag),
      .request_valid_o   (read_valid[ReadFetch]),
      .request_ready_i   (read_ready[ReadFetch]),
      .request_address_o (read_address[32*ReadFetch+:32]),
      .request_length_o  (read_length[8*ReadFetch+:8]),
      .response_valid_i  (read_response[ReadFetch]),
      .response_data_i   (read_data),
      .descriptor_valid_o(fetched_valid),
      .descriptor_ready_i(fetched_ready),
      .descriptor_o      (fetched)
  );
  sf_semaphores u_semaphores (
      .clk_i   (clk_i),
      .rst_ni  (rst_ni),
      .clear_i (clear | start),
      .take_i  (take),
      .signal_i(signal_tokens),
      .tokens_o(tokens)
  );
  genvar engine;
  generate
    for (engine = 0; engine < Engines; engine = engine + 1) begin : gen_queue
      sf_engine_queue #(
          .Depth(QueueDepth),
          .Words(engine == EngineArray ? WORDS_ARRAY : engine == EngineStream ? WORDS_STREAM
                 : engine == EngineLoad ? WORDS_DMA : WORDS_TURNER)
      ) u_queue (
          .clk_i             (clk_i),
          .rst_ni            (rst_ni),
          .clear_i           (clear),
          .enable_i          (enable),
          .descriptor_valid_i(fetched_valid[engine]),
          .descriptor_ready_o(fetched_ready[engine]),
          .descriptor_i      (fetched),
          .tokens_i          (tokens),
          .take_o            (take[12*engine+:12]),
          .signal_o          (signal_tokens[12*engine+:12]),
          .start_o           (engine_start[engine]),
          .descriptor_o      (engine_descriptor[2048*engine+:2048]),
          .stall_i           (engine_stall[engine]),
          .done_i            (engine_done[engine]),
          .idle_o            (engine_idle[engine]),
          .running_o         (engine_running[engine]),
          .retire_o          (trace_valid_o[engine]),
          .tag_o             (trace_tag_o[16*engine+:16]),
          .active_cycles_o   (trace_active_cycles_o[32*engine+:32]),
          .stall_cycles_o    (trace_stall_cycles_o[32*engine+:32])
      );
    end
  endgenerate

  // ---- DMA and operand buffers ----
  wire        load_rows, load_columns;
  wire [15:0] load_address, load_beat;
  wire        load_swap;
  sf_loader #(
      .RowWordBytes   (RowWordBytes),
      .ColumnWordBytes(ColumnWordBytes),
      .BusBytes       (BusBytes),
      .Planes         (Planes),
      .RowBanks       (RowBanks)
  ) u_loader (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear),
      .enable_i         (enable),
      .start_i          (engine_start[EngineLoad]),
      .descriptor_i     (engine_descriptor[2048*EngineLoad+:2048]),
      .stall_o          (engine_stall[EngineLoad]),
      .done_o           (engine_done[EngineLoad]),
      .request_valid_o  (read_valid[ReadLoad]),
      .request_ready_i  (read_ready[ReadLoad]),
      .request_address_o(read_address[32*ReadLoad+:32]),
      .request_length_o (read_length[8*ReadLoad+:8]),
      .response_valid_i (read_response[ReadLoad]),
      .write_rows_o     (load_rows),
      .write_columns_o  (load_columns),
      .write_address_o  (load_address),
      .write_beat_o     (load_beat),
      .write_swap_o     (load_swap)
  );
  wire [Planes-1:0]            row_read, row_swap;
  wire                         column_read;
  wire [Planes*RowAddressBits-1:0] row_address;
  wire [ColumnAddressBits-1:0] column_address;
  wire [Planes*Rows*Lanes-1:0] row_operand;
  wire [Columns*Lanes-1:0]     column_operand;
  sf_operand_buffer #(
      .WordBits (Rows * Lanes),
      .BeatBits (8 * BusBytes),
      .Depth    (RowBufferDepth),
      .BankDepth(BufferBankDepth),
      .Planes   (Planes)
  ) u_row_buffer (
      .clk_i          (clk_i),
      .write_enable_i (load_rows),
      .write_address_i(load_address[RowAddressBits-1:0]),
      .write_beat_i   (load_beat[RowBeatBits-1:0]),
      .write_swap_i   (load_swap),
      .write_data_i   (read_data),
      .read_enable_i  (row_read),
      .read_address_i (row_address),
      .read_swap_i    (row_swap),
      .read_data_o    (row_operand)
  );
  sf_operand_buffer #(
      .WordBits (Columns * Lanes),
      .BeatBits (8 * BusBytes),
      .Depth    (ColumnBufferDepth),
      .BankDepth(BufferBankDepth)
  ) u_column_buffer (
      .clk_i          (clk_i),
      .write_enable_i (load_columns),
      .write_address_i(load_address[ColumnAddressBits-1:0]),
      .write_beat_i   (load_beat[ColumnBeatBits-1:0]),
      .write_swap_i   (1'b0),
      .write_data_i   (read_data),
      .read_enable_i  (column_read),
      .read_address_i (column_address),
      .read_swap_i    (1'b0),
      .read_data_o    (column_operand)
  );

  // ---- Array ----
  wire             op_valid, op_row_plane_0, op_column_plane_0, op_row_negate, op_column_negate;
  wire             op_flush, op_first, op_capture;
  wire [Planes-1:0] op_row_planes;
  wire [Lanes-1:0] op_mask;
  wire [5:0]       op_shift;
  wire [39:0]      op_affine;
  wire             tile_valid, tile_take, array_hold;
  wire [StreamLanes*AccumulatorBits-1:0] tile_chunk;
  sf_gemm #(
      .Planes           (Planes),
      .Lanes            (Lanes),
      .RowBanks         (RowBanks),
      .RowAddressBits   (RowAddressBits),
      .ColumnAddressBits(ColumnAddressBits)
  ) u_gemm (
      .clk_i           (clk_i),
      .rst_ni          (rst_ni),
      .clear_i         (clear),
      .enable_i        (enable),
      .start_i         (engine_start[EngineArray]),
      .descriptor_i    (engine_descriptor[2048*EngineArray+:2048]),
      .stall_o         (engine_stall[EngineArray]),
      .done_o          (engine_done[EngineArray]),
      .row_enable_o    (row_read),
      .row_address_o   (row_address),
      .row_swap_o      (row_swap),
      .column_enable_o (column_read),
      .column_address_o(column_address),
      .valid_o         (op_valid),
      .mask_o          (op_mask),
      .row_planes_o    (op_row_planes),
      .row_plane_0_o   (op_row_plane_0),
      .column_plane_0_o(op_column_plane_0),
      .row_negate_o    (op_row_negate),
      .column_negate_o (op_column_negate),
      .flush_o         (op_flush),
      .first_o         (op_first),
      .capture_o       (op_capture),
      .shift_o         (op_shift),
      .affine_o        (op_affine),
      .hold_i          (array_hold)
  );
  sf_array #(
      .Rows           (Rows),
      .Columns        (Columns),
      .Planes         (Planes),
      .Lanes          (Lanes),
      .AccumulatorBits(AccumulatorBits),
      .DrainLanes     (StreamLanes)
  ) u_array (
      .clk_i           (clk_i),
      .rst_ni          (rst_ni),
      .clear_i         (clear),
      .valid_i         (op_valid),
      .rows_i          (row_operand),
      .columns_i       (column_operand),
      .mask_i          (op_mask),
      .row_planes_i    (op_row_planes),
      .row_plane_0_i   (op_row_plane_0),
      .column_plane_0_i(op_column_plane_0),
      .row_negate_i    (op_row_negate),
      .column_negate_i (op_column_negate),
      .shift_i         (op_shift),
      .flush_i         (op_flush),
      .first_i         (op_first),
      .capture_i       (op_capture),
      .affine_i        (op_affine),
      .tile_valid_o    (tile_valid),
      .chunk_o         (tile_chunk),
      .take_i          (tile_take),
      .hold_o          (array_hold)
  );

  // ---- Stream unit ----
  sf_stream #(
      .Rows           (Rows),
      .Columns        (Columns),
      .Lanes          (Lanes),
      .AccumulatorBits(AccumulatorBits),
      .StreamLanes    (StreamLanes),
      .StoredBits     (StoredBits),
      .WideBits       (WideBits),
      .RandomBits     (RandomBits),
      .ThresholdBits  (ThresholdBits),
      .TableRows      (TableRows),
      .ThresholdRows  (ThresholdRows),
      .SumTiles       (SumTiles),
      .MaxSamples     (MaxSamples),
      .BusBytes       (BusBytes)
  ) u_stream (
      .clk_i                    (clk_i),
      .rst_ni                   (rst_ni),
      .clear_i                  (clear),
      .enable_i                 (enable),
      .start_i                  (engine_start[EngineStream]),
      .descriptor_i             (engine_descriptor[2048*EngineStream+:2048]),
      .stall_o                  (engine_stall[EngineStream]),
      .done_o                   (engine_done[EngineStream]),
      .tile_valid_i             (tile_valid),
      .tile_chunk_i             (tile_chunk),
      .tile_take_o              (tile_take),
      .x_request_valid_o        (read_valid[ReadX]),
      .x_request_ready_i        (read_ready[ReadX]),
      .x_request_address_o      (read_address[32*ReadX+:32]),
      .x_response_valid_i       (read_response[ReadX]),
      .z_request_valid_o        (read_valid[ReadZ]),
      .z_request_ready_i        (read_ready[ReadZ]),
      .z_request_address_o      (read_address[32*ReadZ+:32]),
      .z_response_valid_i       (read_response[ReadZ]),
      .response_data_i          (read_data),
      .element_request_valid_o  (write_valid[WriteElements]),
      .element_request_ready_i  (write_ready[WriteElements]),
      .element_request_address_o(write_address[32*WriteElements+:32]),
      .element_request_data_o   (write_data[8*BusBytes*WriteElements+:8*BusBytes]),
      .element_request_strobe_o (write_strobe[BusBytes*WriteElements+:BusBytes]),
      .pack_request_valid_o     (write_valid[WritePlanes]),
      .pack_request_ready_i     (write_ready[WritePlanes]),
      .pack_request_address_o   (write_address[32*WritePlanes+:32]),
      .pack_request_data_o      (write_data[8*BusBytes*WritePlanes+:8*BusBytes]),
      .pack_request_strobe_o    (write_strobe[BusBytes*WritePlanes+:BusBytes]),
      .writes_idle_i            (client_idle[WriteElements] & client_idle[WritePlanes])
  );

  // ---- Turner ----
  sf_turner #(
      .Rows    (Rows),
      .Columns (Columns),
      .Lanes   (Lanes),
      .BusBytes(BusBytes)
  ) u_turner (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear),
      .enable_i         (enable),
      .start_i          (engine_start[EngineTurn]),
      .descriptor_i     (engine_descriptor[2048*EngineTurn+:2048]),
      .stall_o          (engine_stall[EngineTurn]),
      .done_o           (engine_done[EngineTurn]),
      .request_valid_o  (read_valid[ReadTurn]),
      .request_ready_i  (read_ready[ReadTurn]),
      .request_address_o(read_address[32*ReadTurn+:32]),
      .response_valid_i (read_response[ReadTurn]),
      .response_data_i  (read_data),
      .write_valid_o    (write_valid[WriteTurn]),
      .write_ready_i    (write_ready[WriteTurn]),
      .write_address_o  (write_address[32*WriteTurn+:32]),
      .write_data_o     (write_data[8*BusBytes*WriteTurn+:8*BusBytes]),
      .write_strobe_o   (write_strobe[BusBytes*WriteTurn+:BusBytes]),
      .writes_idle_i    (client_idle[WriteTurn])
  );

  // ---- Control ----
  wire [Engines-1:0] advancing = engine_running & ~engine_stall;
  wire [Engines-1:0] waiting   = engine_running & engine_stall;
  sf_control #(
      .ConfigHash(ConfigHash)
  ) u_control (
      .clk_i             (clk_i),
      .rst_ni            (rst_ni),
      .s_axil_awvalid_i  (s_axil_awvalid_i),
      .s_axil_awready_o  (s_axil_awready_o),
      .s_axil_awaddr_i   (s_axil_awaddr_i),
      .s_axil_wvalid_i   (s_axil_wvalid_i),
      .s_axil_wready_o   (s_axil_wready_o),
      .s_axil_wdata_i    (s_axil_wdata_i),
      .s_axil_wstrb_i    (s_axil_wstrb_i),
      .s_axil_bvalid_o   (s_axil_bvalid_o),
      .s_axil_bready_i   (s_axil_bready_i),
      .s_axil_bresp_o    (s_axil_bresp_o),
      .s_axil_arvalid_i  (s_axil_arvalid_i),
      .s_axil_arready_o  (s_axil_arready_o),
      .s_axil_araddr_i   (s_axil_araddr_i),
      .s_axil_rvalid_o   (s_axil_rvalid_o),
      .s_axil_rready_i   (s_axil_rready_i),
      .s_axil_rdata_o    (s_axil_rdata_o),
      .s_axil_rresp_o    (s_axil_rresp_o),
      .irq_o             (irq_o),
      .start_o           (start),
      .clear_o           (clear),
      .halt_o            (halt),
      .descriptor_base_o (descriptor_base),
      .descriptor_count_o(descriptor_count),
      .quiet_i           (read_idle & write_idle & ~m_axi_arvalid_o),
      .finished_i        (~fetch_active & (&engine_idle)),
      .progress_i        ((|advancing) | (|engine_start) | (|fetched_valid & |(fetched_valid & fetched_ready))),
      .illegal_i         (fetch_illegal),
      .bus_error_i       ({read_error[ReadFetch], read_error[ReadTurn] | write_error[WriteTurn], read_error[ReadLoad],
                           read_error[ReadX] | read_error[ReadZ] | write_error[WriteElements]
                           | write_error[WritePlanes], 1'b0}),
      .unfinished_i      (~engine_idle),
      .tag_i             ({fetch_tag, trace_tag_o}),
      .count_events_i    ({m_axi_wvalid_o & m_axi_wready_i, m_axi_rvalid_i,
                           waiting[EngineTurn], advancing[EngineTurn],
                           waiting[EngineLoad], advancing[EngineLoad],
                           waiting[EngineStream], advancing[EngineStream],
                           waiting[EngineArray], advancing[EngineArray]})
  );
endmodule
`default_nettype wire
