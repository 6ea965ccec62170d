#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rooms and their directions: the drawing in docs/architecture.md, CMakeLists.txt and the includes say the same.

Run by ctest without arguments.
"""
import pathlib
import re
import shutil
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# The program is no library, and so no solfege_room.
PROGRAM = "cli"


def cmake_rooms(source):
    """Room to the rooms that it names, out of CMakeLists.txt."""
    text = re.sub(r"#.*", "", (source / "CMakeLists.txt").read_text())
    rooms = {}
    for call in re.findall(r"solfege_room\(([^)]*)\)", text):
        words = call.split()
        named = []
        if "ROOMS" in words:
            for word in words[words.index("ROOMS") + 1:]:
                if word.isupper():
                    break
                named.append(word)
        rooms[words[0]] = set(named)
    libraries = re.search(r"target_link_libraries\(solfege PRIVATE ([^)]*)\)", text)[1].split()
    by_library = {"solfege_" + room.replace("/", "_"): room for room in rooms}
    rooms[PROGRAM] = {by_library[name] for name in libraries if name in by_library}
    return rooms


def drawn_rooms(source):
    """Room to the rooms that it names, out of the drawing: `a b -> c d` says that c and d each use a and b."""
    section = (source / "docs/architecture.md").read_text().split("## Rooms")[1]
    rooms = {}
    for line in section.split("```")[1].strip().splitlines():
        groups = [group.split() for group in line.split("->")]
        for used, users in zip(groups, groups[1:]):
            for room in used:
                rooms.setdefault(room, set())
            for room in users:
                rooms.setdefault(room, set()).update(used)
    return rooms


def reach(rooms):
    """Room to every room that it may use."""
    def below(room, path):
        if room in path:
            raise ValueError(f"a circle: {' -> '.join([*path, room])}")
        found = set()
        for used in rooms[room]:
            found |= {used} | below(used, [*path, room])
        return found

    return {room: below(room, []) for room in rooms}


def include_findings(source):
    """Includes of a room that it may not use, and of files that are not there."""
    allowed = reach(cmake_rooms(source))
    # The longest first, so that no room is taken for the one that it lies in.
    names = sorted(allowed, key=len, reverse=True)

    def room_of(path):
        return next((name for name in names if path.startswith(name + "/")), None)

    read = 0
    for room in names:
        for file in sorted((source / room).rglob("*")):
            path = file.relative_to(source).as_posix()
            if file.suffix not in (".cpp", ".hpp") or room_of(path) != room:
                continue
            read += 1
            for included in re.findall(r'^\s*#include "([^"]+)"', file.read_text(), re.MULTILINE):
                used = room_of(included)
                if used is None:
                    # Beside the file, or made by a tool: no room's header is found so.
                    if (source / included).exists():
                        yield f"{path} includes {included}, which is in no room"
                elif not (source / included).exists():
                    yield f"{path} includes {included}, which does not exist"
                elif used != room and used not in allowed[room]:
                    yield f"{path} includes {included}: {room} may not use {used}"
    if read < 100:
        yield f"only {read} sources were read"


class Rooms(unittest.TestCase):
    def copied(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="solfege-rooms-"))
        self.addCleanup(shutil.rmtree, folder)
        for room in ("model", "gen", "sim", "cost", "cli"):
            shutil.copytree(SOURCE / room, folder / room)
        (folder / "docs").mkdir()
        for name in ("CMakeLists.txt", "docs/architecture.md"):
            shutil.copy(SOURCE / name, folder / name)
        return folder

    def test_drawing_and_cmake_agree(self):
        self.assertEqual(drawn_rooms(SOURCE), cmake_rooms(SOURCE))

    def test_no_circle(self):
        self.assertIn("model/base", reach(cmake_rooms(SOURCE))[PROGRAM])
        with self.assertRaises(ValueError):
            reach({"a": {"b"}, "b": {"a"}})

    def test_every_folder_is_a_room(self):
        rooms = cmake_rooms(SOURCE)
        for top in ("model", "cost"):
            folders = {f"{top}/{path.name}" for path in (SOURCE / top).iterdir() if any(path.glob("*.cpp"))}
            self.assertEqual(folders, {room for room in rooms if room.startswith(top + "/")})

    def test_includes(self):
        self.assertEqual(list(include_findings(SOURCE)), [])

    def test_known_bad_include(self):
        for file, line, message in (
            ("model/spec/config.cpp", '#include "model/host/scheduler.hpp"\n', "model/spec may not use model/host"),
            ("model/golden/gemm.cpp", '#include "model/timing/bus.hpp"\n', "model/golden may not use model/timing"),
            ("gen/generator.cpp", '#include "model/spec/nowhere.hpp"\n', "does not exist"),
        ):
            with self.subTest(file):
                copy = self.copied()
                path = copy / file
                path.write_text(line + path.read_text())
                self.assertTrue(any(message in found for found in include_findings(copy)), message)

    def test_known_bad_drawing(self):
        copy = self.copied()
        page = copy / "docs/architecture.md"
        text = page.read_text()
        page.write_text(text.replace("model/data -> model/reference\n", "model/spec -> model/reference\n", 1))
        self.assertNotEqual(page.read_text(), text)
        self.assertNotEqual(drawn_rooms(copy), cmake_rooms(copy))


if __name__ == "__main__":
    unittest.main()
