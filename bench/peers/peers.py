"""peers.py -- other engines on the same files in the same run: llama.cpp beside libslm, OpenBLAS beside our products of floats.

    python3 bench/peers/peers.py --llama VENV/bin/python [--runs 5] [--models ...] [--types ...] [--only llama,sgemm]

Two processes hold the same model and take turns, ours first in every other round; after each turn there is a rest, in which threads that
wait by spinning give up. The first turn of each warms up. The ratio is the median of the rounds' ratios. Figures go to
build/report/peers.jsonl, where bench/report.py finds them, and to stdout."""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import report
from report import figure, median, number

PROMPT, DECODED, LEAD, REST = 512, 64, 16, 0.1


class Engine:
    """A process that does what it is told a line at a time."""

    def __init__(self, *command):
        self.command = " ".join(command)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("%s: ended: %s" % (self.command, self.process.stderr.read()[-300:]))
        return line.strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def seconds(self, what, tokens):
        taken = float(self.ask("%s %d" % (what, tokens)))
        time.sleep(REST)
        return taken

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def side_by_side(args, path):
    """Figures of one model, and what the other build uses of the CPU."""
    name, context = os.path.basename(path), max(PROMPT, LEAD + DECODED)
    found, engines = [], []
    rest = (path, str(args.threads), str(context))
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        for command in ((os.path.join(args.build, "bin", "ours"),), (args.llama, os.path.join(here, "llama.py"))):
            engines.append(Engine(*command, *rest))
            engines[-1].answer()
        ours, llama = engines
        peaks = []
        for what, tokens in (("prefill", PROMPT), ("decode", args.decode)):
            taken = {ours: [], llama: []}
            for turn in range(args.runs + 1):
                for engine in (engines if turn % 2 else engines[::-1]):
                    seconds = engine.seconds(what, tokens)
                    if turn:
                        taken[engine].append(seconds)
            mine, other = tokens / median(taken[ours]), tokens / median(taken[llama])
            ratio = median([b / a for a, b in zip(taken[ours], taken[llama])])
            found.append(figure("peers", "%s: %s beside llama.cpp" % (name, what), mine, "tokens/s", other, "llama.cpp", ratio))
        memory = [float(e.ask("memory")) for e in engines]
        for _ in range(2):
            peaks.append([float(v) for v in ours.ask("peaks").split()])
        found.append(figure("peers", "%s: peak memory beside llama.cpp" % name, memory[0], "MB", memory[1], "llama.cpp", memory[0] / memory[1]))
        for i, (short, unit) in enumerate((("read", "GB/s"), ("vnni", "GMAC/s"), ("fma", "GFLOP/s"))):
            found.append(figure("peers", "peak: " + short, sum(p[i] for p in peaks) / len(peaks), unit))
        return found, llama.ask("info")
    finally:
        for e in engines:
            e.close()


def main():
    p = argparse.ArgumentParser(description="other engines beside libslm; build/report/peers.jsonl")
    p.add_argument("--build", default="build")
    p.add_argument("--llama", help="a Python that has llama-cpp-python built for this machine")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--decode", type=int, default=DECODED, help="tokens decoded in a turn")
    p.add_argument("--models", type=report.words, default=report.words("smollm2-135m qwen2.5-0.5b tinyllama-1.1b llama-3.2-3b"))
    p.add_argument("--types", type=report.words, default=report.words("q4_0 q8_0 q4_k_m"))
    p.add_argument("--only", type=report.words, default=["llama", "sgemm"])
    p.add_argument("--cols", type=int, default=0, help="of sgemm: only shapes of so many columns")
    args = p.parse_args()
    about, figures, failed = report.machine(args.build), [], 0
    about.append(("load before", "%.2f %.2f %.2f" % os.getloadavg()))

    def show(found):
        figures.extend(found)
        for f in found:
            if f["ratio"] is not None:
                print("%-64s %8s %-8s %8s %-10s %6s" % (f["what"], number(f["value"]), f["unit"], number(f["bound"]), f["of"], number(f["ratio"])), flush=True)

    if "sgemm" in args.only:
        # What OpenBLAS takes for an unknown CPU may lack AVX-512: the better of its two choices is the one to compare with.
        for core in (None, "SkylakeX") if "avx512f" in open("/proc/cpuinfo").read() else (None,):
            run = report.Run(args)
            if core:
                os.environ["OPENBLAS_CORETYPE"] = core
            run.bench("sgemm", "-t", args.threads, "-n", args.runs, *(("-c", args.cols) if args.cols else ()))
            show(run.figures)
            failed += len(run.failed)
        os.environ.pop("OPENBLAS_CORETYPE", None)
    if "llama" in args.only:
        if not args.llama:
            p.error("--llama PYTHON is needed")
        for model in args.models:
            for kind in args.types:
                try:
                    found, info = side_by_side(args, os.path.join(args.build, "models", "%s-%s.gguf" % (model, kind)))
                except RuntimeError as error:
                    print("failed: %s" % error, file=sys.stderr)
                    failed += 1
                    continue
                if all(k != "llama.cpp" for k, _ in about):
                    about.append(("llama.cpp", info))
                show(found)
    about += [("load after", "%.2f %.2f %.2f" % os.getloadavg()), ("took", "medians of %d runs" % args.runs)]
    report.save(os.path.join(args.build, "report", "peers.jsonl"), figures, about)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
