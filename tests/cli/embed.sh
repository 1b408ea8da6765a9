# Vectors of lines, cells and JSON; alone or among others the same; pooling, normalisation, errors by line.
# needs: shared
ln -s "$SHARED/models/golden/bert.gguf" m.gguf
ln -s "$SHARED/models/stories260k/stories260K.gguf" d.gguf
printf 'one line\n\nand another\n' >lines
slm embed -m m.gguf <lines >all && cut -c1-60 all
slm embed -m m.gguf --group 1 -t 1 --isa scalar <lines | cmp - all
tail -1 all >last; slm embed -m m.gguf -p 'and another' | cmp - last; slm embed -m m.gguf -p 'one line' >one; head -1 all | cmp - one
printf '7\tone line\tx\n8\t\ty\n9\tand another\n' | slm embed -m m.gguf --input tsv --column 2 | cmp - all
printf '{"text":"one line"}\n{"hex":""}\n{"text":"and another","id":3}\n' | slm embed -m m.gguf --input jsonl | cmp - all
slm embed -m m.gguf --out raw <lines && wc -c <raw
slm embed -m m.gguf --pooling first -p 'one line' >first; slm embed -m m.gguf --pooling mean -p 'one line' | cmp - one; cmp -s first one; echo $?
slm embed -m m.gguf --normalize -p 'one line' --out - | od -A n -t f4 -v | awk '{ for (i = 1; i <= NF; i++) s += $i * $i } END { printf "%.6f\n", s }'
printf 'a\nb\n' | slm embed -m m.gguf --input tsv --column 2; echo $?
printf '{"text":"a"}\nno\n' | slm embed -m m.gguf --input jsonl; echo $?
printf '\nthis does not\n' | slm embed -m m.gguf --context 4 --out raw2; echo $?; ls raw2
printf 'this does not fit\n' | slm embed -m m.gguf --context 4 --truncate | cut -c1-11
slm embed -m m.gguf --pooling max -p x; echo $?
slm embed -m d.gguf -p x; echo $?
slm generate -m m.gguf -p x; echo $?
slm logits -m m.gguf --tokens 2,5,3
slm logits -m m.gguf --tokens 2,5,3 --out - | wc -c
slm info -m m.gguf | grep -E 'architecture|pooling|memory'
