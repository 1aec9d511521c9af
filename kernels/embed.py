#!/usr/bin/env python3
"""embed.py - writes the kernel files into one C file: a table of file name and text.

SPDX-License-Identifier: LGPL-2.1-or-later

usage: embed.py OUTPUT FILE...

Nothing is minified. `#include "x.clh"` is replaced by the file, between #line marks, so that what
a compiler says about the text names the file and the line that a developer knows.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def resolve(files, name, includers=()):
    """The lines of file `name` with its includes in place."""
    if name in includers:
        sys.exit(f'embed.py: {name} includes itself')
    yield f'#line 1 "{name}"'
    for number, line in enumerate(files[name].splitlines(), start=1):
        include = INCLUDE.match(line)
        if not include:
            yield line
            continue
        if include[1] not in files:
            sys.exit(f'{name}:{number}: error: "{include[1]}" is not in kernels/meson.build')
        yield from resolve(files, include[1], (*includers, name))
        yield f'#line {number + 1} "{name}"'


def c_string(text):
    """`text` as a C string literal."""
    escaped = text.replace('\\', '\\\\').replace('"', '\\"').replace('?', '\\?')
    return f'"{escaped}"'


def main(output, *paths):
    files = {pathlib.Path(p).name: pathlib.Path(p).read_text(encoding='utf-8') for p in paths}
    rows = ['#include "internal.h"', '', 'const OclSource ocl_embedded_sources[] = {']
    for name in sorted(files):
        if not name.endswith('.cl'):
            continue
        rows.append(f'    {{ {c_string(name)},')
        rows += ['      ' + c_string(line)[:-1] + '\\n"' for line in resolve(files, name)]
        rows.append('    },')
    rows += ['    { 0, 0 },', '};', '']
    pathlib.Path(output).write_text('\n'.join(rows), encoding='utf-8')


main(*sys.argv[1:])
