/* kv.c -- pages of keys and values. */
#include "model/kv.h"

#include "core/size.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* [SLM_KV_...] */
static const uint8_t elements[] = { [SLM_KV_F16] = 2, [SLM_KV_F32] = 4, [SLM_KV_Q8_0] = 1 };

slm_status slm_kv_type_check(uint32_t type, const char *what, slm_error *err)
{
    return type < sizeof elements ? SLM_OK : slm_fail(err, SLM_E_ARG, "%skv is %" PRIu32 " (allowed 0 .. %zu)", what, type, sizeof elements - 1);
}

size_t slm_kv_element(uint32_t type)
{
    return elements[type];
}

uint32_t slm_kv_type_of(size_t element)
{
    for (uint32_t i = 0; i < sizeof elements; i++)
        if (elements[i] == element)
            return i;
    return UINT32_MAX;
}

/* Of one position's head, as key or as value. */
static size_t row_bytes(size_t head_size, size_t element)
{
    return element == 1 ? slm_cache_bytes(head_size) : head_size * element;
}

size_t slm_kv_token_bytes(const slm_config *config, uint32_t type)
{
    return (size_t)2 * config->layers * config->kv_heads * row_bytes(config->head_size, slm_kv_element(type));  /* limits: below 2^43 */
}

static size_t page_bytes(const slm_config *config, uint32_t type)
{
    return SLM_PAGE * slm_kv_token_bytes(config, type);
}

slm_status slm_kv_init(slm_kv *kv, slm_heap *heap, const slm_config *config, size_t context, uint32_t type, slm_error *err)
{
    const size_t max_pages = slm_ceil_div(context, SLM_PAGE);
    slm_kv_page **pages = slm_heap_zarray(heap, max_pages, sizeof *pages);
    if (!pages)
        return slm_fail(err, SLM_E_MEMORY, "cache: table of %zu pages", max_pages);
    const size_t element = slm_kv_element(type);
    *kv = (slm_kv){ heap, pages, max_pages, 0, context, element, config->kv_heads, config->head_size, config->layers,
                    2 * SLM_PAGE * row_bytes(config->head_size, element), page_bytes(config, type) };
    return SLM_OK;
}

uint64_t slm_kv_heap_bytes(const slm_config *config, size_t context, uint32_t type)
{
    const uint64_t pages = slm_ceil_div(context, SLM_PAGE);
    uint64_t bytes;
    if (!slm_u64_mul(pages, slm_heap_cost(sizeof(slm_kv_page) + page_bytes(config, type)), &bytes))
        return UINT64_MAX;
    return bytes + slm_heap_cost(pages * sizeof(slm_kv_page *));
}

/* The last holder frees. */
static void let_go(slm_kv *kv, slm_kv_page *page)
{
    if (atomic_fetch_sub(&page->holds, 1) == 1)
        slm_heap_free(kv->heap, page);
}

void slm_kv_trim(slm_kv *kv, size_t n)
{
    const size_t keep = slm_ceil_div(n, SLM_PAGE);
    while (kv->n_pages > keep) {
        let_go(kv, kv->pages[--kv->n_pages]);
        kv->pages[kv->n_pages] = NULL;
    }
}

void slm_kv_free(slm_kv *kv)
{
    if (!kv->pages)
        return;
    slm_kv_trim(kv, 0);
    slm_heap_free(kv->heap, kv->pages);
    kv->pages = NULL;
}

void slm_kv_share(slm_kv *out, const slm_kv *kv)
{
    for (size_t i = 0; i < kv->n_pages; i++) {
        atomic_fetch_add(&kv->pages[i]->holds, 1);
        out->pages[i] = kv->pages[i];
    }
    out->n_pages = kv->n_pages;
}

/* Zeroed where it copies nothing: keys past the last one of a group are multiplied and thrown away. */
static slm_kv_page *new_page(const slm_kv *kv, const slm_kv_page *from)
{
    slm_kv_page *page = slm_heap_alloc(kv->heap, sizeof *page + kv->page_bytes);
    if (!page)
        return NULL;
    atomic_init(&page->holds, 1);
    if (from)
        memcpy(page->bytes, from->bytes, kv->page_bytes);
    else
        memset(page->bytes, 0, kv->page_bytes);
    return page;
}

/* Page `index` becomes this cache's own. Others may let go of theirs meanwhile: the copy is then one too many, and right. */
static slm_status own(slm_kv *kv, size_t index, slm_error *err)
{
    slm_kv_page *shared = kv->pages[index];
    if (atomic_load(&shared->holds) == 1)
        return SLM_OK;
    slm_kv_page *copy = new_page(kv, shared);
    if (!copy)
        return slm_fail(err, SLM_E_MEMORY, "cache: copy of page %zu of %zu bytes", index, kv->page_bytes);
    kv->pages[index] = copy;
    let_go(kv, shared);
    return SLM_OK;
}

slm_status slm_kv_reserve(slm_kv *kv, size_t first, size_t n, slm_error *err)
{
    const size_t before = kv->n_pages, want = slm_ceil_div(n, SLM_PAGE);
    slm_status status = SLM_OK;
    if (want > kv->max_pages)
        return slm_fail(err, SLM_E_INTERNAL, "cache: %zu pages of %zu", want, kv->max_pages);
    for (size_t i = first / SLM_PAGE; !status && i < before; i++)
        status = own(kv, i, err);
    while (!status && kv->n_pages < want) {
        slm_kv_page *page = new_page(kv, NULL);
        if (page)
            kv->pages[kv->n_pages++] = page;
        else
            status = slm_fail(err, SLM_E_MEMORY, "cache: page %zu of %zu bytes", kv->n_pages, kv->page_bytes);
    }
    if (status)
        slm_kv_trim(kv, before * SLM_PAGE);
    return status;
}

static void row_zero(uint8_t *rows, size_t used, size_t row)
{
    memset(rows + used * row, 0, (SLM_PAGE - used) * row);
}

void slm_kv_clear(const slm_kv *kv, uint8_t *part, size_t used)
{
    const size_t d = kv->head_size, e = kv->element, row = row_bytes(d, e), four = e == 1 ? 4 : e;
    uint8_t *values = part + kv->head_bytes / 2;
    /* keys of a group are columns: of one element, or of a scale or four bytes each */
    for (size_t slot = used; slot < SLM_PAGE; slot++)
        for (size_t k = 0; k < row / four; k++)
            memset(part + (slot / 16 * row * 16) + (k * 16 + slot % 16) * four, 0, four);
    if (e == 1) {
        row_zero(values, used, 4 * slm_cache_blocks(d));
        values += SLM_PAGE * 4 * slm_cache_blocks(d);
        row_zero(values, used, slm_cache_width(d));
    } else {
        row_zero(values, used, row);
    }
}

/* 8 bits: a position's k and v of a head, block by block. */
static bool store_blocks(const slm_kv *kv, const slm_kernels *kernels, uint8_t *keys, uint8_t *values, size_t slot, const float *k, const float *v)
{
    const size_t d = kv->head_size, blocks = slm_cache_blocks(d);
    float *scales = (float *)(void *)values + slot * blocks;
    uint8_t *own = values + SLM_PAGE * blocks * 4 + slot * slm_cache_width(d);
    keys += slot / 16 * 16 * slm_cache_bytes(d);
    for (size_t b = 0; b < blocks; b += 2) {
        const size_t from = b * SLM_CACHE_BLOCK, n = slm_min(2 * SLM_CACHE_BLOCK, d - from);
        slm_xblock kq[2], vq[2];
        if (!kernels->quantize_x(kq, k + from, n) || !kernels->quantize_x(vq, v + from, n))
            return false;
        for (size_t i = 0; i < slm_cache_blocks(n); i++) {
            uint8_t *block = keys + (b + i) * SLM_CACHE_KEY_BLOCK;
            const size_t width = slm_cache_width(slm_min(SLM_CACHE_BLOCK, n - i * SLM_CACHE_BLOCK));
            memcpy(block + slot % 16 * 4, &kq[i].d, 4);
            for (size_t e = 0; e < width; e++)
                block[64 + e / 4 * 64 + slot % 16 * 4 + e % 4] = (uint8_t)(kq[i].q[e] + 128);
            scales[b + i] = vq[i].d;
            memcpy(own + (b + i) * SLM_CACHE_BLOCK, vq[i].q, width);
        }
    }
    return true;
}

/* False for a NaN too. Sixteen at a time, which compilers turn into vectors. */
static bool within(const float *x, size_t n, float most)
{
    int32_t beyond[16] = { 0 }, any = 0;
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        for (size_t j = 0; j < 16; j++)
            beyond[j] |= !(fabsf(x[i + j]) <= most);
    for (; i < n; i++)
        any |= !(fabsf(x[i]) <= most);
    for (size_t j = 0; j < 16; j++)
        any |= beyond[j];
    return !any;
}

bool slm_kv_store(const slm_kv *kv, const slm_kernels *kernels, size_t position, size_t layer, const float *k, const float *v)
{
    const size_t d = kv->head_size, page = position / SLM_PAGE, slot = position % SLM_PAGE;
    bool ok = true;
    if (kv->element == 1) {
        for (size_t h = 0; ok && h < kv->kv_heads; h++)
            ok = store_blocks(kv, kernels, slm_kv_keys(kv, page, layer, h), slm_kv_values(kv, page, layer, h), slot, k + h * d, v + h * d);
        return ok;
    }
    const float most = kv->element == 2 ? 65504.0f : 0x1.fffffep+127f;
    if (!within(k, kv->kv_heads * d, most) || !within(v, kv->kv_heads * d, most))
        return false;
    for (size_t h = 0; h < kv->kv_heads; h++) {
        uint8_t *keys = slm_kv_keys(kv, page, layer, h) + slot / 16 * 16 * d * kv->element;
        uint8_t *values = slm_kv_values(kv, page, layer, h) + slot * d * kv->element;
        if (kv->element == 4) {
            for (size_t e = 0; e < d; e++)
                ((float *)keys)[e * 16 + slot % 16] = k[h * d + e];
            memcpy(values, v + h * d, d * sizeof *v);
        } else {
            uint16_t halves[64];
            for (size_t from = 0; from < d; from += 64) {
                const size_t n = slm_min(64, d - from);
                kernels->f16_from_f32(halves, k + h * d + from, n);
                for (size_t e = 0; e < n; e++)
                    ((uint16_t *)keys)[(from + e) * 16 + slot % 16] = halves[e];
            }
            kernels->f16_from_f32((uint16_t *)values, v + h * d, d);
        }
    }
    return true;
}
