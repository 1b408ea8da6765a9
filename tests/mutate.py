#!/usr/bin/env python3
"""mutate.py -- do the tests notice? Changes one token of src/core or src/format at a time and runs the tests of its noun.

  mutate.py BUILD [--count 50] [--seed N] [--jobs 2] [--only FILE:LINE] [--run WORDS] --cc COMMAND --ld WORDS

BUILD holds the library, libharness.a and the objects of the tests; nothing there changes. A mutant is compiled alone and linked before the archive, whose
member of that name the linker then leaves out. --run: what stands before each test. A mutant is an operator or number that is another one. One that does not compile, or whose machine
code without notes for a debugger is the same, is drawn again. Not drawn are constants of tables and enums, what the compiler checks, and our own
checks that can never fail. It is killed if a test fails, crashes, takes ten times as long as with the library as it is and 5 s, or 4 GiB.

The tests are, in this order and until one fails: those whose name is the file's (test_NAME*.c), those that include its header, FORMATS for a file
of src/format, the hostile suite, all others that are quick. Survivors are printed with file and line: a test is missing, or the change means nothing. Ends
with 1 below 90 % killed."""
import argparse, concurrent.futures, glob, os, random, re, resource, shlex, subprocess, sys, threading, time

SWAPS = {'<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '!=', '!=': '==', '&&': '||', '||': '&&', '+': '-', '-': '+', '*': '+', '/': '*', '%': '/',
         '&': '|', '|': '&', '<<': '>>', '>>': '<<', '++': '--', '+=': '-=', '-=': '+=', '|=': '&=', '0': '1', '1': '2', '!': ''}
TOKEN = re.compile(r'(?P<skip>/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#[^\n]*|\w*[A-Za-z_]\w*|\d[\w.]+|->)'
                   r'|(?P<op><<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|\+=|-=|\|=|[-+*/%<>&|!]|\b[01]\b)', re.S | re.M)
BINARY = set('+-*/%&|')
FORMATS = ['gguf', 'odd', 'folder', 'split', 'safetensors', 'llama2c', 'gguf_write', 'tokenizer_file', 'quantize_file', 'packed']
BROAD = ['limits', 'tokenizer', 'template', 'session', 'save', 'engine', 'fork']        # for what no noun has noticed
APART = {'test_kill', 'test_header'}        # they kill and compile; test_remote*: they wait


def mutants(floors):
    for path in sorted(p for f in floors for p in glob.glob(f'src/{f}/*.c')):
        text = open(path, encoding='utf-8').read()
        for m in TOKEN.finditer(text):
            op = m.group('op')
            if op not in SWAPS or op in BINARY and not (text[m.start() - 1] == ' ' and text[m.end()] == ' '):     # a sign, a pointer, an address
                continue
            line = text[text.rfind('\n', 0, m.start()) + 1:text.find('\n', m.start())]
            before = text[max(text.rfind(c, 0, m.start()) for c in ';{}') + 1:m.start()]
            if re.match(r'\s*(enum|static const|_Static_assert|\{)', line) or 'SLM_CHECK(' in before or '__builtin_expect' in before:
                continue
            yield path, m.start(), op


class Runner:
    def __init__(self, build, cc, ld, run):
        self.build, self.cc, self.ld, self.run = build, shlex.split(cc), shlex.split(ld), shlex.split(run)
        self.folder = os.path.join(build, 'mutation')
        self.usual, self.lock = {}, threading.Lock()
        os.makedirs(self.folder, exist_ok=True)

    def compile(self, path, text, name):
        """The object of `text` in place of file `path`, and whether its machine code differs from the file's own."""
        source, obj = (os.path.join(self.folder, name, path[:-2] + end) for end in ('.c', '.o'))
        os.makedirs(os.path.dirname(source), exist_ok=True)
        with open(source, 'w', encoding='utf-8') as f:
            f.write(f'#line 1 "{path}"\n' + text)
        done = subprocess.run([*self.cc, '-w', '-g0', '-c', source, '-o', obj], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return None if done.returncode else obj

    def link(self, test, objects, name):
        out = os.path.join(self.folder, name, test)
        own = sorted(glob.glob(os.path.join(self.build, 'tests/hostile/*.o'))) if test == 'hostile' else [f'{self.build}/tests/{test}.o']
        os.makedirs(os.path.dirname(out), exist_ok=True)
        cc = [w for w in self.cc if not w.startswith(('-D', '-I', '-W'))]
        subprocess.run([*cc, *own, *objects, f'{self.build}/libharness.a', f'{self.build}/libslm_remote.a', f'{self.build}/libslm.a', *self.ld, '-o', out], check=True)
        return out

    def fails(self, test, objects, name):
        """Does the test, linked with these objects, end in anything but success?"""
        with self.lock:                         # once: the time it takes as it should be, and that it passes
            if test not in self.usual:
                start = time.time()
                if self.play(test, self.link(test, [], 'usual'), 300):
                    sys.exit(f'mutate: {test} fails without a change')
                self.usual[test] = time.time() - start
        return self.play(test, self.link(test, objects, name), 5 + 10 * self.usual[test])

    def play(self, test, program, seconds):
        words = [*self.run, 'timeout', '-s', 'KILL', str(int(seconds)), program, *(['tests/hostile/expected.txt'] if test == 'hostile' else [])]
        room = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=room).returncode


def tests_of(path):
    noun = os.path.basename(path)[:-2]
    nouns = sorted(os.path.basename(t)[:-2] for t in glob.glob(f'tests/test_{noun}*.c'))
    there = sorted(os.path.basename(t)[:-2] for t in glob.glob('tests/test_*.c')
                   if re.search(rf'#include "\w+/{noun}\.h"', open(t, encoding='utf-8').read()))
    formats = [f'test_{f}' for f in FORMATS]
    order = nouns + there + (formats if '/format/' in path else []) + ['hostile'] + formats + [f'test_{b}' for b in BROAD]
    return [t for t in dict.fromkeys(order) if t not in APART and not t.startswith('test_remote')]


def main():
    args = argparse.ArgumentParser()
    args.add_argument('build')
    args.add_argument('--count', type=int, default=50)
    args.add_argument('--seed', type=int, default=1)
    args.add_argument('--jobs', type=int, default=2)
    args.add_argument('--only', default='')
    args.add_argument('--run', default='nice')
    args.add_argument('--cc', required=True)
    args.add_argument('--ld', required=True)
    args = args.parse_args()
    runner, start = Runner(args.build, args.cc, args.ld, args.run), time.time()
    choices = list(mutants(('core', 'format')))
    random.Random(args.seed).shuffle(choices)
    own = {}                                    # the machine code of each file as it is

    def drawn():
        n = 0
        for path, at, op in choices:
            text = open(path, encoding='utf-8').read()
            line = text.count('\n', 0, at) + 1
            if n == args.count or not f'{path}:{line}:'.startswith(args.only):
                continue
            if path not in own:
                own[path] = open(runner.compile(path, text, 'own'), 'rb').read()
            obj = runner.compile(path, text[:at] + SWAPS[op] + text[at + len(op):], str(n))
            if obj and open(obj, 'rb').read() != own[path]:
                n += 1
                yield path, obj, str(n - 1), f'{path}:{line}: {op} is {SWAPS[op] or "gone"}: {text.splitlines()[line - 1].strip()[:110]}'

    def judged(mutant):
        path, obj, name, says = mutant
        by = next((t for t in tests_of(path) if runner.fails(t, [obj], name)), None)
        subprocess.run(['rm', '-rf', os.path.join(runner.folder, name)])
        print(f'killed   {says} ({by})' if by else f'SURVIVED {says}', flush=True)
        return by is not None

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        verdicts = list(pool.map(judged, drawn()))
    print(f'mutation: seed {args.seed}: {sum(verdicts)} of {len(verdicts)} killed, {time.time() - start:.0f} s')
    return 0 if verdicts and sum(verdicts) >= 0.9 * len(verdicts) else 1


if __name__ == '__main__':
    sys.exit(main())
