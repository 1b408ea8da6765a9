# A vocabulary without weights is described too.
# needs: shared
ln -s "$SHARED/tokenizers/gguf-vocabs/ggml-vocab-qwen2.gguf" m.gguf
slm info -m m.gguf
