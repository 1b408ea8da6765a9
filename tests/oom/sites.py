#!/usr/bin/env python3
"""sites.py -- which places of the library were refused memory, of all there are.

  sites.py PROGRAM SITES

PROGRAM is build/oom/bin/oom, SITES what its --sites wrote: the addresses behind the calls that were refused. All the places there are are
read from the machine code: calls of slm_heap's allocating functions in the library. A place that was not reached is printed with its line
unless ELSEWHERE says which other test refuses it; the last line counts."""
import re
import subprocess
import sys

# Function: the test that refuses its memory, for what no row of rows.c comes by.
ELSEWHERE = {'slm_split_read': 'test_split', 'slm_file_reserve_parts': 'test_split'}

CALL = re.compile(r'\s*([0-9a-f]+):\s+call\s+[0-9a-f]+ <__wrap_(\w+)>')
NEXT = re.compile(r'\s*([0-9a-f]+):\s')


def places(program):
    """address behind the call: function"""
    found, function, pending = {}, '', False
    out = subprocess.run(['objdump', '-d', '--no-show-raw-insn', program], capture_output=True, text=True, check=True).stdout
    for line in out.split('\n'):
        head = re.match(r'[0-9a-f]{16} <([^>]+)>:', line)
        if head:
            function, pending = head.group(1), False
        if pending and NEXT.match(line):
            found[int(NEXT.match(line).group(1), 16)] = function
            pending = False
        pending = pending or bool(CALL.match(line) and not function.startswith('__wrap_'))
    return found


def lines_of(program, addresses):
    out = subprocess.run(['addr2line', '-e', program], input='\n'.join(f'{a - 1:x}' for a in addresses), capture_output=True, text=True, check=True)
    return dict(zip(addresses, out.stdout.split('\n')))


def main():
    program, sites = sys.argv[1:3]
    there = places(program)
    base = int(re.search(r'([0-9a-f]+) \w __executable_start',
                         subprocess.run(['nm', program], capture_output=True, text=True, check=True).stdout).group(1), 16)
    reached = {base + int(line, 16) for line in open(sites)}
    names = lines_of(program, sorted(there))
    mine = {a for a in there if '/src/' in names[a] or names[a].startswith('src/')}
    missed = sorted(a for a in mine - reached if there[a].split('.')[0] not in ELSEWHERE)
    for a in missed:
        print(f'oom: not reached: {re.sub(r"^.*/src/", "src/", names[a])} {there[a]}')
    print(f'oom: {len(mine)} places ask for memory of the heap, {len(mine & reached)} refused here, {len(mine - reached) - len(missed)} elsewhere, '
          f'{len(missed)} nowhere; {len(reached - mine)} more of the system')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
