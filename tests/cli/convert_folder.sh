# A Hugging Face folder becomes GGUF, opens as it is, and says what it lacks.
# needs: shared
slm convert "$SHARED/models/g2p-bart-encoder-as-bert" bert.gguf
slm tensors -m bert.gguf | head -3
slm logits -m bert.gguf --tokens 1,2,3 --out one
slm logits -m "$SHARED/models/g2p-bart-encoder-as-bert" --tokens 1,2,3 --out two
cmp one two && echo same
slm convert -q "$SHARED/models/g2p-bart-encoder-as-bert" small.gguf --type q8_0
mkdir folder
slm convert folder out.gguf; echo $?
echo '{"model_type":"mamba"}' > folder/config.json
slm info -m folder; echo $?
echo '{"model_type":"llama","max_position_embeddings":8}' > folder/config.json
slm generate -m folder -p x; echo $?
ls
