#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference pages: as the program writes them, and with every key, option and report that it knows.

Run by ctest as `reference_test.py PROGRAM`. Every report of the other system tests is held to json.md as well (support.py).
"""
import re
import subprocess
import unittest

import reference
from support import PROGRAM, TINY, SystemTest

PAGES = ("configuration.md", "network.md", "command-line.md", "json.md", "schemes.md")
MLP = ("--network", "tiny_mlp", "--batch", 8)


def without(page, key):
    """The page without the row of a key."""
    lines = page.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"| `{key}`")]
    assert len(kept) == len(lines) - 1, key
    return "".join(kept)


class Reference(SystemTest):
    def page(self, name):
        return (reference.PAGES / name).read_text()

    def message(self, text, *arguments):
        """What is said of a file with this text."""
        path = self.folder / "asked.toml"
        path.write_text(text)
        return self.solfege(*[path if a is None else a for a in arguments], code=2).stderr

    def allowed(self, message):
        return re.search(r"allowed(?: in \S+)? are (.*?); ", message)[1].split(", ")

    def test_current(self):
        self.solfege("reference", "-o", self.folder / "pages")
        for name in PAGES:
            self.assertEqual((self.folder / "pages" / name).read_text(), self.page(name),
                             f"{name} is old: build/solfege reference -o docs/reference")
        self.assertEqual({path.name for path in reference.PAGES.iterdir()}, set(PAGES))

    def configuration_keys(self):
        """Every key that the parser accepts, as it says itself when it refuses another."""
        sections = re.search(r"allowed are (.*?); ", self.message("nothing = 1\n", "cycles", None))[1].split()
        return {section: self.allowed(self.message(f"{section}\nnothing = 1\n", "cycles", None)) for section in sections}

    def listed_configuration(self, page):
        return {heading: [row[0] for row in rows] for heading, rows in reference.tables(page).items()}

    def test_configuration(self):
        accepted = self.configuration_keys()
        self.assertGreaterEqual(sum(map(len, accepted.values())), 21)
        self.assertEqual(self.listed_configuration(self.page("configuration.md")), accepted)
        known_bad = without(self.page("configuration.md"), "stored_bits")
        self.assertNotEqual(self.listed_configuration(known_bad), accepted)

    def test_configuration_ranges(self):
        for section, rows in reference.tables(self.page("configuration.md")).items():
            for key, bounds, fallback, meaning in rows:
                low, high = map(int, re.fullmatch(r"(?:powers of two from )?(\d+) to (\d+)", bounds).groups())
                self.assertTrue(low <= int(fallback) <= high, key)
                self.assertTrue(meaning.endswith("."), key)
                for value in (low - 1, high + 1):
                    if value < 2 ** 63:
                        message = self.message(f"{section}\n{key} = {value}\n", "cycles", None)
                        self.assertIn(f"{section[1:-1]}.{key} = {value} is out of range", message)

    def network_message(self, text):
        return self.message(text, "cycles", TINY, "--network", None)

    def network_keys(self):
        layer = '[[layer]]\ntype = "{}"\nnothing = 1\n'
        return {kind: self.allowed(self.network_message(text)) for kind, text in
                (("top", "nothing = 1\n"), ("conv", layer.format("conv")), ("fc", layer.format("fc")))}

    def listed_network(self, page):
        rows = reference.tables(page)
        layers = rows["[[layer]]"]
        return {"top": [row[0] for row in rows["The file itself"]],
                **{kind: [row[0] for row in layers if kind in row[1].split(", ")] for kind in ("conv", "fc")}}

    def test_network(self):
        accepted = self.network_keys()
        self.assertGreaterEqual(sum(map(len, accepted.values())), 29)
        self.assertEqual(self.listed_network(self.page("network.md")), accepted)
        for key in ("momentum", "residual"):
            self.assertNotEqual(self.listed_network(without(self.page("network.md"), key)), accepted)

    def test_network_ranges(self):
        """One above and one below each range of whole numbers is refused by the parser."""
        layers = '[[layer]]\ntype = "conv"\nchannels = 4\nkernel = 3\n{}\n[[layer]]\ntype = "fc"\n'
        tried = 0
        for key, _, kind, bounds, *_ in reference.tables(self.page("network.md"))["[[layer]]"]:
            numbers = re.fullmatch(r"(\d+) to (\d+)(?:, or \[height, width\])?", bounds)
            if not kind.startswith("integer") or not numbers:
                continue
            for value in (int(numbers[1]) - 1, int(numbers[2]) + 1):
                text = layers.format(f"{key} = {value}")
                if key in ("channels", "kernel"):
                    text = re.sub(rf"{key} = \d+\n", "", text, count=1)
                message = self.network_message(text)
                self.assertIn(f"{key} = {value} is out of range: allowed are {numbers[1]} to {numbers[2]}", message)
                tried += 1
        self.assertGreaterEqual(tried, 6)

    def offered(self):
        """Commands and options as --help has them."""
        def section(text, name):
            return re.search(rf"^{name}:\n((?:  .*\n|\n)*)", text, re.MULTILINE)[1]

        commands = re.findall(r"^  ([a-z]+) ", section(self.solfege("--help").stdout, "Subcommands"), re.MULTILINE)
        found = {}
        for command in commands:
            text = self.solfege(command, "--help").stdout
            options = re.findall(r"^  (?:-\w,)?(--[a-z-]+)", section(text, "Options"), re.MULTILINE)
            found[command] = set(options) - {"--help"}
        return found

    def listed_options(self, page):
        return {heading.split()[1]: {row[0].split(",")[-1] for row in rows if row[0].startswith("-")}
                for heading, rows in reference.tables(page).items()}

    def test_command_line(self):
        offered = self.offered()
        self.assertGreaterEqual(len(offered), 9)
        self.assertGreaterEqual(sum(map(len, offered.values())), 60)
        self.assertEqual(self.listed_options(self.page("command-line.md")), offered)
        for key in ("--resume", "--liberty"):
            lines = self.page("command-line.md").splitlines(keepends=True)
            known_bad = "".join(line for line in lines if not line.startswith(f"| `{key}`"))
            self.assertNotEqual(self.listed_options(known_bad), offered)

    def test_reports(self):
        """Quick reports: each has all documented keys, and no other. The slow ones are in solfege_test.py."""
        page = self.page("json.md")
        for arguments, absent in (
            (("generate", TINY, "-o", self.folder / "generated"), ()),
            (("keys",), ()),
            (("schemes",), ()),
            (("cycles", TINY, *MLP), ()),
            (("verify", TINY, "--cases", 3, "--seed", 1), ()),
            (("train", TINY, *MLP, "--scheme", "any_precision", "--steps", 2, "--engine", "lockstep", "--test-images", 8, "--evaluate-every-epoch"),
             ("failure",)),
        ):
            with self.subTest(arguments[0]):
                report = self.report(*arguments)
                self.assertEqual(report["schema"], 2)
                paths = reference.report_paths(page, arguments)
                self.assertEqual(reference.unmet(report, paths), list(absent))
                # Known-bad: a key that is not described, one that is described no more, one that is not there
                self.assertEqual(reference.undocumented({**report, "more": {"key": 1}}, paths), [("more", "key")])
                self.assertNotEqual(reference.undocumented(report, [p for p in paths if p != "config_hash"]), [])
                self.assertEqual(reference.unmet({**report}, [*paths, "gone"]), [*absent, "gone"])

    def test_report_of_a_failure(self):
        """A device that stops: its training report says why, and nothing that is not described."""
        report = self.report("train", TINY, *MLP, "--steps", 1, "--engine", "lockstep", "--define", "SF_BREAK_PE_TERM", code=1)
        self.assertGreater(report["mismatched_bits"], 0)


if __name__ == "__main__":
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    unittest.main()
