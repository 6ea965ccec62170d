# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the program, its configurations, and how a run is judged.

Each is run by ctest as `FILE PROGRAM GROUP...`.
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import reference

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/solfege"
SOURCE = pathlib.Path(__file__).resolve().parents[2]
TINY = str(SOURCE / "configs/tiny.toml")
DEFAULT = str(SOURCE / "configs/w1a2g4.toml")
WIDE = str(SOURCE / "tests/configs/wide.toml")
TALL = str(SOURCE / "tests/configs/tall.toml")
# Four times the lanes: real networks take a quarter of the cycles to simulate.
X64 = str(SOURCE / "configs/w1a2g4_x64.toml")
SQUARE = str(SOURCE / "tests/configs/square.toml")
GATES = str(SOURCE / "tests/configs/netlist.toml")
DATA = pathlib.Path(os.environ.get("SOLFEGE_DATA", SOURCE / "../shared/data"))
SEED = os.environ.get("SOLFEGE_SEED", "20261121")


class SystemTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="solfege-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def solfege(self, *arguments, code=0, timeout=None):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def report(self, *arguments, code=0):
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        self.solfege(*arguments, "--json", path, code=code)
        report = json.loads(path.read_text())
        paths = reference.report_paths((reference.PAGES / "json.md").read_text(), arguments)
        self.assertEqual(reference.undocumented(report, paths), [], "cli/report_keys.cpp does not list them")
        for key in ("schema", "tool_version", "config", "config_hash", "command"):
            self.assertIn(key, report)
        return report

    def assert_all_keys(self, report, *arguments, absent=()):
        """Every documented key is there, but those of `absent`, which must not be."""
        paths = reference.report_paths((reference.PAGES / "json.md").read_text(), arguments)
        self.assertEqual(reference.unmet(report, paths), list(absent))

    def refused(self, *arguments, message):
        """Exit 2, one line that holds every part of `message`, and no report."""
        path = self.folder / "none.json"
        done = self.solfege(*arguments, "--json", path, code=2)
        text = done.stderr.strip()
        self.assertEqual(len(text.splitlines()), 1, text)
        for part in message:
            self.assertIn(part, text)
        self.assertFalse(path.exists())

    def config(self, **replace):
        text = pathlib.Path(TINY).read_text()
        for old, new in replace.values():
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        path = self.folder / "changed.toml"
        path.write_text(text)
        return path


def read_tensors(path):
    """The tensors of a safetensors file, name to (dtype, shape, bytes), and its metadata."""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    data = data[8 + length :]
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}, metadata


def write_tensors(path, tensors, metadata=None):
    """The same file from tensors, name to (dtype, shape, bytes)."""
    header, data = {}, b""
    for name, (dtype, shape, numbers) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def matlab_file(**variables):
    """A MATLAB 5 file of byte arrays: name = (sizes, bytes in column order)."""
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    text = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    for name, (sizes, data) in variables.items():
        text += element(14, element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack(f"<{len(sizes)}i", *sizes))
                        + element(1, name.encode()) + element(2, data))
    return text
