# A smaller file that another command reads; the old one stays when it cannot be done.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm quantize m.gguf q.gguf --type q8_0 --json | head -n 3
slm quantize m.gguf r.gguf --type q8_0 -t 1 -q
slm quantize m.gguf r.gguf --type q8_0
slm quantize m.gguf r.gguf --type q8_0 -v | sed -n '1p;$p'
slm quantize m.gguf /dev/null --type q8_0
slm quantize m.gguf /dev/stdout --type q8_0 | cmp - r.gguf
slm quantize m.gguf - --type q8_0 -v | cmp - r.gguf
cmp q.gguf r.gguf
slm tensors -m q.gguf --name blk.0.attn_q.weight
slm quantize m.gguf q.gguf --type q3; echo $?
slm quantize missing.gguf q.gguf --type q8_0; echo $?
cmp q.gguf r.gguf
ls
