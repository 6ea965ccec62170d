#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An installation works wherever it is moved, without the source tree.

Run by ctest as `install_test.py PROGRAM BUILD_FOLDER`.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

# The last argument is this test's own; support.py takes PROGRAM.
BUILD = pathlib.Path(sys.argv.pop() if len(sys.argv) > 2 else "build").resolve()

from support import SOURCE, SystemTest  # noqa: E402

MLP = ("--network", "tiny_mlp", "--batch", 4)
# What the program reads at run time, by folder.
SHARED = {"rtl": ("*.v", "*.vlt"), "configs": ("*.toml",), "cost/energy/units": ("*.v",),
          "cost/energy/memories": ("*.toml",), "cost/compare/baselines": ("*.v", "*.vlt"), "cost/eda/popcount": ("*.v",),
          "sim/dut": ("dut_*.hpp", "dut_shim.cpp")}


def hides():
    """The beginning of a command that runs another one with the source tree out of sight, or nothing where the kernel
    does not allow that."""
    script = f'mount -t tmpfs none "{SOURCE}" && exec "$@"'
    for prefix in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        command = [*prefix, "sh", "-c", script, "sh"]
        try:
            if subprocess.run([*command, "test", "!", "-e", str(SOURCE / "rtl")], capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            pass
    return []


class Install(SystemTest):
    def setUp(self):
        super().setUp()
        staged = self.folder / "staged"
        subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(staged)], check=True, capture_output=True)
        self.prefix = self.folder / "moved to" / "elsewhere"
        self.prefix.parent.mkdir()
        staged.rename(self.prefix)
        self.share = self.prefix / "share/solfege"
        self.tiny = self.share / "configs/tiny.toml"

    def installed(self, *arguments, code=0, before=()):
        done = subprocess.run([*before, str(self.prefix / "bin/solfege"), *map(str, arguments)], cwd=self.folder,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def test_everything_is_there(self):
        for folder, patterns in SHARED.items():
            wanted = {path.relative_to(SOURCE) for pattern in patterns for path in (SOURCE / folder).rglob(pattern)
                      if folder != "sim/dut" or path.name in ("dut_abi.hpp", "dut_popcount.hpp", "dut_shim.cpp")}
            self.assertGreaterEqual(len(wanted), 2)
            there = {path.relative_to(self.share) for path in (self.share / folder).rglob("*") if path.is_file()}
            self.assertEqual(there, wanted)

    def test_without_the_sources(self):
        before = hides()
        if not before:
            print("left out: hiding the source tree, which this kernel does not allow here", file=sys.stderr)
        # Known-bad: a program that reads its files from the source tree does not find them.
        if before and BUILD.is_relative_to(SOURCE):
            beside = self.folder / "alone"
            beside.mkdir()
            shutil.copy(self.prefix / "bin/solfege", beside / "solfege")
            done = subprocess.run([*before, str(beside / "solfege"), "generate", str(self.tiny), "-o", str(self.folder / "no")],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn("cmake --install", done.stderr)
        self.assertIn("array.lanes", self.installed("keys", self.tiny, before=before))
        self.installed("generate", self.tiny, "-o", self.folder / "design", before=before)
        self.assertTrue((self.folder / "design/sf_pe.v").exists())
        self.assertIn("utilisation", self.installed("cycles", self.tiny, *MLP, before=before))
        self.assertIn("loss", self.installed("train", self.tiny, *MLP, "--steps", 1, before=before))
        self.assertIn("0 differ", self.installed("train", self.tiny, *MLP, "--steps", 1, "--test-images", 0,
                                                 "--engine", "lockstep", before=before))
        self.assertIn("sf_accumulate", self.installed("synth", self.tiny, "--top", "sf_accumulate", "--no-timing", before=before))

    def test_reads_its_own_files(self):
        """Each file that is damaged shows, so none is read from elsewhere."""
        fifo = self.share / "rtl/cells/sf_fifo.v"
        fifo.write_text("// changed here\n" + fifo.read_text())
        self.installed("generate", self.tiny, "-o", self.folder / "design")
        self.assertIn("// changed here", (self.folder / "design/sf_fifo.v").read_text())
        network = self.share / "configs/networks/tiny_mlp.toml"
        network.write_text("wrong = 1\n" + network.read_text())
        self.assertIn(str(network), self.installed("cycles", self.tiny, *MLP, code=2))
        (self.share / "sim/dut/dut_shim.cpp").unlink()
        self.assertIn(str(self.share / "sim/dut/dut_shim.cpp"), self.installed("verify", self.tiny, "--cases", 1, code=2))

    def test_default_library(self):
        """The default cell library is the system's, not a file of the source or build tree."""
        cache = (BUILD / "CMakeCache.txt").read_text()
        path = pathlib.Path(next(line.split("=", 1)[1] for line in cache.splitlines()
                                 if line.startswith("SOLFEGE_DEFAULT_LIBERTY:")))
        self.assertTrue(path.is_absolute() and path.is_file(), path)
        self.assertFalse(path.is_relative_to(SOURCE) or path.is_relative_to(BUILD), path)


if __name__ == "__main__":
    unittest.main()
