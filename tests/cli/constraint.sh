# What the text must be: a choice, a pattern, a schema; what cannot be enforced is named with its place.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
slm generate -q -m m.gguf -p 'The sky is' --choice ' blue' --choice ' green' --temp 0
slm generate -q -m m.gguf -p 'Call' --regex ' \d{3}-\d{4}' --temp 0
printf '{"type":"array","items":{"enum":["a","b"]},"minItems":2,"maxItems":2}' | slm generate -q -m m.gguf -p x --schema - --temp 0 -n 9
slm generate -q -m m.gguf -p 'Once' --temp 0 -n 12 --repeat-penalty 1.5 --presence-penalty 0.5 --dry 0.8
slm generate -m m.gguf -p 'Once' --temp 0 -n 1 --json --logprobs 2 | sed 's/"load_ms.*//'
slm generate -q -m m.gguf -p x --regex 'a(b'; echo $?
echo '{"type":"object","properties":{"a":{"multipleOf":2}}}' | slm generate -q -m m.gguf -p x --schema -; echo $?
slm generate -q -m m.gguf -p x --regex '[a-z]{40}' -n 3; echo $?
slm generate -q -m m.gguf -p x --regex a --choice b; echo $?
