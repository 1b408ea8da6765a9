# What cannot be written is said; no command ends well on a full disk.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm info -m m.gguf >/dev/full; echo $?
slm logits -m m.gguf --tokens 1,2 --out - >/dev/full; echo $?
slm generate -q -m m.gguf -n 5 --temp 0 >/dev/full; echo $?
slm help >/dev/full; echo $?
