# A wrong command, option or value is one line that names the nearest right one, and exit 2.
try() { slm "$@"; echo "$?: $*"; }
try genrate
try tokens
try --verison
try help genrate
try generate --tmep 0
try generate --max-token=5
try logits --chnk 3
try generate -x
try generate --temp warm
try generate --temp nan
try generate -n -1
try generate -n 99999999999999999999
try generate -n
try generate --echo=1
try generate --kv q2
try generate --isa sse
try generate once
try generate -p a -f b
try quantize in.gguf
try quantize in.gguf out.gguf
try quantize -m in.gguf out.gguf --type q8_0
try convert a b c
try logits
try logits --tokens 1,x
try logits --tokens ''
try logits --tokens 2147483648
try tensors --out w
try score
