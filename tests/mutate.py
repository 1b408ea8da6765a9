#!/usr/bin/env python3
"""mutate.py -- do the tests notice? Changes one token of src/core or src/format at a time and runs the tests of its noun.

  mutate.py FOLDER [--count 50] [--seed N] [--seconds S] [--cc CC]

Works on a copy of the tracked files in FOLDER. A mutant is an operator or number that is another one; one that does not compile, or whose
object code is the same, is drawn again. It is killed if a test fails, crashes or takes over a minute. The tests are those whose name is the file's
(test_NAME*.c), then those that include its header, then FORMATS for a file of src/format. Survivors are printed with their line: a test is missing, or the change means
nothing. Ends with 1 below 90 % killed."""
import argparse, glob, hashlib, os, random, re, shutil, subprocess, sys, time

SWAPS = {'<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '!=', '!=': '==', '&&': '||', '||': '&&', '+': '-', '-': '+', '*': '+', '/': '*', '%': '/',
         '&': '|', '|': '&', '<<': '>>', '>>': '<<', '++': '--', '+=': '-=', '-=': '+=', '|=': '&=', '0': '1', '1': '2', '!': ''}
TOKEN = re.compile(r'(?P<skip>/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#[^\n]*|\w*[A-Za-z_]\w*|\d[\w.]+|->)'
                   r'|(?P<op><<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|\+=|-=|\|=|[-+*/%<>&|!]|\b[01]\b)', re.S | re.M)
BINARY = set('+-*/%&|')
FORMATS = ['gguf', 'odd', 'folder', 'split', 'safetensors', 'llama2c', 'gguf_write', 'tokenizer_file', 'quantize_file', 'packed']


def run(folder, *command, seconds=None):
    try:
        return subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return 124


def mutants(folder):
    for path in sorted(glob.glob(os.path.join(folder, 'src/core/*.c')) + glob.glob(os.path.join(folder, 'src/format/*.c'))):
        text = open(path, encoding='utf-8').read()
        for m in TOKEN.finditer(text):
            op = m.group('op')
            if op not in SWAPS or op in BINARY and not (text[m.start() - 1] == ' ' and text[m.end()] == ' '):     # a sign, a pointer, an address
                continue
            line = text[text.rfind('\n', 0, m.start()) + 1:text.find('\n', m.start())]
            if not re.match(r'\s*(enum|static const|_Static_assert|\{)', line):
                yield path, m.start(), op


def tests_of(folder, path):
    noun = os.path.basename(path)[:-2]
    mine = sorted(glob.glob(os.path.join(folder, f'tests/test_{noun}*.c')))
    there = sorted(t for t in glob.glob(os.path.join(folder, 'tests/test_*.c'))
                   if re.search(rf'#include "\w+/{noun}\.h"', open(t, encoding='utf-8').read()))
    if '/format/' in path:
        there += [os.path.join(folder, f'tests/test_{f}.c') for f in FORMATS]
    out = []
    for t in mine + there:
        name = os.path.basename(t)[:-2]
        if name not in out and name not in ('test_kill', 'test_header') and not name.startswith('test_remote'):
            out.append(name)
    return out


def copy_tree(folder):
    shutil.rmtree(os.path.join(folder, 'src'), ignore_errors=True)
    files = subprocess.run(['git', 'ls-files', 'src', 'include', 'tests', 'examples', 'bench', 'models', 'Makefile'], capture_output=True, text=True, check=True)
    for f in files.stdout.split('\n'):
        if f and os.path.isfile(f):
            to = os.path.join(folder, f)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            if not os.path.isfile(to) or open(f, 'rb').read() != open(to, 'rb').read():
                shutil.copy2(f, to)
    shared = os.path.join(os.path.dirname(folder), 'shared')
    if os.path.isdir('../shared') and not os.path.lexists(shared):
        os.symlink(os.path.abspath('../shared'), shared)


def main():
    args = argparse.ArgumentParser()
    args.add_argument('folder')
    args.add_argument('--count', type=int, default=50)
    args.add_argument('--seed', type=int, default=1)
    args.add_argument('--seconds', type=int, default=7200)
    args.add_argument('--cc', default='gcc')
    args = args.parse_args()
    folder, deadline = os.path.abspath(args.folder), time.time() + args.seconds
    make = ['make', f'CC={args.cc}']
    copy_tree(folder)
    if run(folder, *make, '-j2', 'build/libslm.a', 'build/libharness.a'):
        sys.exit('mutate: the copy does not build')
    chance = random.Random(args.seed)
    choices = list(mutants(folder))
    chance.shuffle(choices)
    tried = killed = 0
    for path, at, op in choices:
        if tried == args.count or time.time() > deadline:
            break
        text = open(path, encoding='utf-8').read()
        line = text.count('\n', 0, at) + 1
        obj = os.path.join('build', os.path.relpath(path, folder))[:-2] + '.o'
        whole = os.path.join(folder, obj)
        before = hashlib.sha256(open(whole, 'rb').read()).digest()
        says = f'{os.path.relpath(path, folder)}:{line}: {op} is {SWAPS[op] or "gone"}'
        open(path, 'w', encoding='utf-8').write(text[:at] + SWAPS[op] + text[at + len(op):])
        try:
            if run(folder, *make, obj) or hashlib.sha256(open(whole, 'rb').read()).digest() == before:
                continue
            tried += 1
            by = None
            for test in tests_of(folder, path):
                if run(folder, *make, f'build/bin/{test}') or run(folder, f'build/bin/{test}', seconds=60):
                    by = test
                    break
            killed += by is not None
            print(f'{"killed  " if by else "SURVIVED"} {says}: {text.splitlines()[line - 1].strip()[:100]}{" (" + by + ")" if by else ""}', flush=True)
        finally:
            open(path, 'w', encoding='utf-8').write(text)
            run(folder, *make, obj)
    print(f'mutation: seed {args.seed}: {killed} of {tried} killed')
    return 0 if tried and killed >= 0.9 * tried else 1


if __name__ == '__main__':
    sys.exit(main())
