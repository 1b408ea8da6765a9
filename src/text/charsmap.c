/* charsmap.c -- the blob: u32 bytes of the trie, the trie as u32 units, the replacements.
 *
 * The trie is a double array (Aoe 1989) in the layout of darts-clone. A unit is a state:
 *
 *   bits 0-7    label: the byte that leads here; bit 31 set: no state but a value, in bits 0-30
 *   bit 8       a key ends here; its value is the unit at the state's base
 *   bits 10-30  offset, shifted up by 8 more if bit 9 is set; base = place ^ offset, the child by byte b stands at base ^ b
 *
 * All of that comes from a stranger. At load the states are walked from the root, depth first with a stack of one entry a byte of
 * key; a state that was seen is not walked again (the makers of these maps share equal endings), so the walk is linear. Depth is
 * counted along the first way to a state only; the bound of a search at run time is a counter of its own. */
#include "text/charsmap.h"

#include "core/cursor.h"
#include "core/size.h"
#include "core/utf8.h"

static inline uint32_t label(uint32_t unit)    { return unit & 0x800000ffu; }
static inline bool     ends(uint32_t unit)     { return unit >> 8 & 1; }
static inline uint32_t value(uint32_t unit)    { return unit & 0x7fffffffu; }
static inline uint32_t offset(uint32_t unit)   { return unit >> 10 << (unit >> 6 & 8); }

/* The value of a state must begin a text that is UTF-8 and ends. */
static slm_status check_value(const slm_charsmap *m, uint32_t at, const char *file, slm_error *err)
{
    const uint32_t from = value(m->units[at]);
    const uint8_t *end = from < m->n_texts ? memchr(m->texts + from, 0, m->n_texts - from) : NULL;
    if (!end)
        return slm_fail_at(err, SLM_E_FORMAT, 4 + (uint64_t)at * 4, "%s: precompiled_charsmap: unit %u: replacement at %u, the texts end at %zu",
                           file, at, from, m->n_texts);
    const size_t n = (size_t)(end - m->texts) - from, good = slm_utf8_valid(m->texts + from, n);
    if (good != n)
        return slm_fail_at(err, SLM_E_FORMAT, 4 + (uint64_t)m->n * 4 + from + good, "%s: precompiled_charsmap: the replacement at %u is not UTF-8",
                           file, from);
    return SLM_OK;
}

typedef struct step {
    uint32_t base;          /* of the children */
    uint32_t next;          /* the byte to try next; 256: all were */
} step;

/* Enters a state: its base lies in the array with all 256 children's places, its value is sound. */
static slm_status enter(const slm_charsmap *m, uint32_t at, step *out, const char *file, slm_error *err)
{
    const uint32_t base = at ^ offset(m->units[at]);
    if (base >= m->n || (base | 0xff) >= m->n)
        return slm_fail_at(err, SLM_E_FORMAT, 4 + (uint64_t)at * 4, "%s: precompiled_charsmap: unit %u leads to unit %u of %zu", file, at,
                           base | 0xff, m->n);
    *out = (step){ base, 0 };
    return at && ends(m->units[at]) ? check_value(m, base, file, err) : SLM_OK;
}

static slm_status walk(const slm_charsmap *m, uint8_t *seen, const char *file, slm_error *err)
{
    step stack[SLM_CHARSMAP_BYTES];
    size_t depth = 1;
    slm_status status = enter(m, 0, &stack[0], file, err);
    while (!status && depth > 0) {
        step *top = &stack[depth - 1];
        uint32_t b = top->next;
        while (b < 256 && (label(m->units[top->base ^ b]) != b || seen[top->base ^ b] || (top->base ^ b) == 0))
            b++;
        if (b == 256) {
            depth--;
            continue;
        }
        top->next = b + 1;
        seen[top->base ^ b] = 1;
        if (depth == SLM_CHARSMAP_BYTES)
            return slm_fail_at(err, SLM_E_FORMAT, 4 + (uint64_t)(top->base ^ b) * 4, "%s: precompiled_charsmap: a key of more than %d bytes", file,
                               SLM_CHARSMAP_BYTES);
        status = enter(m, top->base ^ b, &stack[depth++], file, err);
    }
    return status;
}

slm_status slm_charsmap_load(slm_charsmap *m, slm_heap *heap, const uint8_t *blob, size_t bytes, const char *file, slm_error *err)
{
    *m = (slm_charsmap){ 0 };
    if (bytes == 0)
        return SLM_OK;
    const uint64_t trie = bytes >= 4 ? slm_le(blob, 4) : 0;
    if (bytes < 4 || trie > bytes - 4 || trie % 4 || trie < 1024)
        return slm_fail(err, SLM_E_FORMAT, "%s: precompiled_charsmap: a trie of %llu bytes in %zu (allowed a multiple of 4, 1024 or more)", file,
                        (unsigned long long)trie, bytes);
    m->n = (size_t)trie / 4;
    m->n_texts = bytes - 4 - (size_t)trie;
    m->units = slm_heap_array(heap, m->n, sizeof *m->units);
    m->texts = slm_heap_alloc(heap, m->n_texts);
    uint8_t *seen = slm_heap_zalloc(heap, m->n);
    slm_status status = SLM_OK;
    if (!m->units || !m->texts || !seen)
        status = slm_fail(err, SLM_E_MEMORY, "%s: precompiled_charsmap of %zu bytes", file, bytes);
    for (size_t i = 0; !status && i < m->n; i++)
        m->units[i] = (uint32_t)slm_le(blob + 4 + i * 4, 4);
    if (!status) {
        memcpy(m->texts, blob + 4 + trie, m->n_texts);
        status = walk(m, seen, file, err);
    }
    slm_heap_free(heap, seen);
    if (status)
        slm_charsmap_free(m, heap);
    return status;
}

void slm_charsmap_free(slm_charsmap *m, slm_heap *heap)
{
    slm_heap_free(heap, m->units);
    slm_heap_free(heap, m->texts);
    *m = (slm_charsmap){ 0 };
}

size_t slm_charsmap_find(const slm_charsmap *m, const uint8_t *text, size_t n, const uint8_t **with, size_t *n_with)
{
    size_t found = 0;
    if (m->n == 0)
        return 0;
    uint32_t base = offset(m->units[0]);            /* of what the walk has seen: all places lie in the array */
    for (size_t i = 0; i < n && i < SLM_CHARSMAP_BYTES; i++) {
        const uint32_t at = base ^ text[i], unit = m->units[at];
        if (label(unit) != text[i] || at == 0)
            break;
        base = at ^ offset(unit);
        if (ends(unit)) {
            found = i + 1;
            *with = m->texts + value(m->units[base]);
        }
    }
    if (found)
        *n_with = strlen((const char *)*with);
    return found;
}
