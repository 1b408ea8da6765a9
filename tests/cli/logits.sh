# All positions, in a file and in words; chunking, threads and instruction set change no bit; nothing half-written stays.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm logits -m m.gguf --tokens 1,403,407,261,378
slm logits -m m.gguf --tokens 1,403 --json
echo 1 403, 407 >ids
slm logits -m m.gguf --tokens @ids --out a
slm logits -m m.gguf --tokens 1,403,407 --out b --chunk 1 -t 1
slm logits -m m.gguf --tokens 1,403,407 --out c --isa scalar
slm logits -m m.gguf --tokens 1,403,407 --out - | cmp - a
cmp a b && cmp a c && wc -c <a
slm logits -m m.gguf --tokens 1,403,512 --out bad; echo $?
slm logits -m m.gguf --tokens 1,403,512 --out a; echo $?
slm logits -m m.gguf --tokens 1,403,407 --context 2 --out bad; echo $?
slm logits -m m.gguf --tokens 1 --out nowhere/a; echo $?
cmp a b
ls
