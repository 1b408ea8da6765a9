#!/usr/bin/env python3
"""coverage.py -- branches taken, from what gcov counted.

  coverage.py BUILD

Prints each file of src/core, src/format and src/text whose branches were taken to less than 95 %, worst first, and the sum. A branch is an
edge of the unoptimised code, so a refusal that cannot be provoked counts as one that was not."""
import glob, os, re, subprocess, sys


def main():
    rows, failed = [], 0
    for notes in sorted(glob.glob(os.path.join(sys.argv[1], 'src/*/*.gcno'))):
        path = os.path.relpath(notes, sys.argv[1])[:-5] + '.c'
        if not os.path.isfile(notes[:-5] + '.gcda'):
            rows.append((path, 0, 0))
            continue
        text = subprocess.run(['gcov', '-b', '-n', '-s', os.getcwd(), notes], capture_output=True, text=True, check=True).stdout
        part = re.search(rf"File '(?:{re.escape(os.getcwd())}/)?{re.escape(path)}'\n(.*?)(?:\n\n|\Z)", text, re.S)
        m = part and re.search(r'Taken at least once:([\d.]+)% of (\d+)', part.group(1))
        if m:
            rows.append((path, round(float(m.group(1)) * int(m.group(2)) / 100), int(m.group(2))))
    for path, taken, all_ in sorted(rows, key=lambda r: r[1] / max(r[2], 1)):
        if taken < 0.95 * all_ or not all_:
            print(f'{100 * taken / max(all_, 1):5.1f} % of {all_:5} branches: {path}')
            failed += 1
    for floor in ('core', 'format', 'text'):
        mine = [r for r in rows if r[0].startswith(f'src/{floor}/')]
        print(f'coverage: {floor}: {sum(r[1] for r in mine)} of {sum(r[2] for r in mine)} branches, '
              f'{100 * sum(r[1] for r in mine) / max(1, sum(r[2] for r in mine)):.1f} %')
    print(f'coverage: {len(rows)} files, {failed} under 95 %')


if __name__ == '__main__':
    main()
