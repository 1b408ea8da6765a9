/* split.c -- a GGUF in several files, NAME-00001-of-00003.gguf and so on, opened by its first.
 *
 * The first file has the keys of the model, and in each stand split.no (0, 1, ...), split.count and split.tensors.count, the tensors of
 * all. Each file is a whole GGUF and is checked as one; here they are checked against each other, and their tensors come into one table.
 * The keys that speak of the split are dropped: what is written from this file is not split. */
#include "core/limits.h"
#include "core/size.h"
#include "format/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TAIL = 20 };     /* "-00001-of-00003.gguf" */

typedef struct numbers {
    uint64_t no, count, tensors;
} numbers;

static slm_status read_numbers(numbers *out, bool *split, const slm_keys *keys, slm_error *err)
{
    bool no = false, count = false, tensors = false;
    *out = (numbers){ 0 };
    slm_status status = slm_keys_u64(keys, "split.no", &out->no, &no, err);
    if (!status)
        status = slm_keys_u64(keys, "split.count", &out->count, &count, err);
    if (!status)
        status = slm_keys_u64(keys, "split.tensors.count", &out->tensors, &tensors, err);
    if (status)
        return status;
    *split = no || count || tensors;
    if (*split && (!no || !count || !tensors))
        return slm_fail(err, SLM_E_FORMAT, "%s: %d of the 3 keys split.no, split.count, split.tensors.count", keys->file,
                        no + count + tensors);
    if (*split && (out->count < 1 || out->count > SLM_LIMIT_SHARDS || out->no >= out->count))
        return slm_fail(err, out->count > SLM_LIMIT_SHARDS ? SLM_E_LIMIT : SLM_E_FORMAT, "%s: split.no is %" PRIu64 ", split.count %" PRIu64
                        " (allowed 1 .. %d files)", keys->file, out->no, out->count, SLM_LIMIT_SHARDS);
    return SLM_OK;
}

static void name_tail(char tail[32], uint64_t index, uint64_t count)
{
    (void)snprintf(tail, 32, "-%05u-of-%05u.gguf", (unsigned)index + 1, (unsigned)count);      /* at most 1024 */
}

/* Is the file named as part `no` of `count` must be? */
static slm_status check_name(const slm_file *file, const numbers *n, slm_error *err)
{
    char tail[32];
    const size_t len = strlen(file->path);
    name_tail(tail, n->no, n->count);
    if (len < TAIL || strcmp(file->path + len - TAIL, tail) != 0)
        return slm_fail(err, SLM_E_MISMATCH, "%s: is part %" PRIu64 " of %" PRIu64 " of a split model, and its name does not end in %s",
                        file->path, n->no + 1, n->count, tail);
    if (n->no) {
        name_tail(tail, 0, n->count);
        return slm_fail(err, SLM_E_MISMATCH, "%s: is part %" PRIu64 " of %" PRIu64 " of a split model: open the first, ...%s", file->path,
                        n->no + 1, n->count, tail);
    }
    return SLM_OK;
}

static slm_status load_part(slm_file **out, const slm_file *file, const numbers *n, uint64_t index, slm_error *err)
{
    char tail[32];
    slm_source source;
    numbers other;
    bool split;
    const size_t len = strlen(file->path);
    char *path = slm_heap_alloc(file->heap, len + 1);
    if (!path)
        return slm_fail(err, SLM_E_MEMORY, "%s: name of part %" PRIu64, file->path, index + 1);
    name_tail(tail, index, n->count);
    memcpy(path, file->path, len + 1);
    memcpy(path + len - TAIL, tail, TAIL);
    slm_status status = slm_source_open(&source, path, err);
    if (!status)
        status = slm_file_new(out, file->heap, path, err);
    else
        source.fd = -1;
    slm_heap_free(file->heap, path);
    if (status) {
        slm_source_close(&source);
        return status;
    }
    slm_file *part = *out;
    source.name = part->path;
    part->source = source;
    if ((status = slm_gguf_read(part, err)) != SLM_OK || (status = read_numbers(&other, &split, &part->keys, err)) != SLM_OK)
        return status;
    if (!split || other.no != index || other.count != n->count || other.tensors != n->tensors)
        return slm_fail(err, SLM_E_MISMATCH, "%s: says part %" PRIu64 " of %" PRIu64 " with %" PRIu64 " tensors in all, wanted part %" PRIu64
                        " of %" PRIu64 " with %" PRIu64, part->path, split ? other.no + 1 : 0, other.count, other.tensors, index + 1,
                        n->count, n->tensors);
    return SLM_OK;
}

static slm_status merge(slm_file *file, slm_file **parts, const numbers *n, slm_error *err)
{
    slm_tensor *own = file->tensors;
    uint32_t *own_order = file->by_name;
    const size_t n_own = file->n_tensors;
    uint64_t count = n_own;
    for (uint64_t i = 1; i < n->count; i++)
        count += parts[i]->n_tensors;
    if (count != n->tensors)
        return slm_fail(err, SLM_E_MISMATCH, "%s: split.tensors.count is %" PRIu64 ", its %" PRIu64 " files have %" PRIu64, file->path,
                        n->tensors, n->count, count);
    slm_status status = slm_file_reserve_parts(file, (size_t)n->count, err);
    if (!status)
        status = slm_file_reserve(file, (size_t)count, err);     /* at most 1024 x 65,536, all of which are there */
    if (file->tensors && file->tensors != own)
        memcpy(file->tensors, own, n_own * sizeof *own);
    if (file->tensors != own)
        slm_heap_free(file->heap, own);
    if (file->by_name != own_order)
        slm_heap_free(file->heap, own_order);
    for (uint64_t i = 1; i < n->count && !status; i++)
        status = slm_file_take_part(file, parts[i], err);
    return status ? status : slm_file_index(file, err);
}

slm_status slm_split_read(slm_file *file, bool from_disk, slm_error *err)
{
    numbers n;
    bool split;
    slm_status status = read_numbers(&n, &split, &file->keys, err);
    if (status || !split)
        return status;
    if (n.count > 1 && !from_disk)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: is part %" PRIu64 " of %" PRIu64 " of a split model, which is read from files only",
                        file->path, n.no + 1, n.count);
    if (n.count > 1 && (status = check_name(file, &n, err)) != SLM_OK)
        return status;
    slm_file **parts = slm_heap_zarray(file->heap, (size_t)n.count, sizeof *parts);
    if (!parts)
        return slm_fail(err, SLM_E_MEMORY, "%s: list of %" PRIu64 " files", file->path, n.count);
    for (uint64_t i = 1; i < n.count && !status; i++)
        status = load_part(&parts[i], file, &n, i, err);
    if (!status)
        status = merge(file, parts, &n, err);
    for (uint64_t i = 0; i < n.count; i++)
        slm_file_free(parts[i]);
    slm_heap_free(file->heap, parts);
    if (!status) {
        slm_keys_remove(&file->keys, "split.");
        if (n.count > 1)
            (void)snprintf(file->format, sizeof file->format, "GGUF, %u files", (unsigned)n.count);
    }
    return status;
}
