#!/usr/bin/env python3
"""coverage.py -- branches taken, from what gcov counted.

  coverage.py BUILD GAPS [--list] [--only PART]

A branch is an edge of the unoptimised code of src/core, src/format and src/text, counted in the file in which it is written: those of a function
in a header once, whichever object took them. Unoptimised code has no copies of inlined functions and no loops for comparisons of strings;
what gcov marks as thrown by a call is left out, for C throws nothing. So an edge is one that a source line asks for.

GAPS names edges that no run takes: `FILE: TEXT :: EDGES :: REASON`, where TEXT is a part of the line. It excuses that many edges of each
line that has it, `*` all. A name that fits no line of its file is an error, so that the list stays as short as it is true.

Prints what was taken of each file below 95 % and of the floors, with the edges that are neither taken nor named (--list: of every file). Ends with
1 if a floor is below 95 % of what is not named, or a name fits nothing."""
import argparse, collections, glob, json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

FLOORS = ('core', 'format', 'text')
WANTED = 0.95


def counted(notes):
    """[(file, line, function, number of the edge, times it was taken)] of one object."""
    out = subprocess.run(['gcov', '--json-format', '--stdout', '-b', notes], capture_output=True, text=True).stdout
    for text in filter(lambda t: t.startswith('{'), out.splitlines()):
        for part in json.loads(text)['files']:
            path = os.path.relpath(part['file'])
            for line in part['lines']:
                for i, b in enumerate(b for b in line['branches'] if not b['throw']):
                    yield path, line['line_number'], line.get('function_name'), i, b['count']


def read_gaps(path):
    for number, row in enumerate(open(path, encoding='utf-8'), 1):
        row = row.rstrip('\n')
        if row and not row.startswith('#'):
            file, rest = row.split(': ', 1)
            text, edges, reason = rest.rsplit(' :: ', 2)
            yield number, file, text, None if edges == '*' else int(edges), reason


def main():
    args = argparse.ArgumentParser()
    args.add_argument('build')
    args.add_argument('gaps')
    args.add_argument('--list', action='store_true')
    args.add_argument('--only', default='')
    args = args.parse_args()
    notes = sorted(n for f in FLOORS for n in glob.glob(os.path.join(args.build, f'src/{f}/*.gcno')))
    taken = collections.defaultdict(collections.Counter)                    # file -> (line, function, edge) -> times
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(lambda n: list(counted(n)), notes):
            for path, line, function, edge, times in rows:
                if path.startswith(tuple(f'src/{f}/' for f in FLOORS)):
                    taken[path][line, function, edge] += times
    names, bad = list(read_gaps(args.gaps)), 0
    sums = {f: [0, 0, 0] for f in FLOORS}                                   # all, taken, named
    for path in sorted(taken):
        source = [''] + open(path, encoding='utf-8').read().split('\n')
        missing = collections.Counter(line for (line, _, _), times in taken[path].items() if not times)
        excused = collections.Counter()
        for _, file, text, edges, _ in names:
            if file == path:
                for line in missing:
                    if text in source[line]:
                        excused[line] = missing[line] if edges is None else min(missing[line], excused[line] + edges)
        all_, gaps, named = len(taken[path]), sum(missing.values()), sum(excused.values())
        total = sums[path.split('/')[1]]
        for i, n in enumerate((all_, all_ - gaps, named)):
            total[i] += n
        if args.only in path and (args.list or all_ - gaps < WANTED * (all_ - named)):
            print(f'{path}: {all_ - gaps} of {all_} edges, {named} named')
            for line in sorted(missing):
                if missing[line] > excused[line]:
                    print(f'  {line}: {missing[line] - excused[line]} not taken: {source[line].strip()[:150]}')
    for number, file, text, _, _ in names:
        if not os.path.isfile(file) or text not in open(file, encoding='utf-8').read():
            print(f'coverage: {args.gaps}:{number}: fits no line of {file}: {text}')
            bad += 1
    for floor, (all_, got, named) in sums.items():
        enough = got >= WANTED * (all_ - named)
        bad += not enough
        print(f'coverage: {floor}: {got} of {all_} edges ({100 * got / max(1, all_):.1f} %), {named} named, {all_ - got - named} neither'
              + ('' if enough else f': below {100 * WANTED:.0f} %'))
    return 1 if bad or not taken else 0


if __name__ == '__main__':
    sys.exit(main())
