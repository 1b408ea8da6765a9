# Completions and manual page know every command and every option of `slm help`, and bash offers what fits the place.
slm completion bash >bash && slm completion zsh >zsh && slm completion fish >fish && slm help --man >man
for command in $(slm help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'); do
    for script in bash zsh fish; do
        grep -q -- "[^a-z-]$command[^a-z-]" $script || echo "$script: no $command"
    done
    grep -q "^\.SS slm $(echo $command | sed 's/-/\\\\-/g'):" man || echo "man: no section $command"
    for option in $(slm help $command | sed -n 's/^  \(-., \|    \)--\([a-z0-9-]*\).*/\2/p'); do
        sed -n "/^    $command)/,/;;\$/p" bash | grep -q -- "--$option\b" || echo "bash: no $command --$option"
        sed -n "/^    $command)/,/;;\$/p" zsh | grep -q -- "--$option\b" || echo "zsh: no $command --$option"
        grep -q "from $command' -l $option\b" fish || echo "fish: no $command --$option"
        grep -q "\\\\-\\\\-$(echo $option | sed 's/-/\\\\-/g')\\\\fR" man || echo "man: no $command --$option"
    done
done
mkdir folder && : >'folder/a b.gguf'
cat >try <<'END'
. ./bash
compopt() { :; }
try() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _slm
    printf '%s:' "$*"
    [ ${#COMPREPLY[@]} = 0 ] || printf ' <%s>' "${COMPREPLY[@]}"
    printf '\n'
}
try slm ge
try slm generate --te
try slm generate --kv ''
try slm generate --kv = f3
try slm generate --temp ''
try slm generate -m folder/
try slm generate --model = folder/a
try slm quantize folder/
try slm quantize --verb
try slm quantize -m
try slm completion ''
try slm help tok
END
bash try
slm completion csh; echo $?
slm completion; echo $?
