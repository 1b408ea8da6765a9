# What a text decides: the weights' errors are weighed by it, and the new model is measured on it.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
echo 'Once upon a time there was a little girl. She liked to play in the park with her friends and her dog.' > t.txt
slm quantize m.gguf a.gguf --type q4_0 -q
slm quantize m.gguf b.gguf --type q4_0 -q --calibrate t.txt
slm quantize m.gguf c.gguf --type q4_0 -q --calibrate t.txt -t 1
cmp -s a.gguf b.gguf; echo $?
cmp b.gguf c.gguf
slm quantize m.gguf d.gguf --type f32 --eval t.txt | tail -n 1 | sed 's/perplexity [0-9.]*, of the source [0-9.]*/perplexity N, of the source N/'
slm quantize m.gguf d.gguf --type q8_0 --eval t.txt --json | tail -n 1 | sed 's/:[0-9]*\.[0-9]*[e+-]*[0-9]*/:N/g'
slm quantize m.gguf - --type q8_0 --eval t.txt; echo $?
slm quantize m.gguf e.gguf --type q8_0 --calibrate missing.txt; echo $?
: > empty.txt
slm quantize m.gguf e.gguf --type q8_0 --calibrate empty.txt; echo $?
ls
