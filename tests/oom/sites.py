#!/usr/bin/env python3
"""sites.py -- which places of the library were refused memory or a system call, of all there are.

  sites.py PROGRAM SITES

PROGRAM is build/oom/bin/oom, SITES what its --sites wrote: the addresses behind the calls that were refused. All the places there are are
read from the machine code: calls of slm_heap's allocating functions in the library. A place that was not reached is printed with its line
unless ELSEWHERE says which other test refuses it; the last line counts."""
import re
import subprocess
import sys

# Function, or function and call: the test that refuses it, for what no row of rows.c comes by.
ELSEWHERE = {'slm_split_read': 'test_split', 'slm_file_reserve_parts': 'test_split', 'slm_writer_commit ftruncate': 'test_writer',
             'load_part': 'test_split', 'sync_file ftruncate': 'test_writer'}     # the same where nothing is inlined

# What cannot fail, or not so that it matters; and what heap.c asks for those that are counted.
NOT_COUNTED = {'free', 'close', 'posix_memalign'}

CALL = re.compile(r'\s*([0-9a-f]+):\s+call\s+[0-9a-f]+ <__wrap_(\w+)>')
NEXT = re.compile(r'\s*([0-9a-f]+):\s')


def places(program):
    """address behind the call: function, and what it calls"""
    found, function, pending = {}, '', None
    out = subprocess.run(['objdump', '-d', '--no-show-raw-insn', program], capture_output=True, text=True, check=True).stdout
    for line in out.split('\n'):
        head = re.match(r'[0-9a-f]{16} <([^>]+)>:', line)
        if head:
            function, pending = head.group(1), None
        if pending and NEXT.match(line):
            found[int(NEXT.match(line).group(1), 16)] = (function.split('.')[0], pending)
            pending = None
        call = CALL.match(line)
        if call and not function.startswith('__wrap_') and call.group(2) not in NOT_COUNTED:
            pending = call.group(2)
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
    missed = sorted(a for a in mine - reached if there[a][0] not in ELSEWHERE and ' '.join(there[a]) not in ELSEWHERE)
    for a in missed:
        print(f'oom: not reached: {re.sub(r"^.*/src/", "src/", names[a])} {" ".join(there[a])}')
    print(f'oom: {len(mine)} places ask for memory or call the system, {len(mine & reached)} refused here, {len(mine - reached) - len(missed)} elsewhere, '
          f'{len(missed)} nowhere')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
