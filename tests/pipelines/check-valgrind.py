#!/usr/bin/python3
"""Fails if valgrind's XML holds an error with a function of the plugin in its stack.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-valgrind.py FILE.xml

What drivers and GStreamer keep for the life of the process is not the plugin's, so errors of others
alone are counted but forgiven; so is what the dynamic loader does while it loads the plugin.
"""
import sys
import xml.etree.ElementTree as ElementTree


def is_ours(error):
    objects = [frame.findtext("obj") or "" for frame in error.findall("stack/frame")]
    return (any("libgstclmatte" in name for name in objects) and
            not all("/ld-linux" in name for name in objects[:2]))


def describe(error):
    text = error.findtext("what") or error.findtext("xwhat/text")
    frames = [frame.findtext("fn") or "?" for frame in error.findall("stack/frame")]
    return f"{text}\n    " + "\n    ".join(frames[:15])


def main():
    errors = ElementTree.parse(sys.argv[1]).getroot().findall("error")
    ours = [error for error in errors if is_ours(error)]
    for error in ours:
        print(describe(error))
    print(f"{len(ours)} errors of the plugin, {len(errors) - len(ours)} of others alone")
    sys.exit(1 if ours else 0)


main()
