#!/usr/bin/env python3
"""Counts the test cases of finished test runs: what failed, what was skipped and why, and how many.

SPDX-License-Identifier: LGPL-2.1-or-later

    summarize.py [LABEL=]TESTLOG.json ...

Reads meson's logs. A program that speaks TAP or libcheck's summary counts with every case of its
own, any other program as one. The last line is "N passed, N failed, N skipped"; ends with status 1
if something failed or nothing ran.
"""
import json
import re
import sys

TAP_CASE = re.compile(r"^\s*(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*(.*?)(?:# (SKIP|TO" + r"DO)\b(.*))?$",
                      re.M | re.I)
TAP_NOTHING = re.compile(r"^1\.\.0\b.*?# *SKIP(.*)$", re.M | re.I)
LIBCHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
LIBCHECK_FAILED = re.compile(r"^\S+:\d+:[FE]:.*$", re.M)


class Summary:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def tap(self, name, output):
        for wrong, case, directive, reason in TAP_CASE.findall(output):
            if directive.upper() == "SKIP":
                self.skipped.append(f"{name}: {case.strip()}: {reason.strip()}")
            elif wrong and not directive:
                self.failed.append(f"{name}: {case.strip()}")
            else:
                self.passed += 1

    def libcheck(self, name, output):
        for checks, failures, errors in LIBCHECK.findall(output):
            self.passed += int(checks) - int(failures) - int(errors)
        self.failed += [f"{name}: {line}" for line in LIBCHECK_FAILED.findall(output)]

    def test(self, entry, log):
        name, output = f"{log}{entry['name']}", entry.get("stdout", "")
        failed = len(self.failed)
        nothing = TAP_NOTHING.search(output)
        if nothing:
            self.skipped.append(f"{name}: {nothing.group(1).strip()}")
        elif entry["result"] == "SKIP":
            said = (output + entry.get("stderr", "")).strip().splitlines()
            self.skipped.append(f"{name}: {said[-1] if said else 'no reason given'}")
        elif entry["result"] == "INTERRUPT":
            # Whoever stopped the run says in the log what that means for the rest.
            self.skipped.append(f"{name}: was stopped")
        elif LIBCHECK.search(output):
            self.libcheck(name, output)
        elif re.search(r"^1\.\.\d+", output, re.M):
            self.tap(name, output)
        elif entry["result"] == "OK":
            self.passed += 1
        # A crash or a timeout shows in the result alone.
        if entry["result"] not in ("OK", "SKIP", "INTERRUPT", "EXPECTEDFAIL") and len(self.failed) == failed:
            self.failed.append(f"{name}: {entry['result'].lower()}, status {entry['returncode']}")


def main():
    summary = Summary()
    for path in sys.argv[1:]:
        label, _, path = path.rpartition("=")
        with open(path, encoding="utf-8") as log:
            for line in log:
                summary.test(json.loads(line), f"{label}: " if label else "")
    for line in summary.skipped:
        print(f"skipped  {line}")
    for line in summary.failed:
        print(f"FAILED   {line}")
    print(f"{summary.passed} passed, {len(summary.failed)} failed, {len(summary.skipped)} skipped")
    sys.exit(1 if summary.failed or not summary.passed else 0)


main()
