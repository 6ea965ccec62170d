#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/corners: a short walk, and that it notices what does not work.

State space: configurations that work, one that lints and computes wrong, one that does not lint, one that is refused.
The whole walk, `scripts/corners --all`, takes longer than a suite may.
"""
import json
import subprocess
import unittest

import support
from support import SEED, SOURCE, TINY, SystemTest


class Corners(SystemTest):
    def corners(self, *arguments, code=0):
        report = self.folder / "report.json"
        done = subprocess.run([str(SOURCE / "scripts/corners"), "--solfege", support.PROGRAM, "--seed", SEED, "--json", str(report),
                               *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(report.read_text()), done.stdout

    def test_short_walk(self):
        report, _ = self.corners()
        self.assertGreaterEqual(report["accepted"], 4)
        self.assertEqual(report["cases"], 20 * report["accepted"])
        self.assertEqual((report["mismatched"], report["cycles_apart"], report["not_working"]), (0, 0, 0))
        self.assertEqual(report["findings"], [])
        self.assertGreater(report["refused"], 5)
        self.assertEqual(report["refused"], report["mended_by_advice"])
        self.assertGreater(report["trained"], 0)

    def test_wrong_constant_is_noticed(self):
        broken = "sf_accelerator.v=s/localparam MAX_SAMPLES  *= *32/localparam MAX_SAMPLES = 4/"
        report, text = self.corners("--break", broken, TINY, code=1)
        self.assertEqual(report["not_working"], 1)
        self.assertIn("solfege verify", report["configurations"][0]["problem"])
        self.assertIn("DOES NOT WORK", text)

    def test_lint_is_noticed(self):
        broken = "sf_stream.v=s/nest_place.PlaceBits-1:0./nest_place[PlaceBits+15:0]/"
        report, _ = self.corners("--break", broken, TINY, code=1)
        self.assertIn("lint:", report["configurations"][0]["problem"])

    def test_refused_file(self):
        path = self.folder / "bad.toml"
        path.write_text("[array]\nrows = 3\n")
        report, _ = self.corners(path, code=1)
        self.assertIn("set array.rows = 2", report["configurations"][0]["problem"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
