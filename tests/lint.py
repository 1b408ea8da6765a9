#!/usr/bin/env python3
"""lint.py -- the rules a compiler does not know. Needs python3, binutils and a built tree; a finding is FILE: SYMBOL: RULE.

  1 layers      an #include never points up a floor; kernels see kernels only; what is outside sees public headers only
  2 calls       banned functions, by source and by the undefined symbols of each object
  3 exports     default visibility = declared in include/slm.h = listed in docs/abi.md = nm -D of the shared library, each way
  4 globals     nothing writable but the cached CPU detection
  5 names       external linkage begins with slm_
  6 spills      no vector register is stored to the stack in an innermost loop of a matrix kernel
  7 recursion   no cycle in the call graph (direct calls, from the machine code)
  8 paths       tracked files name no place of one machine
  9 remote      libslm_remote uses of libslm what is public, exports what slm_remote.h declares; libslm knows no socket, TLS, curl, jansson
 10 refusals    each symbol of docs/abi.md has a row in tests/oom/rows.c, where its memory is refused or it is said that it asks for none
"""
import argparse, bisect, collections, glob, os, re, subprocess, sys

FLOORS = {'core': 0, 'kernels': 0, 'quant': 1, 'format': 2, 'model': 3, 'text': 3, 'session': 4, 'task': 5, 'engine': 6, 'cascade': 7}

# libraries that only one place may include: header pattern -> path prefix
ONE_PLACE = {r'omp\.h': 'src/core/team.c', r'utf8proc\.h': 'src/text/', r'jansson\.h|curl/.*|sqlite3\.h': 'src/remote/'}

BANNED = re.compile(r'''^(gets|v?sprintf|strcpy|strcat|stpcpy|strtok(_r)?|strto(l|ul|ll|ull|imax|umax|d|f|ld)|ato(i|l|ll|f)|v?[fs]?scanf|alloca|
    s?rand(om)?|rand_r|[dljmn]rand48|system|popen|v?printf|v?fprintf|v?dprintf|puts|fputs|putchar|putc|fputc|fwrite|perror|exit|_exit|_Exit|abort|
    quick_exit|raise|setlocale|uselocale|signal|sigaction|setenv|putenv|unsetenv|getenv|secure_getenv|gethostby\w+|assert|assert_fail|longjmp|
    dlopen|umask|chdir|fork|strerror|localtime|gmtime|strdup|strndup|v?asprintf|getline|getdelim|realpath|
    tolower|toupper|is(alpha|digit|alnum|space|upper|lower|punct|print|xdigit|cntrl|graph)|ctype_\w+|tls_get_addr)$''', re.X)
HEAP = re.compile(r'^(malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|memalign|valloc)$')
HEAP_HOME = 'src/core/heap.c'
MAP = re.compile(r'^(mmap|munmap)$')
MAP_HOME = 'src/core/map.c'
OPEN = re.compile(r'^(open|openat|creat|open64|openat64|fopen|fopen64|fdopen|freopen|tmpfile|mkstemp|mkostemp|opendir)$')
OPEN_HOMES = {'src/core/source.c', 'src/core/writer.c', 'src/core/cpu.c'}
ACCEPTED_SPILLS = {}    # function: most stores in one innermost loop; each line says why, and what was measured
REMOTE_MAY = {'src/remote/secret.c': ('mmap', 'munmap')}    # locked pages of their own
WRITABLE = {('src/core/cpu.c', 'cached')}

findings = []


def finding(where, what, rule):
    findings.append(f'{where}: {what}: {rule}')


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, errors='replace').stdout


def tracked():
    """Tracked files, and new ones that git does not ignore."""
    return sorted(f for f in set(run('git', 'ls-files', '-co', '--exclude-standard').split('\n')) if f and os.path.isfile(f))


def bare(text):
    """C without comments, and with empty strings; newlines stay, so that line numbers do."""
    def blank(m):
        s = m.group(0)
        return ('""' if s[0] == '"' else "' '" if s[0] == "'" else ' ') + '\n' * s.count('\n')
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


# ---- 1, 2: source ------------------------------------------------------------------------------------------------------------

def check_include(path, line, target, angle):
    where = f'{path}:{line}'
    if angle:
        for pattern, home in ONE_PLACE.items():
            if re.fullmatch(pattern, target) and not path.startswith(home) and path.startswith('src/'):
                finding(where, f'<{target}>', f'layers: only {home} includes it')
        return
    parts = path.split('/')
    if '..' in target.split('/'):
        finding(where, f'"{target}"', 'layers: includes are written from src/, not with ..')
    elif parts[0] in ('examples', 'include') or parts[:2] == ['src', 'remote']:
        if target not in ('slm.h', 'slm_remote.h') and not os.path.isfile(os.path.join(os.path.dirname(path), target)):
            finding(where, f'"{target}"', 'layers: only public headers can be seen from here')
    elif parts[0] == 'src':
        own, other = parts[1], target.split('/')[0]
        if target == 'slm.h' and own != 'kernels':
            return
        if own not in FLOORS or other not in FLOORS or '/' not in target:
            finding(where, f'"{target}"', 'layers: not a folder of the library' if own in FLOORS else 'layers: unknown folder')
        elif own == 'kernels' and other != 'kernels':
            finding(where, f'"{target}"', 'layers: kernels include kernels only')
        elif FLOORS[other] > FLOORS[own]:
            finding(where, f'"{target}"', f'layers: {own} looks up to {other}')
        elif FLOORS[other] == FLOORS[own] and other != own:
            finding(where, f'"{target}"', f'layers: {own} and {other} are neighbours and do not see each other')


def check_call(where, path, name):
    if BANNED.match(name):
        finding(where, name, 'calls: banned')
    elif HEAP.match(name) and path != HEAP_HOME:
        finding(where, name, f'calls: memory comes from slm_heap, only {HEAP_HOME} calls it')
    elif OPEN.match(name) and path not in OPEN_HOMES:
        finding(where, name, 'calls: files are opened in core only (source, writer)')
    elif MAP.match(name) and path != MAP_HOME:
        finding(where, name, f'calls: files are mapped by {MAP_HOME} only')


def check_sources(files):
    for path in files:
        if not path.endswith(('.c', '.h', '.def')):
            continue
        text = open(path, encoding='utf-8').read()
        for number, line in enumerate(text.split('\n'), 1):
            m = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if m:
                check_include(path, number, m.group(1) or m.group(2), m.group(2) is not None)
        if not path.startswith('src/') or path.startswith('src/remote/'):
            continue
        for number, line in enumerate(bare(text).split('\n'), 1):
            for m in re.finditer(r'(?<![\w.])(?<!->)(\w+)\s*\(', line):
                check_call(f'{path}:{number}', path, m.group(1))
            if re.search(r'\b(__)?asm(__)?\b', line) and not path.startswith('src/kernels/'):
                finding(f'{path}:{number}', 'asm', 'calls: inline assembly lives in kernels/ only')
            if re.search(r'#\s*pragma\s+omp', line) and path != 'src/core/team.c':
                finding(f'{path}:{number}', 'omp', 'calls: slm_team is the one parallel construct')


# ---- objects -----------------------------------------------------------------------------------------------------------------

Symbol = collections.namedtuple('Symbol', 'name bind kind section hidden address')


def symbols(obj):
    for line in run('objdump', '-t', obj).split('\n'):
        m = re.match(r'([0-9a-f]{16}) (.)(.)(.)(.)(.)(.)(.) (\S+)\t[0-9a-f]+ +(\.hidden |\.internal |\.protected |0x\w+ )?(\S+)$', line)
        if m:
            address, bind, weak, _, _, _, debug, kind, section, visibility, name = m.groups()
            if debug != 'd' and kind not in 'f':
                yield Symbol(name, bind if weak != 'w' else 'w', kind, section, (visibility or '').strip() in ('.hidden', '.internal'), int(address, 16))


def objects(build, files):
    for path in files:
        if path.startswith('src/') and path.endswith('.c') and path.split('/')[1] in FLOORS:
            obj = os.path.join(build, path[:-2] + '.o')
            if os.path.isfile(obj):
                yield path, obj
            else:
                finding(path, os.path.basename(obj), f'objects: not built under {build}, run make first')


def check_objects(objs):
    """Rules 2, 4, 5; returns the exported names and where they are."""
    exported = {}
    for path, obj in objs:
        for s in symbols(obj):
            if s.section == '*UND*':
                name = re.sub(r'^(__isoc\d\d_|__)', '', re.sub(r'(_chk|@.*)$', '', s.name))
                check_call(path, path, name)
                continue
            if s.bind in 'gwu!':
                if not s.name.startswith('slm_'):
                    finding(path, s.name, 'names: external linkage begins with slm_')
                if not s.hidden:
                    exported[s.name] = path
            if s.section == '*COM*' or re.match(r'\.(t?data|t?bss)(\.|$)', s.section) and not s.section.startswith('.data.rel.ro'):
                name = re.sub(r'\.\d+$', '', s.name)
                if (path, name) not in WRITABLE and not s.section.startswith(s.name):
                    finding(path, name, f'globals: writable ({s.section})')
    return exported


def check_exports(exported, build):
    header = bare(open('include/slm.h', encoding='utf-8').read())
    declared = set(re.findall(r'SLM_API\b(?!\s*__attribute__)[^;{]*?\b(slm_\w+)\s*\(', re.sub(r'(?m)^\s*#.*$', '', header)))
    listed = {}
    try:
        for line in open('docs/abi.md', encoding='utf-8'):
            m = re.match(r'\|\s*`(slm_\w+)`\s*\|\s*(\S+)\s*\|', line)
            if m:
                if m.group(1) in listed:
                    finding('docs/abi.md', m.group(1), 'exports: listed twice')
                listed[m.group(1)] = m.group(2)
    except FileNotFoundError:
        finding('docs/abi.md', '-', 'exports: the file is missing')
    for name in sorted(set(exported) | declared | set(listed)):
        if name not in declared:
            finding(exported.get(name, 'docs/abi.md'), name, 'exports: not declared in include/slm.h')
        if name not in listed:
            finding('docs/abi.md', name, 'exports: not listed')
        elif not re.fullmatch(r'\d+\.\d+\.\d+', listed[name]):
            finding('docs/abi.md', name, f'exports: since "{listed[name]}" is no version')
        if name not in exported:
            finding('include/slm.h' if name in declared else 'docs/abi.md', name, 'exports: not defined in the library')
    shared = glob.glob(os.path.join(build, 'libslm.so.*'))
    if len(shared) != 1:
        finding(build, ' '.join(shared) or 'libslm.so.*', 'exports: there should be one shared library, run make first')
    for so in shared:
        dynamic = {line.split()[-1] for line in run('nm', '-D', '--defined-only', so).splitlines()}
        for name in sorted(dynamic ^ set(listed)):
            finding(so, name, 'exports: not listed in docs/abi.md' if name in dynamic else 'exports: the shared library lacks it')
        if f'SONAME               {os.path.basename(so)}' not in run('objdump', '-p', so):
            finding(so, 'SONAME', 'exports: is not the name of the file')


# ---- 9: the two libraries ------------------------------------------------------------------------------------------------------

NOT_LOCAL = re.compile(r'(curl|json|SSL|TLS|BIO|X509|sqlite3|gnutls|nghttp2)_|(socket(pair)?|connect|accept4?|bind|listen|send(to|msg)?|recv(from|msg)?|'
                       r'getaddrinfo|gethostby\w+|res_\w+|inet_\w+|getsockopt|setsockopt|shutdown)$')


def check_remote(objs, exported, build):
    for path, obj in objs:
        for s in symbols(obj):
            if s.section == '*UND*' and NOT_LOCAL.match(re.sub(r'@.*$', '', s.name)):
                finding(path, s.name, 'remote: libslm has nothing to do with networks')
    own, used, shown = {}, [], set()
    for path in sorted(glob.glob('src/remote/*.c')):
        obj = os.path.join(build, path[:-2] + '.o')
        if not os.path.isfile(obj):
            finding(path, os.path.basename(obj), f'objects: not built under {build}, run make first')
            continue
        for s in symbols(obj):
            if s.section == '*UND*':
                name = re.sub(r'^(__isoc\d\d_|__)', '', re.sub(r'(_chk|@.*)$', '', s.name))
                if BANNED.match(name) and name not in REMOTE_MAY.get(path, ()) and name not in ('strdup', 'strndup'):
                    finding(path, name, 'calls: banned')
                used.append((path, s.name))
            elif s.bind in 'gwu!':
                own[s.name] = path
                if not s.name.startswith('slm_'):
                    finding(path, s.name, 'names: external linkage begins with slm_')
                if not s.hidden:
                    shown.add(s.name)
            elif re.match(r'\.(t?data|t?bss)(\.|$)', s.section) and not s.section.startswith('.data.rel.ro') and not s.section.startswith(s.name):
                finding(path, s.name, f'globals: writable ({s.section})')
    for path, name in used:
        if name.startswith('slm_') and name not in own and name not in exported:
            finding(path, name, 'remote: not public in libslm')
    header = bare(open('include/slm_remote.h', encoding='utf-8').read())
    declared = set(re.findall(r'SLM_API\b[^;{]*?\b(slm_\w+)\s*\(', re.sub(r'(?m)^\s*#.*$', '', header)))
    listed = set(re.findall(r'(?m)^\| libslm_remote \| `(slm_\w+)` \| \d+\.\d+\.\d+ \|$', open('docs/abi.md', encoding='utf-8').read()))
    dynamic = set()
    for so in glob.glob(os.path.join(build, 'libslm_remote.so.*')):
        dynamic |= {line.split()[-1] for line in run('nm', '-D', '--defined-only', so).splitlines()}
    for name in sorted(declared | listed | dynamic | shown):
        for where, names in (('include/slm_remote.h', declared), ('docs/abi.md', listed), ('libslm_remote.so', dynamic), ('libslm_remote.a', shown)):
            if name not in names:
                finding(where, name, 'remote: exports differ')


# ---- 10: refused memory --------------------------------------------------------------------------------------------------------

def check_refusals():
    rows = set(re.findall(r'(?m)^    [A-Z]+\("(slm_\w+)"', open('tests/oom/rows.c', encoding='utf-8').read()))
    listed = set(re.findall(r'(?m)^\|(?: libslm_remote \|)? `(slm_\w+)` \| \d', open('docs/abi.md', encoding='utf-8').read()))
    for name in sorted(listed - rows):
        finding('tests/oom/rows.c', name, 'refusals: no row')
    for name in sorted(rows - listed):
        finding('tests/oom/rows.c', name, 'refusals: a row for what docs/abi.md does not list')


# ---- 6, 7: machine code --------------------------------------------------------------------------------------------------------

Function = collections.namedtuple('Function', 'name section address lines')   # lines: (address, mnemonic, operands, relocation)


def functions(obj):
    section, current, out = None, None, []
    for line in run('objdump', '-dr', '--no-show-raw-insn', obj).split('\n'):
        m = re.match(r'Disassembly of section (.*):$', line)
        if m:
            section = m.group(1)
            continue
        m = re.match(r'([0-9a-f]{16}) <([^>]+)>:$', line)
        if m:
            current = Function(m.group(2), section, int(m.group(1), 16), [])
            out.append(current)
            continue
        m = re.match(r'\s+([0-9a-f]+): (R_\w+)\s+(\S+)', line)
        if m:
            if current and current.lines:
                current.lines[-1][3] = m.group(3)
            continue
        m = re.match(r'\s+([0-9a-f]+):\t(?:(?:notrack|bnd|lock|rep\w*) )*(\S+)\s*(.*)$', line)
        if m and current:
            current.lines.append([int(m.group(1), 16), m.group(2), m.group(3), None])
    return out


def target(line):
    m = re.match(r'([0-9a-f]+) <', line[2])
    return int(m.group(1), 16) if m else None


def call_edges(path, funcs):
    """Direct calls and tail calls between functions, as (path, name) or ('', global name)."""
    starts = collections.defaultdict(list)
    for f in funcs:
        starts[f.section].append((f.address, f.name))
    for s in starts.values():
        s.sort()

    def at(section, address):
        i = bisect.bisect_right(starts[section], (address, chr(0x10ffff))) - 1
        return starts[section][i][1] if i >= 0 else None

    for f in funcs:
        for line in f.lines:
            if not (line[1].startswith('call') or line[1].startswith('j')):
                continue
            other = None
            if line[3]:
                m = re.match(r'([^+-]+|\.[\w.]+)([+-]0x[0-9a-f]+)?$', line[3])
                base, add = (m.group(1), int(m.group(2) or '0', 16)) if m else (line[3], 0)
                other = at(base, add + 4) if base in starts else base
            elif target(line) is not None:
                other = at(f.section, target(line))
            if other and (line[1].startswith('call') or other != re.sub(r'\.cold$', '', f.name)):    # back from the cold part: a jump within it
                yield f.name, other


def check_recursion(code):
    graph, home = collections.defaultdict(set), {}
    for path, funcs in code.items():
        own = {f.name for f in funcs}
        for name in own:
            if name.startswith('slm_'):
                home[name] = path

        def node(name):
            return ('', name) if name.startswith('slm_') else (path, name)
        for caller, callee in call_edges(path, funcs):
            if callee in own or callee.startswith('slm_'):
                graph[node(caller)].add(node(callee))
    index, low, stack, on = {}, {}, [], set()          # Tarjan, without recursion
    for root in list(graph):
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            node_, edges = work[-1]
            for nxt in edges:
                if nxt not in index:
                    index[nxt] = low[nxt] = len(index)
                    stack.append(nxt)
                    on.add(nxt)
                    work.append((nxt, iter(sorted(graph.get(nxt, ())))))
                    break
                if nxt in on:
                    low[node_] = min(low[node_], index[nxt])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node_])
                if low[node_] == index[node_]:
                    part = []
                    while not part or part[-1] != node_:
                        part.append(stack.pop())
                        on.discard(part[-1])
                    if len(part) > 1 or node_ in graph.get(node_, ()):
                        finding(part[0][0] or home.get(part[0][1], '?'), ' -> '.join(n for _, n in reversed(part)), 'recursion')


def inner_loops(f):
    """Ranges of backward branches that hold no smaller such range."""
    loops = {}
    for line in f.lines:
        t = target(line) if line[1].startswith('j') and not line[3] else None
        if t is not None and f.address <= t <= line[0]:
            loops[t] = max(loops.get(t, 0), line[0])
    ranges = sorted(loops.items())
    return [(a, b) for a, b in ranges if not any((c, d) != (a, b) and a <= c and d <= b for c, d in ranges)]


STACK = re.compile(r'-?(?:0x[0-9a-f]+)?\(%(rsp|rbp)[,)]')


def check_spills(code, verbose):
    rows = []
    for path, funcs in sorted(code.items()):
        if not re.match(r'src/kernels/avx(2|512|vnni)/', path):
            continue
        for f in funcs:
            if 'mul_' not in f.name or f.name.endswith('.cold'):
                continue
            frame = any(l[1] in ('mov', 'lea') and re.search(r'%rsp[),].*%rbp$', l[2]) for l in f.lines[:40])
            for a, b in inner_loops(f):
                body = [l for l in f.lines if a <= l[0] <= b]
                vectors = sum('%zmm' in l[2] or '%ymm' in l[2] for l in body)
                if not vectors:
                    continue
                stores = loads = 0
                for l in body:
                    m = STACK.search(l[2])
                    if m and (m.group(1) == 'rsp' or frame) and re.search(r'%[zy]mm', l[2]):
                        if re.match(r'v(p)?mov|vextract', l[1]) and re.search(r'\)(\{%k\d\})?$', l[2]):
                            stores += 1
                        else:
                            loads += 1
                rows.append((path, f.name, f'{a - f.address:x}..{b - f.address:x}', len(body), vectors, stores, loads))
                if stores > ACCEPTED_SPILLS.get(f.name, 0):
                    finding(path, f.name, f'spills: {stores} vector stores to the stack in the innermost loop at +{a - f.address:x}')
    if rows and verbose:
        print(f'{"kernel":44} {"loop":>13} {"instr":>6} {"vector":>6} {"stores":>6} {"loads":>6}   (to and from the stack)')
        for path, name, where, n, vectors, stores, loads in rows:
            print(f'{name:44} {where:>13} {n:6} {vectors:6} {stores:6} {loads:6}')


# ---- 8 -------------------------------------------------------------------------------------------------------------------------

def check_paths(files):
    places = re.compile(r'(?<![\w.])/(?:home|root|work|Users|mnt|data|srv|workspace)/[\w.]')
    for path in files:
        data = open(path, 'rb').read()
        if b'\0' in data[:8192]:
            continue
        for number, line in enumerate(data.decode('utf-8', 'replace').split('\n'), 1):
            m = places.search(line)
            if m:
                finding(f'{path}:{number}', line[m.start():m.start() + 30].strip(), 'paths: a place of one machine')


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument('--build', default='build', help='folder of the objects (default build)')
    args.add_argument('-v', '--verbose', action='store_true', help='also the innermost loops of the matrix kernels, one per line')
    args = args.parse_args()
    files = tracked()
    check_sources(files)
    objs = list(objects(args.build, files))
    exported = check_objects(objs)
    check_exports(exported, args.build)
    check_remote(objs, exported, args.build)
    check_refusals()
    code = {path: functions(obj) for path, obj in objs}
    check_recursion(code)
    check_spills(code, args.verbose)
    check_paths(files)
    for line in findings:
        print(f'lint: {line}')
    print(f'lint: {len(objs)} objects, {sum(map(len, code.values()))} functions, {len(findings)} findings')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
