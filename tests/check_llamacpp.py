#!/usr/bin/env python3
"""check_llamacpp.py SLM DIR -- do other programs open what `slm convert` writes? Folders made from the golden models of DIR, with their
tokenizers, are converted; llama.cpp, through llama-cpp-python, opens each file, and its logits are held against the golden ones.

That engine takes gelu from a table indexed by f16 values, which moves logits by up to 2e-3 of the largest; every mistake in names, order
of rows or keys moves them by more than 3e-3 (README of the golden models)."""
import json, os, sys, tempfile
import folders

NAMES = ['llama-plain', 'llama-bias', 'llama-llama3rope', 'llama-linear', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3', 'phi2', 'phi3', 'smollm3',
         'gpt2', 'olmo2', 'stablelm', 'starcoder2', 'granite']
MOST, LEAST = 3e-3, 6


def main(slm, folder):
    import llama_cpp
    import numpy
    agreed = 0
    with tempfile.TemporaryDirectory() as work:
        for name, meta, model in folders.golden(folder, NAMES):
            source, out = os.path.join(work, name), os.path.join(work, name + '.gguf')
            folders.make(model, source)
            code, _, err = folders.run(slm, 'convert', '-q', source, out)
            if code:
                folders.say(False, name, err)
                continue
            try:
                peer = llama_cpp.Llama(out, n_ctx=256, n_threads=2, logits_all=True, flash_attn=False, type_k=0, type_v=0, verbose=False)
                peer.eval(meta['tokens'])
                got = numpy.array(peer.scores[:len(meta['tokens'])], dtype=numpy.float64)
            except Exception as e:          # whatever it says, it did not open the file
                folders.say(False, name, 'llama.cpp: %s' % e)
                continue
            want = numpy.fromfile(os.path.join(folder, name + '.logits'), dtype='<f4').reshape(-1, meta['row_width']).astype(numpy.float64)
            worst = float(numpy.abs(got[-len(want):, :want.shape[1]] - want).max() / numpy.abs(want).max())
            folders.say(worst <= MOST, name, 'differs by %.2g of the largest logit, allowed %.2g' % (worst, MOST))
            agreed += worst <= MOST
            print('%-18s %.2g of the largest logit' % (name, worst))
    print('llama.cpp: %d of %d files agree (%d wanted)' % (agreed, len(NAMES), LEAST))
    return 0 if agreed >= LEAST and not folders.FAILED else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else print(__doc__) or 2)
