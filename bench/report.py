"""report.py -- runs the benches and writes what they say beside what they must.

    python3 bench/report.py [--short] [--only kernels,model,...] [--runs 5] [--models ...] [--types ...] [--from figures.jsonl]

Every bench prints JSON lines of one form (bench/figure.h); those of `slm bench` are brought to it here. All of them go to
build/report/figures.jsonl, and from there, together with build/report/peers.jsonl if bench/peers/peers.py has left one, to report.md
and its plots. --from makes the report again without measuring. --short measures the shipped model alone, in seconds, and prints the
ratios; no figure fails it, a bench that cannot run does."""
import argparse
import json
import os
import re
import subprocess
import sys
import time

import svg

SUBJECTS = ("kernels", "model", "long", "load", "memory", "tokenize", "batch", "speculate", "threads", "constraint", "remote")
BUSY = 0.5                      # load of the minute before, above which the report warns
VOCABULARIES = ("gpt-2", "llama-bpe", "qwen2", "smollm2", "deepseek-coder", "llama-spm", "phi-3")


class Run:
    """What was asked for, and the figures so far; in a file too, if there is a path, so that a run that is cut off leaves what it has."""

    def __init__(self, args, path=None, about=()):
        self.args, self.path, self.about, self.figures, self.failed = args, path, about, [], []

    def program(self, *command):
        """The JSON lines that a program prints; a failure is told, kept, and nothing more."""
        command = [str(c) for c in command]
        print("+", " ".join(command), file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            self.failed.append("%s: exit %d" % (" ".join(command), done.returncode))
            return []
        return [json.loads(one) for one in done.stdout.splitlines()]

    def add(self, lines):
        self.figures += lines
        if self.path:
            save(self.path, self.figures, self.about)

    def bench(self, name, *rest):
        self.add(self.program(os.path.join(self.args.build, "bin", name), *rest))

    def model(self, name, kind, ending="gguf"):
        return os.path.join(self.args.build, "models", "%s-%s.%s" % (name, kind, ending))


def figure(subject, what, value, unit, bound=None, of="", ratio=None):
    return {"subject": subject, "what": what, "value": value, "unit": unit, "bound": bound, "of": of, "ratio": ratio}


def model_bench(run, path, *options):
    """`slm bench` in figures: both speeds against their limits, the machine's peaks, and the time of each step."""
    name, lines = os.path.basename(path), run.program(os.path.join(run.args.build, "bin", "slm"), "bench", "-m", path, "--json", "--profile", *options)
    if not lines:
        return
    top, steps = lines[0], lines[1:]
    for what, peak in (("prefill", "prefill_of_peak"), ("decode", "decode_of_bandwidth")):
        value = top[what + "_tok_s"]
        run.add([figure("model", "%s: %s" % (name, what), value, "tokens/s", value / top[peak] if top[peak] else None,
                        "read" if what == "decode" else "multiplications", top[peak] or None)])
    run.add([figure("model", "peak: " + short, top[key], unit) for short, key, unit in
             (("read", "read_gb_s", "GB/s"), ("vnni", "vnni_gmac_s", "GMAC/s"), ("fma", "fma_gflop_s", "GFLOP/s"))])
    run.add([figure("model", "%s: weights" % name, top["weight_bytes"] * 1e-6, "MB")])
    for s in steps:
        ms, limit = s["ms"] / top["runs"], s["of_limit"] or None
        run.add([figure("profile", "%s: %s, %s" % (name, s["phase"], s["step"]), ms, "ms", limit and ms * limit, "limit" if limit else "", limit)])


def measure(run):
    args = run.args
    paths = [run.model(m, t) for m in args.models for t in args.types]
    big, middle = (m if m in args.models else args.models[0] for m in ("tinyllama-1.1b", "qwen2.5-0.5b"))
    main, small, packed = run.model(big, args.types[0]), run.model(middle, args.types[0]), run.model(big, args.types[0], "slm")
    counted = ("-t", args.threads, "-n", args.runs)
    if "kernels" in args.only:
        run.bench("mul", *counted)
    if "model" in args.only:
        for path in paths:
            model_bench(run, path, "-r", args.runs, "-t", args.threads)
    if "long" in args.only:
        run.bench("attention", *counted, small)
    if "load" in args.only:
        for kind in args.types:
            run.bench("load", *counted, run.model(big, kind))
        run.bench("load", *counted, packed)
        run.bench("memory", "-t", args.threads, packed)
    if "memory" in args.only:
        for path in paths:
            run.bench("memory", "-t", args.threads, path)
    if "tokenize" in args.only:
        texts, folder = os.path.join(args.shared, "data", "text"), os.path.join(args.shared, "tokenizers", "gguf-vocabs")
        if os.path.isdir(texts):
            run.bench("bench_tokenize", "-n", args.runs, texts, *[os.path.join(folder, "ggml-vocab-%s.gguf" % v) for v in VOCABULARIES])
    if "batch" in args.only:
        run.bench("steps", *counted, main)
    if "speculate" in args.only:
        run.bench("speculate", *counted, small)
    if "threads" in args.only:
        run.bench("threads", "-n", args.runs, small)
    if "constraint" in args.only:
        run.bench("constraint", small, 20 * args.runs, args.threads)
    if "remote" in args.only:
        run.bench("bench_remote", os.path.join(args.build, "bin", "remote_server"))


def measure_short(run):
    model, texts = "models/tiny-stories/tiny-stories.gguf", "docs"
    run.bench("mul", "-t", 2, "-n", 1, "-c", 576, "-k", 512, "q4_0", "q8_0", "q4_k", "f32")
    model_bench(run, model, "-r", 3)
    for name in ("load", "steps", "speculate", "threads"):
        run.bench(name, "-n", 3, model)
    run.bench("memory", model)
    run.bench("bench_tokenize", "-n", 1, texts, model)
    run.bench("constraint", model, 10)


# ---- what must be ----------------------------------------------------------------------------------------------------------------------

BIG, WIDE = r"(tinyllama-1\.1b|llama-3\.2-3b)", r"(2048x5632|896x4864)"
K_QUANTS = r"(q4_k|q5_k|q6_k|q5_0)"
KNOWN = r"-(q4_0|q8_0|q4_k_m)\.gguf"

# text, must, hope or None, subject, unit, pattern of `what`, +1: at least / -1: at most, and what counts: the ratio or the value
MUSTS = (
    ("GEMM 512 tokens, Q4_0 and Q8_0, 2048 x 5632 and 896 x 4864, of the VNNI peak", .68, .76, "kernels", "GMAC/s", r"(q4_0|q8_0) %s, 512 t" % WIDE, 1, "ratio"),
    ("GEMM 512 tokens, K-quants and Q5_0, of the VNNI peak", .55, .66, "kernels", "GMAC/s", K_QUANTS + r" %s, 512 t" % WIDE, 1, "ratio"),
    ("GEMM 512 tokens, w8a8, of the VNNI peak", .92, .96, "kernels", "GMAC/s", r"w8a8 \S+, 512 t", 1, "ratio"),
    ("GEMM 512 tokens, F32, shapes of `mul`, of the fma peak", .88, .96, "kernels", "GMAC/s", r"f32 \S+, 512 t", 1, "ratio"),
    ("GEMM 512 tokens, F32, every shape of the models, of the fma peak", .88, .96, "peers", "GMAC/s", r"f32 \S+, 512 tokens: ours", 1, "ratio"),
    ("GEMM 512 tokens, F32, every shape of the models, of OpenBLAS", 1, None, "peers", "GMAC/s", r"f32 \S+, 512 tokens: beside", 1, "ratio"),
    ("GEMV, every type, matrices beyond L3, of the read bandwidth", .95, .99, "kernels", "GB/s", r"\S+ \S+, 1 t", 1, "ratio"),
    ("decode 1.1B and 3B, of the read bandwidth", .92, .97, "model", "tokens/s", BIG + KNOWN + ": decode", 1, "ratio"),
    ("decode 0.5B, of the read bandwidth", .86, .93, "model", "tokens/s", r"qwen2\.5-0\.5b" + KNOWN + ": decode", 1, "ratio"),
    ("decode 135M, of the read bandwidth", .72, .85, "model", "tokens/s", "smollm2-135m" + KNOWN + ": decode", 1, "ratio"),
    ("prefill 512, 1.1B and 3B, Q4_0 and Q8_0, of the VNNI peak", .58, .68, "model", "tokens/s", BIG + r"-(q4_0|q8_0)\.gguf: prefill", 1, "ratio"),
    ("prefill 512, 0.5B, of the VNNI peak", .50, .60, "model", "tokens/s", r"qwen2\.5-0\.5b-(q4_0|q8_0)\.gguf: prefill", 1, "ratio"),
    ("prefill 512, 135M, of the VNNI peak", .42, .52, "model", "tokens/s", r"smollm2-135m-(q4_0|q8_0)\.gguf: prefill", 1, "ratio"),
    ("8 tokens in one step, 1.1B Q4_0, times one", 1.35, 1.15, "batch", "ms", r"tinyllama-1\.1b-q4_0\.gguf: a step of 8 ", -1, "ratio"),
    ("opening a packed 1.1B in the page cache, ms", 20, 5, "load", "ms", r"tinyllama-1\.1b.*\.slm: open", -1, "value"),
    ("opening a GGUF, packing included, of the rate of reading it", .5, None, "load", "GB/s", r".*\.gguf: open", 1, "ratio"),
    ("peak memory, every type, of weights + KV + 32 MB", 1, None, "memory", "MB", r".*: peak$", -1, "ratio"),
    ("prefill 4,096, time of a token less attention's arithmetic, times 512", 1.25, None, "long", "us/token", ".*less the", -1, "ratio"),
    ("drafts that fail, of the speed without", .98, None, "speculate", "tokens/s", r".*: (random|wrong)", 1, "ratio"),
    ("8 threads on 2 cores, of the speed of 2", .7, None, "threads", "steps/s", ".*: threads 8", 1, "ratio"),
    ("half a core taken, of the speed without", .75, None, "threads", "steps/s", ".*: neighbour", 1, "ratio"),
    ("byte-level BPE, MB/s", 40, None, "tokenize", "MB/s", r".*: gpt2 ", 1, "value"),
    ("SentencePiece, MB/s", 20, None, "tokenize", "MB/s", r".*: llama", 1, "value"),
    ("a vocabulary of 150,000 opens, ms", 60, None, "tokenize", "ms", ".*: open 15", -1, "value"),
    ("Q4_0: prefill 512, of llama.cpp", 2.4, None, "peers", "tokens/s", r"\S+-q4_0\.gguf: prefill beside", 1, "ratio"),
    ("Q8_0: prefill 512, of llama.cpp", 4.2, None, "peers", "tokens/s", r"\S+-q8_0\.gguf: prefill beside", 1, "ratio"),
    ("Q4_K_M: prefill 512, of llama.cpp", 2.8, None, "peers", "tokens/s", r"\S+-q4_k_m\.gguf: prefill beside", 1, "ratio"),
    ("1.1B: decode, of llama.cpp", 1.25, None, "peers", "tokens/s", r"tinyllama-1\.1b\S+: decode beside", 1, "ratio"),
    ("0.5B: decode, of llama.cpp", 1.4, None, "peers", "tokens/s", r"qwen2\.5-0\.5b\S+: decode beside", 1, "ratio"),
    ("135M: decode, of llama.cpp", 1.7, None, "peers", "tokens/s", r"smollm2-135m\S+: decode beside", 1, "ratio"),
    ("Q4_0, 1.1B and up: peak memory, of llama.cpp", .6, None, "peers", "MB", BIG + r"-q4_0\.gguf: peak memory beside", -1, "ratio"),
)


def number(v):
    return "%.3g" % v if abs(v) < 1000 else "%.0f" % v


def judge(must, figures):
    """The row of a must: the worst of all figures that it speaks of, and how many they are."""
    title, least, hope, subject, unit, pattern, sign, key = must
    found = [f for f in figures if f["subject"] == subject and f["unit"] == unit and f[key] is not None and re.match(pattern, f["what"])]
    if not found:
        return [title, number(least), number(hope) if hope else "", "", "not measured"]
    found.sort(key=lambda f: sign * f[key])
    worst, best = found[0], found[-1]
    shown = number(worst[key]) if len(found) == 1 else "%s (%s) to %s, %d figures" % (number(worst[key]), worst["what"], number(best[key]), len(found))
    reached = [sign * worst[key] >= sign * x for x in (least, hope) if x]
    verdict = "missed" if not reached[0] else "hope met" if reached[1:] == [True] else "met"
    below = sum(sign * f[key] < sign * least for f in found)
    return [title, number(least), number(hope) if hope else "", shown, verdict + (": %d of %d" % (below, len(found)) if below and len(found) > 1 else "")]


# ---- the report ------------------------------------------------------------------------------------------------------------------------

def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return out + ["| " + " | ".join(str(c).replace("|", ",") for c in r) + " |" for r in rows] + [""]


def output(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit():
    return (output("git", "rev-parse", "--short", "HEAD") or "unknown") + ("" if not output("git", "status", "--porcelain", "-uno") else ", changed")


def machine(build):
    """What the figures were taken on, as lines of (name, value)."""
    cpu = open("/proc/cpuinfo").read()
    model = re.search(r"model name\s*: (.*)", cpu)
    flags = re.search(r"flags\s*: (.*)", cpu)
    wanted = [f for f in ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if flags and f in flags.group(1).split()]
    caches, base = [], "/sys/devices/system/cpu/cpu0/cache"
    for index in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        if index.startswith("index"):
            parts = [open(os.path.join(base, index, f)).read().strip() for f in ("level", "type", "size")]
            caches.append("L%s %s %s" % (parts[0], parts[1].lower(), parts[2]))
    try:
        built = open(os.path.join(build, "flags")).read().split()
    except OSError:
        built = ["cc"]
    at = next((i for i, w in enumerate(built) if w.startswith("-")), len(built))
    version = output(*built[:at], "--version").splitlines()
    return [("machine", "%s, %d cores, %s" % (model.group(1) if model else "unknown", os.cpu_count(), " ".join(wanted))),
            ("caches", ", ".join(caches) or "unknown"), ("system", " ".join(os.uname()[i] for i in (0, 2, 4))),
            ("compiler", "%s, %s" % (version[0] if version else "unknown", " ".join(w for w in built if re.match(r"-O|-march|-fsan", w)))),
            ("commit", commit()), ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))]


def kernels_table(figures):
    cells, tokens = {}, set()
    for f in figures:
        m = re.match(r"(\S+) (\S+), (\d+) tokens, (\d+) threads", f["what"])
        if f["subject"] == "kernels" and m:
            n = int(m[3])
            tokens.add(n)
            key = "GB/s" if n == 1 else "ms" if n <= 16 else "GMAC/s"
            if f["unit"] == key:
                cells[(m[1], m[2], m[4], n)] = f["ratio"]
    order = sorted(tokens)
    head = ["type", "cols x rows", "threads"] + ["%d tokens, %s" % (n, "of read" if n == 1 else "times one" if n <= 16 else "of peak") for n in order]
    rows = [list(k) + [number(cells[k + (n,)]) if k + (n,) in cells else "" for n in order] for k in dict.fromkeys(c[:3] for c in cells)]
    return table(head, rows) if rows else []


def plain_table(figures, subject):
    rows = [[f["what"], number(f["value"]), f["unit"], number(f["bound"]) if f["bound"] else "", f["of"], number(f["ratio"]) if f["ratio"] else ""]
            for f in figures if f["subject"] == subject and not f["what"].startswith("peak: ")]
    return table(["what", "value", "unit", "bound", "of", "ratio"], rows) if rows else []


def median(values):
    v = sorted(values)
    return (v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2


def peaks(figures):
    rows = []
    for name in ("read", "vnni", "fma"):
        v = [f["value"] for f in figures if f["what"] == "peak: " + name]
        if v:
            rows.append([name, number(min(v)), number(median(v)), number(max(v)), next(f["unit"] for f in figures if f["what"] == "peak: " + name)])
    return table(["peak", "least", "median", "most", "unit"], rows) if rows else []


def roofline(figures):
    """GMAC/s over MAC per byte of weights of the products, below what memory and multipliers give."""
    per = {}
    for f in figures:
        m = re.match(r"(\S+ 2048x5632), (\d+) tokens", f["what"])
        if f["subject"] == "kernels" and m and f["unit"] in ("GMAC/s", "GB/s"):
            per.setdefault(m[1].split()[0], {}).setdefault(int(m[2]), {})[f["unit"]] = f
    series = []
    for kind, lengths in per.items():
        one = lengths.get(1, {})
        if len(one) == 2:
            macs_per_byte = one["GMAC/s"]["value"] / one["GB/s"]["value"]       # at one token
            series.append((kind, [(n * macs_per_byte, u["GMAC/s"]["value"]) for n, u in lengths.items() if "GMAC/s" in u], False))
    if series:
        ones = [u for lengths in per.values() for n, u in lengths.items() if n == 1 and len(u) == 2]
        read = median([u["GB/s"]["bound"] for u in ones])
        low, high = min(x for _, v, _ in series for x, _ in v), max(x for _, v, _ in series for x, _ in v)
        for of in ("vnni", "fma"):
            top = [u["GMAC/s"]["bound"] for u in ones if u["GMAC/s"]["of"] == of]
            if top:
                bend = min(max(median(top) / read, low), high)
                series.append((of, [(low, read * low), (bend, median(top)), (high, median(top))], True))
    return svg.loglog("Products of 2048 x 5632 below the machine's limits", "multiplications per byte of weights", "GMAC/s", series)


def by_size(figures, what):
    size, series = {}, {}
    for f in figures:
        if f["subject"] == "model" and f["what"].endswith(": weights"):
            size[f["what"].split(":")[0]] = f["value"]
    for f in figures:
        name = f["what"].split(":")[0]
        if f["subject"] == "model" and f["what"].endswith(": " + what) and name in size:
            kind = re.sub(r".*-|\.gguf", "", name)
            got = series.setdefault(kind, ([], []))
            got[0].append((size[name], f["value"]))
            got[1].append((size[name], f["bound"]))
    lines = [one for kind, (ours, limit) in series.items() for one in ((kind, ours, False), (kind, [p for p in limit if p[1]], True))]
    return svg.loglog("%s; dashed: the limit of the machine" % what, "MB of weights", "tokens/s", lines)


def by_operation(figures):
    rows = {}
    for f in figures:
        m = re.match(r"(\S+): (\w+), (.*)", f["what"]) if f["subject"] == "profile" else None
        if m and m[3] != "waiting":
            rows.setdefault("%s %s" % (m[1].replace(".gguf", ""), m[2]), []).append((m[3], f["value"]))
    return svg.bars("Where the time goes", [(name, [(p, v / sum(v for _, v in parts)) for p, v in parts]) for name, parts in rows.items()])


def write(figures, about, folder):
    os.makedirs(folder, exist_ok=True)
    plots = (("roofline", roofline(figures)), ("prefill", by_size(figures, "prefill")), ("decode", by_size(figures, "decode")),
             ("operations", by_operation(figures)))
    for name, drawing in plots:
        with open(os.path.join(folder, name + ".svg"), "w") as f:
            f.write(drawing)
    text = ["# What was measured", ""] + table(["", ""], about)
    busy = [k for k, v in about if k.endswith("load before") and float(v.split()[0]) > BUSY]
    text += ["**Something else was running (%s above %.1f): these figures say little about the program.**" % (", ".join(busy), BUSY), ""] if busy else []
    text += peaks(figures)
    text += ["## What must be", "", "The worst of all figures counts. Ratios are to bounds of the same run; \"not measured\" says only that.", ""]
    text += table(["what", "must", "hope", "measured", "verdict"], [judge(m, figures) for m in MUSTS])
    text += ["![roofline](roofline.svg)", "", "![prefill](prefill.svg)", "", "![decode](decode.svg)", "", "![operations](operations.svg)", ""]
    for subject in dict.fromkeys(f["subject"] for f in figures):
        body = kernels_table(figures) if subject == "kernels" else plain_table(figures, subject)
        text += ["## " + subject, ""] + body if body else []
    with open(os.path.join(folder, "report.md"), "w") as f:
        f.write("\n".join(text))
    return os.path.join(folder, "report.md")


def load(path):
    with open(path) as f:
        lines = [json.loads(one) for one in f]
    return [one for one in lines if "subject" in one], next((one["about"] for one in lines if "about" in one), [])


def save(path, figures, about):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("".join(json.dumps(one) + "\n" for one in [{"about": about}] + figures))


def words(text):
    return [w for w in re.split(r"[ ,]+", text) if w]


def main():
    p = argparse.ArgumentParser(description="runs the benches and writes build/report/report.md")
    p.add_argument("--build", default="build")
    p.add_argument("--shared", default="../shared")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--models", type=words, default=words("smollm2-135m qwen2.5-0.5b tinyllama-1.1b llama-3.2-3b"))
    p.add_argument("--types", type=words, default=words("q4_0 q8_0 q4_k_m"))
    p.add_argument("--only", type=words, default=list(SUBJECTS), help="of " + " ".join(SUBJECTS))
    p.add_argument("--short", action="store_true")
    p.add_argument("--from", dest="source")
    args = p.parse_args()
    folder = os.path.join(args.build, "report")
    for unknown in set(args.only) - set(SUBJECTS):
        p.error("no subject %s" % unknown)
    if args.source:
        figures, about = load(args.source)
        failed = []
    else:
        about = machine(args.build)
        run = Run(args, None if args.short else os.path.join(folder, "figures.jsonl"), about)
        about.append(("load before", "%.2f %.2f %.2f" % os.getloadavg()))
        begin = time.time()
        (measure_short if args.short else measure)(run)
        about += [("load after", "%.2f %.2f %.2f" % os.getloadavg()), ("took", "%.0f s, medians of %d runs" % (time.time() - begin, args.runs))]
        figures, failed = run.figures, run.failed
        if not args.short:
            save(os.path.join(folder, "figures.jsonl"), figures, about)
    if args.short:
        write(figures, about, os.path.join(folder, "short"))
        for f in figures:
            if f["ratio"] is not None and f["subject"] != "profile":
                print("%-10s %-60s %10s %-12s %6s of %s" % (f["subject"], f["what"], number(f["value"]), f["unit"], number(f["ratio"]), f["of"]))
    else:
        peers = os.path.join(folder, "peers.jsonl")
        if os.path.exists(peers):
            more, theirs = load(peers)
            figures = figures + more
            about = about + [["peers: " + k, v] for k, v in theirs]
        print(write(figures, about, folder))
    for f in failed:
        print("failed: " + f, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
