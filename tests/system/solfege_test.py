#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program as its users run it: exit codes, messages, reports, and what the engines must agree on.

Run by ctest as `solfege_test.py PROGRAM CASE`. Not covered here: arithmetic in detail (unit tests, verify).
"""
import csv
import gzip
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import yaml

from support import DATA, DEFAULT, GATES, PROGRAM, SEED, SOURCE, SQUARE, TALL, TINY, WIDE, X64, SystemTest, matlab_file, read_tensors


class BadInput(SystemTest):
    def test_configuration(self):
        tiny = pathlib.Path(TINY).read_text()
        cases = {
            "unknown key": (tiny.replace("rows =", "rowz =", 1), ["array.rowz"]),
            "bitwidth 0": (tiny.replace("weight = 1", "weight = 0", 1), ["bits.weight", "0", "1 to 8"]),
            "bitwidth 9": (tiny.replace("gradient = 4", "gradient = 9", 1), ["bits.gradient", "9", "1 to 8"]),
            "narrow": (tiny.replace("accumulator_bits = 48", "accumulator_bits = 20", 1), ["array.accumulator_bits", "20", "48"]),
            "no TOML": ("[bits\n", ["bad.toml"]),
        }
        for name, (text, message) in cases.items():
            with self.subTest(name):
                path = self.folder / "bad.toml"
                path.write_text(text)
                self.refused("cycles", path, message=["bad.toml", *message])
                out = self.folder / "generated"
                self.solfege("generate", path, "-o", out, code=2)
                self.assertFalse(out.exists())
        self.refused("cycles", self.folder / "missing.toml", message=["missing.toml"])

    def test_data(self):
        def idx(folder, images=b"", magic=0x803, cut=0, count=20):
            folder.mkdir()
            for part in ("train", "t10k"):
                body = struct.pack(">IIII", magic, count, 28, 28) + bytes(28 * 28 * count)
                body = body[: len(body) - cut]
                (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(body))
                (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(count))
            return folder

        good = idx(self.folder / "good")
        self.report("train", TINY, "--network", "tiny_mlp", "--data", good, "--batch", 4, "--steps", 1)
        for name, arguments, message in (
            ("truncated", {"cut": 5}, ["train-images-idx3-ubyte.gz"]),
            ("magic", {"magic": 0x804}, ["train-images-idx3-ubyte.gz", "magic"]),
        ):
            with self.subTest(name):
                folder = idx(self.folder / name, **arguments)
                self.refused("train", TINY, "--network", "tiny_mlp", "--data", folder, message=message)
        (good / "t10k-labels-idx1-ubyte").unlink()
        self.refused("train", TINY, "--data", good, message=["t10k-labels-idx1-ubyte"])
        self.refused("train", TINY, "--data", self.folder / "nowhere", message=["nowhere"])

    def test_network(self):
        for name, text, message in (
            ("kernel", '[[layer]]\ntype = "conv"\nchannels = 4\nkernel = 40\n[[layer]]\ntype = "fc"\n', ["conv0", "kernel"]),
            ("key", '[[layer]]\ntype = "fc"\nchannelz = 4\n[[layer]]\ntype = "fc"\n', ["channelz"]),
        ):
            with self.subTest(name):
                path = self.folder / "net.toml"
                path.write_text(text)
                self.refused("train", TINY, "--network", path, message=["net.toml", *message])
        self.refused("train", TINY, "--network", "nonesuch", message=["nonesuch"])

    def test_command_line(self):
        self.solfege("train", TINY, "--engine", "fpga", code=2)
        self.solfege("train", TINY, "--batch", 0, code=2)
        self.solfege("fly", TINY, code=2)
        self.refused("train", TINY, "--batch", 33, message=["--batch 33", "or --batch 32"])

    def test_energy(self):
        priced = ["energy", TINY, "--network", "tiny_mlp", "--batch", 8]
        broken = self.folder / "broken.lib"
        broken.write_text("library (broken) {\n  cell (X) {\n")
        for arguments, message in (
            (["--liberty", self.folder / "none.lib"], ["none.lib", "cannot be read"]),
            (["--liberty", broken], ["broken.lib", "truncated"]),
            (["--memory", "cacti46"], ["cacti46", "cacti45"]),
            (["--dram", "DDR9"], ["DDR9", "LPDDR4"]),
            (["--windows", 1], ["--windows", "2"]),
            (["--published", "--csv", self.folder / "nowhere" / "x.csv"], ["--csv", "x.csv"]),
        ):
            with self.subTest(str(arguments)):
                self.refused(*priced, *arguments, message=message)
        self.refused("energy", DEFAULT, "--network", "svhn-d", message=["svhn-d", "--resize 40"])
        self.refused("synth", TINY, "--liberty", broken, message=["broken.lib", "truncated"])
        self.refused("synth", TINY, "--liberty", self.folder, message=["broken.lib", "truncated"])
        area = self.folder / "areas.yaml"
        report = self.report(*priced, "--published", "--art", area)
        self.assertEqual(yaml.safe_load(area.read_text())["ART"]["tables"], [])
        self.assertIn("--art", report["notes"][-1])

    def test_one_line(self):
        # Newlines in messages of libraries, in names and in values are folded.
        for words in (["fly", TINY], ["train"], ["train", TINY, "--steps", "x"], ["cycles", TINY, "--network", "a\nb\tc"],
                      ["cycles", TINY, "--batch", "1\n2"], ["plot", self.folder / "no\nreport", "-o", "x.svg"], ["train", TINY, "--nothing"]):
            done = self.solfege(*words, code=2)
            self.assertRegex(done.stderr, r"^solfege: [^\n]+\n$")

    def test_netlist(self):
        """A folder as synth --netlist writes it, in which something is wrong: exit 2, file and cell."""
        hash_of = self.report("generate", GATES, "-o", self.folder / "rtl")["config_hash"]
        folder = self.folder / "gates"
        folder.mkdir()
        (folder / "cells.lib").write_text(
            'library (x) { time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1, pf); nom_voltage : 1;\n'
            'cell (INV) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; function : "!A"; } } }')

        def refused(top, *message, child=None, ports={}):
            (folder / "manifest.json").write_text(json.dumps({"config_hash": hash_of}))
            modules = {"sf_accelerator": {"ports": {"clk_i": {"direction": "input", "bits": [2]}, **ports}, "cells": top, "netnames": {}}}
            if child is not None:
                modules["child"] = {"ports": {"a": {"direction": "input", "bits": [2]}}, "cells": child, "netnames": {}}
            (folder / "netlist.json").write_text(json.dumps({"modules": modules}))
            self.refused("verify", GATES, "--netlist", folder, "--cases", 1, message=[str(folder / "netlist.json"), *message])

        inverter = {"type": "INV", "connections": {"A": [3], "Y": [4]}}
        memory = {"type": "$mem_v2", "parameters": {"WIDTH": "1", "SIZE": "9" * 25, "ABITS": "1"}, "connections": {}}
        refused({"u": {"type": "sf_accelerator", "connections": {"clk_i": [2]}}}, "contains itself", "cell u")
        refused({"u": {"type": "child", "connections": {"a": [2]}}}, "contains itself", "cell u.v", child={"v": {"type": "child", "connections": {}}})
        refused({"m": memory}, "cell m", "SIZE")
        refused({"u": {"type": "child", "connections": {"a": [2]}}}, "cell u.m", "SIZE", child={"m": memory})
        refused({"u": {"type": "child", "connections": {"a": [2, 3]}}}, "cell u", "pin a has 2 bits", child={})
        refused({"g": {**inverter, "type": "NOR9"}}, "instance g", "NOR9")
        refused({"g": inverter, "h": inverter}, "driven twice")
        refused({"g": {"type": "INV", "connections": {"A": [3], "Z": [4]}}}, "pin Z of instance g (INV)")
        refused({"g": inverter}, "no port rst_ni")
        refused({"g": inverter}, "output rst_ni of 1 bits", ports={"rst_ni": {"direction": "output", "bits": [4]}})
        refused({"g": inverter}, "input irq_o of 1 bits", ports={"irq_o": {"direction": "input", "bits": [3]}})
        refused({"g": inverter}, "output irq_o of 9 bits", ports={"irq_o": {"direction": "output", "bits": [4] * 9}})
        refused({"g": {"type": "INV", "connections": {"A": ["maybe"]}}}, "cell g", "maybe")


class Generate(SystemTest):
    def test_reproducible(self):
        for config in (TINY, DEFAULT):
            self.solfege("generate", config, "-o", self.folder / "a")
            self.solfege("generate", config, "-o", self.folder / "b")
            for path in (self.folder / "a").iterdir():
                text = path.read_bytes()
                self.assertEqual(text, (self.folder / "b" / path.name).read_bytes())
                self.assertNotIn(str(self.folder).encode(), text)
                self.assertNotIn(str(SOURCE).encode(), text)
            files = json.loads((self.folder / "a/manifest.json").read_text())["files"]
            self.assertEqual(sorted(files), sorted(p.name for p in (self.folder / "a").iterdir()))

    def test_lint(self):
        for config in (TINY, WIDE, DEFAULT):
            out = self.folder / pathlib.Path(config).stem
            self.solfege("generate", config, "-o", out)
            done = subprocess.run(["sh", "lint.sh"], cwd=out, capture_output=True, text=True)
            # Verilator 5.030 and later tell of their run.
            said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("- V")]
            self.assertEqual((done.returncode, said), (0, []))
        # Known bad: a signal narrower than what drives it
        broken = out / "sf_lfsr.v"
        broken.write_text(broken.read_text().replace("reg  [63:0] state_q", "reg  [62:0] state_q"))
        done = subprocess.run(["sh", "lint.sh"], cwd=out, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)


class Engines(SystemTest):
    """One training, several engines, shapes and memories: every bit the same."""

    def train(self, config, engine, *more, network="tiny_mlp", steps=4):
        weights = self.folder / "weights.safetensors"
        report = self.report("train", config, "--network", network, "--batch", 8, "--steps", steps, "--engine", engine,
                             "--export", weights, "--test-images", 16, *more)
        self.assertEqual(report["steps"], steps)
        self.assertEqual(report["host_element_operations"], 0)
        return report, read_tensors(weights)[0]

    def lockstep(self, config, *more, **kwargs):
        report, weights = self.train(config, "lockstep", *more, **kwargs)
        self.assertEqual(report["mismatched_bits"], 0)
        self.assertGreater(report["compared_bits"], 1_000_000)
        cycles = report["cycles"]
        self.assertGreater(cycles["simulated"], 10_000)
        self.assertEqual(cycles["simulated"], cycles["predicted"])
        self.assertEqual(cycles["descriptors_apart"], 0)
        # The whole device, unless the memory pauses at random
        if "--memory-stalls" in more:
            self.assertNotIn("predicted_total", cycles)
        else:
            self.assertEqual(cycles["total"], cycles["predicted_total"])
        return report, weights

    def with_bits(self, network, weight, activation, gradient):
        """A shipped network with its bitwidths spelled out: 8 remain in the first and last layer."""
        head, *layers = (SOURCE / f"configs/networks/{network}.toml").read_text().split("[[layer]]")
        for i in range(len(layers) - 1):
            average = "avgpool" in layers[i]
            layers[i] += f"output_bits = {8 if average else activation}\n"
            if i > 0 and not average:
                layers[i] += f"weight_bits = {weight}\ngradient_bits = {gradient}\n"
        path = self.folder / f"{network}.toml"
        path.write_text("[[layer]]".join([head, *(layer.rstrip("\n") + "\n" for layer in layers)]))
        return path

    def test_fully_connected(self):
        golden, weights = self.train(TINY, "golden")
        locked, locked_weights = self.lockstep(TINY)
        self.assertEqual(golden["loss"], locked["loss"])
        self.assertEqual(golden["accuracy"], locked["accuracy"])
        self.assertEqual(weights, locked_weights)
        # Known bad: another seed must not give the same
        other, other_weights = self.train(TINY, "golden", "--seed", 2)
        self.assertNotEqual(other["loss"], golden["loss"])
        self.assertNotEqual(other_weights, weights)

    def test_shapes_agree(self):
        # The other machines have room for wider codes; bitwidths are settings of a run.
        for network in ("tiny_mlp", "tiny_cnn", "tiny_pool", "tiny_dropout", "tiny_graph", "tiny_residual"):
            with self.subTest(network):
                reference, weights = self.train(TINY, "golden", network=network)
                same = self.with_bits(network, 1, 2, 4)
                for config in (SQUARE, WIDE, TALL):
                    report, other = self.train(config, "golden", network=same)
                    self.assertEqual(report["loss"], reference["loss"])
                    self.assertEqual(other, weights)
        report, other = self.lockstep(WIDE, network=same, steps=2)
        self.assertEqual(report["loss"], reference["loss"][:2])
        # Known bad: other bitwidths must not give the same
        other, other_weights = self.train(WIDE, "golden", network=self.with_bits(network, 1, 2, 5))
        self.assertNotEqual(other_weights, weights)

    def test_convolution_and_slow_memory(self):
        ideal, weights = self.lockstep(TINY, "--ideal-memory", network="tiny_cnn", steps=2)
        # At one byte a cycle the memory bounds everything.
        for more in ((), ("--memory-stalls", 0.25)):
            slow, slow_weights = self.lockstep(TINY, "--memory-latency", 30, "--memory-bytes-per-cycle", 1, *more,
                                               network="tiny_cnn", steps=2)
            self.assertEqual(ideal["loss"], slow["loss"])
            self.assertEqual(weights, slow_weights)
            self.assertEqual(ideal["cycles"]["simulated"], slow["cycles"]["simulated"])
            self.assertGreater(slow["cycles"]["stall"], 2 * ideal["cycles"]["stall"])
            self.assertGreater(slow["cycles"]["total"], 1.5 * ideal["cycles"]["total"])

    def test_clock_gates(self):
        """Gates change nothing but energy; one that never opens is noticed."""
        gated = ["verify", TINY, "--define", "SF_CLOCK_GATES", "--memory-stalls", 0.2]
        report = self.report(*gated, "--cases", 100, "--seed", SEED)
        self.assertEqual((report["mismatched_cases"], report["cycles_apart"]), (0, 0))
        report = self.report(*gated, "--define", "SF_BREAK_CLOCK_GATE", "--cases", 10, "--seed", 1, code=1)
        self.assertGreater(report["mismatched_cases"], 0)

    def test_broken_rtl_is_caught(self):
        report = self.report("train", TINY, "--network", "tiny_mlp", "--batch", 8, "--steps", 1, "--engine", "lockstep",
                             "--define", "SF_BREAK_PE_TERM", code=1)
        self.assertGreater(report["mismatched_bits"], 0)
        for word in ("descriptor", "tensor", "index", "expected", "got", "cycle"):
            self.assertIn(word, report["failure"])

    def test_waveforms(self):
        fst = self.folder / "waves.fst"
        self.report("train", TINY, "--network", "tiny_mlp", "--batch", 4, "--steps", 1, "--engine", "rtl", "--test-images", 0,
                    "--fst", fst, "--fst-from", 1000, "--fst-to", 1200)
        self.assertGreater(fst.stat().st_size, 1000)


class Runs(SystemTest):
    """Training that is interrupted, continued, drawn, and fed with other images."""

    ARGUMENTS = ("train", TINY, "--batch", 32, "--network", "tiny_mlp")

    def train(self, *more, network="tiny_mlp"):
        weights = self.folder / "weights.safetensors"
        weights.unlink(missing_ok=True)
        report = self.report(*self.ARGUMENTS[:-1], network, "--test-images", 64, "--export", weights, *more)
        return report, read_tensors(weights)[0]

    def test_resumed_is_uninterrupted(self):
        checkpoint = self.folder / "run.ckpt"
        whole, weights = self.train("--steps", 130, "--evaluate-every-epoch")
        self.assertEqual(whole["steps_per_epoch"], 62)
        self.assertEqual([p["step"] for p in whole["accuracy_history"]], [62, 124, 130])
        self.assertIsNone(whole["resumed_from"])
        first, _ = self.train("--steps", 40, "--evaluate-every-epoch", "--checkpoint", checkpoint)
        self.assertEqual(first["loss"], whole["loss"][:40])
        second, _ = self.train("--steps", 65, "--evaluate-every-epoch", "--resume", checkpoint, "--checkpoint", checkpoint,
                               "--checkpoint-every", 7)
        self.assertEqual(second["resumed_from"], 40)
        third, resumed_weights = self.train("--steps", 130, "--evaluate-every-epoch", "--resume", checkpoint)
        for key in ("loss", "accuracy", "steps"):
            self.assertEqual(third[key], whole[key], key)
        # The short second run also evaluated where it ended, but its checkpoint was written before.
        self.assertEqual(third["accuracy_history"], whole["accuracy_history"])
        self.assertEqual(third["resumed_from"], 65)
        self.assertEqual(resumed_weights, weights)
        # Known bad: the steps before count, so that other batches would follow without them
        self.assertNotEqual(self.train("--steps", 65)[0]["loss"], third["loss"][65:])

    def test_every_layer_kind_resumes(self):
        checkpoint = self.folder / "run.ckpt"
        for network in ("tiny_pool", "tiny_residual", "tiny_dropout", "tiny_graph"):
            with self.subTest(network):
                whole, weights = self.train("--steps", 6, network=network)
                self.train("--steps", 3, "--checkpoint", checkpoint, network=network)
                resumed, resumed_weights = self.train("--steps", 6, "--resume", checkpoint, network=network)
                for key in ("loss", "accuracy"):
                    self.assertEqual(resumed[key], whole[key], key)
                self.assertEqual(resumed_weights, weights)

    def test_resumed_on_another_engine(self):
        checkpoint = self.folder / "run.ckpt"
        whole, weights = self.train("--steps", 4)
        self.train("--steps", 2, "--checkpoint", checkpoint)
        locked, locked_weights = self.train("--steps", 4, "--resume", checkpoint, "--engine", "lockstep")
        self.assertEqual(locked["loss"], whole["loss"])
        self.assertEqual(locked_weights, weights)
        self.assertEqual(locked["mismatched_bits"], 0)
        self.assertGreater(locked["compared_bits"], 1_000_000)

    def test_bad_checkpoints(self):
        checkpoint = self.folder / "run.ckpt"
        self.train("--steps", 3, "--checkpoint", checkpoint)
        arguments = (*self.ARGUMENTS, "--steps", 5, "--resume", checkpoint)
        for name, more, message in (
            ("batch", ("--batch", 16), ["use --batch 32"]),
            ("seed", ("--seed", 2), ["use --seed 1"]),
            ("network", ("--network", "tiny_cnn"), ["another network", "tiny_mlp"]),
            ("steps", ("--steps", 2), ["after step 3"]),
            ("engine", ("--engine", "float"), ["another engine", "golden, rtl or lockstep"]),
        ):
            with self.subTest(name):
                changed = [a for i, a in enumerate(arguments) if a != more[0] and arguments[i - 1] != more[0]]
                self.refused(*changed, *more, message=message)
        self.refused("train", WIDE, *arguments[2:], message=["another configuration"])
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes(whole[:-9])
        self.refused(*arguments, message=["run.ckpt", "truncated"])
        checkpoint.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        self.refused(*arguments, message=["run.ckpt", "corrupt"])
        checkpoint.unlink()
        self.refused(*arguments, message=["run.ckpt", "check the path"])
        self.refused(*self.ARGUMENTS, "--checkpoint", self.folder / "no/run.ckpt", message=["there is no folder"])
        self.solfege(*self.ARGUMENTS, "--checkpoint-every", 3, code=2)

    def test_interrupt(self):
        checkpoint, never = self.folder / "run.ckpt", self.folder / "never"
        never.mkdir()
        process = subprocess.Popen([PROGRAM, *map(str, self.ARGUMENTS), "--steps", "1000000", "--checkpoint", checkpoint,
                                    "--json", never / "report.json", "--export", never / "weights.safetensors",
                                    "--plot", never / "plot.svg"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith("step "):
                break
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, error)
        self.assertEqual(list(never.iterdir()), [])
        self.assertEqual([p.name for p in self.folder.iterdir() if p.is_file()], ["run.ckpt"])
        steps = int(re.search(r"after step (\d+)", error).group(1))
        resumed, weights = self.train("--steps", steps + 2, "--resume", checkpoint)
        whole, whole_weights = self.train("--steps", steps + 2)
        self.assertEqual(resumed["loss"], whole["loss"])
        self.assertEqual(weights, whole_weights)

    def test_interrupt_within_a_program(self):
        """A simulated step takes minutes; a signal ends it at once and keeps the steps before it."""
        checkpoint = self.folder / "run.ckpt"
        network = self.folder / "long.toml"
        conv = '[[layer]]\ntype = "conv"\nchannels = 32\nkernel = 3\npadding = 1\n'
        network.write_text(conv + conv + 'pool = 14\n[[layer]]\ntype = "fc"\n')
        arguments = ["train", TINY, "--network", network, "--batch", 32, "--steps", 2, "--engine", "lockstep",
                     "--checkpoint", checkpoint]
        process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in process.stdout:
            if " steps, engine lockstep" in line:
                break
        time.sleep(1)
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - sent, 10)
        self.assertEqual(process.returncode, 143, error)
        self.assertIn("after step 0", error)
        self.assertTrue(checkpoint.exists())

    def test_plots(self):
        a, b, picture = (self.folder / name for name in ("a.json", "b.json", "both.svg"))
        self.solfege(*self.ARGUMENTS, "--epochs", 2, "--json", a, "--plot", self.folder / "a.svg")
        self.solfege(*self.ARGUMENTS, "--epochs", 2, "--engine", "float", "--json", b, "--plot", self.folder / "b.png")
        self.assertIn("golden", (self.folder / "a.svg").read_text())
        self.assertIn("test accuracy", (self.folder / "a.svg").read_text())
        self.assertEqual((self.folder / "b.png").read_bytes()[1:4], b"PNG")
        self.solfege("plot", a, b, "-o", picture)
        for word in ("golden", "float", "tiny_mlp", "epoch", "loss"):
            self.assertIn(word, picture.read_text())
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["a.json", "a.svg", "b.json", "b.png", "both.svg"])
        cycles = self.folder / "cycles.json"
        self.solfege("cycles", TINY, "--network", "tiny_mlp", "--batch", 8, "--json", cycles)
        for bad, message in ((cycles, "reports of training"), (picture, "no JSON"), (self.folder / "none.json", "check the path")):
            done = self.solfege("plot", a, bad, "-o", self.folder / "bad.svg", code=2)
            self.assertIn(message, done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertFalse((self.folder / "bad.svg").exists())
        self.refused(*self.ARGUMENTS, "--plot", self.folder / "a.pdf", message=[".svg or .png"])

    def test_images(self):
        # In float: the data alone matter, and the tiny configuration has no room for such images.
        small = ("train", TINY, "--batch", 4, "--steps", 1, "--test-images", 4, "--engine", "float")
        self.refused(*small, "--network", "svhn-d", message=["svhn-d.toml", "use --resize 40"])
        done = self.solfege(*small, "--network", "svhn-d", "--resize", 40)
        self.assertIn("28 x 28 to 40 x 40", done.stdout)
        self.assertIn("repeated for 3 channels", done.stdout)
        for name, count in (("train", 6), ("test", 2)):
            pixels = bytes((n * 50 + i) % 251 for n in range(count) for i in range(32 * 32 * 3))
            text = matlab_file(X=((32, 32, 3, count), pixels), y=((count, 1), bytes([10, 1, 2, 3, 4, 5][:count])))
            (self.folder / f"{name}_32x32.mat").write_bytes(text)
        done = self.solfege(*small, "--network", "svhn-d", "--resize", 40, "--data", self.folder)
        self.assertIn("32 x 32 to 40 x 40", done.stdout)
        self.solfege(*small, "--network", "tiny_cnn", "--data", self.folder)
        path = self.folder / "test_32x32.mat"
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(*small, "--network", "tiny_cnn", "--data", self.folder, message=["test_32x32.mat", "whole file"])

    def test_cycles_knows_the_images(self):
        own = self.report("cycles", DEFAULT, "--network", "svhn-d", "--batch", 2)
        told = self.report("cycles", DEFAULT, "--network", "svhn-d", "--batch", 2, "--resize", 40)
        self.assertEqual(own["cycles"], told["cycles"])
        self.refused("cycles", DEFAULT, "--network", "svhn-d", "--batch", 2, "--resize", 32, message=["use --resize 40"])


class Verify(SystemTest):
    def test_three_shapes(self):
        for config in (TINY, WIDE, TALL):
            with self.subTest(config):
                report = self.report("verify", config, "--cases", 200, "--seed", SEED)
                self.assertEqual(report["cases"], 200)
                self.assertEqual(report["mismatched_cases"], 0)
                self.assertEqual(report["cycles_apart"], 0)

    def test_adder_tree(self):
        report = self.report("verify", TINY, "--cases", 100, "--seed", SEED, "--adder-tree", "--memory-stalls", 0.2)
        self.assertEqual((report["mismatched_cases"], report["cycles_apart"]), (0, 0))

    def test_broken_rtl_is_caught(self):
        report = self.report("verify", TINY, "--cases", 60, "--seed", 1, "--define", "SF_BREAK_PE_TERM", code=1)
        self.assertGreater(report["mismatched_cases"], 0)

    def test_hanging_rtl_is_ended(self):
        design = self.folder / "design"
        self.solfege("generate", TINY, "-o", design)
        queue = design / "sf_engine_queue.v"
        good = queue.read_text()
        bad = re.sub(r"assign retire_o .*;", "assign retire_o = 1'b0;", good)
        self.assertNotEqual(good, bad)
        queue.write_text(bad)
        done = self.solfege("verify", TINY, "--design", design, "--cases", 2, "--seed", 3, code=1)
        for part in ("case 0: watchdog: the device does not finish", "descriptor 0", "2 mismatched"):
            self.assertIn(part, done.stdout)
        done = self.solfege("train", TINY, "--design", design, "--engine", "rtl", "--network", "tiny_mlp", "--batch", 4,
                            "--steps", 1, code=1)
        self.assertIn("watchdog: the device does not finish", done.stderr)


class Reports(SystemTest):
    def test_cycles(self):
        report = self.report("cycles", DEFAULT, "--network", "mlp", "--batch", 64)
        self.assertAlmostEqual(report["array_efficiency"], report["ideal_cycles"] / report["array_cycles"])
        self.assertAlmostEqual(report["utilisation"], report["ideal_cycles"] / report["cycles"])
        self.assertGreater(report["bytes_moved"], 0)
        for layer in report["layers"]:
            self.assertIn(layer["bound_by"], ("array", "stream", "turner", "memory"))
            for key in ("name", "pass", "ideal_cycles", "array_cycles", "cycles"):
                self.assertIn(key, layer)

    def test_energy(self):
        report = self.report("energy", DEFAULT, "--network", "mlp", "--batch", 64, "--published")
        self.assertGreater(report["step_total_pj"], 0)
        self.assertNotIn("netlist_operations", report)
        for operation in report["operations"]:
            for key in ("name", "bits", "energy_pj", "node_nm", "source", "tier"):
                self.assertIn(key, operation)
        self.assertAlmostEqual(sum(report["breakdown"].values()), report["step_total_pj"],
                               delta=1e-6 * report["step_total_pj"])

    def test_energy_of_netlists(self):
        paths = {name: self.folder / f"energy.{name}" for name in ("csv", "ert", "art", "activity")}
        report = self.report("energy", TINY, "--network", "tiny_mlp", "--batch", 8, "--csv", paths["csv"],
                             "--ert", paths["ert"], "--art", paths["art"], "--activity", paths["activity"], "--compare",
                             "--windows", 4)
        # Without --memory there are no figures with memory.
        self.assert_all_keys(report, "energy", "--compare",
                             absent=[f"comparisons[].rows[].with_memory.{tier}_pj" for tier in ("zero_delay", "timed")])
        units = {row["unit"]: row for row in report["netlist_operations"]}
        for unit in ("accumulate", "pe", "threshold", "rounding", "random_shared", "stream_lane"):
            figures, = units[unit]["netlists"]
            self.assertEqual(figures["library"], "osu018_stdcells")
            # A glitch only adds events.
            self.assertGreater(figures["zero_delay_pj"], 0)
            self.assertGreaterEqual(figures["timed_pj"], 0.99 * figures["zero_delay_pj"])
            self.assertGreater(figures["area_um2"], 0)
        # A processing element holds the tree of adders; a private random source costs nearly the shared one's.
        self.assertGreater(units["pe"]["netlists"][0]["area_um2"], units["accumulate"]["netlists"][0]["area_um2"])
        shared = units["random_shared"]["netlists"][0]["timed_pj"]
        self.assertGreater(units["random_private"]["netlists"][0]["timed_pj"], shared / 2)  # 2 lanes share it here

        # Multiply-accumulates follow from the element: W x G has twice the operations of W x A at (1, 2, 4).
        macs = [row["netlists"][0] for row in report["netlist_operations"] if row["unit"] == "mac"]
        self.assertEqual(len(macs), 3)
        self.assertAlmostEqual(macs[1]["timed_pj"], 2 * macs[0]["timed_pj"])
        self.assertAlmostEqual(macs[2]["timed_pj"], 4 * macs[0]["timed_pj"])
        # One operation of 16 lanes and two planes, and shares of the registers and of 9 elements beside 16
        pair = units["pe"]["netlists"][0]["timed_pj"] / 16
        self.assertTrue(pair < macs[0]["timed_pj"] < 2 * pair)

        # What one sample says, another of four times the windows says too, and more surely.
        step, = report["netlist_steps"]
        again, = self.report("energy", TINY, "--network", "tiny_mlp", "--batch", 8, "--windows", 16)["netlist_steps"]
        for tier in ("zero_delay", "timed"):
            data, error = (step[tier][f"data{key}_pj"] for key in ("", "_standard_error"))
            data_again, error_again = (again[tier][f"data{key}_pj"] for key in ("", "_standard_error"))
            self.assertTrue(0 < error_again < 0.7 * error, (error, error_again))
            self.assertLess(error, 0.1 * data)
            self.assertLess(abs(data - data_again), 4 * math.hypot(error, error_again))
        sampled = {line["unit"] for line in step["lines"] if line["kind"] == "data"}
        self.assertEqual(sampled, {"pe", "operand_register", "correction", "stream_lane", "reduce", "random_shared"})
        for line in step["lines"]:
            if line["kind"] == "data":
                self.assertGreaterEqual(line["windows"], 1, line)

        energies = yaml.safe_load(paths["ert"].read_text())["ERT"]
        table = {row["name"].split("[")[0]: row for row in energies["tables"]}
        self.assertAlmostEqual(table["solfege.pe"]["actions"][0]["energy"],
                               units["pe"]["netlists"][0]["timed_pj"], places=5)
        areas = {row["name"].split("[")[0]: row["area"] for row in yaml.safe_load(paths["art"].read_text())["ART"]["tables"]}
        self.assertAlmostEqual(areas["solfege.pe"], units["pe"]["netlists"][0]["area_um2"], places=3)
        with open(paths["csv"], newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertTrue(any(row["unit"] == "pe" and row["tier"] == "timed" for row in rows))
        for row in rows:
            self.assertTrue(row["source"])
        for suffix in ("saif", "v"):
            self.assertTrue((paths["activity"] / f"osu018_stdcells_pe.{suffix}").exists())

    def test_energy_interrupted(self):
        """In the middle of the work: nothing is left but whole entries of the cache."""
        temporary, cache = self.folder / "tmp", self.folder / "cache"
        temporary.mkdir()
        process = subprocess.Popen([PROGRAM, "energy", str(TINY), "--network", "tiny_mlp", "--batch", "8",
                                    "--json", self.folder / "never.json"],
                                   env={**os.environ, "TMPDIR": str(temporary), "SOLFEGE_CACHE": str(cache)},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not list(cache.glob("units/unit-*")):
            time.sleep(0.1)
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, error)
        self.assertEqual(list(temporary.iterdir()), [])
        self.assertEqual(list((cache / "units").glob("part-*")), [])
        self.assertFalse((self.folder / "never.json").exists())

    def test_synth(self):
        report = self.report("synth", TINY)
        self.assertGreater(report["area_um2"], 0)
        self.assertGreater(report["clock_mhz"], 1)
        modules = report["modules"]
        self.assertIn("sf_pe", {module["name"].split()[0] for module in modules})
        self.assertAlmostEqual(report["area_um2"], sum(m["area_um2"] * m["instances"] for m in modules),
                               delta=1e-6 * report["area_um2"])
        popcount = report["popcount"]
        self.assertEqual(popcount["full_adders"] + popcount["half_adders"], 16 - 1)  # N - popcount(N)
        # Look-up tables and slack, of a module that is quick; it has no memories.
        report = self.report("synth", TINY, "--top", "sf_accumulate", "--fpga", "--period", 10)
        self.assert_all_keys(report, "synth", absent=[f"memories[].{key}" for key in ("name", "instances", "bits", "depth", "area_um2", "made_of", "source")])


class Netlist(SystemTest):
    """The machine as gates of a library: synthesised once, then under the same regression as the RTL."""

    @classmethod
    def setUpClass(cls):
        cls.netlist = pathlib.Path(tempfile.mkdtemp(prefix="solfege-netlist-"))
        cls.addClassCleanup(shutil.rmtree, cls.netlist)
        done = subprocess.run([PROGRAM, "synth", GATES, "--netlist", cls.netlist], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_report(self):
        arguments = ("synth", GATES, "--netlist", self.folder / "gates")
        self.assert_all_keys(self.report(*arguments), *arguments)

    def broken(self, edit):
        """A copy whose processing element `edit` has changed."""
        folder = self.folder / "broken"
        shutil.copytree(self.netlist, folder)
        design = json.loads((folder / "netlist.json").read_text())
        element = [module for name, module in design["modules"].items() if name.split("\\")[-1] == "sf_pe"]
        self.assertEqual(len(element), 1)
        edit(element[0]["cells"])
        (folder / "netlist.json").write_text(json.dumps(design))
        return folder

    def test_lockstep(self):
        report = self.report("verify", GATES, "--cases", 20, "--seed", SEED, "--netlist", self.netlist)
        self.assertEqual(report["mismatched_cases"], 0)
        self.assertEqual(report["cycles_apart"], 0)
        # Whatever the flip-flops hold at first
        for seed in (1, 2):
            report = self.report("train", GATES, "--network", "tiny_cnn", "--resize", 8, "--batch", 4, "--steps", 1,
                                 "--engine", "lockstep", "--test-images", 0, "--netlist", self.netlist,
                                 "--reset-seed", seed)
            self.assertEqual(report["mismatched_bits"], 0)
            self.assertGreater(report["compared_bits"], 10_000_000)
            self.assertEqual(report["cycles"]["simulated"], report["cycles"]["predicted"])
        rtl = self.report("train", GATES, "--network", "tiny_cnn", "--resize", 8, "--batch", 4, "--steps", 1,
                          "--engine", "rtl", "--test-images", 0)
        self.assertEqual(rtl["cycles"], report["cycles"])
        self.assertEqual(rtl["loss"], report["loss"])

    def test_one_wrong_gate_is_noticed(self):
        def swap(cells):
            for cell in cells.values():
                if cell["type"] == "NAND2X1":
                    cell["type"] = "NOR2X1"
                    return
            self.fail("no NAND2X1 to swap")

        done = self.solfege("verify", GATES, "--cases", 5, "--seed", SEED, "--netlist", self.broken(swap), code=1)
        self.assertIn("expected 0x", done.stdout + done.stderr)

    def test_refused(self):
        self.refused("verify", TINY, "--netlist", self.netlist, message=("manifest.json", "config_hash", "solfege synth"))
        self.refused("verify", GATES, "--netlist", self.folder, message=("no netlist", "solfege synth"))

        def unknown(cells):
            next(iter(cells.values()))["type"] = "NONESUCH"

        done = self.solfege("verify", GATES, "--netlist", self.broken(unknown), code=2)
        self.assertIn("NONESUCH", done.stderr)

    def test_equivalence(self):
        generated = self.folder / "generated"
        self.solfege("generate", GATES, "-o", generated)
        script = SOURCE / "scripts/equivalence"
        for arguments in (["sf_semaphores", "sf_pe"], ["--break", "sf_pe"], ["--break", "sf_semaphores"]):
            done = subprocess.run([script, generated, self.netlist, *arguments], capture_output=True, text=True)
            print(done.stdout, end="")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual("different" if "--break" in arguments else "proved", done.stdout.split(":")[0])

    def test_another_simulator_reads_it(self):
        done = subprocess.run(["iverilog", "-g2005", "-t", "null", "-s", "sf_accelerator", "-c", "sf_accelerator.f"],
                              cwd=self.netlist, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class RealData(SystemTest):
    def setUp(self):
        super().setUp()
        if not (DATA / "mnist").is_dir() or not (DATA / "cifar10").is_dir():
            self.skipTest(f"SKIPPED: no data sets in {DATA}; set SOLFEGE_DATA")

    def test_lockstep(self):
        for network, data, batch, steps in (("mlp", "mnist", 64, 20), ("cnn", "cifar10", 32, 4)):
            with self.subTest(network):
                report = self.report("train", X64, "--network", network, "--data", DATA / data, "--batch", batch,
                                     "--steps", steps, "--engine", "lockstep", "--test-images", 0)
                self.assertEqual(report["mismatched_bits"], 0)
                self.assertGreater(report["compared_bits"], 0)
                self.assertEqual(report["cycles"]["simulated"], report["cycles"]["predicted"])
                if network == "mlp":
                    self.assertLess(sum(report["loss"][-5:]), sum(report["loss"][:5]))
                golden = self.report("train", X64, "--network", network, "--data", DATA / data, "--batch", batch,
                                     "--steps", steps, "--engine", "golden", "--test-images", 0)
                self.assertEqual(golden["loss"], report["loss"])

    def test_accuracy(self):
        golden = self.report("train", DEFAULT, "--network", "mlp", "--data", DATA / "mnist", "--batch", 16, "--epochs", 10)
        reference = self.report("train", DEFAULT, "--network", "mlp", "--data", DATA / "mnist", "--batch", 16, "--epochs", 10,
                                "--engine", "float")
        print(f"accuracy golden {golden['accuracy']} float {reference['accuracy']}")
        self.assertGreaterEqual(golden["accuracy"], 0.95)
        self.assertLess(abs(golden["accuracy"] - reference["accuracy"]), 0.02)


if __name__ == "__main__":
    unittest.main(verbosity=2)
