"""llama.py -- llama.cpp, through llama-cpp-python's plain binding, as one of the engines of peers.py; the lines are those of ours.c.

    python bench/peers/llama.py MODEL THREADS CONTEXT

Its settings are its defaults, but for the threads, a context as long as ours, and a batch that takes the prompt at once. `memory` leaves out what the
interpreter and the library held before the model was opened; pages of the mapped file that it touched count, as they do for ours.
`info` says what the build uses of the CPU."""
import ctypes
import resource
import sys
import time

import llama_cpp as lib

LEAD = 16


def most_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6


@lib.llama_log_callback
def quiet(level, text, user):
    pass


def main():
    path, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    lib.llama_log_set(quiet, ctypes.c_void_p(0))
    lib.llama_backend_init()
    before = most_memory()
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    if not model:
        sys.exit("llama.py: %s cannot be opened" % path)
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = context, context, 512
    params.n_threads = params.n_threads_batch = threads
    session = lib.llama_init_from_model(model, params)
    if not session:
        sys.exit("llama.py: no context for %s" % path)
    vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    tokens = (ctypes.c_int32 * context)(*[i * 7919 % vocab for i in range(context)])

    def feed(at, n):
        part = ctypes.cast(ctypes.byref(tokens, at * 4), ctypes.POINTER(ctypes.c_int32))
        if lib.llama_decode(session, lib.llama_batch_get_one(part, n)):
            sys.exit("llama.py: %s: %d tokens at %d failed" % (path, n, at))

    def run(what, n):
        lib.llama_memory_clear(lib.llama_get_memory(session), True)
        lead = LEAD if what == "decode" else 0
        if lead:
            feed(0, lead)
            lib.llama_synchronize(session)
        start = time.perf_counter()
        for at in range(lead, lead + n, 1 if lead else n):
            feed(at, 1 if lead else n)
            lib.llama_synchronize(session)
        return time.perf_counter() - start

    print("ready", flush=True)
    for line in sys.stdin:
        what, _, n = line.strip().partition(" ")
        if what == "memory":
            print("%.3f" % (most_memory() - before), flush=True)
        elif what == "info":
            print(lib.llama_print_system_info().decode(), flush=True)
        else:
            print("%.6f" % run(what, int(n)), flush=True)


main()
