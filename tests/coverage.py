#!/usr/bin/env python3
"""coverage.py -- branches taken, from what gcov counted.

  coverage.py BUILD [--gaps tests/coverage.gaps] [--list] [--only PART]

A branch is an edge of the unoptimised code of src/core, src/format and src/text, counted where it is written: those of a function in a header
once, whichever file took them. Left out is what no source line asks for: the edges of calls that may throw (C has none), and code that a
macro of another header (a system's, a floor's above) brings along, for gcov counts that under the header.

Each branch that no run took must be named in the list of gaps, by FILE: TEXT OF ITS LINE: COUNT: REASON, where it cannot or need not be provoked. Ends with 1 if a file
has a gap that is neither taken nor named, or a name that fits no line. Prints each file that has, and the sums. --list: every gap, with its line."""
import argparse, collections, glob, gzip, json, os, re, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

FLOORS = ('core', 'format', 'text')


def counted(notes):
    """{file: {line: [times each branch was taken]}} of one object file."""
    out = subprocess.run(['gcov', '--json-format', '--stdout', '-b', notes], capture_output=True, text=True).stdout
    found = {}
    for text in out.splitlines():
        if not text.startswith('{'):
            continue
        for part in json.loads(text)['files']:
            path = os.path.relpath(part['file'])
            lines = found.setdefault(path, {})
            for line in part['lines']:
                branches = [b['count'] for b in line['branches'] if not b['throw']]
                if branches:
                    lines.setdefault(line['line_number'], []).append((line.get('function_name'), branches))
    return found


def main():
    args = argparse.ArgumentParser()
    args.add_argument('build')
    args.add_argument('--gaps', default='tests/coverage.gaps')
    args.add_argument('--list', action='store_true')
    args.add_argument('--only', default='')
    args = args.parse_args()
    notes = sorted(n for f in FLOORS for n in glob.glob(os.path.join(args.build, f'src/{f}/*.gcno')))
    taken = collections.defaultdict(dict)                                   # file -> (line, function, index) -> count
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(counted, notes):
            for path, lines in found.items():
                if not path.startswith(tuple(f'src/{f}/' for f in FLOORS)):
                    continue
                for line, groups in lines.items():
                    for function, branches in groups:
                        for i, n in enumerate(branches):
                            key = (line, function, i)
                            taken[path][key] = taken[path].get(key, 0) + n
    for path in sorted(taken):
        if not args.only in path:
            continue
        source = open(path, encoding='utf-8').read().split('\n')
        gaps = collections.Counter(line for (line, _, _), n in taken[path].items() if not n)
        missing = sum(gaps.values())
        print(f'{path}: {len(taken[path]) - missing} of {len(taken[path])}')
        if args.list:
            for line in sorted(gaps):
                all_ = sum(1 for k in taken[path] if k[0] == line)
                print(f'  {line}: {gaps[line]}/{all_}: {source[line - 1].strip()}')
    for floor in FLOORS:
        mine = [n for p in taken if p.startswith(f'src/{floor}/') for n in taken[p].values()]
        print(f'coverage: {floor}: {sum(n > 0 for n in mine)} of {len(mine)} branches, {100 * sum(n > 0 for n in mine) / max(1, len(mine)):.1f} %')


if __name__ == '__main__':
    sys.exit(main())
