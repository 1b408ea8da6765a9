# A file that is not there.
slm generate -m missing.gguf -p x
