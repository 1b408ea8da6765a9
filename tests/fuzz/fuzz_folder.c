/* fuzz_folder.c -- a Hugging Face folder: the text up to a NUL byte is its config.json, the rest its safetensors (nothing: those of a
 * small model). Opened, every small tensor made. */
#include "folder.h"

#include "format/file.h"

enum { MEMORY = 64 << 20, MOST_VALUES = 1 << 16 };

/* Names of all kinds, one value each but for what rope and norms look at. */
static const folder_tensor small[] = {
    { "model.embed_tokens.weight", 2, 4 }, { "model.norm.weight", 0, 4 }, { "model.layers.0.self_attn.q_proj.weight", 4, 4 },
    { "model.layers.0.self_attn.k_proj.weight", 4, 4 }, { "model.layers.0.mlp.up_proj.weight", 2, 4 }, { "lm_head.weight", 2, 4 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float values[MOST_VALUES];
    fuzz_in in = { data, size };
    slm_heap heap;
    slm_file *file = NULL;
    slm_error err = { 0 };
    size_t n;
    if (!folder[0])
        folder_begin();
    const char *config = fuzz_text(&in, &n);
    folder_put("config.json", config, n);
    if (in.left)
        folder_put("model.safetensors", in.at, in.left);
    else
        folder_put_tensors(small, COUNT(small));
    slm_heap_init(&heap, NULL, MEMORY);
    const slm_status status = slm_file_load(&file, &heap, folder, NULL, &err);
    if (status)
        must_say(status, &err);
    for (size_t i = 0; !status && i < file->n_tensors && i < 64; i++)
        if (file->tensors[i].rows * file->tensors[i].dims[0] <= MOST_VALUES)
            (void)slm_file_read(file, i, values, (size_t)(file->tensors[i].rows * file->tensors[i].dims[0]), NULL);
    slm_file_free(file);
    must(!atomic_load(&heap.current), "memory left behind");
    return 0;
}
