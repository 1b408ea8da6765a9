# The table of a file; hashes and values are of the same floats.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K-q8_0.gguf" m.gguf
slm tensors -m m.gguf | head -n 4
slm tensors -m m.gguf --json --sha256 --name blk.0.attn_q.weight
slm tensors -m m.gguf --name blk.0.attn_q.weight --out w
sha256sum w
slm tensors -m m.gguf --name blk.0.attn_q.weight --out - | cmp - w
slm tensors -m m.gguf --name nothing
