#!/usr/bin/env python3
"""coverage.py BUILD SOURCE PERCENT DIRECTORY... - for make check-coverage: which lines of the C
files in these directories of SOURCE ran, by what gcov says of the objects of BUILD. Prints the
lines that did not, the share of each file and of all; fails where all is under PERCENT, where a
file never ran, and where there is nothing to read."""
import collections
import json
import os
import subprocess
import sys


def counts(build, directory, source):
    """{file: {line: how often}} of the objects in one directory of the build."""
    found = collections.defaultdict(collections.Counter)
    folder = os.path.join(build, directory)
    data = sorted(name for name in os.listdir(folder) if name.endswith(".gcda"))
    if not data:
        return found
    said = subprocess.run(["gcov", "--json-format", "--stdout"] + data, cwd=folder, check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    for document in filter(None, said.splitlines()):
        report = json.loads(document)
        for part in report["files"]:
            path = os.path.join(report["current_working_directory"], part["file"])
            name = os.path.relpath(path, source)
            for line in part["lines"]:
                found[name][line["line_number"]] += line["count"]
    return found


def main():
    build, source = (os.path.realpath(path) for path in sys.argv[1:3])
    bound, directories = float(sys.argv[3]), sys.argv[4:]
    ran = collections.defaultdict(collections.Counter)
    for directory in directories:
        for name, lines in counts(build, directory, source).items():
            if os.path.dirname(name) == directory:
                ran[name].update(lines)
    missing = [os.path.join(directory, name) for directory in directories
               for name in sorted(os.listdir(os.path.join(source, directory)))
               if name.endswith(".c") and os.path.join(directory, name) not in ran]
    hit = total = 0
    for name in sorted(ran):
        lines = ran[name]
        covered = sum(1 for count in lines.values() if count)
        hit, total = hit + covered, total + len(lines)
        print(f"{100 * covered / len(lines):6.1f} %  {covered:4} of {len(lines):4}  {name}")
        with open(os.path.join(source, name), encoding="utf-8") as file:
            text = file.read().split("\n")
        for line in sorted(line for line in lines if not lines[line]):
            print(f"    {name}:{line}: {text[line - 1].strip()}")
    for name in missing:
        print(f"never ran: {name}")
    if total:
        print(f"{100 * hit / total:6.1f} %  {hit:4} of {total:4}  in all; {bound:g} % wanted")
    return 0 if total and not missing and 100 * hit >= bound * total else 1


sys.exit(main())
