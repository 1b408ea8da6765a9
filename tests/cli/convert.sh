# A llama2.c checkpoint becomes GGUF that gives the same text.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.bin" m.bin
ln -s "$SHARED/models/stories260k/tok512.bin" tok512.bin
slm convert m.bin m.gguf --tokenizer tok512.bin
slm generate -q -m m.gguf -p 'Once upon a time' --temp 0 -n 20
slm generate -q -m m.bin --tokenizer tok512.bin -p 'Once upon a time' --temp 0 -n 20
slm make-model nothing out.gguf; echo $?
ls
