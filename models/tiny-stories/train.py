#!/usr/bin/env python3
"""Trains the tiny-stories model and writes it as GGUF: corpora, tokenizer, training, export, check.

    python3 train.py --data DIR [--work build] [--out tiny-stories.gguf] [--f32 FILE]

DIR holds stories/tinystories_slice.txt.gz and stories/children_public_domain.txt.gz.
The steps run in this order and each one can be had alone with --only:

    train    cleans the texts, sets the held-out part aside, trains the tokenizer and then the model;
             the checkpoint with the lowest held-out loss on stories stays in --work as best.pt
    export   writes best.pt as GGUF (Q8_0, and F32 when --f32 is given)
    check    reads the GGUF back with a parser, tokenizer and forward pass of its own in numpy: compares
             tokenizer and logits, measures the held-out loss in F32 and in Q8_0, prints samples

Everything random comes from --seed. One thread is used unless OMP_NUM_THREADS and OPENBLAS_NUM_THREADS say
otherwise. Float sums depend on the thread count and the BLAS library, and --minutes ties the schedule to the
clock, so another run does not give the same bytes.
"""
import argparse
import ctypes
import gzip
import hashlib
import math
import os
import re
import struct
import sys
import time

# Has to be said before numpy and torch are loaded. On a shared machine more threads than cores are slow.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

# Shape. Every row width is a multiple of 32, the Q8_0 block.
VOCAB, DIM, LAYERS, HEADS, KV_HEADS, FFN, CONTEXT = 2048, 192, 6, 6, 3, 448, 512
HEAD = DIM // HEADS
EPS, ROPE_BASE = 1e-5, 10000.0
UNK, BOS, EOS = 0, 1, 2

# Share of each corpus in a training batch.
MIX = {"stories": 0.6, "books": 0.4}


# ---------------------------------------------------------------------------------------------- corpora

def clean(text):
    """ASCII quotes and dashes, no _emphasis_ marks, one newline between paragraphs."""
    for a, b in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'),
                 ("\u2014", "--"), ("\u2013", "-"), ("_", ""), ("\r", "")):
        text = text.replace(a, b)
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r" ?\n[ \n]*", "\n", text).strip()


def chunks(lines, limit):
    """Runs of whole lines of about `limit` characters; the last run of a section may be shorter."""
    out, size = [[]], 0
    for line in lines:
        if size + len(line) > limit and out[-1]:
            out.append([])
            size = 0
        out[-1].append(line)
        size += len(line) + 1
    return ["\n".join(c) for c in out if c]


def sections_books(text):
    """Chapters and tales, without their headings (lines without small letters) and rulers."""
    out = [[]]
    for line in map(clean, text.split("\n")):
        if not line or line.startswith("[") or line.startswith("CHAPTER") or not re.search("[a-z]", line):
            out.append([])
        else:
            out[-1].append(line)
    return [s for s in out if sum(map(len, s)) > 200]


def held_out(chunk):
    """One in twenty, by content, so that copies of a text never end up on both sides."""
    return int.from_bytes(hashlib.sha1(chunk.encode()).digest()[:4], "big") % 20 == 0


def load_corpora(data):
    """name -> (training documents, held-out documents); a document is (text, is its end a real end)."""
    def read(path):
        path = os.path.join(data, path)
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
            return f.read().decode("utf-8")

    corpora = {}
    train, held = [], []
    for story in read("stories/tinystories_slice.txt.gz").split("<|endoftext|>"):
        story = clean(story)
        if story:
            (held if held_out(story) else train).append((story, True))
    corpora["stories"] = train, held

    # Books: the unit set aside is a chunk of about 1200 characters; what is left of a chapter between two
    # held-out chunks is one training document.
    train, held = [], []
    for section in sections_books(read("stories/children_public_domain.txt.gz")):
        run, parts = [], chunks(section, 1200)
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            if held_out(part):
                held.append((part, last))
                if run:
                    train.append(("\n".join(run), False))
                run = []
            else:
                run.append(part)
        if run:
            train.append(("\n".join(run), True))
    corpora["books"] = train, held
    return corpora


# ---------------------------------------------------------------------------------------------- tokenizer

def train_tokenizer(corpora, prefix):
    """SentencePiece BPE with byte fallback, on the training documents only; text is taken as it is."""
    import sentencepiece as spm
    path = prefix + ".txt"
    with open(path, "w", encoding="utf-8") as f:
        for name, times in (("stories", 2), ("books", 1)):
            for text, _ in corpora[name][0] * times:
                f.write(text + "\n")
    spm.SentencePieceTrainer.train(
        input=path, model_prefix=prefix, model_type="bpe", vocab_size=VOCAB, byte_fallback=True,
        character_coverage=0.9999, normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=True, split_digits=True, max_sentence_length=1 << 20, num_threads=1,
        unk_id=UNK, bos_id=BOS, eos_id=EOS, pad_id=-1, minloglevel=2)


def load_tokenizer(prefix):
    import sentencepiece as spm
    return spm.SentencePieceProcessor(model_file=prefix + ".model")


def encode(sp, doc):
    text, ends = doc
    return [BOS] + sp.encode(text) + ([EOS] if ends else [])


# ---------------------------------------------------------------------------------------------- training

def build_model(dropout, seed=0):
    import torch
    from torch import nn
    import torch.nn.functional as F

    rng, cut = np.random.default_rng(seed), round(dropout * 256)

    class Dropout(nn.Module):
        """nn.Dropout with masks from numpy, which is many times faster on a CPU; p in steps of 1/256."""

        def forward(self, x):
            if not self.training or not cut:
                return x
            keep = rng.integers(0, 256, x.shape, np.uint8) >= cut
            return x * torch.from_numpy(keep).float().mul_(256 / (256 - cut))

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(DIM))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * self.weight

    def rope(x, turn):  # x [B, n, T, HEAD]; the pair is (2i, 2i+1)
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], HEAD // 2, 2))
        return torch.view_as_real(z * turn).flatten(-2)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn_norm, self.ffn_norm = Norm(), Norm()
            self.attn_q = nn.Linear(DIM, HEADS * HEAD, bias=False)
            self.attn_k = nn.Linear(DIM, KV_HEADS * HEAD, bias=False)
            self.attn_v = nn.Linear(DIM, KV_HEADS * HEAD, bias=False)
            self.attn_output = nn.Linear(HEADS * HEAD, DIM, bias=False)
            self.ffn_gate = nn.Linear(DIM, FFN, bias=False)
            self.ffn_up = nn.Linear(DIM, FFN, bias=False)
            self.ffn_down = nn.Linear(FFN, DIM, bias=False)
            self.drop = Dropout()

        def forward(self, x, turn, mask):
            B, T, _ = x.shape
            h = self.attn_norm(x)
            q = rope(self.attn_q(h).view(B, T, HEADS, HEAD).transpose(1, 2), turn)
            k = rope(self.attn_k(h).view(B, T, KV_HEADS, HEAD).transpose(1, 2), turn)
            v = self.attn_v(h).view(B, T, KV_HEADS, HEAD).transpose(1, 2)
            # Query heads of one kv head are stacked along time, so that k and v need no copies.
            G = HEADS // KV_HEADS
            q = (q * HEAD ** -0.5).reshape(B * KV_HEADS, G * T, HEAD)
            s = torch.baddbmm(mask[:T, :T].repeat(G, 1), q, k.reshape(B * KV_HEADS, T, HEAD).transpose(1, 2))
            a = torch.bmm(s.softmax(-1), v.reshape(B * KV_HEADS, T, HEAD))
            a = a.view(B, HEADS, T, HEAD).transpose(1, 2).reshape(B, T, HEADS * HEAD)
            x = x + self.drop(self.attn_output(a))
            h = self.ffn_norm(x)
            return x + self.drop(self.ffn_down(self.drop(F.silu(self.ffn_gate(h)) * self.ffn_up(h))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embd = nn.Embedding(VOCAB, DIM)
            self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
            self.output_norm = Norm()
            self.drop = Dropout()
            for name, p in self.named_parameters():
                if p.dim() == 2:
                    residual = name.endswith(("attn_output.weight", "ffn_down.weight"))
                    nn.init.normal_(p, std=0.02 if "embd" in name else
                                    p.shape[1] ** -0.5 * ((2 * LAYERS) ** -0.5 if residual else 1.0))
            w = ROPE_BASE ** (-torch.arange(0, HEAD, 2).float() / HEAD)
            angle = torch.outer(torch.arange(CONTEXT).float(), w)
            self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle), persistent=False)
            self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), -1e9).triu(1), persistent=False)

        def forward(self, ids):
            x = self.drop(self.token_embd(ids))
            turn = self.turn[:ids.shape[1]]
            for block in self.blk:
                x = block(x, turn, self.mask)
            return F.linear(self.output_norm(x), self.token_embd.weight)

        def loss(self, ids):
            logits = self(ids[:, :-1])
            return F.cross_entropy(logits.reshape(-1, VOCAB), ids[:, 1:].reshape(-1), ignore_index=-1)

    return Model()


class Stream:
    """Training windows of one corpus: documents in a row, each begun by BOS; half of the windows are moved
    back to the start of a document when one lies in the half window before, as generation starts there."""

    def __init__(self, docs, rng, snap):
        self.rng, self.snap = rng, snap
        self.docs = [np.array(d, np.int64) for d in docs]
        self.shuffle()

    def shuffle(self):
        order = self.rng.permutation(len(self.docs))
        self.ids = np.concatenate([self.docs[i] for i in order])
        self.starts = np.cumsum([0] + [len(self.docs[i]) for i in order])[:-1]

    def window(self, n):
        at = int(self.rng.integers(0, len(self.ids) - n))
        if self.snap and self.rng.random() < 0.5:
            start = int(self.starts[np.searchsorted(self.starts, at, side="right") - 1])
            if at - start < n // 2:
                at = start
        return self.ids[at:at + n]


def windows(ids, n):
    """A document as windows of at most n inputs; each predicted token is predicted once."""
    return [ids[i:i + n + 1] for i in range(0, max(1, len(ids) - 1), n)]


def held_out_loss(model, docs):
    """Mean nats for each token, over all tokens but BOS."""
    import torch
    import torch.nn.functional as F
    model.eval()
    parts = sorted((w for d in docs for w in windows(d, CONTEXT)), key=len)
    total, count = 0.0, 0
    with torch.no_grad():
        for i in range(0, len(parts), 16):
            batch = parts[i:i + 16]
            n = max(map(len, batch))
            x = torch.tensor([w + [EOS] * (n - len(w)) for w in batch])
            y = torch.tensor([w[1:] + [-1] * (n - len(w)) for w in batch])
            logits = model(x[:, :-1])
            total += F.cross_entropy(logits.reshape(-1, VOCAB), y.reshape(-1), ignore_index=-1,
                                     reduction="sum").item()
            count += sum(len(w) - 1 for w in batch)
    model.train()
    return total / count


def keep_memory():
    """Tells glibc to keep freed memory: giving it back and faulting it in again costs a third of the time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 32 << 20)   # M_MMAP_THRESHOLD, its largest value
        mallopt(-1, 1 << 30)    # M_TRIM_THRESHOLD
        mallopt(-2, 256 << 20)  # M_TOP_PAD
    except (OSError, AttributeError):
        pass


def train(args, corpora):
    import torch
    torch.manual_seed(args.seed)
    prefix = os.path.join(args.work, "tokenizer")
    if not os.path.exists(prefix + ".model"):
        train_tokenizer(corpora, prefix)
    sp = load_tokenizer(prefix)
    held = {k: [encode(sp, d) for d in v[1]] for k, v in corpora.items()}
    streams = {}
    for i, (k, v) in enumerate(corpora.items()):
        docs = [encode(sp, d) for d in v[0]]
        streams[k] = Stream(docs, np.random.default_rng([args.seed, i]), k == "stories")
        print("%-12s train %4d documents %7d tokens, held out %3d documents %6d tokens" % (
            k, len(docs), sum(map(len, docs)), len(held[k]), sum(map(len, held[k]))))

    model = build_model(args.dropout, args.seed)
    keep_memory()
    print("parameters", sum(p.numel() for p in model.parameters()))
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    opt = torch.optim.AdamW([{"params": matrices, "weight_decay": args.decay},
                             {"params": others, "weight_decay": 0.0}], lr=args.lr, betas=(0.9, 0.98), eps=1e-8)
    names, shares = list(MIX), np.array([MIX[k] for k in MIX])
    rng = np.random.default_rng([args.seed, 99])
    warmup, begun, seen, recent, best = 200, time.time(), 0, [], float("inf")
    step, done = 0, 0.0
    while done < 1:
        # The last part of the run uses windows of the whole context, the part before windows half as long.
        n = CONTEXT if done >= 1 - args.long else CONTEXT // 2
        rows = args.batch // n
        pick = rng.choice(names, rows, p=shares / shares.sum())
        ids = torch.from_numpy(np.stack([streams[k].window(n + 1) for k in pick]))
        rate = min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for g in opt.param_groups:
            g["lr"] = args.lr * rate
        loss = model.loss(ids)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        seen += rows * n
        step += 1
        done = max(step / args.steps, (time.time() - begun) / 60 / args.minutes if args.minutes else 0)
        recent.append(loss.item())
        if step % 100 == 0:
            for s in streams.values():
                s.shuffle()
        if step % args.every == 0 or done >= 1:
            h = {k: held_out_loss(model, held[k]) for k in held}
            print("step %5d  %4.1f M tokens  %5.0f s  %5.0f tokens/s  lr %.5f  train %.4f  held out %s" % (
                step, seen / 1e6, time.time() - begun, seen / (time.time() - begun), args.lr * rate,
                np.mean(recent), "  ".join("%s %.4f" % kv for kv in h.items())), flush=True)
            recent = []
            if h["stories"] < best:
                best = h["stories"]
                torch.save({k: p for k, p in model.state_dict().items()}, os.path.join(args.work, "best.pt.new"))
                os.replace(os.path.join(args.work, "best.pt.new"), os.path.join(args.work, "best.pt"))


# ---------------------------------------------------------------------------------------------- export

U32, I32, F32T, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TYPE_F32, TYPE_Q8_0 = 0, 8


def q8_0(x):
    """Rows of blocks: d = amax/127 stored as f16, then 32 int8 round(x/d), halves away from zero."""
    b = x.astype(np.float32).reshape(-1, 32)
    d = np.abs(b).max(1, keepdims=True) / np.float32(127)
    r = np.divide(b, d, out=np.zeros_like(b), where=d > 0)
    q = np.clip(np.trunc(r + np.copysign(np.float32(0.5), r)), -127, 127).astype(np.int8)
    out = np.empty(len(b), dtype=[("d", "<f2"), ("q", "i1", 32)])
    out["d"], out["q"] = d[:, 0].astype(np.float16), q
    return out.tobytes()


def write_gguf(path, meta, tensors, quantize):
    """GGUF version 3. meta: (key, type, value), arrays as (key, (ARRAY, type), values)."""
    def value(t, v):
        if t == STRING:
            b = v.encode("utf-8")
            return struct.pack("<Q", len(b)) + b
        if isinstance(t, tuple):
            return struct.pack("<IQ", t[1], len(v)) + b"".join(value(t[1], e) for e in v)
        return struct.pack({U32: "<I", I32: "<i", F32T: "<f", BOOL: "<?"}[t], v)

    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(meta))]
    for key, t, v in meta:
        head += [value(STRING, key), struct.pack("<I", ARRAY if isinstance(t, tuple) else t), value(t, v)]
    blobs, offset = [], 0
    for name, x in tensors:
        kind = TYPE_Q8_0 if quantize and x.ndim == 2 else TYPE_F32
        blob = q8_0(x) if kind == TYPE_Q8_0 else x.astype("<f4").tobytes()
        head += [value(STRING, name), struct.pack("<I", x.ndim),
                 b"".join(struct.pack("<Q", n) for n in reversed(x.shape)), struct.pack("<IQ", kind, offset)]
        blobs.append(blob + bytes(-len(blob) % 32))
        offset += len(blobs[-1])
    head = b"".join(head)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % 32) + b"".join(blobs))


def export(args):
    import torch
    state = {k: v.numpy() for k, v in torch.load(os.path.join(args.work, "best.pt")).items()}
    sp = load_tokenizer(os.path.join(args.work, "tokenizer"))
    n = range(sp.get_piece_size())
    kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1 for i in n]
    meta = [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, "tiny-stories"),
        ("general.license", STRING, args.license),
        ("general.alignment", U32, 32),
        ("llama.context_length", U32, CONTEXT),
        ("llama.embedding_length", U32, DIM),
        ("llama.block_count", U32, LAYERS),
        ("llama.feed_forward_length", U32, FFN),
        ("llama.attention.head_count", U32, HEADS),
        ("llama.attention.head_count_kv", U32, KV_HEADS),
        ("llama.attention.layer_norm_rms_epsilon", F32T, EPS),
        ("llama.rope.dimension_count", U32, HEAD),
        ("llama.rope.freq_base", F32T, ROPE_BASE),
        ("llama.vocab_size", U32, VOCAB),
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", (ARRAY, STRING), [sp.id_to_piece(i) for i in n]),
        ("tokenizer.ggml.scores", (ARRAY, F32T), [sp.get_score(i) for i in n]),
        ("tokenizer.ggml.token_type", (ARRAY, I32), kinds),
        ("tokenizer.ggml.bos_token_id", U32, BOS),
        ("tokenizer.ggml.eos_token_id", U32, EOS),
        ("tokenizer.ggml.unknown_token_id", U32, UNK),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
        ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.ggml.add_space_prefix", BOOL, True),
    ]
    tensors = list(state.items())
    for path, quantize in ((args.out, True), (args.f32, False)):
        if path:
            write_gguf(path, meta + [("general.file_type", U32, 7 if quantize else 0)], tensors, quantize)
            print("%s: %d bytes, sha256 %s" % (os.path.basename(path), os.path.getsize(path),
                                               hashlib.sha256(open(path, "rb").read()).hexdigest()))


# ---------------------------------------------------------------------------------------------- check

def read_gguf(path):
    """(meta, tensors in float32) of a file of the kind written above; any padding but zero is an error."""
    data, at = open(path, "rb").read(), 0

    def take(fmt):
        nonlocal at
        v = struct.unpack_from("<" + fmt, data, at)
        at += struct.calcsize("<" + fmt)
        return v[0] if len(v) == 1 else v

    def value(t):
        nonlocal at
        if t == 8:
            n = take("Q")
            at += n
            return data[at - n:at].decode("utf-8")
        if t == 9:
            e, n = take("IQ")
            return [value(e) for _ in range(n)]
        return take({4: "I", 5: "i", 6: "f", 7: "?"}[t])

    assert take("4s") == b"GGUF" and take("I") == 3
    n_tensors, n_meta = take("QQ")
    meta = {}
    for _ in range(n_meta):
        key = value(8)
        meta[key] = value(take("I"))
    infos = []
    for _ in range(n_tensors):
        name = value(8)
        shape = [take("Q") for _ in range(take("I"))]
        infos.append((name, shape, *take("IQ")))
    base = (at + 31) // 32 * 32
    assert not any(data[at:base])
    tensors, end = {}, 0
    for name, shape, kind, offset in infos:
        assert offset == end and offset % 32 == 0
        n = int(np.prod(shape))
        size = n * 4 if kind == 0 else n // 32 * 34
        raw = data[base + offset:base + offset + size]
        if kind == 0:
            x = np.frombuffer(raw, "<f4")
        else:
            blocks = np.frombuffer(raw, np.uint8).reshape(-1, 34)
            x = blocks[:, :2].copy().view("<f2").astype(np.float32) * blocks[:, 2:].copy().view(np.int8)
        tensors[name] = x.reshape(shape[::-1])
        end = offset + (size + 31) // 32 * 32
    assert base + end == len(data)
    return meta, tensors


class Reference:
    """The model of a GGUF file in numpy, one document at a time."""

    def __init__(self, path):
        self.meta, self.w = read_gguf(path)
        m = lambda key: self.meta["llama." + key]
        self.layers, self.heads, self.kv = m("block_count"), m("attention.head_count"), m("attention.head_count_kv")
        self.eps, self.base, self.context = m("attention.layer_norm_rms_epsilon"), m("rope.freq_base"), m("context_length")

    def logits(self, ids):
        """[T][vocabulary] for the T ids of one window."""
        w, T = self.w, len(ids)
        x = w["token_embd.weight"][ids]
        D = x.shape[1] // self.heads
        angle = np.arange(T)[:, None] * self.base ** (-2.0 * np.arange(D // 2) / D)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

        def norm(x, name):
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * w[name]

        def turned(v, n):
            v = v.reshape(T, n, D)
            a, b = v[..., 0::2], v[..., 1::2]
            c, s = cos[:, None], sin[:, None]
            return np.stack([a * c - b * s, b * c + a * s], -1).reshape(T, n, D)

        future = np.triu(np.ones((T, T), bool), 1)
        for l in range(self.layers):
            p = "blk.%d." % l
            h = norm(x, p + "attn_norm.weight")
            q = turned(h @ w[p + "attn_q.weight"].T, self.heads)
            k = turned(h @ w[p + "attn_k.weight"].T, self.kv)
            v = (h @ w[p + "attn_v.weight"].T).reshape(T, self.kv, D)
            out = np.empty((T, self.heads, D), np.float32)
            for i in range(self.heads):
                j = i // (self.heads // self.kv)
                s = q[:, i] @ k[:, j].T / np.float32(math.sqrt(D))
                s[future] = -np.inf
                s = np.exp(s - s.max(1, keepdims=True))
                out[:, i] = s / s.sum(1, keepdims=True) @ v[:, j]
            x = x + out.reshape(T, -1) @ w[p + "attn_output.weight"].T
            h = norm(x, p + "ffn_norm.weight")
            g = h @ w[p + "ffn_gate.weight"].T
            x = x + (g / (1 + np.exp(-g)) * (h @ w[p + "ffn_up.weight"].T)) @ w[p + "ffn_down.weight"].T
        return norm(x, "output_norm.weight") @ w["token_embd.weight"].T

    def nats(self, docs):
        """Sum of -ln p over all tokens but BOS, and their number."""
        total, count = 0.0, 0
        for d in docs:
            for win in windows(d, self.context):
                z = self.logits(win[:-1]).astype(np.float64)
                m = z.max(1)
                total += (np.log(np.exp(z - m[:, None]).sum(1)) + m - z[np.arange(len(z)), win[1:]]).sum()
                count += len(z)
        return total, count

    def encode(self, text):
        """SentencePiece BPE from the file's own table: the best score first, of equal ones the leftmost."""
        tokens, scores = self.meta["tokenizer.ggml.tokens"], self.meta["tokenizer.ggml.scores"]
        ids = {t: i for i, t in enumerate(tokens)}
        parts = list((" " + text).replace(" ", "\u2581"))
        while True:
            pairs = [(-scores[ids[a + b]], i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ids]
            if not pairs:
                break
            i = min(pairs)[1]
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        return [i for p in parts for i in ([ids[p]] if p in ids else [ids["<0x%02X>" % b] for b in p.encode()])]

    def decode(self, ids):
        tokens, kinds = self.meta["tokenizer.ggml.tokens"], self.meta["tokenizer.ggml.token_type"]
        out = b"".join(b"" if kinds[i] == 3 else bytes([int(tokens[i][3:5], 16)]) if kinds[i] == 6
                       else tokens[i].replace("\u2581", " ").encode() for i in ids)
        return out.decode("utf-8", "replace").lstrip(" ")

    def generate(self, prompt, temperature, top_p, seed, limit):
        rng = np.random.default_rng(seed)
        ids = [BOS] + (self.encode(prompt) if prompt else [])
        while len(ids) < min(limit, self.context):
            z = self.logits(ids)[-1].astype(np.float64)
            if temperature == 0:
                t = int(z.argmax())
            else:
                p = np.exp((z - z.max()) / temperature)
                p /= p.sum()
                order = np.argsort(-p)
                keep = order[:int(np.searchsorted(np.cumsum(p[order]), top_p)) + 1]
                t = int(rng.choice(keep, p=p[keep] / p[keep].sum()))
            if t == EOS:
                break
            ids.append(t)
        return self.decode(ids)


def check(args, corpora):
    import torch
    sp = load_tokenizer(os.path.join(args.work, "tokenizer"))
    model = build_model(0.0)
    state = torch.load(os.path.join(args.work, "best.pt"))
    model.load_state_dict(state)
    model.eval()
    exact = args.f32 or os.path.join(args.work, "f32.gguf")
    if not args.f32:
        export(argparse.Namespace(**{**vars(args), "out": None, "f32": exact}))
    f32, q8 = Reference(exact), Reference(args.out)

    texts = [d[0] for docs in corpora.values() for d in docs[1][:5]] + ["caf\u00e9  \u4e16\u754c\n\n 12 \U0001f600", " ", "a"]
    wrong = sum(f32.encode(t) != sp.encode(t) for t in texts) + sum(f32.decode(sp.encode(t)) != t.lstrip(" ") for t in texts)
    print("tokenizer: %d texts, %d differences between the file's table and the SentencePiece library" % (len(texts), wrong))

    ids = encode(sp, corpora["stories"][1][0])[:CONTEXT]
    with torch.no_grad():
        a = model(torch.tensor([ids]))[0].numpy()
        for k in state:
            if state[k].dim() == 2:
                state[k] = torch.from_numpy(q8.w[k].copy())
        model.load_state_dict(state)
        b = model(torch.tensor([ids]))[0].numpy()
    print("logits, training code against numpy on the GGUF, largest difference: F32 %.2g, Q8_0 %.2g (of %.1f)" % (
        np.abs(a - f32.logits(ids)).max(), np.abs(b - q8.logits(ids)).max(), np.abs(a).max()))

    figures = {}
    for k, (_, held) in corpora.items():
        docs, size = [encode(sp, d) for d in held], sum(len(d[0].encode()) for d in held)
        for kind, ref in (("f32", f32), ("q8_0", q8)):
            total, count = ref.nats(docs)
            figures[k, kind] = total / count
            print("held out %-12s %-4s %3d documents %6d tokens %6d bytes: %.4f nats a token, %.4f bits a byte" % (
                k, kind, len(docs), count, size, total / count, total / math.log(2) / size))
    for prompt, temperature, seed in (("Once upon a time", 0, 0), ("", 0.7, 1), ("Once upon a time", 0.7, 2),
                                      ("Tom and Lily went to the park.", 0.7, 3)):
        print("--- temperature %.1f, top-p 0.9, seed %d, prompt %r\n%s" % (
            temperature, seed, prompt, q8.generate(prompt, temperature, 0.9, seed, 300)))


# ---------------------------------------------------------------------------------------------- program

def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--data", required=True, help="folder of the three corpora")
    p.add_argument("--work", default="build", help="folder for tokenizer and checkpoint")
    p.add_argument("--out", default="tiny-stories.gguf", help="the model, Q8_0")
    p.add_argument("--f32", help="the model without quantization, if wanted")
    p.add_argument("--only", choices=("train", "export", "check"))
    p.add_argument("--license", default="MIT", help="written as general.license")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=6500)
    p.add_argument("--minutes", type=float, help="ends the schedule by then, whatever --steps says")
    p.add_argument("--batch", type=int, default=2048, help="tokens a step")
    p.add_argument("--long", type=float, default=0.25, help="share of the steps with whole-context windows")
    p.add_argument("--every", type=int, default=200, help="steps between held-out measurements")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--dropout", type=float, default=0.2)
    args = p.parse_args()
    os.makedirs(args.work, exist_ok=True)
    corpora = load_corpora(args.data)
    if args.only in (None, "train"):
        train(args, corpora)
    if args.only in (None, "export"):
        export(args)
    if args.only in (None, "check"):
        check(args, corpora)


if __name__ == "__main__":
    sys.exit(main())
