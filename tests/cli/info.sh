# What a file is, in words and as JSON.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm info -m m.gguf && slm info -m m.gguf --json
