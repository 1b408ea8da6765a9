# Every token after BOS is scored once; windows do not see each other.
# needs: shared
ln -s "$SHARED/models/stories260k/stories260K.gguf" m.gguf
printf 'Once upon a time, there was a little girl named Lily.' >text
slm score -m m.gguf --file text
slm score -m m.gguf --file text --json --context 8
: >empty
slm score -m m.gguf --file empty
