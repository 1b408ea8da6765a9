/* type.c -- the table of weight types and the one formula for a tensor's size. */
#include "quant/type.h"

#include "core/size.h"
#include "quant/codec.h"

#include <string.h>

static const slm_type types[] = {
#define SLM_CODEC(option) offsetof(slm_kernels, mul_##option), slm_dequantize_##option, slm_quantize_##option,     \
                          slm_weigh_##option, slm_pack_##option, slm_unpack_##option, slm_nonfinite_##option
#define SLM_TYPE(NAME, option, id, block, bytes, step, float_x) { #NAME, #option, id, block, bytes, step, 0, float_x, SLM_CODEC(option) },
#define SLM_ROW_TYPE(NAME, option, id, bytes, step, head)       { #NAME, #option, id, 1, bytes, step, head, true, SLM_CODEC(option) },
#include "quant/types.def"
#undef SLM_TYPE
#undef SLM_ROW_TYPE
#undef SLM_CODEC
};

/* All tensor types GGUF has numbers for: name, values and bytes of a block. Source: the GGUF specification. */
static const struct shape { uint32_t id; const char *name; uint32_t block, bytes; } shapes[] = {
    { 0, "F32", 1, 4 },          { 1, "F16", 1, 2 },          { 2, "Q4_0", 32, 18 },       { 3, "Q4_1", 32, 20 },
    { 6, "Q5_0", 32, 22 },       { 7, "Q5_1", 32, 24 },       { 8, "Q8_0", 32, 34 },       { 9, "Q8_1", 32, 36 },
    { 10, "Q2_K", 256, 84 },     { 11, "Q3_K", 256, 110 },    { 12, "Q4_K", 256, 144 },    { 13, "Q5_K", 256, 176 },
    { 14, "Q6_K", 256, 210 },    { 15, "Q8_K", 256, 292 },    { 16, "IQ2_XXS", 256, 66 },  { 17, "IQ2_XS", 256, 74 },
    { 18, "IQ3_XXS", 256, 98 },  { 19, "IQ1_S", 256, 50 },    { 20, "IQ4_NL", 32, 18 },    { 21, "IQ3_S", 256, 110 },
    { 22, "IQ2_S", 256, 82 },    { 23, "IQ4_XS", 256, 136 },  { 24, "I8", 1, 1 },          { 25, "I16", 1, 2 },
    { 26, "I32", 1, 4 },         { 27, "I64", 1, 8 },         { 28, "F64", 1, 8 },         { 29, "IQ1_M", 256, 56 },
    { 30, "BF16", 1, 2 },        { 34, "TQ1_0", 256, 54 },    { 35, "TQ2_0", 256, 66 },    { 39, "MXFP4", 32, 17 },
};

const slm_type *slm_type_at(size_t index)
{
    return index < sizeof types / sizeof *types ? &types[index] : NULL;
}

const slm_type *slm_type_by_id(uint32_t id)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

const slm_type *slm_type_by_option(const char *option)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].option, option) == 0)
            return &types[i];
    return NULL;
}

/* The one formula: whole blocks first, then a checked product. */
static bool blocks_bytes(uint32_t block, uint32_t bytes, uint64_t rows, uint64_t cols, uint64_t *out)
{
    uint64_t row;
    return cols % block == 0 && slm_u64_mul(cols / block, bytes, &row) && slm_u64_mul(row, rows, out);
}

bool slm_type_bytes(const slm_type *type, uint64_t rows, uint64_t cols, uint64_t *bytes)
{
    uint64_t heads;
    return blocks_bytes(type->block, type->bytes, rows, cols, bytes) && slm_u64_mul(rows, type->head, &heads) &&
           slm_u64_add(*bytes, heads, bytes);
}

bool slm_type_shape(uint32_t id, const char **name, uint32_t *block, uint32_t *bytes)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].id != id)
            continue;
        *name = shapes[i].name;
        *block = shapes[i].block;
        *bytes = shapes[i].bytes;
        return true;
    }
    *name = "?";
    *block = *bytes = 0;
    return false;
}
