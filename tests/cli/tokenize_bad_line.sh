# A line that is not what was asked for ends it with the line's number; answers before it stand.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
try() { printf '{"text":"a"}\n%s\n' "$1" | slm tokenize -m m.gguf --json; echo $?; }
try '{"text":"a"'
try '{"text":"a","text":"b"}'
try '{"text":"a","hex":"61"}'
try '{"text":3}'
try '{"hex":"6"}'
try '{"hex":"6g"}'
try '["a"]'
try ''
try '{"text":"\ud800"}'
printf '{"ids":[1.5]}\n' | slm detokenize -m m.gguf --json; echo $?
printf '{"ids":[4294967296]}\n' | slm detokenize -m m.gguf --json; echo $?
printf '{"ids":[512]}\n' | slm detokenize -m m.gguf --json; echo $?
