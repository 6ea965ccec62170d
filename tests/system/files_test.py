#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the program reads, writes, keeps and starts: special files, full disks, interrupts, values of options.

Run by ctest as `files_test.py PROGRAM GROUP`. SOLFEGE_LEVELS=10 tries as many sizes of a full disk (3 in the suite), and the
simulator's build at each of them.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
import uuid

from support import DEFAULT, PROGRAM, TINY, SystemTest

LEVELS = int(os.environ.get("SOLFEGE_LEVELS", "3"))
INVERTER = """library (x) {
  time_unit : "1ns";
  voltage_unit : "1V";
  nom_voltage : 1;
  capacitive_load_unit (1, pf);
  cell (INV) {
    area : 1;
    pin (A) { direction : input; }
    pin (Y) { direction : output; function : "A'"; }
  }
}
"""
MLP = ("--network", "tiny_mlp", "--batch", 8)


def idx_set(folder, pixel=0):
    """Twenty images of ten classes in the names of MNIST."""
    folder.mkdir()
    for part in ("train", "t10k"):
        images = bytes((pixel + i) % 251 for i in range(20 * 28 * 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 20, 28, 28) + images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 20) + bytes(i % 10 for i in range(20)))
    return folder


class SpecialFiles(SystemTest):
    """Anything but a regular file, as any input: one message, at once."""

    def setUp(self):
        super().setUp()
        fifo, folder, loop, plug = (self.folder / name for name in ("fifo", "folder", "loop", "plug"))
        os.mkfifo(fifo)
        folder.mkdir()
        loop.symlink_to("loop")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(plug))
        self.special = {fifo: "FIFO", folder: "folder", loop: "loop", plug: "socket", pathlib.Path("/dev/zero"): "device",
                        self.folder / "none": "no such file"}

    def test_every_input(self):
        for path, kind in self.special.items():
            for arguments in (["cycles", path], ["train", TINY, "--network", path],
                              ["synth", TINY, "--top", "sf_pe", "--liberty", path],
                              ["energy", TINY, *MLP, "--memory", path],
                              ["train", TINY, *MLP, "--resume", path], ["train", TINY, *MLP, "--init", path],
                              ["evaluate", TINY, *MLP, "--init", path]):
                with self.subTest(f"{arguments}"):
                    done = self.solfege(*arguments, code=2, timeout=20)
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                    self.assertIn(str(path), done.stderr)
            with self.subTest(f"plot {kind}"):
                done = self.solfege("plot", path, "-o", self.folder / "plot.svg", code=2, timeout=20)
                self.assertIn(kind, done.stderr)

    def test_netlist(self):
        for name in ("manifest.json", "netlist.json", "cells.lib"):
            folder = self.folder / name.replace(".", "_")
            folder.mkdir()
            hash_of = self.report("generate", TINY, "-o", self.folder / "generated")["config_hash"]
            for other, text in (("manifest.json", json.dumps({"config_hash": hash_of})), ("netlist.json", "{}"),
                                ("cells.lib", INVERTER)):
                if other != name:
                    (folder / other).write_text(text)
            os.mkfifo(folder / name)
            done = self.solfege("verify", TINY, "--cases", 1, "--netlist", folder, code=2, timeout=20)
            self.assertIn("FIFO", done.stderr)
            self.assertIn(name, done.stderr)

    def test_data(self):
        for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            data = idx_set(self.folder / f"data-{name}")
            (data / name).unlink()
            os.mkfifo(data / name)
            done = self.solfege("train", TINY, *MLP, "--data", data, "--steps", 1, code=2, timeout=20)
            self.assertIn("FIFO", done.stderr)
            self.assertIn(name, done.stderr)
        for path in self.special:
            self.solfege("train", TINY, *MLP, "--data", path, "--steps", 1, code=2, timeout=20)

    def test_resume_with_other_pixels(self):
        checkpoint = self.folder / "run.ckpt"
        train = ["train", TINY, *MLP, "--steps", 1, "--test-images", 0]
        data, other = idx_set(self.folder / "a"), idx_set(self.folder / "b", pixel=1)
        self.solfege(*train, "--data", data, "--checkpoint", checkpoint)
        self.solfege(*train, "--data", data, "--resume", checkpoint)
        self.refused(*train, "--data", other, "--resume", checkpoint, message=["another data set", "--data"])


class Outputs(SystemTest):
    """A place that cannot be written is refused before the work; what is written is whole."""

    def test_refused_before_the_work(self):
        file = self.folder / "file"
        file.write_text("x")
        folder = self.folder / "folder"
        folder.mkdir()
        options = {
            "train": (["train", TINY, *MLP, "--steps", 1000000],
                      ["--json", "--export", "--checkpoint", "--plot", "--fst"]),
            "evaluate": (["evaluate", TINY, *MLP, "--init", file], ["--json", "--outputs", "--fst"]),
            "verify": (["verify", TINY, "--cases", 1000000], ["--json", "--fst"]),
            "cycles": (["cycles", TINY, *MLP], ["--json", "--plot"]),
            "energy": (["energy", TINY, *MLP], ["--json", "--csv", "--ert", "--art", "--plot"]),
            "synth": (["synth", TINY], ["--json", "--plot"]),
            "generate": (["generate", TINY, "-o", self.folder / "generated"], ["--json"]),
            "plot": (["plot", file], ["-o"]),
        }
        for arguments, names in options.values():
            for name in names:
                for path in (self.folder / "no/file.svg", folder, file / "x.svg", "/dev/full"):
                    with self.subTest(f"{arguments[0]} {name} {path}"):
                        done = self.solfege(*arguments, name, path, code=2, timeout=20)
                        self.assertEqual(done.stdout, "")
                        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                        self.assertIn("output" if name == "-o" else name, done.stderr)
                        self.assertIn(str(path), done.stderr)
        for arguments in (["generate", TINY, "-o", file], ["synth", TINY, "--netlist", file / "x"],
                          ["energy", TINY, *MLP, "--activity", file]):
            done = self.solfege(*arguments, code=2, timeout=20)
            self.assertIn(str(file), done.stderr)
            self.assertIn("not a folder", done.stderr)
        self.assertEqual(file.read_text(), "x")

    def test_standard_output(self):
        for command in (["cycles", TINY, *MLP], ["--help"], ["train", TINY, *MLP, "--steps", 2, "--test-images", 8],
                        ["generate", TINY, "-o", self.folder / "generated"]):
            with self.subTest(f"{command}"), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("standard output", done.stderr)
                # What cannot be said is no reason to end otherwise than the work does.
                done = subprocess.run([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=full, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
        # Closed: nothing that is opened takes its place.
        report = self.folder / "closed.json"
        subprocess.run(f"exec {PROGRAM} cycles {TINY} --network tiny_mlp --batch 8 --json {report} >&- 2>&- <&-",
                       shell=True, check=True)
        self.assertGreater(json.loads(report.read_text())["cycles"], 0)

    def test_links_and_modes_stay(self):
        target, link = self.folder / "target.json", self.folder / "link.json"
        target.write_text("old")
        target.chmod(0o600)
        link.symlink_to("target.json")
        self.solfege("cycles", TINY, *MLP, "--json", link)
        self.assertTrue(link.is_symlink())
        self.assertIn("cycles", json.loads(target.read_text()))
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)


class FullDisk(SystemTest):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.mount("64k")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False)

    def mount(self, size, remount=False):
        options = f"{'remount,' if remount else ''}size={size}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.disk], capture_output=True, text=True)
        if done.returncode != 0 and not remount:
            self.skipTest(f"SKIPPED: no file system can be mounted here: {done.stderr.strip()}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def fill(self, leave=0):
        """Leaves so many bytes."""
        with contextlib.suppress(OSError), open(self.disk / "filler", "wb") as filler:
            while True:
                filler.write(bytes(4096))
                filler.flush()
        filler = self.disk / "filler"
        os.truncate(filler, max(0, filler.stat().st_size - leave))

    def test_outputs(self):
        """Each says that the disk is full, and the old file stays."""
        self.mount("8m", remount=True)
        pictures = self.folder / "a.json"
        self.solfege("train", TINY, *MLP, "--steps", 3, "--json", pictures)
        small = ["train", TINY, *MLP, "--steps", 2, "--test-images", 0]
        self.solfege(*small, "--engine", "rtl")  # built beforehand
        outputs = {
            "report.json": ["cycles", TINY, *MLP, "--json"],
            "weights.safetensors": [*small, "--export"],
            "run.ckpt": [*small, "--checkpoint"],
            "plot.svg": ["plot", pictures, "-o"],
            "plot.png": ["plot", pictures, "-o"],
            "table.csv": ["energy", TINY, *MLP, "--published", "--csv"],
            "table.art": ["energy", TINY, *MLP, "--published", "--art"],
            "waves.fst": [*small, "--engine", "rtl", "--fst"],
        }
        for name in outputs:
            (self.disk / name).write_text("old")
        self.fill()
        for name, arguments in outputs.items():
            with self.subTest(name):
                done = self.solfege(*arguments, self.disk / name, code=2)
                self.assertIn("disk is full", done.stderr)
                self.assertIn(str(self.disk), done.stderr)
                self.assertEqual((self.disk / name).read_text(), "old")
        generated = self.disk / "generated"
        done = self.solfege("generate", TINY, "-o", generated, code=2)
        self.assertIn("disk is full", done.stderr)
        self.assertEqual(sorted(p.name for p in self.disk.iterdir() if p.name != "filler"), sorted(outputs))

    def test_waveforms_that_fill_the_disk(self):
        train = ["train", TINY, *MLP, "--steps", 2, "--test-images", 0, "--engine", "rtl", "--fst", self.disk / "waves.fst"]
        for size in ("200k", "1m", "3m"):
            with self.subTest(size):
                self.mount(size, remount=True)
                done = self.solfege(*train, code=2)
                self.assertIn("disk is full", done.stderr)
                self.assertEqual(list(self.disk.iterdir()), [])
        self.mount("300m", remount=True)
        self.solfege(*train)
        self.assertGreater((self.disk / "waves.fst").stat().st_size, 100000)

    def test_generated_files_are_all_old_or_all_new(self):
        self.mount("8m", remount=True)
        generated = self.disk / "generated"
        self.solfege("generate", TINY, "-o", generated)
        old = {p.name: p.read_bytes() for p in generated.iterdir()}
        for leave in (0, 8192, 40960):
            self.fill(leave)
            done = self.solfege("generate", DEFAULT, "-o", generated, code=2)
            self.assertIn("disk is full", done.stderr)
            self.assertEqual({p.name: p.read_bytes() for p in generated.iterdir()}, old)

    def run_on(self, arguments, code=None):
        """The report, but for what differs from run to run; None if the disk was full, which is then said in one line."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        environment = {**os.environ, "SOLFEGE_CACHE": str(self.disk / "cache")}
        done = subprocess.run([PROGRAM, *map(str, arguments), "--json", report], capture_output=True, text=True, env=environment)
        self.assertIn(done.returncode, (0, 2) if code is None else (code,), done.stderr)
        if done.returncode == 2:
            error = [line for line in done.stderr.splitlines() if line.startswith("solfege: ")]
            self.assertEqual(len(error), 1, done.stderr)
            self.assertRegex(error[0], "disk is full|No space left")
            self.assertIn(str(self.disk), error[0])
            self.assertFalse(report.exists())
            return None
        result = json.loads(report.read_text())
        for key in ("seconds", "command", "modules_mapped", "modules_cached"):
            result.pop(key, None)
        leftovers = [p.name for p in self.disk.rglob("*") if p.suffix in (".part", ".lock")]
        self.assertEqual(leftovers, [])
        return result

    def levels(self, arguments, levels):
        """A cache on a disk of several sizes, each too small, that then grows: the next run equals a clean one."""
        self.mount("600m", remount=True)
        peak, over = 0, threading.Event()

        def watch():
            nonlocal peak
            while not over.wait(0.01):
                disk = os.statvfs(self.disk)
                peak = max(peak, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)

        watcher = threading.Thread(target=watch)
        watcher.start()
        clean = self.run_on(arguments, code=0)
        over.set()
        watcher.join()
        self.assertEqual(self.run_on(arguments, code=0), clean)  # from the cache
        failed = 0
        for level in range(levels):
            size = 20480 + int(peak * level / levels)
            with self.subTest(f"{size} bytes of {peak}"):
                subprocess.run(["umount", self.disk], check=True)
                self.mount(size)
                result = self.run_on(arguments)
                failed += result is None
                if result is not None:
                    self.assertEqual(result, clean)
                self.mount("600m", remount=True)
                self.assertEqual(self.run_on(arguments, code=0), clean)
        print(f"{arguments[0]}: peak {peak} bytes, {failed} of {levels} sizes too small")
        self.assertGreater(failed, 0)

    def test_cache_of_synthesis(self):
        self.levels(["synth", TINY, "--top", "sf_pe"], LEVELS)

    def test_cache_of_simulators(self):
        self.levels(["verify", TINY, "--cases", 2, "--seed", 1], LEVELS if LEVELS > 3 else 1)


class Caches(SystemTest):
    """What is cached is what was made, whatever has happened to it and whoever else works there."""

    SYNTH = ("synth", TINY, "--top", "sf_accumulate", "--no-timing")

    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.environment = {**os.environ, "SOLFEGE_CACHE": str(self.cache)}

    def start(self, *prefix, report="report.json"):
        return subprocess.Popen([*prefix, PROGRAM, *self.SYNTH, "--json", self.folder / report], env=self.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def result(self, process, report="report.json"):
        _, error = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, error)
        result = json.loads((self.folder / report).read_text())
        for key in ("seconds", "command", "modules_mapped", "modules_cached"):
            result.pop(key)
        self.assertEqual([p.name for p in self.cache.rglob("*") if p.suffix in (".part", ".lock")], [])
        return result

    def wait_for_part(self, process):
        while not list(self.cache.glob("module-*.part")):
            self.assertIsNone(process.poll(), "nothing was made")
            time.sleep(0.005)

    def test_spoiled_entries_are_made_again(self):
        clean = self.result(self.start())
        files = [p for p in self.cache.rglob("*") if p.is_file()]
        self.assertGreater(len(files), 20)
        for spoil in (lambda p: os.truncate(p, p.stat().st_size // 2), lambda p: p.write_bytes(p.read_bytes() + b"x"),
                      lambda p: p.write_bytes(p.read_bytes().replace(b"1", b"2", 1)), lambda p: p.unlink()):
            for path in files:
                spoil(path)
            self.assertEqual(self.result(self.start()), clean)

    def test_truncated_simulator(self):
        verify = [PROGRAM, "verify", TINY, "--cases", "2", "--seed", "1"]
        done = subprocess.run(verify, env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        library, = self.cache.glob("dut-*/libsf_dut.so")
        whole = library.stat().st_size
        os.truncate(library, whole // 2)
        again = subprocess.run(verify, env=self.environment, capture_output=True, text=True)
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout), again.stderr)
        self.assertEqual(library.stat().st_size, whole)

    def test_killed_work_is_cleared_away(self):
        process = self.start()
        self.wait_for_part(process)
        process.kill()
        process.communicate()
        self.assertNotEqual(list(self.cache.glob("*.part")), [])
        self.result(self.start())

    def test_two_containers(self):
        """Processes that cannot see each other share a cache: neither takes the other's work for dead."""
        other = ("unshare", "--pid", "--fork", "--kill-child")
        if subprocess.run([*other, "true"], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED: no other process namespace can be made here")
        first = self.start(*other)
        self.wait_for_part(first)
        part, = self.cache.glob("module-*.part")
        second = self.start(report="second.json")
        while first.poll() is None and part.exists():
            time.sleep(0.005)
        self.assertTrue(first.poll() is not None or part.with_suffix("").is_dir(), "live work was removed")
        first.wait()
        self.assertEqual(self.result(second, "second.json"), self.result(first))


class Interrupts(SystemTest):
    """SIGTERM to the program alone ends it soon, with all that it has started."""

    def setUp(self):
        super().setUp()
        self.mark = f"solfege-test-{uuid.uuid4().hex}"
        self.cache = self.folder / "cache"

    def marked(self):
        """Processes that inherited this test's environment: number and command line."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if self.mark.encode() in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def interrupt(self, arguments, tool=None, own_cache=False, number=signal.SIGTERM, seconds=10, after=1.0, twice=False):
        environment = {**os.environ, "SOLFEGE_TEST_MARK": self.mark}
        if own_cache:
            environment["SOLFEGE_CACHE"] = str(self.cache)
        report = self.folder / "never.json"
        process = subprocess.Popen([PROGRAM, *map(str, arguments), "--json", report], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        started = time.monotonic()
        while tool is not None and not any(tool in line for line in self.marked().values()):
            self.assertIsNone(process.poll(), "it ended before its tool was seen")
            self.assertLess(time.monotonic() - started, 300)
            time.sleep(0.02)
        time.sleep(after if tool is None else 0.3)
        self.assertIsNone(process.poll(), "it ended before the signal")
        process.send_signal(number)
        if twice:
            time.sleep(0.05)
            process.send_signal(number)
        began = time.monotonic()
        try:
            _, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.fail(f"{arguments} did not end within {seconds} s")
        took = time.monotonic() - began
        self.assertEqual(process.returncode, 128 + number, error)
        for _ in range(50):  # until init has seen the last of them
            left = self.marked()
            if not left:
                break
            time.sleep(0.05)
        self.assertEqual(left, {})
        self.assertFalse(report.exists())
        if not twice:
            self.assertEqual([p.name for p in self.cache.rglob("*") if p.suffix in (".part", ".lock")], [])
        return took, error

    def test_training(self):
        for engine in ("float", "golden", "rtl", "lockstep"):
            with self.subTest(engine):
                self.solfege("train", TINY, *MLP, "--steps", 1, "--engine", engine, "--test-images", 0)
                self.interrupt(["train", TINY, *MLP, "--steps", 1000000, "--engine", engine])
        # In the middle of a long step, too, and with a checkpoint: then the last whole step is kept.
        long = ["train", DEFAULT, "--network", "cnn", "--batch", 64, "--steps", 1000]
        for engine in ("float", "golden"):
            self.interrupt([*long, "--engine", engine], number=signal.SIGINT)
        checkpoint = self.folder / "run.ckpt"
        _, error = self.interrupt([*long, "--checkpoint", checkpoint], after=3)
        self.assertIn("--resume", error)
        self.assertTrue(checkpoint.exists())

    def test_simulations(self):
        self.solfege("verify", TINY, "--cases", 1)
        self.interrupt(["verify", TINY, "--cases", 1000000])
        self.interrupt(["verify", TINY, "--cases", 1000000], number=signal.SIGINT, twice=True, seconds=1)
        self.interrupt(["cycles", DEFAULT, "--network", "svhn-a", "--resize", 40, "--batch", 128])

    def test_tools(self):
        for arguments, tool in ((["synth", TINY], "yosys"), (["synth", TINY, "--netlist", self.folder / "netlist"], "yosys"),
                                (["energy", TINY, *MLP], "yosys"), (["verify", TINY], "cc1plus"),
                                (["train", TINY, *MLP, "--engine", "lockstep"], "verilator_bin")):
            with self.subTest(f"{arguments[0]}, {tool}"):
                self.interrupt(arguments, tool=tool, own_cache=True)
        self.assertFalse((self.folder / "netlist").exists())


class Values(SystemTest):
    def test_numbers(self):
        train, cycles = ["train", TINY, *MLP], ["cycles", TINY, *MLP]
        for arguments, option, values, allowed in (
            (train, "--steps", ("0", "-1", "1.5", "nan", "1e99", "99999999999999999999"), "1 to 1000000000"),
            (train, "--epochs", ("0", "-1", "nan", "inf", "-inf", "1e300"), "above 0, up to 1000000"),
            (train, "--batch", ("0", "-4", "nan", "4294967297"), "1 to 1000000"),
            (train, "--seed", ("-1", "nan", "18446744073709551616"), "0 to 18446744073709551615"),
            (train, "--resize", ("0", "1025", "nan"), "1 to 1024"),
            (train, "--test-images", ("-1", "nan"), "0 to 1000000"),
            (train, "--memory-latency", ("-1", "4097", "nan"), "0 to 4096"),
            (train, "--memory-bytes-per-cycle", ("-1", "nan", "inf"), "0 to 1000000"),
            (train, "--memory-stalls", ("-0.1", "1", "nan"), "0 to 0.95"),
            (train, "--memory-seed", ("-1", "x"), "0 to 18446744073709551615"),
            (train, "--fst-from", ("-1", "nan"), "0 to 18446744073709551615"),
            (["verify", TINY], "--cases", ("0", "-1", "nan"), "1 to 1000000000"),
            (["verify", TINY], "--first-case", ("-1", "nan"), "0 to 1000000000"),
            (cycles, "--memory-latency", ("4097",), "0 to 4096"),
            (cycles, "--memory-bytes-per-cycle", ("nan",), "0 to 1000000"),
            (["energy", TINY, *MLP], "--cycle-ns", ("0", "nan", "inf", "-1", "1e9"), "0.001 to 1000000"),
            (["synth", TINY], "--period", ("0", "nan", "inf", "-1", "1e9"), "above 0, up to 1000000"),
            (["synth", TINY], "--jobs", ("0", "-1", "nan", "1025"), "1 to 1024"),
        ):
            for value in values:
                with self.subTest(f"{option} {value}"):
                    for form in ([option, value], [f"{option}={value}"]):
                        self.refused(*arguments, *form, message=[option, value, allowed])


if __name__ == "__main__":
    unittest.main(verbosity=2)
