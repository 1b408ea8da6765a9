# Greedy text, where it ends, and what --echo, --stop and the context do; the seed decides the rest.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 40
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 40 --echo --stop 'girl' --stop 'nothing'
printf 'Once upon a time' | slm generate -q -m m.gguf -f - --temp 0 -n 40 >from_file
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 40 -t 1 --isa scalar --chunk 1 | cmp - from_file
slm generate -q -m m.gguf -n 20 --seed 7 >a
slm generate -q -m m.gguf -n 20 --seed 7 | cmp - a
slm generate -q -m m.gguf -n 20 --seed 8 | cmp -s - a || echo another
slm generate -m m.gguf -p x -n 3 --temp 0 --json | sed 's/"load_ms.*//'
slm generate -q -m m.gguf -p 'Once upon a time there was' --context 4; echo $?
slm generate -m m.gguf -p x -n 5 --temp 0 --context 5 --json | sed 's/"load_ms.*//'
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 40 --draft 8 | cmp - from_file
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 40 --draft 8 --draft-model m.gguf | cmp - from_file
slm generate -q -m m.gguf -n 20 --seed 7 --draft 5 | cmp - a
slm generate -m m.gguf -p 'Once upon a time' --temp 0 -n 33 --draft 8 --draft-model m.gguf --json | sed 's/.*"reason"/"reason"/; s/"load_ms.*//'
slm generate -m m.gguf --draft-model m.gguf -n 3; echo $?
