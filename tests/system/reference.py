# SPDX-License-Identifier: Apache-2.0
"""Reads the reference pages, which `solfege reference` writes, as tables."""
import pathlib
import re

PAGES = pathlib.Path(__file__).resolve().parents[2] / "docs/reference"


def tables(page):
    """Heading to the rows below it: lists of cells without marks, of a page's text."""
    found = {}
    heading = None
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| ") and heading:
            cells = [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(heading, []).append(cells)
    # The first row is the table's head.
    return {heading: rows[1:] for heading, rows in found.items()}


def parts(path):
    """The parts of a documented path: keys, "[]", and None for a key that is itself a name."""
    found = []
    for key, entries in re.findall(r"(<[^>]*>|[^.\[\]]+)((?:\[\])*)", path):
        found += [None if key.startswith("<") else key, *["[]"] * entries.count("[]")]
    return tuple(found)


def report_paths(page, arguments):
    """The documented paths of the report of a command line."""
    rows = tables(page)
    command = arguments[0]
    if command == "synth" and "--netlist" in arguments:
        headings = ["solfege synth --netlist"]
    elif command == "energy" and "--compare" in arguments:
        headings = ["solfege energy", "solfege energy --compare"]
    else:
        headings = [f"solfege {command}"]
    return [row[0] for heading in ["Every report", *headings] for row in rows[heading]]


def met(value, way=()):
    """The ways to all values of a report, parts as parts() has them; an empty list counts as one entry."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from met(inner, (*way, key))
    elif isinstance(value, list):
        for inner in value:
            yield from met(inner, (*way, "[]"))
        if not value:
            yield (*way, "[]")
    else:
        yield way


def fits(way, pattern):
    return len(way) == len(pattern) and all(p in (None, w) for w, p in zip(way, pattern))


def undocumented(report, paths):
    """Ways in a report that no path describes. An empty list is described by what its entries would have."""
    patterns = [parts(path) for path in paths]
    return sorted({way for way in met(report)
                   if not any(fits(way, pattern) or (way[-1] == "[]" and fits(way, pattern[:len(way)]))
                              for pattern in patterns)})


def unmet(report, paths):
    """Paths that nothing in a report goes."""
    ways = set(met(report))
    return [path for path in paths if not any(fits(way, parts(path)) for way in ways)]
