/* kv.c -- pages of keys and values. */
#include "model/kv.h"

#include "core/size.h"

#include <math.h>
#include <string.h>

size_t slm_kv_token_bytes(const slm_config *config, bool f32)
{
    return (size_t)2 * config->layers * config->kv_heads * config->head_size * (f32 ? 4 : 2);   /* limits keep this below 2^43 */
}

static size_t page_bytes(const slm_config *config, bool f32)
{
    return SLM_PAGE * slm_kv_token_bytes(config, f32);
}

slm_status slm_kv_init(slm_kv *kv, slm_heap *heap, const slm_config *config, size_t context, bool f32, slm_error *err)
{
    const size_t max_pages = slm_ceil_div(context, SLM_PAGE);
    slm_kv_page **pages = slm_heap_zarray(heap, max_pages, sizeof *pages);
    if (!pages)
        return slm_fail(err, SLM_E_MEMORY, "cache: table of %zu pages", max_pages);
    const size_t element = f32 ? 4 : 2;
    *kv = (slm_kv){ heap, pages, max_pages, 0, context, element, config->kv_heads, config->head_size, config->layers,
                    2 * SLM_PAGE * config->head_size * element, page_bytes(config, f32) };
    return SLM_OK;
}

uint64_t slm_kv_heap_bytes(const slm_config *config, size_t context, bool f32)
{
    const uint64_t pages = slm_ceil_div(context, SLM_PAGE);
    uint64_t bytes;
    if (!slm_u64_mul(pages, slm_heap_cost(sizeof(slm_kv_page) + page_bytes(config, f32)), &bytes))
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

static bool within(const float *x, size_t n, float most)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= fabsf(x[i]) <= most;      /* false for a NaN too */
    return ok;
}

bool slm_kv_store(const slm_kv *kv, const slm_kernels *kernels, size_t position, size_t layer, const float *k, const float *v)
{
    const size_t d = kv->head_size, page = position / SLM_PAGE, slot = position % SLM_PAGE;
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
