# Text to ids and back, as a table and line by line; bytes that are not UTF-8 travel as hex.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm tokenize -m m.gguf -p 'Once upon a time é'
slm tokenize -m m.gguf -p 'Once' --bos --json
printf '%s\n' '{"text":"Once upon"}' '{"text":"a\u0000b\u2028"}' '{"hex":"ff61"}' '{"text":""}' >lines
slm tokenize -m m.gguf --json <lines | tee ids
slm detokenize -m m.gguf --json <ids
slm detokenize -m m.gguf --ids 403,407; echo
printf 'Once upon' | slm tokenize -m m.gguf
