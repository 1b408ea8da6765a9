"""seeds.py -- writes the seeds of the targets whose inputs are choices and text of ours: python3 tests/fuzz/seeds.py. They are checked in; a new
one is a row here. The seeds of the file formats were cut from files that the tests make."""
import json
import os
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "seeds"


def put(target, name, *parts):
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    data = b"".join(p.encode() if isinstance(p, str) else bytes(p) for p in parts)
    (folder / name).write_bytes(data)


def nul(*texts):
    return b"\0".join(t.encode() if isinstance(t, str) else t for t in texts)


# ---- JSON ----
put("json", "kinds", '{"a":[1,-2.5e3,true,false,null,"x\\n\\u00e9\\ud83d\\ude00"],"":{}}')
put("json", "numbers", "[0,-0,1e400,1.7976931348623157e308,5e-324,123456789012345678901234567890,0.1]")
put("json", "double", "2.2250738585072011e-308")
put("json", "twice", '{"model":1,"vocab":[],"model":2}')
put("json", "surrogate", '["\\ud800"]')
put("json", "nul", '{"a\\u0000b":"\\u0000"}')
put("json", "deep", "[" * 64 + "]" * 64)
put("json", "deeper", "[" * 65 + "]" * 65)
put("json", "bad", '{"a":01}')
put("json", "utf8", '["\u00e9\u4e2d\U0001f600"]')

# ---- text and tokens: vocabulary, flags, text; vocabulary, ids of two bytes ----
TEXTS = {"words": "Once upon a time, there was a cat. It's 12345 o'clock\n\n  and  so on", "blanks": " \t\n\r\n   \u00a0\u3000x ",
         "letters": "na\u00efve caf\u00e9 \u4e2d\u6587 \u0905\u0928\u094d \U0001f468\u200d\U0001f469 \u1e9e\u0130 A\u030a",
         "specials": "<s>a</s><unk><0x41>[CLS] ab [UNK]<|end|>"}
for which in range(7):
    for name, text in TEXTS.items():
        put("encode_decode", f"{name}-{which}", [which, 3 if name == "specials" else 0], text)
    put("encode_decode", f"bytes-{which}", [which, 0], bytes(range(256)))
    put("stream_decode", f"ids-{which}", [which], struct.pack("<40H", *range(0, 400, 10)))
put("stream_decode", "bytes-0", [0], struct.pack("<8H", *(3 + b for b in b"\xf0\x9f\x98\x80\xc3a\xe4\xb8")))
put("stream_decode", "bytes-2", [2], struct.pack("<8H", *(3 + b for b in b"\xed\xa0\x80\xf4\x90\xff\xc2\xa9")))

# ---- grammar: kind, seed, most tokens, source ----
for i, p in enumerate(["[a-z]+", "(a|b)*c?", "\\d{2,5}-\\w+", "[^\\s\"]{1,3}", "(yes|no|maybe)( not)?", ".{3}", "a{0,40}b{0,40}", "\u00e9|[\u4e00-\u9fff]+", "((((a)*)*)*)*",
                       "(a{9}){9}", "[\\x20-\\x7e]+", "\\", "(", "a**"]):
    put("grammar", f"regex-{i}", [0, i, 20], p)
SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["name"],
     "additionalProperties": False},
    {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "number", "exclusiveMinimum": -1.5}]}, "minItems": 1, "maxItems": 3},
    {"enum": [1, "two", None, [3]]}, {"const": {"a": [True]}}, {"type": "string", "pattern": "^[A-Z]{3}$"}, {"type": ["boolean", "null"]}, {},
    {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}, "required": ["next"]}}},
    {"oneOf": [{"type": "object", "properties": {"t": {"const": "x"}}, "required": ["t"]}, {"type": "object", "properties": {"t": {"const": "y"}}, "required": ["t"]}]},
    {"type": "object", "properties": {"a": False}, "additionalProperties": {"type": "integer", "exclusiveMaximum": 10}},
    {"type": "number", "minimum": 1e-3, "maximum": 2.5e10}, {"type": "string", "minLength": 2, "format": "date"}, {"not": {}},
]
for i, s in enumerate(SCHEMAS):
    put("grammar", f"schema-{i}", [1, i, 40], json.dumps(s))
    put("grammar", f"judge-{i}", [3, 0, 0], nul(json.dumps(s), '{"name":"x","age":3,"t":"y","next":null,"a":[1,2]}'))
put("grammar", "choice", [2, 1, 9], "yes\nno\nnot at all\n\u00e9")
put("grammar", "choice-empty", [2, 1, 9], "\n\n")

# ---- streams of servers: flags, pieces, bytes ----
OPENAI = [{"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
          {"id": "x", "choices": [{"index": 0, "delta": {"content": "lo"}, "logprobs": {"content": [{"logprob": -0.5, "top_logprobs": [{"logprob": -0.5}, {"logprob": -1}]}]}}]},
          {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"a\""}}]}}]},
          {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}, "finish_reason": "stop"}]},
          {"id": "x", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}]
ANTHROPIC = [("message_start", {"type": "message_start", "message": {"id": "x", "model": "m", "usage": {"input_tokens": 3, "cache_read_input_tokens": 1}}}),
             ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
             ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
             ("content_block_stop", {"type": "content_block_stop", "index": 0}),
             ("content_block_start", {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}}}),
             ("content_block_delta", {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}}),
             ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
             ("message_stop", {"type": "message_stop"})]
openai = "".join(f"data: {json.dumps(e)}\n\n" for e in OPENAI) + "data: [DONE]\n\n"
anthropic = "".join(f"event: {n}\ndata: {json.dumps(e)}\n\n" for n, e in ANTHROPIC)
for pieces in (0, 7):
    put("sse", f"openai-{pieces}", [0, pieces], openai)
    put("sse", f"anthropic-{pieces}", [1, pieces], anthropic)
put("sse", "openai-crlf", [0, 1], openai.replace("\n", "\r\n"))
put("sse", "anthropic-cr", [1, 2], anthropic.replace("\n", "\r"))
put("sse", "small", [2, 3], "data: " + "x" * 80 + "\n\n")
put("sse", "late", [2, 3], "data: a\n" + "y" * 80 + "\n\n")
put("sse", "mark", [0, 4], b"\xef\xbb\xbf: hi\nevent: ping\ndata\n\nid: 3\nretry: 9\ndata: data: {\"error\":{\"message\":\"no\"}}\n\n")
put("sse", "error", [1, 5], 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n')

# ---- replies of servers: flags, cut, bytes ----
PLAIN = {"id": "x", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "{\"a\":1}"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
MESSAGE = {"id": "x", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}],
           "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 2}}
CALLS = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}, "finish_reason": "tool_calls"}]}


def http(status, body, *headers):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}", "", body])


JSON_TYPE = "Content-Type: application/json"
put("http_reply", "plain", [2, 0], http("200 OK", json.dumps(PLAIN), JSON_TYPE))
put("http_reply", "plain-schema", [10, 128], http("200 OK", json.dumps(PLAIN), JSON_TYPE))
put("http_reply", "message", [7, 40], http("200 OK", json.dumps(MESSAGE), JSON_TYPE))
put("http_reply", "calls", [6, 9], http("200 OK", json.dumps(CALLS), JSON_TYPE))
put("http_reply", "stream", [16, 100], http("200 OK", openai, "Content-Type: text/event-stream"))
put("http_reply", "stream-anthropic", [1, 100], http("200 OK", anthropic, "Content-Type: text/event-stream"))
put("http_reply", "chunked", [0, 200], "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    f"{len(openai):x}\r\n{openai}\r\n0\r\n\r\n")
put("http_reply", "body", [66, 0], json.dumps(PLAIN))
put("http_reply", "body-choice", [98, 0], json.dumps(PLAIN).replace('{\\"a\\":1}', '{\\"label\\":\\"yes\\"}'))
put("http_reply", "body-message", [67, 0], json.dumps(MESSAGE))
put("http_reply", "body-stream", [144, 3], openai)
put("http_reply", "body-anthropic", [129, 3], anthropic)
for status, body in (("429 Too Many", '{"error":{"message":"slow down","type":"rate_limit","code":"x"}}'), ("500 Oops", "<html>no</html>"), ("401 No", ""),
                     ("302 Found", ""), ("204 None", ""), ("529 Busy", '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}')):
    put("http_reply", f"status-{status[:3]}", [0, 0], http(status, body, JSON_TYPE, "Retry-After: 2", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6m0.5s",
                                                          "retry-after-ms: 12.5", "Location: https://elsewhere.example/x", "x-should-retry: true"))
put("http_reply", "date", [0, 0], http("429 Wait", "", "Retry-After: Wed, 21 Oct 2037 07:28:00 GMT"))
put("http_reply", "gzip", [0, 0], http("200 OK", "x", "Content-Encoding: gzip"))
put("http_reply", "garbage", [0, 0], "SSH-2.0-x\r\n")

# ---- base URL, range, host, address ----
for i, (url, around, host, address) in enumerate([
        ("https://api.openai.com/v1", "10.0.0.0/8", "api.openai.com", b"\x0a\1\2\3"), ("http://localhost:8080/v1/", "::1", "localhost", b"\x7f\0\0\1"),
        ("http://127.0.0.1:1", "127.0.0.1", "127.0.0.1", b"\x7f\0\0\1"), ("https://[::1]:8443/x", "fd00::/8", "[::1]", bytes(15) + b"\1"),
        ("https://user:pw@h.example/", "1.2.3.4/33", "", b"\1\2\3\4"), ("https://h.example/v1?x=1#y", "0.0.0.0/0", "H.EXAMPLE", b"\xa9\xfe\xa9\xfe"),
        ("https://0x7f.1/", "2001:db8::/32", "x", b"\0\x64\xff\x9b" + bytes(8) + b"\x7f\0\0\1"), ("HTTPS://EXAMPLE.COM:443/a/../b//", "::ffff:10.0.0.0/104", "x", b"\x20\2\x0a\0\0\1" + bytes(10)),
        ("https://xn--bcher-kva.example./%2e", "1.2.3.4/", "x", b"\xc0\xa8\1\1"), ("ftp://h/", "/8", "", b""), ("https://h.example:99999/", "::/129", "", b"")]):
    put("base_url", f"url-{i}", nul(url, around, host, address))

# ---- config.json, tokenizer_config.json, special_tokens_map.json, generation_config.json ----
CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
          "intermediate_size": 6, "vocab_size": 5, "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "rope_theta": 10000.0, "tie_word_embeddings": False, "hidden_act": "silu"}
TOKENS = json.dumps({"bos_token": "<s>", "eos_token": {"content": "<s>", "lstrip": False}, "add_bos_token": True, "chat_template": "{{ messages }}", "model_max_length": 1e30,
                     "added_tokens_decoder": {"4": {"content": "<s>", "special": True}}})
SPECIAL = json.dumps({"bos_token": "<s>", "eos_token": "<s>", "unk_token": {"content": "ab"}, "additional_special_tokens": ["b"]})
put("config", "plain", nul(json.dumps(CONFIG)))
put("config", "all", nul(json.dumps(CONFIG), TOKENS, SPECIAL, json.dumps({"eos_token_id": [4, 2], "bos_token_id": 4, "temperature": 0.6})))
put("config", "templates", nul(json.dumps(CONFIG), json.dumps({"chat_template": [{"name": "default", "template": "{{ bos_token }}"}, {"name": "tool_use", "template": "x"}]})))
for name, scaling in {"linear": {"type": "linear", "factor": 2.0}, "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 32, "beta_slow": 1},
                      "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
                      "dynamic": {"type": "dynamic", "factor": 2.0},
                      "longrope": {"type": "longrope", "short_factor": [1.0, 1.5], "long_factor": [2.0, 3.0]}}.items():
    put("config", f"scaling-{name}", nul(json.dumps({**CONFIG, "rope_scaling": scaling}), TOKENS))
for kind in ("qwen2", "qwen3", "mistral", "gemma", "gemma2", "phi3", "granite", "smollm3", "olmo2", "stablelm", "starcoder2", "gpt2", "bert"):
    put("config", f"type-{kind}", nul(json.dumps({**CONFIG, "model_type": kind, "architectures": [kind], "head_dim": 4, "sliding_window": 4, "use_sliding_window": True,
                                                  "layer_types": ["sliding_attention"], "attention_bias": False}), TOKENS))
put("config", "nested", nul(json.dumps({"model_type": "gemma3", "text_config": CONFIG})))

# ---- calls: the number of the call (in the order of the list in fuzz_api_calls.c) and 32 times the session; amount ----
CALLS_OF = ("feed feed_rows feed_text step generate fork truncate save load cancel batch start drop refuse refuse_on allow bad profile guide guided_step "
            "constrain speculate look").split()


def calls(name, text):
    out = []
    for word in text.split():
        call, session, amount = word.split(",")
        out += [CALLS_OF.index(call) + 32 * int(session), int(amount)]
    put("api_calls", name, out)


calls("feed", "start,0,0 feed,0,5 feed,0,63 step,0,1 feed_rows,0,7 feed_rows,0,200 bad,0,0 bad,0,1 bad,0,2 bad,0,3 bad,0,4")
calls("text", "start,0,3 feed_text,0,30 generate,0,20 generate,0,150 feed_text,0,0 generate,0,255 profile,0,5 profile,0,60")
calls("fork", "start,0,0 feed,0,60 fork,0,1 fork,0,2 feed,0,10 feed,1,70 truncate,2,33 feed,2,40 step,1,2 truncate,0,64 feed,0,3 fork,1,3 drop,1,0 feed,3,1")
calls("save", "start,0,0 feed,0,63 save,0,0 feed,0,9 load,1,0 feed,1,9 step,0,0 step,1,0 truncate,1,10 save,1,0 load,0,0 generate,0,20")
calls("batch", "start,0,0 start,1,1 start,2,2 batch,0,3 batch,1,30 fork,0,3 batch,2,31 cancel,1,0 batch,0,3 batch,0,3 truncate,2,1 batch,0,7")
calls("cancel", "start,0,1 feed,0,9 cancel,0,0 feed,0,9 cancel,0,0 step,0,1 cancel,0,0 generate,0,9 cancel,0,0 save,0,0 feed,0,1 cancel,0,0 fork,0,1 feed,1,1")
calls("refuse", "start,0,0 refuse,0,0 feed,0,9 feed,0,9 refuse,0,1 feed,0,9 refuse_on,0,0 fork,0,1 feed,0,60 allow,0,0 fork,0,1 refuse_on,0,2 save,0,0 generate,0,9 batch,0,1 allow,0,0 feed,1,9")
calls("guide", "start,0,0 feed,0,4 constrain,0,0 guide,0,12 guided_step,0,1 guided_step,0,2 guided_step,0,0 constrain,0,5 guide,0,31 guided_step,0,1 guided_step,0,1 speculate,0,37 speculate,0,55")
calls("speculate", "start,0,0 feed,0,20 speculate,0,23 speculate,0,150 truncate,0,9 feed,0,1 speculate,0,30 constrain,0,2 speculate,0,60 refuse,0,5 speculate,0,63")
calls("full", "start,0,0 feed,0,63 feed,0,63 feed,0,63 generate,0,23 step,0,0 feed,0,1 speculate,0,31 batch,0,0")

# ---- refused memory: reader, which allocation, bytes ----
def seed(name):
    return (HERE / name).read_bytes()


for which, names in enumerate([["gguf/kinds", "gguf/types", "safetensors/small"], ["gguf/spm", "tokenizer_json/bpe", "tokenizer_json/wordpiece", "spm_model/unigram"],
                               ["gguf/llama2c0", "gguf/llama2c2"], ["template/chat"], ["grammar/regex-1"], ["grammar/schema-0", "grammar/schema-7"], ["encode_decode/words-2"]]):
    for name in names:
        data = seed(name)[2 if name.startswith("encode") else 3 if name.startswith("grammar") else 0:]
        for at in (0, 1, 3, 8, 20, 60):
            put("refused", f"{which}-{os.path.basename(name)}-{at}", [2 * which + at % 2], struct.pack("<H", at), data)
