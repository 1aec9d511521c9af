#!/usr/bin/env python3
"""Checks the rules of the source tree that a compiler does not: one test case per rule.

SPDX-License-Identifier: LGPL-2.1-or-later

    lint.py SOURCE-FOLDER PLUGIN.so

Prints TAP. A rule whose program is not installed is skipped.
"""
import os
import re
import shutil
import subprocess
import sys

SOURCE, PLUGIN = sys.argv[1:3]
# Written by others, as it is.
NOT_OURS = ("LICENSE",)
# What each room may not include; see docs/design.md.
FORBIDDEN_INCLUDES = [
    ("gst/ocl/", r"gst/|gst[a-z]*\.h|(\.\./)*(nn|video)/"),
    ("gst/nn/", r"gst/|gst[a-z]*\.h|(\.\./)*video/"),
    ("gst/video/", r"gst/base/|gst/gstelement\.h|gst/gstpad\.h|(\.\./)*gst[a-z]+\.h"),
]
# Zero-width and direction marks, no-break spaces, soft hyphens.
INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


class Skip(Exception):
    """The rule cannot be checked here."""


def is_text(name):
    with open(os.path.join(SOURCE, name), "rb") as file:
        return b"\0" not in file.read(8192)


def tracked(*endings):
    """The text files of the project, of the endings given."""
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False)
    if listed.returncode != 0:
        raise Skip("not a git checkout")
    names = [name for name in listed.stdout.decode().split("\0") if name.endswith(endings or "")]
    return [name for name in names if name not in NOT_OURS and
            os.path.isfile(os.path.join(SOURCE, name)) and is_text(name)]


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8", newline="") as file:
        return file.read()


def lines_with(pattern, names):
    for name in names:
        for number, line in enumerate(read(name).split("\n"), 1):
            if re.search(pattern, line):
                yield f"{name}:{number}: {line.strip()[:90]}"


def program(name):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed")
    return name


def check_dependencies_go_one_way():
    for folder, forbidden in FORBIDDEN_INCLUDES:
        names = [name for name in tracked(".c", ".h") if name.startswith(folder)]
        yield from lines_with(rf'#include\s+["<]({forbidden})', names)


def check_video_knows_no_pads():
    names = [name for name in tracked(".c", ".h") if name.startswith("gst/video/")]
    yield from lines_with(r"\bgst_(pad|element)_|\bGst(Pad|Element)\b", names)


def check_no_tabs_carriage_returns_or_trailing_blanks():
    yield from lines_with(r"\t|\r|[ ]$", tracked())


def check_no_invisible_characters():
    yield from lines_with(INVISIBLE, tracked())


def check_every_file_ends_with_one_newline():
    for name in tracked():
        text = read(name)
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            yield name


def check_every_source_file_opens_with_its_name_and_licence():
    for name in tracked(".c", ".h", ".cl", ".clh"):
        head = read(name)[:1500]
        if not head.startswith(f"/* {os.path.basename(name)} - "):
            yield f"{name}: first line is not '/* {os.path.basename(name)} - what it owns'"
        if "SPDX-License-Identifier: LGPL-2.1-or-later" not in head:
            yield f"{name}: no SPDX line"


def check_no_unfinished_work():
    # Spelled so that this file does not find itself.
    yield from lines_with(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b", tracked())


def check_c_is_formatted():
    names = tracked(".c", ".h")
    done = subprocess.run([program("clang-format-14"), "--dry-run", "-Werror", *names], cwd=SOURCE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    yield from sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stdout, re.MULTILINE)))


def check_shell_scripts_pass_shellcheck():
    names = [name for name in tracked() if re.match(r"#!.*\b(ba)?sh\b", read(name).split("\n")[0])]
    done = subprocess.run([program("shellcheck"), "-x", *names], cwd=SOURCE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    yield from done.stdout.splitlines()


def check_the_plugin_exports_only_its_entry_points():
    done = subprocess.run([program("nm"), "-D", "--defined-only", PLUGIN], stdout=subprocess.PIPE,
                          text=True, check=True)
    for line in done.stdout.splitlines():
        name = line.split()[-1]
        if not re.fullmatch(r"gst_plugin_clmatte_(get_desc|register)", name):
            yield name


def run(number, name, function):
    """Runs one rule; FALSE if something breaks it."""
    try:
        found = list(function())
    except Skip as reason:
        print(f"ok {number} {name} # SKIP {reason}")
        return True
    print(f"{'not ok' if found else 'ok'} {number} {name}")
    for line in found[:40]:
        print(f"# {line}")
    return not found


def main():
    rules = [(name[6:].replace("_", " "), function) for name, function in globals().items()
             if name.startswith("check_")]
    print(f"1..{len(rules)}")
    results = [run(i, name, function) for i, (name, function) in enumerate(rules, 1)]
    sys.exit(0 if all(results) else 1)


main()
