// SPDX-License-Identifier: Apache-2.0
#include "cli/report_keys.hpp"

namespace solfege {

const std::vector<ReportKey>& common_report_keys() {
  static const std::vector<ReportKey> keys = {
      {"schema",
       "The number of this description. It rises when a key goes or changes its meaning."},
      {"tool_version", "The version of Solfege."},
      {"config", "The name of the configuration: its file's name without extension."},
      {"config_hash", "16 hexadecimal digits that stand for all values of the configuration."},
      {"command", "The command line."},
  };
  return keys;
}

namespace {

/// What the RTL did in a run, and the accuracies of several precisions.
std::vector<ReportKey> with_run_keys(std::vector<ReportKey> keys) {
  const std::vector<ReportKey> more = {
      {"precisions[].weight_bits",
       "Of several precisions: the bits of weights between the first and the last layer; 0: the "
       "network's."},
      {"precisions[].activation_bits", "The bits of activations; 0: the network's."},
      {"precisions[].accuracy", "The share that is classified rightly with these."},
      {"mismatched_bits", "The bits that differ between RTL and golden model."},
      {"compared_bits", "The bits that were compared."},
      {"cycles.simulated", "The cycles in which descriptors advanced, summed over descriptors."},
      {"cycles.predicted", "The same by the cycle model."},
      {"cycles.stall", "The cycles in which descriptors waited."},
      {"cycles.total", "The cycles in which the device was busy."},
      {"cycles.predicted_total",
       "The same by the cycle model; it is left out where the memory pauses at random."},
      {"cycles.descriptors", "The descriptors that ran."},
      {"cycles.descriptors_apart", "Those whose advancing cycles differ from the prediction."}};
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

ReportKind generate_report() {
  return {"generate",
          "The Verilog of a configuration was written.",
          {{"directory", "The folder that was written."}, {"files[]", "The names of its files."}}};
}

ReportKind train_report() {
  return {
      "train",
      "A network was trained. The keys of bits, cycles and descriptors count what the RTL did; "
      "they "
      "are 0 for the golden and the float engine.",
      with_run_keys(
          {{"network", "The name of the network."},
           {"data", "The name of the data set."},
           {"engine", "golden, rtl, lockstep or float."},
           {"batch", "The samples of a step."},
           {"seed", "The seed of the initial weights and of the order of the images."},
           {"steps", "The steps that were trained, those before --resume included."},
           {"resumed_from", "The step of the checkpoint that the run went on from, or null."},
           {"steps_per_epoch", "The steps that pass over all training images once."},
           {"notes[]", "What of the file of --init is not taken as it stands."},
           {"loss[]", "The mean loss of each step, from the first."},
           {"layers_unchanged[]",
            "Of each step of this run, how many layers kept all their weights."},
           {"accuracy",
            "The share of test images that are classified rightly at the end, or null."},
           {"test_images", "The test images that were classified."},
           {"accuracy_history[].step", "The step after which the test images were classified."},
           {"accuracy_history[].epoch", "The same in epochs."},
           {"accuracy_history[].accuracy", "The share that was classified rightly then."},
           {"host_element_operations", "The elements that the host read or wrote within steps."},
           {"seconds", "The time that the run took."},
           {"failure", "Why the run ended early; it is left out where it did not."}})};
}

ReportKind evaluate_report() {
  return {
      "evaluate",
      "Images were classified with weights of a file. The keys of bits, cycles and descriptors "
      "count what the RTL did; they are 0 for the golden and the float engine.",
      with_run_keys(
          {{"network", "The name of the network."},
           {"data", "The name of the data set."},
           {"engine", "golden, rtl, lockstep or float."},
           {"batch", "The samples that are classified at once."},
           {"test_images", "The test images that were classified."},
           {"accuracy", "The share of them that is classified rightly, or null."},
           {"calibration[].layer", "Of --calibrate: a layer's name."},
           {"calibration[].weight_exponent", "The q of its weights, which are multiples of 2^-q."},
           {"calibration[].activation_exponent", "The q of its activations."},
           {"notes[]", "What of the file is not taken as it stands."},
           {"seconds", "The time that the run took."},
           {"failure", "Why the run ended early; it is left out where it did not."}})};
}

ReportKind export_report() {
  return {"export",
          "What a checkpoint has trained was written as safetensors.",
          {{"network", "The name of the network."},
           {"engine", "golden, for all engines of integers, or float."},
           {"steps", "The steps after which the checkpoint was written."}}};
}

ReportKind verify_report() {
  return {"verify",
          "Random programs ran on the RTL, the golden model and the cycle model.",
          {{"cases", "The programs."},
           {"mismatched_cases", "Those in which a bit differed."},
           {"cycles_apart", "The descriptors whose cycles differ from the prediction."},
           {"compared_bits", "The bits that were compared."},
           {"seed", "The seed, for --seed."}}};
}

ReportKind cycles_report() {
  return {
      "cycles",
      "The cycle model's prediction of a training step.",
      {{"network", "The network, as on the command line."},
       {"batch", "The samples of a step."},
       {"memory.latency_cycles", "The latency of the memory."},
       {"memory.bytes_per_cycle", "The bandwidth of the memory; 0 is a beat a cycle each way."},
       {"ideal_cycles",
        "The least that the array needs: multiply-accumulates times planes, by its size."},
       {"array_cycles", "The cycles in which the array is busy."},
       {"cycles", "The cycles of the step."},
       {"array_efficiency", "ideal_cycles / array_cycles."},
       {"utilisation", "ideal_cycles / cycles."},
       {"bytes_moved",
        "The bytes that are read from and written to memory, images that the host writes with "
        "them."},
       {"bytes_least",
        "The same if every pass read each operand once and wrote each result once, in full beats: "
        "what these passes cannot do without."},
       {"layers[].name", "The layer."},
       {"layers[].pass", "The pass of the layer."},
       {"layers[].ideal_cycles", "The least that the array needs for the pass."},
       {"layers[].array_cycles", "The cycles in which the array is busy with the pass."},
       {"layers[].utilisation", "The pass's ideal_cycles / array_cycles."},
       {"layers[].stream_cycles", "The cycles in which the stream unit is busy with the pass."},
       {"layers[].turner_cycles", "The cycles in which the turner is busy with the pass."},
       {"layers[].cycles", "The cycles from the first to the last in which the pass is at work."},
       {"layers[].bytes_moved", "The bytes that the pass reads and writes."},
       {"layers[].bytes_read", "The bytes that the pass reads."},
       {"layers[].bytes_written", "The bytes that the pass writes."},
       {"layers[].bytes_least", "bytes_least of the pass."},
       {"layers[].bound_by", "What the pass waits for most: array, stream, turner or memory."}}};
}

// Figures of energies are pJ and of the netlist without wires; docs/energy.md explains the tiers.
std::vector<ReportKey> published_keys() {
  return {{"network", "The network, as on the command line."},
          {"batch", "The samples of a step."},
          {"operations[].unit", "The unit that acts, by the published tables."},
          {"operations[].name", "The action."},
          {"operations[].bits", "The width of the action."},
          {"operations[].energy_pj", "The energy of one action."},
          {"operations[].count", "The actions of the step."},
          {"operations[].total_pj", "The energy of all of them."},
          {"operations[].node_nm", "The node that the figure is of; 0 for DRAM."},
          {"operations[].source", "The publication, and how the figure follows from it."},
          {"operations[].tier", "published or derived."},
          {"step_total_pj", "The energy of the step on chip, by the published tables."},
          {"step_dram_pj", "The energy of DRAM in the step; it is of another technology."},
          {"node_nm", "The node of step_total_pj."},
          {"dram", "The type of DRAM."},
          {"breakdown.<unit>", "The part of a unit in step_total_pj, in pJ."},
          {"layers[].name", "The layer."},
          {"layers[].pass", "The pass of the layer."},
          {"layers[].on_chip_pj", "The part of the pass in step_total_pj."},
          {"layers[].dram_pj", "The part of the pass in step_dram_pj."},
          {"macs[].name", "The operands of a multiply-accumulate, such as \"W x A\"."},
          {"macs[].a_bits", "The bits of the first operand."},
          {"macs[].b_bits", "The bits of the second operand."},
          {"macs[].bit_serial_pj", "Its energy as products of bits, by the published tables."},
          {"macs[].bit_parallel_pj", "Its energy as one multiplication, by the same tables."},
          {"notes[]", "What is not priced, bounds, and what a cell library lacks."}};
}

ReportKind energy_report() {
  ReportKind kind{"energy",
                  "The energy of a training step: by published tables; and, unless --published, by "
                  "the netlists "
                  "of its units, each at both tiers of delay.",
                  published_keys()};
  const std::vector<ReportKey> more = {
      {"priced_step", "The training step, from 1, whose operands were simulated."},
      {"zero_gradient_share[].layer", "A layer."},
      {"zero_gradient_share[].share", "The share of its gradients that are 0 in that step."},
      {"netlist_operations[].unit", "A unit that was mapped onto gates."},
      {"netlist_operations[].operation", "The operation of it that is priced."},
      {"netlist_operations[].published", "The published figure beside it, or null."},
      {"netlist_operations[].published.energy_pj", "The energy of the operation."},
      {"netlist_operations[].published.node_nm", "The node of the figure."},
      {"netlist_operations[].published.source", "The publication."},
      {"netlist_operations[].published.tier", "published or derived."},
      {"netlist_operations[].netlists[].library", "The cell library."},
      {"netlist_operations[].netlists[].voltage_v", "Its voltage."},
      {"netlist_operations[].netlists[].zero_delay_pj", "The operation's energy without delays."},
      {"netlist_operations[].netlists[].timed_pj", "The same with delays, glitches included."},
      {"netlist_operations[].netlists[].clock_pj", "The clock pins' part of it."},
      {"netlist_operations[].netlists[].area_um2", "The area of the unit."},
      {"netlist_operations[].netlists[].leakage_nw", "The leakage of the unit."},
      {"netlist_operations[].netlists[].memory_bits",
       "The bits of memories inside, which are in neither energy nor area."},
      {"netlist_operations[].netlists[].critical_path_ns", "The longest path by the library."},
      {"netlist_operations[].netlists[].operations", "The operations that were simulated."},
      {"netlist_steps[].library", "The cell library that the step is priced on."},
      {"netlist_steps[].cycles", "The cycles of the step."},
      {"netlist_steps[].cycle_ns", "The clock period, for leakage."},
      {"netlist_steps[].multiply_accumulates", "The multiply-accumulates of all three passes."},
      {"netlist_steps[].pj_per_mac",
       "Logic (timed), on-chip memories and DRAM by multiply_accumulates; null where logic and "
       "memories are of two nodes."},
      {"netlist_steps[].<zero_delay or timed>.data_pj", "The energy of data in the logic."},
      {"netlist_steps[].<zero_delay or timed>.data_standard_error_pj",
       "Its standard error, by the spread of the simulated windows."},
      {"netlist_steps[].<zero_delay or timed>.clock_pj", "That of the clocks of acting units."},
      {"netlist_steps[].<zero_delay or timed>.idle_clock_pj",
       "That of clock gates, and idle clocks."},
      {"netlist_steps[].<zero_delay or timed>.leakage_pj", "That of leakage."},
      {"netlist_steps[].<zero_delay or timed>.logic_pj", "The sum of the four."},
      {"netlist_steps[].memory.source", "The table that on-chip memories are priced by."},
      {"netlist_steps[].memory.node_nm", "Its node. Figures of two nodes are never added."},
      {"netlist_steps[].memory.pj", "The energy of on-chip memories."},
      {"netlist_steps[].dram.type", "The type of DRAM."},
      {"netlist_steps[].dram.pj", "The energy of DRAM."},
      {"netlist_steps[].lines[].layer", "The layer; empty for what belongs to the whole step."},
      {"netlist_steps[].lines[].pass", "The pass; empty likewise."},
      {"netlist_steps[].lines[].unit", "The unit."},
      {"netlist_steps[].lines[].action", "What the unit does."},
      {"netlist_steps[].lines[].kind", "data, clock, idle clock, leakage, memory or dram."},
      {"netlist_steps[].lines[].count", "The actions."},
      {"netlist_steps[].lines[].zero_delay_pj", "Their energy without delays."},
      {"netlist_steps[].lines[].timed_pj", "Their energy with delays."},
      {"netlist_steps[].lines[].windows", "Of data: the simulated windows it rests on."},
      {"netlist_steps[].lines[].standard_error_pj",
       "Of data: of timed_pj, by the windows' spread."},
      {"netlist_steps[].notes[]", "What is not priced, and where operands were not sampled."}};
  kind.keys.insert(kind.keys.end(), more.begin(), more.end());
  return kind;
}

ReportKind comparison_report() {
  return {
      "energy --compare",
      "Bit planes beside other datapaths, an entry for each library; in addition to energy's keys.",
      {{"comparisons[].library", "The cell library."},
       {"comparisons[].corner", "The library's operating conditions."},
       {"comparisons[].node_nm", "Its node."},
       {"comparisons[].voltage_v", "Its voltage."},
       {"comparisons[].memory", "The table of memories; empty where none is of this node."},
       {"comparisons[].lanes", "L of the bit planes."},
       {"comparisons[].rows[].name", "The datapath."},
       {"comparisons[].rows[].per_mac.zero_delay_pj", "A training MAC without delays."},
       {"comparisons[].rows[].per_mac.timed_pj", "A training MAC with delays."},
       {"comparisons[].rows[].per_mac.timed_gated_pj",
        "The same, with sums and drain registers clocked only when they act."},
       {"comparisons[].rows[].um2_per_mac_per_cycle",
        "The area for a multiply-accumulate in each cycle; 0 is not known."},
       {"comparisons[].rows[].critical_path_ns", "The longest path; 0 is not known."},
       {"comparisons[].rows[].with_memory", "per_mac with the fetch of its operands, or null."},
       {"comparisons[].rows[].with_memory.zero_delay_pj", "The same, without delays."},
       {"comparisons[].rows[].with_memory.timed_pj", "The same, with delays."},
       {"comparisons[].rows[].with_memory_um2", "The area with the buffers, or null."},
       {"comparisons[].rows[].tier", "Where the figure comes from: netlist or published."},
       {"comparisons[].rows[].source", "The same in words."},
       {"comparisons[].rows[].node_nm", "The node of the figure."},
       {"comparisons[].rows[].operands",
        "What is multiplied: training step, or b x b bits, uniform codes; empty of published "
        "figures."},
       {"comparisons[].rows[].loses_to[]",
        "Of bit planes: the parallel datapaths of this table that take operands as wide for less "
        "energy, timed and gated."},
       {"comparisons[].rows[].passes.<pass>.zero_delay_pj", "A MAC of that pass without delays."},
       {"comparisons[].rows[].passes.<pass>.timed_pj", "A MAC of that pass with delays."},
       {"comparisons[].break_even[].what", "What is compared, with the unit."},
       {"comparisons[].break_even[].serial[]",
        "The cost of bit planes at first_bits x first_bits bits, and at each wider width."},
       {"comparisons[].break_even[].parallel[]",
        "The cost of the parallel unit at the same widths."},
       {"comparisons[].break_even[].first_bits", "The narrowest width that was tried."},
       {"comparisons[].break_even[].bits",
        "The width up to which bit planes cost less; null where one is cheaper at all."},
       {"comparisons[].break_even[].verdict", "The same as a sentence."},
       {"comparisons[].notes[]", "What the figures leave out."},
       {"comparisons[].seconds", "The time that the comparison took."}}};
}

ReportKind synth_report() {
  return {
      "synth",
      "The area and clock of the machine, or of the module --top. timing is left out with "
      "--no-timing, and fpga without --fpga.",
      {{"library", "The name in the Liberty file."},
       {"liberty", "The path of the Liberty file."},
       {"voltage_v", "The library's voltage."},
       {"temperature_c", "The library's temperature."},
       {"corner", "The library's operating conditions."},
       {"yosys", "The version of Yosys."},
       {"full_adder_cell", "The cell for full adders; empty: plain logic."},
       {"half_adder_cell", "The cell for half adders; empty: plain logic."},
       {"top", "The module that the figures are of."},
       {"area_um2", "The area of all instances, memories apart."},
       {"sequential_um2", "The flip-flops' part of it."},
       {"um2_per_lane", "The area by rows, columns and lanes; 0 for less than the whole machine."},
       {"clock_mhz", "The highest clock, or null without timing."},
       {"modules[].name", "A module with its parameters."},
       {"modules[].instances", "How often it is there."},
       {"modules[].area_um2", "The area of one, without the modules below it."},
       {"modules[].sequential_um2", "The flip-flops' part of that."},
       {"modules[].total_um2", "The area of all of them."},
       {"modules[].share", "Their share of the machine."},
       {"modules[].um2_per_lane", "total_um2 by rows, columns and lanes."},
       {"modules[].cells", "The cells of one."},
       {"modules[].flip_flops", "The flip-flops of one."},
       {"modules[].full_adders", "The full adders of one."},
       {"modules[].half_adders", "The half adders of one."},
       {"memory_bits", "The bits of all memories, which are in no area."},
       {"memories[].name", "A memory."},
       {"memories[].instances", "How often it is there."},
       {"memories[].bits", "The bits of one."},
       {"memories[].depth", "The words of one."},
       {"memories[].area_um2", "The area of one by --memory; 0: not asked for."},
       {"memories[].made_of",
        "macros, or flip-flops where these are smaller and the library is of the macros' node."},
       {"memories[].source", "What the area is of, and how it was found; empty without --memory."},
       {"memory_area_um2", "The area of all memories by --memory, or null without it."},
       {"flip_flop_memory_area_um2",
        "The part of it that is flip-flops of the library, or null without --memory."},
       {"memory_source", "The table of the macros; empty without --memory."},
       {"popcount.<key>", "The popcount of the configuration's lanes, with the keys of popcounts."},
       {"popcounts[].width", "The bits that are counted."},
       {"popcounts[].structural_um2", "Its area of explicit adder cells."},
       {"popcounts[].behavioural_um2", "Its area as Yosys and ABC map a sum."},
       {"popcounts[].ratio", "structural_um2 / behavioural_um2."},
       {"popcounts[].full_adders", "The full adders of the explicit form."},
       {"popcounts[].half_adders", "The half adders of the explicit form."},
       {"popcounts[].behavioural_adder_cells", "The adder cells in the other form."},
       {"timing.source", "The version of OpenSTA."},
       {"timing.period_ns", "The shortest clock period."},
       {"timing.clock_mhz", "The highest clock."},
       {"timing.endpoints", "The ends of paths that were timed."},
       {"timing.buffer_cell", "The cell that buffers large fan-outs."},
       {"timing.buffers", "How many of them were put in."},
       {"timing.buffers_um2", "Their area, which area_um2 does not hold."},
       {"timing.requested_ns", "The period of --period; left out without it."},
       {"timing.slack_ns", "requested_ns - period_ns; left out without --period."},
       {"timing.critical_path.module", "The module in which the longest path ends."},
       {"timing.critical_path.delay_ns", "Its delay."},
       {"timing.critical_path.start", "Where it begins."},
       {"timing.critical_path.start_module", "The module in which it begins."},
       {"timing.critical_path.end", "Where it ends."},
       {"timing.critical_path.steps[].pin", "A pin on it."},
       {"timing.critical_path.steps[].cell", "The cell of the pin."},
       {"timing.critical_path.steps[].arrival_ns", "The time at which the pin is reached."},
       {"timing.modules[].<key>",
        "The longest path that ends in a module, with the keys of critical_path."},
       {"fpga[].unit", "The module that was mapped."},
       {"fpga[].family", "The FPGA's family."},
       {"fpga[].command", "The command of Yosys."},
       {"fpga[].luts", "Its look-up tables."},
       {"fpga[].flip_flops", "Its flip-flops."},
       {"fpga[].carries", "Its carry cells."},
       {"fpga[].multipliers", "Its multipliers."},
       {"fpga[].memories", "Its memory blocks."},
       {"fpga[].cells.<cell>", "How often a cell of the family is there."},
       {"modules_mapped", "The modules that were mapped in this run."},
       {"modules_cached", "The modules that were taken from the cache."},
       {"notes[]", "What the library lacks, and what that means for the figures."},
       {"seconds", "The time that the run took."}}};
}

ReportKind netlist_report() {
  return {"synth --netlist",
          "The gates were written to a folder.",
          {{"library", "The name in the Liberty file."},
           {"cells", "The cells of the machine."},
           {"flip_flops", "The flip-flops among them."},
           {"area_um2", "Their area, memories apart."}}};
}

ReportKind keys_report() {
  return {"keys",
          "The keys of a configuration.",
          {{"keys[].name", "The key, with its section."},
           {"keys[].value", "The value in the configuration that was given."},
           {"keys[].default", "The value when a file does not say."},
           {"keys[].minimum", "The least value."},
           {"keys[].maximum", "The largest value."},
           {"keys[].power_of_two", "Whether only powers of two are allowed."},
           {"keys[].meaning", "What the key is, and its relations to other keys."}}};
}

ReportKind schemes_report() {
  return {"schemes",
          "The ways to quantize.",
          {{"schemes[].name", "The name, for --scheme and for networks."},
           {"schemes[].paper", "The paper."},
           {"schemes[].deviation", "What is not as in the paper; may be empty."},
           {"schemes[].trains", "Whether the machine trains with it."},
           {"schemes[].infers", "Whether the machine infers with it."},
           {"schemes[].reason", "Why not, where it does not."},
           {"schemes[].parameters[].name", "A parameter: a key of a network's file or layer."},
           {"schemes[].parameters[].meaning", "What it is."},
           {"schemes[].parameters[].default", "Its value when a network does not say."},
           {"schemes[].parameters[].minimum", "Its least value."},
           {"schemes[].parameters[].maximum", "Its largest value."}}};
}

}  // namespace

const std::vector<ReportKind>& report_kinds() {
  static const std::vector<ReportKind> kinds = {
      generate_report(), train_report(),   evaluate_report(), export_report(),
      verify_report(),   cycles_report(),  energy_report(),   comparison_report(),
      synth_report(),    netlist_report(), keys_report(),     schemes_report()};
  return kinds;
}

}  // namespace solfege
