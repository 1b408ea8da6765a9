#!/usr/bin/env python3
"""folders.py -- Hugging Face folders made from GGUF models, the inverse of `slm convert`, and what the program makes of them.

  folders.py make GGUF FOLDER [--shards N] [--dtype F32|F16|BF16]    writes config.json, safetensors, chat template
  folders.py check SLM DIR [NAME ...]     each golden model of DIR: to a folder, converted back: the same tensors to the bit, and the same
                                          logits to the bit from the file, the folder itself and shards of it
  folders.py variants SLM SHARED          other families of the same kind, narrower types, and the real BERT of SHARED/models
  folders.py tokenizers SLM SHARED        folders with the tokenizers of SHARED/tokenizers/hf: the ids they are known to give, from the
                                          folder and from the converted file, whose vocabulary is as long as the embedding has rows
  folders.py convert SLM DIR OUT          the converted models with the fixtures beside them, for check.py

Names and numbers stand here a second time and in the other direction, so that a mistake in the library's table shows. Python 3.8 alone.
"""
import array, json, math, os, shutil, struct, subprocess, sys, tempfile

# ---- GGUF --------------------------------------------------------------------------------------------------------------------

KINDS = {0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q', 11: 'q', 12: 'd'}


class Gguf:
    def __init__(self, path):
        self.data, self.pos, self.keys, self.tensors = open(path, 'rb').read(), 8, {}, {}
        self.places = {}
        n_tensors, n_keys = self.take('QQ')
        for _ in range(n_keys):
            name = self.text()
            kind = self.take('I')[0]
            self.places[name] = self.pos
            self.keys[name] = self.value(kind)
        table = []
        for _ in range(n_tensors):
            name = self.text()
            dims = self.take('%dQ' % self.take('I')[0])
            table.append((name, dims) + self.take('IQ'))
        start = (self.pos + 31) // 32 * 32
        for name, dims, kind, offset in table:
            if kind != 0:
                sys.exit('%s: tensor %s is not F32' % (path, name))
            values = array.array('f')
            n = 1
            for d in dims:
                n *= d
            values.frombytes(self.data[start + offset:start + offset + 4 * n])
            self.places[name] = start + offset
            self.tensors[name] = (tuple(reversed(dims)), values)     # shape: slowest first, as in safetensors

    def take(self, form):
        v = struct.unpack_from('<' + form, self.data, self.pos)
        self.pos += struct.calcsize('<' + form)
        return v

    def text(self):
        n = self.take('Q')[0]
        self.pos += n
        return self.data[self.pos - n:self.pos].decode('utf-8', 'replace')

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            element, n = self.take('IQ')
            return [self.value(element) for _ in range(n)]
        return self.take(KINDS[kind])[0]


# ---- safetensors -------------------------------------------------------------------------------------------------------------

def narrow(values, dtype):
    if dtype == 'F32':
        return values.tobytes()
    if dtype == 'F16':
        return struct.pack('<%de' % len(values), *values)
    bits = array.array('I', values.tobytes())
    return array.array('H', (((b + 0x7fff + (b >> 16 & 1)) >> 16) & 0xffff for b in bits)).tobytes()


def write_safetensors(path, tensors):
    """tensors: {name: (dtype, shape, bytes)}"""
    head, at = {'__metadata__': {'format': 'pt'}}, 0
    for name, (dtype, shape, data) in tensors.items():
        head[name] = {'dtype': dtype, 'shape': list(shape), 'data_offsets': [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


# ---- families ----------------------------------------------------------------------------------------------------------------

LLAMA = {'token_embd': 'model.embed_tokens', 'output_norm': 'model.norm', 'output': 'lm_head',
         'attn_norm': 'input_layernorm', 'ffn_norm': 'post_attention_layernorm', 'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj',
         'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj', 'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj',
         'ffn_down': 'mlp.down_proj', 'attn_q_norm': 'self_attn.q_norm', 'attn_k_norm': 'self_attn.k_norm', 'layer': 'model.layers.%s.'}
GEMMA2 = dict(LLAMA, post_attention_norm='post_attention_layernorm', ffn_norm='pre_feedforward_layernorm',
              post_ffw_norm='post_feedforward_layernorm')
OLMO2 = dict(LLAMA, post_attention_norm='post_attention_layernorm', post_ffw_norm='post_feedforward_layernorm')
PHI3 = dict(LLAMA, attn_qkv='self_attn.qkv_proj', ffn_up='mlp.gate_up_proj')
PHI2 = dict(LLAMA, output_norm='model.final_layernorm', attn_output='self_attn.dense', ffn_up='mlp.fc1', ffn_down='mlp.fc2')
STARCODER2 = dict(LLAMA, ffn_up='mlp.c_fc', ffn_down='mlp.c_proj')
GPT2 = {'token_embd': 'transformer.wte', 'position_embd': 'transformer.wpe', 'output_norm': 'transformer.ln_f', 'output': 'lm_head',
        'attn_norm': 'ln_1', 'attn_qkv': 'attn.c_attn', 'attn_output': 'attn.c_proj', 'ffn_norm': 'ln_2', 'ffn_up': 'mlp.c_fc',
        'ffn_down': 'mlp.c_proj', 'layer': 'transformer.h.%s.'}
BERT = {'token_embd': 'embeddings.word_embeddings', 'position_embd': 'embeddings.position_embeddings',
        'token_types': 'embeddings.token_type_embeddings', 'token_embd_norm': 'embeddings.LayerNorm', 'layer': 'encoder.layer.%s.',
        'attn_q': 'attention.self.query', 'attn_k': 'attention.self.key', 'attn_v': 'attention.self.value',
        'attn_output': 'attention.output.dense', 'attn_output_norm': 'attention.output.LayerNorm', 'ffn_up': 'intermediate.dense',
        'ffn_down': 'output.dense', 'layer_output_norm': 'output.LayerNorm'}
DISTILBERT = {'token_embd': 'distilbert.embeddings.word_embeddings', 'position_embd': 'distilbert.embeddings.position_embeddings',
              'token_embd_norm': 'distilbert.embeddings.LayerNorm', 'layer': 'distilbert.transformer.layer.%s.',
              'attn_q': 'attention.q_lin', 'attn_k': 'attention.k_lin', 'attn_v': 'attention.v_lin', 'attn_output': 'attention.out_lin',
              'attn_output_norm': 'sa_layer_norm', 'ffn_up': 'ffn.lin1', 'ffn_down': 'ffn.lin2', 'layer_output_norm': 'output_layer_norm'}
NOMIC = {'token_embd': 'embeddings.word_embeddings', 'token_types': 'embeddings.token_type_embeddings', 'token_embd_norm': 'emb_ln',
         'layer': 'encoder.layers.%s.', 'attn_qkv': 'attn.Wqkv', 'attn_output': 'attn.out_proj', 'attn_output_norm': 'norm1',
         'ffn_up': 'mlp.fc11', 'ffn_gate': 'mlp.fc12', 'ffn_down': 'mlp.fc2', 'layer_output_norm': 'norm2'}
MODERN = {'token_embd': 'model.embeddings.tok_embeddings', 'token_embd_norm': 'model.embeddings.norm', 'output_norm': 'model.final_norm',
          'layer': 'model.layers.%s.', 'attn_norm': 'attn_norm', 'attn_qkv': 'attn.Wqkv', 'attn_output': 'attn.Wo', 'ffn_norm': 'mlp_norm',
          'ffn_up': 'mlp.Wi', 'ffn_down': 'mlp.Wo'}
T5 = {'token_embd': 'shared', 'output_norm': 'encoder.final_layer_norm', 'layer': 'encoder.block.%s.layer.', 'attn_norm': '0.layer_norm',
      'attn_q': '0.SelfAttention.q', 'attn_k': '0.SelfAttention.k', 'attn_v': '0.SelfAttention.v', 'attn_o': '0.SelfAttention.o',
      'attn_rel_b': '0.SelfAttention.relative_attention_bias', 'ffn_norm': '1.layer_norm', 'ffn_gate': '1.DenseReluDense.wi_0',
      'ffn_up': '1.DenseReluDense.wi_1', 'ffn_down': '1.DenseReluDense.wo'}

SILU = {'hidden_act': 'silu'}
FAMILIES = {    # GGUF's architecture: names, model_type, class, what its config has besides
    'llama': (LLAMA, 'llama', 'LlamaForCausalLM', SILU), 'qwen2': (LLAMA, 'qwen2', 'Qwen2ForCausalLM', dict(SILU, use_sliding_window=False)),
    'qwen3': (LLAMA, 'qwen3', 'Qwen3ForCausalLM', SILU), 'smollm3': (LLAMA, 'smollm3', 'SmolLM3ForCausalLM', SILU),
    'granite': (LLAMA, 'granite', 'GraniteForCausalLM', SILU),
    'gemma': (LLAMA, 'gemma', 'GemmaForCausalLM', {'hidden_act': 'gelu_pytorch_tanh', 'hidden_activation': None}),
    'gemma2': (GEMMA2, 'gemma2', 'Gemma2ForCausalLM', {'hidden_activation': 'gelu_pytorch_tanh'}),
    'gemma3': (GEMMA2, 'gemma3_text', 'Gemma3ForCausalLM', {'hidden_activation': 'gelu_pytorch_tanh'}),
    'phi2': (PHI2, 'phi', 'PhiForCausalLM', {'hidden_act': 'gelu_new', 'qk_layernorm': False}),
    'phi3': (PHI3, 'phi3', 'Phi3ForCausalLM', SILU), 'gpt2': (GPT2, 'gpt2', 'GPT2LMHeadModel', {'activation_function': 'gelu_new'}),
    'olmo2': (OLMO2, 'olmo2', 'Olmo2ForCausalLM', SILU), 'stablelm': (LLAMA, 'stablelm', 'StableLmForCausalLM', SILU),
    'starcoder2': (STARCODER2, 'starcoder2', 'Starcoder2ForCausalLM', {'hidden_act': 'gelu_pytorch_tanh'}),
    'bert': (BERT, 'bert', 'BertModel', {'hidden_act': 'gelu', 'position_embedding_type': 'absolute'}),
    'nomic-bert': (NOMIC, 'nomic_bert', 'NomicBertModel', {'activation_function': 'swiglu', 'prenorm': False, 'rotary_emb_fraction': 1.0}),
    'modern-bert': (MODERN, 'modernbert', 'ModernBertModel', {'hidden_activation': 'gelu', 'norm_bias': False, 'mlp_bias': False}),
    't5encoder': (T5, 't5', 'T5EncoderModel', {'feed_forward_proj': 'gated-gelu', 'relative_attention_max_distance': 128}),
}
TURNED = ('llama', 'smollm3', 'granite')
NO_HF_VOCAB = 'gpt2'


def f32_text(x):
    """The double whose nearest float is x, as short as it can be written."""
    for digits in range(1, 18):
        t = float('%.*g' % (digits, x))
        if struct.unpack('<f', struct.pack('<f', t))[0] == x:
            return t
    return x


def config_of(g, name):
    a = g.keys['general.architecture']
    key = lambda k, default=None: g.keys.get(a + '.' + k, default)
    real = lambda k, default=None: f32_text(key(k)) if key(k) is not None else default
    _, model_type, cls, extra = FAMILIES[a]
    heads, e = key('attention.head_count'), key('embedding_length')
    d = key('attention.key_length', e // heads)
    vocab = g.tensors['token_embd.weight'][0][0]
    c = {'architectures': [cls], 'model_type': model_type, 'torch_dtype': 'float32', 'vocab_size': vocab, 'bos_token_id': 1, 'eos_token_id': 2}
    c.update(extra)
    if a in ('gpt2', 'nomic-bert'):
        c.update(n_positions=key('context_length'), n_embd=e, n_layer=key('block_count'), n_head=heads, n_inner=key('feed_forward_length'),
                 layer_norm_epsilon=real('attention.layer_norm_epsilon'))
    elif a == 't5encoder':
        c.update(n_positions=key('context_length'), d_model=e, num_layers=key('block_count'), num_heads=heads, d_kv=d,
                 d_ff=key('feed_forward_length'), layer_norm_epsilon=real('attention.layer_norm_rms_epsilon'),
                 relative_attention_num_buckets=key('attention.relative_buckets_count'))
    else:
        c.update(max_position_embeddings=key('context_length'), hidden_size=e, num_hidden_layers=key('block_count'),
                 num_attention_heads=heads, intermediate_size=key('feed_forward_length'))
        if key('attention.head_count_kv') is not None:
            c['num_key_value_heads'] = key('attention.head_count_kv')
        if key('attention.key_length') is not None:
            c['head_dim'] = d
        if key('rope.freq_base') is not None and a != 'modern-bert':
            c['rope_theta'] = real('rope.freq_base')
        if key('attention.layer_norm_rms_epsilon') is not None:
            c['rms_norm_eps'] = real('attention.layer_norm_rms_epsilon')
        elif a == 'modern-bert':
            c['norm_eps'] = real('attention.layer_norm_epsilon')
        elif a == 'starcoder2':
            c['norm_epsilon'] = real('attention.layer_norm_epsilon')
        else:
            c['layer_norm_eps'] = real('attention.layer_norm_epsilon')
    if 'output.weight' not in g.tensors and FAMILIES[a][0] in (LLAMA, GEMMA2, OLMO2, PHI3, PHI2, STARCODER2):
        c['tie_word_embeddings'] = True
    elif 'output.weight' in g.tensors:
        c['tie_word_embeddings'] = False
    if a in ('bert', 'nomic-bert'):
        c['type_vocab_size'] = g.keys['tokenizer.ggml.token_type_count']
    if a == 'nomic-bert':
        c['rotary_emb_base'] = real('rope.freq_base')
    if a == 'modern-bert':
        c.update(global_rope_theta=real('rope.freq_base'), local_rope_theta=real('rope.freq_base_swa'),
                 local_attention=key('attention.sliding_window'), global_attn_every_n_layers=key('attention.sliding_window_pattern'))
    if a in ('phi2', 'stablelm'):
        c['partial_rotary_factor'] = key('rope.dimension_count') / d
    if a == 'stablelm':
        c['use_parallel_residual'] = key('use_parallel_residual')
    if a == 'granite':
        c.update(attention_multiplier=real('attention.scale'), embedding_multiplier=real('embedding_scale'),
                 residual_multiplier=real('residual_scale'), logits_scaling=real('logit_scale'))
    if a == 'smollm3':
        c['no_rope_layers'] = [int((i + 1) % 4 != 0) for i in range(key('block_count'))]
    if a in ('gemma2', 'gemma3'):
        c.update(query_pre_attn_scalar=d, sliding_window=key('attention.sliding_window'))
    if a == 'gemma2':
        c.update(attn_logit_softcapping=real('attn_logit_softcapping'), final_logit_softcapping=real('final_logit_softcapping'))
    if a == 'gemma3':
        pattern = key('attention.sliding_window_pattern')
        c.update(rope_local_base_freq=real('rope.freq_base_swa', 10000.0), final_logit_softcapping=real('final_logit_softcapping'))
        if isinstance(pattern, list):
            c['layer_types'] = ['sliding_attention' if w else 'full_attention' for w in pattern]
        else:
            c['sliding_window_pattern'] = pattern or 6
    if a == 'phi3':
        c['original_max_position_embeddings'] = key('rope.scaling.original_context_length')
        c['sliding_window'] = key('attention.sliding_window') or None
    kind = key('rope.scaling.type')
    if kind in ('linear', 'yarn'):
        c['rope_scaling'] = {'rope_type': kind, 'factor': real('rope.scaling.factor')}
        if kind == 'yarn':
            c['rope_scaling']['original_max_position_embeddings'] = key('rope.scaling.original_context_length')
    if 'rope_freqs.weight' in g.tensors:
        c['rope_scaling'] = llama3_of(g, c)
    if 'rope_factors_long.weight' in g.tensors:
        c['rope_scaling'] = {'type': 'longrope', 'short_factor': [f32_text(v) for v in g.tensors['rope_factors_short.weight'][1]],
                             'long_factor': [f32_text(v) for v in g.tensors['rope_factors_long.weight'][1]]}
    return c


def llama3_of(g, c):
    """The numbers that give the factors of the file: searched among round ones."""
    want = g.tensors['rope_freqs.weight'][1]
    d, base = 2 * len(want), c['rope_theta']
    w = [base ** (-2 * i / d) for i in range(d // 2)]
    for original in (32, 64, 128, 256, 512, 1024, 8192):
        for factor in (2.0, 4.0, 8.0, 16.0, 32.0):
            for low, high in ((1.0, 4.0), (1.0, 2.0), (0.5, 4.0), (1.0, 8.0)):
                ok = True
                for v, f in zip(w, want):
                    wave = 2 * math.pi / v
                    s = (original / wave - low) / (high - low)
                    x = 1.0 if wave < original / high else factor if wave > original / low else 1 / ((1 - s) / factor + s)
                    ok = ok and struct.unpack('<f', struct.pack('<f', x))[0] == f
                if ok:
                    return {'rope_type': 'llama3', 'factor': factor, 'low_freq_factor': low, 'high_freq_factor': high,
                            'original_max_position_embeddings': original}
    sys.exit('no round numbers give the rope factors')


def rows_of(values, cols):
    return [values[i:i + cols] for i in range(0, len(values), cols)]


def unturn(values, rows, heads):
    """GGUF's rows of pairs back to halves."""
    cols, d = len(values) // rows, rows // heads
    out = array.array('f', bytes(4 * len(values)))
    for r in range(rows):
        h, k = divmod(r, d)
        to = h * d + k % 2 * (d // 2) + k // 2
        out[to * cols:(to + 1) * cols] = values[r * cols:(r + 1) * cols]
    return out


def minus_one(values):
    return array.array('f', (v - 1 for v in values))


def plus_one(values):
    return array.array('f', (v + 1 for v in values))


def changed(path, copy, change=None, keys=()):
    """A copy of the model in which change(name, values) gives a tensor its values, None: as they are, and keys have other floats."""
    g = Gguf(path)
    data = bytearray(g.data)
    for name, (_, values) in g.tensors.items():
        new = change(name, values) if change else None
        if new is not None:
            data[g.places[name]:g.places[name] + 4 * len(values)] = new.tobytes()
    for name, value in keys:
        struct.pack_into('<f', data, g.places[name], value)
    with open(copy, 'wb') as f:
        f.write(data)
    return copy


def reference(path, work):
    """The model itself, or for gemma a copy whose norms are floats plus 1: not every float is, and a folder can hold no other."""
    if not Gguf(path).keys['general.architecture'].startswith('gemma'):
        return path
    return changed(path, os.path.join(work, 'reference-' + os.path.basename(path)),
                   lambda name, values: plus_one(minus_one(values)) if name.endswith('_norm.weight') else None)


def tensors_of(g):
    a = g.keys['general.architecture']
    names, model_type = FAMILIES[a][:2]
    heads = g.keys[a + '.attention.head_count']
    kv = g.keys.get(a + '.attention.head_count_kv', heads)
    out = {}
    for name, (shape, values) in g.tensors.items():
        if name.startswith('rope_f'):
            continue
        base, suffix = name.rsplit('.', 1)
        base = base[4:] if base.startswith('enc.') else base
        layer = None
        if base.startswith('blk.'):
            _, layer, base = base.split('.', 2)
        if base not in names:
            sys.exit('%s: no name for %s' % (a, name))
        hf = (names['layer'] % layer if layer is not None else '') + names[base]
        if a in TURNED and base in ('attn_q', 'attn_k'):
            values = unturn(values, shape[0], heads if base == 'attn_q' else kv)
        if a.startswith('gemma') and base.endswith('_norm'):
            values = minus_one(values)
        if a == 'gpt2' and base in ('attn_qkv', 'attn_output', 'ffn_up', 'ffn_down') and len(shape) == 2:
            rows = rows_of(values, shape[1])
            values, shape = array.array('f', (x for column in zip(*rows) for x in column)), (shape[1], shape[0])
        if a == 'stablelm' and base in ('attn_q_norm', 'attn_k_norm'):
            for h, row in enumerate(rows_of(values, shape[1])):
                out['%sself_attn.%s_layernorm.norms.%d.%s' % (names['layer'] % layer, base[5], h, suffix)] = ((shape[1],), row)
            continue
        out[hf + '.' + suffix] = (shape, values)
    if a == 'gpt2':     # a buffer that published files have
        out['transformer.h.0.attn.bias'] = ((1, 1, 2, 2), array.array('f', [1, 0, 1, 1]))
    return out


# ---- tokenizers --------------------------------------------------------------------------------------------------------------

def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def write_tokenizer(g, folder):
    """tokenizer.model of SentencePiece BPE, tokenizer.json of byte-level BPE and WordPiece; none for unigram."""
    key = lambda k, default=None: g.keys.get('tokenizer.ggml.' + k, default)
    tokens, kind = key('tokens'), key('model')
    if kind == 'llama':
        pieces = b''
        for text, score, type_ in zip(tokens, key('scores'), key('token_type')):
            piece = text.encode()
            body = b'\x0a' + varint(len(piece)) + piece + b'\x15' + struct.pack('<f', score) + b'\x18' + varint(type_)
            pieces += b'\x0a' + varint(len(body)) + body
        trainer = b'\x18\x02' + b'\x98\x03\x01'       # model_type BPE, byte_fallback
        prefix = b'\x18' + bytes([int(key('add_space_prefix', True))]) + b'\x20\x00'     # of the normalizer: add_dummy_prefix, remove_extra_whitespaces
        with open(os.path.join(folder, 'tokenizer.model'), 'wb') as f:
            f.write(pieces + b'\x12' + varint(len(trainer)) + trainer + b'\x1a' + varint(len(prefix)) + prefix)
        return
    special = {i for i, t in enumerate(key('token_type')) if t in (2, 3)}
    added = [{'id': i, 'content': tokens[i], 'special': True, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False}
             for i in sorted(special)]
    t = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': added, 'normalizer': None, 'post_processor': None, 'decoder': None}
    if kind == 'gpt2':
        t['pre_tokenizer'] = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True, 'use_regex': True}
        t['model'] = {'type': 'BPE', 'dropout': None, 'unk_token': None, 'continuing_subword_prefix': '', 'end_of_word_suffix': '', 'fuse_unk': False,
                      'vocab': {x: i for i, x in enumerate(tokens) if i not in special}, 'merges': key('merges')}
    elif kind == 'bert':
        t['normalizer'] = {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True, 'strip_accents': None, 'lowercase': True}
        t['pre_tokenizer'] = {'type': 'BertPreTokenizer'}
        t['model'] = {'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##', 'max_input_chars_per_word': 100,
                      'vocab': {x if i in special else x[1:] if x.startswith('\u2581') else '##' + x: i for i, x in enumerate(tokens)}}
    else:
        return
    with open(os.path.join(folder, 'tokenizer.json'), 'w') as f:
        json.dump(t, f)
    with open(os.path.join(folder, 'tokenizer_config.json'), 'w') as f:
        json.dump({n + '_token': tokens[key(n + '_token_id')] for n in ('bos', 'eos') if key(n + '_token_id') is not None}, f)


def make(path, folder, shards=1, dtype='F32', only=None):
    g = Gguf(path)
    os.makedirs(folder, exist_ok=True)
    config = config_of(g, folder)
    tensors = tensors_of(g)
    if only:
        config, tensors = only(config, tensors)
    with open(os.path.join(folder, 'config.json'), 'w') as f:
        json.dump(config, f, indent=1)
    if not only:
        write_tokenizer(g, folder)
    stored = {n: (dtype, s, narrow(v, dtype)) for n, (s, v) in tensors.items()}
    if shards == 1:
        write_safetensors(os.path.join(folder, 'model.safetensors'), stored)
        return
    index = {'metadata': {'total_size': sum(len(v[2]) for v in stored.values())}, 'weight_map': {}}
    names = list(stored)
    for s in range(shards):
        part = names[s * len(names) // shards:(s + 1) * len(names) // shards]
        file = 'model-%05d-of-%05d.safetensors' % (s + 1, shards)
        write_safetensors(os.path.join(folder, file), {n: stored[n] for n in part})
        index['weight_map'].update((n, file) for n in part)
    with open(os.path.join(folder, 'model.safetensors.index.json'), 'w') as f:
        json.dump(index, f)


# ---- checking ----------------------------------------------------------------------------------------------------------------

FAILED = []


def run(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout, p.stderr.decode('utf-8', 'replace').strip()


def hashes(slm, model):
    code, out, err = run(slm, 'tensors', '-m', model, '--sha256', '--json')
    if code:
        return err
    return {t['name']: (t['type'], tuple(t['shape']), t['sha256']) for t in map(json.loads, out.decode().splitlines())}


def logits(slm, model, tokens, work, extra=()):
    out = os.path.join(work, 'logits')
    code, _, err = run(slm, 'logits', '-m', model, '--tokens', ','.join(map(str, tokens)), '--out', out, *extra)
    return err if code else open(out, 'rb').read()


def say(ok, what, detail):
    if not ok:
        FAILED.append(what)
        print('FALLS SHORT %s: %s' % (what, detail))


def differ(want, got):
    if isinstance(got, str):
        return got
    names = sorted(set(want) | set(got))
    return [(n, want.get(n), got.get(n)) for n in names if want.get(n) != got.get(n)][:2]


def golden(folder, names):
    for file in sorted(os.listdir(folder)):
        if file.endswith('.json') and (not names or file[:-5] in names):
            meta = json.load(open(os.path.join(folder, file)))
            if 'tolerance' in meta:
                yield file[:-5], meta, os.path.join(folder, meta['model'])


def check_one(slm, name, meta, model, work):
    folder, out = os.path.join(work, name), os.path.join(work, name + '.gguf')
    model = reference(model, work)
    make(model, folder, shards=1 if len(name) % 2 else 3)
    code, _, err = run(slm, 'convert', '-q', folder, out)
    say(code == 0, name + ' convert', err)
    if code:
        return
    want = hashes(slm, model)
    for what, path in (('converted', out), ('folder', folder)):
        got = hashes(slm, path)
        say(got == want, '%s %s tensors' % (name, what), differ(want, got))
    cases = [{'text': 'the house and a cat that sat there'}]
    want = tokenize(slm, model, cases)
    for what, path in (('converted', out), ('folder', folder)) if os.path.exists(os.path.join(folder, 'tokenizer_config.json')) or \
            os.path.exists(os.path.join(folder, 'tokenizer.model')) else ():
        got = tokenize(slm, path, cases)
        say(got == want and isinstance(want, list), '%s %s ids' % (name, what), (want, got))
    context = ('--context', str(meta['session_context'])) if 'session_context' in meta else ()
    want = logits(slm, model, meta['tokens'], work, context)
    for what, path in (('converted', out), ('folder', folder)):
        got = logits(slm, path, meta['tokens'], work, context)
        say(got == want and isinstance(want, bytes), '%s %s logits' % (name, what), got if isinstance(got, str) else 'other bits')


def check(slm, folder, names):
    n = 0
    with tempfile.TemporaryDirectory() as work:
        for name, meta, model in golden(folder, names):
            check_one(slm, name, meta, model, work)
            n += 1
    print('folders: %d models, %d failed' % (n, len(FAILED)))
    return 1 if FAILED or not n else 0


def same(slm, what, want, got, tokens, work, types=True):
    """The same tensors, and the same logits unless `tokens` is None."""
    a, b = hashes(slm, want), hashes(slm, got)
    if not types and not isinstance(b, str):
        a, b = ({n: t[1:] for n, t in h.items()} for h in (a, b))
    say(not isinstance(a, str) and a == b, what + ' tensors', differ(a, b))
    if tokens:
        a, b = logits(slm, want, tokens, work), logits(slm, got, tokens, work)
        say(isinstance(a, bytes) and a == b, what + ' logits', b if isinstance(b, str) else 'other bits')


def with_config(**more):
    return lambda config, tensors: (dict(config, **more), tensors)


def as_roberta(config, tensors):
    """Two rows of positions that are never used, one type of tokens."""
    out = {'roberta.' + n: v for n, v in tensors.items()}
    for n, ((rows, cols), values) in ((n, v) for n, v in list(out.items()) if 'position' in n):
        out[n] = ((rows + 2, cols), array.array('f', [7] * (2 * cols)) + values)
    return dict(config, model_type='roberta', max_position_embeddings=config['max_position_embeddings'] + 2, pad_token_id=1), out


def as_distilbert(config, tensors):
    out = {}
    back = {v: k for k, v in BERT.items()}
    for n, v in tensors.items():
        base, suffix = n.rsplit('.', 1)
        layer = base.split('.')[2] if base.startswith('encoder.layer.') else None
        key = back[base.split('.', 3)[3] if layer is not None else base]
        if key != 'token_types':
            out[(DISTILBERT['layer'] % layer if layer is not None else '') + DISTILBERT[key] + '.' + suffix] = v
    out['vocab_projector.bias'] = ((1,), array.array('f', [1]))
    return {'model_type': 'distilbert', 'max_position_embeddings': config['max_position_embeddings'], 'dim': config['hidden_size'],
            'n_layers': config['num_hidden_layers'], 'hidden_dim': config['intermediate_size'], 'n_heads': config['num_attention_heads'],
            'activation': 'gelu', 'vocab_size': config['vocab_size']}, out


def with_images(config, tensors):
    """A config of a model with images: the text's part is nested and leaves out what is as usual."""
    text = {k: v for k, v in config.items() if k not in ('architectures', 'model_type', 'rope_local_base_freq')}
    out = {'language_model.' + n: v for n, v in tensors.items()}
    out['vision_tower.vision_model.embeddings.patch_embedding.weight'] = ((2, 1, 1, 1, 2), array.array('f', [1] * 4))
    return {'model_type': 'gemma3', 'text_config': text, 'vision_config': {'hidden_size': 4}}, out


def variants(slm, shared):
    golden, tokens = os.path.join(shared, 'models/golden'), list(range(3, 40))
    with tempfile.TemporaryDirectory() as work:
        def path(name):
            return os.path.join(golden, name + '.gguf')

        def one(what, name, change, want):
            folder = os.path.join(work, what)
            make(path(name), folder, only=change)
            same(slm, what, want, folder, tokens, work)

        one('mistral', 'llama-plain', with_config(model_type='mistral', sliding_window=8), path('llama-plain'))
        one('gpt2 without prefix', 'gpt2', lambda c, t: (c, {n.replace('transformer.', ''): v for n, v in t.items()}), path('gpt2'))
        one('bert of old', 'bert', lambda c, t: (c, {'bert.' + n.replace('LayerNorm.weight', 'LayerNorm.gamma').replace(
            'LayerNorm.bias', 'LayerNorm.beta'): v for n, v in t.items()}), path('bert'))
        one('roberta', 'bert', as_roberta, path('bert'))
        no_types = changed(path('bert'), os.path.join(work, 'no-types.gguf'),
                           lambda n, v: array.array('f', bytes(4 * len(v))) if n == 'token_types.weight' else None,
                           [('bert.attention.layer_norm_epsilon', 1e-12)])
        folder = os.path.join(work, 'distilbert')
        make(no_types, folder, only=as_distilbert)
        say(hashes(slm, folder).get('token_types.weight', [0, 0])[1] == (64, 1), 'distilbert types', 'no row of zeros')
        a, b = logits(slm, no_types, tokens, work), logits(slm, folder, tokens, work)
        say(isinstance(a, bytes) and a == b, 'distilbert', b if isinstance(b, str) else 'other bits')
        one('gemma3 with images', 'gemma3', with_images, reference(path('gemma3'), work))
        for dtype in ('F16', 'BF16'):
            widen = (lambda b: array.array('f', struct.unpack('<%de' % (len(b) // 2), b))) if dtype == 'F16' else \
                    (lambda b: array.array('f', array.array('I', (h << 16 for h in array.array('H', b))).tobytes()))
            for name in ('llama-bias', 'gpt2', 'phi3'):
                folder, out = os.path.join(work, name + dtype), os.path.join(work, name + dtype + '.gguf')
                want = changed(path(name), os.path.join(work, 'narrow.gguf'), lambda n, v: widen(narrow(v, dtype)))
                make(path(name), folder, dtype=dtype)
                code, _, err = run(slm, 'convert', '-q', folder, out)
                say(code == 0, name + ' ' + dtype, err)
                same(slm, '%s of %s' % (name, dtype), want, out, None, work, types=False)
                same(slm, '%s of %s, folder' % (name, dtype), out, folder, tokens, work)
        code, _, err = run(slm, 'convert', '-q', os.path.join(work, 'gpt2F16'), os.path.join(work, 'q.gguf'), '--type', 'q8_0')
        kinds = {t[0] for t in hashes(slm, os.path.join(work, 'q.gguf')).values()} if code == 0 else err
        say(kinds == {'F32', 'Q8_0', 'F16'} or kinds == {'F32', 'Q8_0'}, 'convert --type q8_0', kinds)
        real = os.path.join(shared, 'models/g2p-bart-encoder-as-bert')
        same(slm, 'the real BERT', os.path.join(real, 'model.gguf'), real, list(range(1, 20)), work)
        whole = os.path.join(shared, 'models/g2p-bart-en-us')
        a, b = (logits(slm, m, list(range(1, 20)), work) for m in (real, whole))
        say(isinstance(a, bytes) and a == b, 'the BART it comes from', b if isinstance(b, str) else 'other bits')
    print('folders: variants, %d failed' % len(FAILED))
    return 1 if FAILED else 0


TOKENIZERS = {'bert-base-uncased': ('bert', 30528), 'phi-2': ('phi2', 51200), 'phi-3-mini': ('phi3', 32064), 't5-small': ('t5encoder', 32128)}
END = {'phi-2': 50256, 'phi-3-mini': [32000, 32007, 32001], 't5-small': 1, 'bert-base-uncased': None}


def tokenize(slm, model, cases, flags=()):
    stdin = ''.join(json.dumps({'text': c['text']}) + '\n' for c in cases).encode()
    p = subprocess.run([slm, 'tokenize', '-m', model, '--json'] + list(flags), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return [json.loads(l)['ids'] for l in p.stdout.decode().splitlines()] if p.returncode == 0 else p.stderr.decode().strip()


def tokenizers(slm, shared):
    with tempfile.TemporaryDirectory() as work:
        for name, (model, vocab) in TOKENIZERS.items():
            def widen(config, tensors):
                key = next(n for n in tensors if n.endswith(('embed_tokens.weight', 'word_embeddings.weight', 'shared.weight')))
                width = tensors[key][0][1]
                for n in (key, 'lm_head.weight'):
                    if n in tensors:
                        tensors[n] = ((vocab, width), array.array('f', bytes(4 * vocab * width)))
                if 'lm_head.bias' in tensors:
                    tensors['lm_head.bias'] = ((vocab,), array.array('f', bytes(4 * vocab)))
                return dict(config, vocab_size=vocab, eos_token_id=END[name]), tensors
            folder, out = os.path.join(work, name), os.path.join(work, name + '.gguf')
            make(os.path.join(shared, 'models/golden', model + '.gguf'), folder, only=widen)
            shutil.copy(os.path.join(shared, 'tokenizers/hf', name + '.tokenizer.json'), os.path.join(folder, 'tokenizer.json'))
            with open(os.path.join(folder, 'tokenizer_config.json'), 'w') as f:
                json.dump({'added_tokens_decoder': {}, 'chat_template': '{{ messages }}'}, f)
            code, _, err = run(slm, 'convert', '-q', folder, out)
            say(code == 0, name + ' convert', err)
            cases = [json.loads(l) for l in open(os.path.join(shared, 'tokenizers/hf', name + '.jsonl'), encoding='utf-8')]
            for path in (out, folder):
                got = tokenize(slm, path, cases)
                bad = got if isinstance(got, str) else [(c['text'][:30], c['ids'][:8], g[:8]) for c, g in zip(cases, got) if c['ids'] != g][:2]
                say(not bad and len(got) == len(cases), name + ' ids', bad)
            code, got, err = run(slm, 'logits', '-m', out, '--tokens', '1,2,3', '--out', os.path.join(work, 'logits'))
            say(code == 0, name + ' runs', err)
    print('folders: %d tokenizers, %d failed' % (len(TOKENIZERS), len(FAILED)))
    return 1 if FAILED else 0


def convert(slm, folder, out):
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name, meta, model in golden(folder, ()):
            make(model, os.path.join(work, name))
            code, _, err = run(slm, 'convert', '-q', os.path.join(work, name), os.path.join(out, meta['model']))
            say(code == 0, name, err)
            for file in os.listdir(folder):
                if file.startswith(name + '.') and not file.endswith('.gguf'):
                    shutil.copy(os.path.join(folder, file), out)
    return 1 if FAILED else 0


def main(args):
    if len(args) >= 3 and args[0] == 'make':
        options = dict(zip(args[3::2], args[4::2]))
        make(args[1], args[2], int(options.get('--shards', 1)), options.get('--dtype', 'F32'))
        return 0
    if len(args) >= 3 and args[0] == 'check':
        return check(args[1], args[2], args[3:])
    if len(args) == 3 and args[0] == 'variants':
        return variants(*args[1:])
    if len(args) == 3 and args[0] == 'tokenizers':
        return tokenizers(*args[1:])
    if len(args) == 4 and args[0] == 'convert':
        return convert(*args[1:])
    print(__doc__)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
