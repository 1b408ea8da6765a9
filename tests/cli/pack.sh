# A packed model says and computes what the file it comes from does; damage is found and named.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K-q8_0.gguf" m.gguf
slm pack m.gguf m.slm
slm pack m.gguf n.slm -t 1 -q
cmp m.slm n.slm
slm check m.slm
slm check m.slm --json
slm info -m m.slm | sed -n '2,4p'
slm tensors -m m.gguf --sha256 --json | sed 's/"offset.*"sha/"sha/' >a
slm tensors -m m.slm --sha256 --json | sed 's/"offset.*"sha/"sha/' | cmp - a
slm logits -m m.gguf --tokens 1,2,3 --out a
slm logits -m m.slm --tokens 1,2,3 --out b
cmp a b
slm quantize m.gguf q.slm --type q4_0 --pack --json | head -n 2
slm check -q q.slm; echo $?
slm quantize m.gguf w.slm --type w8a8 --pack -q
avx2=avx2; [ "$SANITIZER" != msan ] || avx2=scalar       # the library is built without it there
slm logits -m w.slm --isa scalar --tokens 1,2,3 --out scalar
slm logits -m w.slm --isa $avx2 --tokens 1,2,3 --out avx2
cmp scalar avx2
slm quantize m.gguf w.gguf --type w8a8; echo $?
slm quantize m.slm q.gguf --type q8_0; echo $?
slm check m.gguf; echo $?
printf '\1' | dd of=n.slm bs=1 seek=250000 conv=notrunc 2>dd
slm check n.slm; echo $?
slm check n.slm --json; echo $?
head -c 1000 m.slm >n.slm
slm check n.slm; echo $?
slm check; echo $?
ls
