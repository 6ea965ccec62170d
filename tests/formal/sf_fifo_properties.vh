// SPDX-License-Identifier: Apache-2.0
// Properties of sf_fifo, put before its endmodule by scripts/formal so that induction may speak of its state.
//
// One pushed value, any one at any time, is followed: it must come out unchanged exactly after the values that were
// before it. As the choice is free this excludes loss, reordering, duplication and corruption.
// Contract of the users: no pop when empty; no push when full, unless in the cycle of a pop.
reg settled_q = 1'b0;  // reset has been given
always @(posedge clk_i) settled_q <= 1'b1;
always @* if (!settled_q) assume (!rst_ni);
always @* assume (!(pop_i & ~valid_o));
always @* assume (!(push_i & ~ready_o & ~pop_i));

(* anyseq *) wire follow;  // start with the value being pushed
reg                followed_q = 1'b0;
reg [Width-1:0]    followed_data_q;
reg [UsedBits-1:0] ahead_q;
wire [UsedBits-1:0]    left = used_q - {{(UsedBits-1){1'b0}}, pop_i};
wire [PointerBits-1:0] place = head_q + ahead_q[PointerBits-1:0];
always @(posedge clk_i) begin
  if (!rst_ni | clear_i) followed_q <= 1'b0;
  else if (followed_q) begin
    if (pop_i & ahead_q == 0) followed_q <= 1'b0;
    else if (pop_i) ahead_q <= ahead_q - 1'b1;
  end else if (push_i & follow) begin
    followed_q      <= 1'b1;
    followed_data_q <= data_i;
    ahead_q         <= left;
  end
end

always @* begin
  if (settled_q & rst_ni) begin
    assert (used_o <= Depth);
    assert (ready_o == (used_o < Depth));
    assert (valid_o == (used_o != 0));
    // What induction needs: the pointers tell the count modulo Depth, and where the followed value lies.
    assert (used_q[PointerBits-1:0] == tail_q - head_q);
    if (followed_q) begin
      assert (ahead_q < used_q);
      assert (memory[place] == followed_data_q);
      if (ahead_q == 0) assert (valid_o && data_o == followed_data_q);
    end
  end
end
// The proof is not vacuous: a full queue moves both ways, and a value pushed into a nearly full one arrives.
reg full_move_q = 1'b0;
reg [1:0] waited_q = 2'd0;
always @(posedge clk_i) begin
  if (settled_q && rst_ni && !ready_o && push_i && pop_i) full_move_q <= 1'b1;
  if (push_i & follow & !followed_q & left == Depth - 1) waited_q <= 2'd1;
  else if (waited_q == 2'd1 && followed_q && ahead_q == 0 && pop_i) waited_q <= 2'd2;
end
always @* if (rst_ni) cover (full_move_q);
always @* if (rst_ni) cover (waited_q == 2'd2);
