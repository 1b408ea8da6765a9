/* check.c -- is a file still what was written? For the files that carry hashes: packed models and sessions. */
#include "core/params.h"
#include "format/packed.h"
#include "session/session.h"

static slm_status check(slm_check_info *info, const char *path, slm_heap *heap, slm_error *err)
{
    slm_source source;
    slm_file *file = NULL;
    slm_status status = slm_source_open(&source, path, err);
    if (status)
        return status;
    info->bytes = source.size;
    bool session = false, packed = false;
    status = slm_session_is(&session, &source, err);
    if (!status && session) {
        info->kind = "session";
        status = slm_session_check(&source, heap, &info->sections, err);
    } else if (!status) {
        status = slm_packed_is(&packed, &source, err);
    }
    if (status || session || !packed) {
        slm_source_close(&source);
        return status || session ? status : slm_fail(err, SLM_E_UNSUPPORTED, "%s: has no hashes to check in its %llu bytes (packed and session files have)", path,
                        (unsigned long long)info->bytes);
    }
    status = slm_file_load_source(&file, heap, &source, path, NULL, err);
    if (!status) {
        info->kind = "packed";
        info->sections = file->n_tensors + 3;       /* head, keys, table */
        status = slm_packed_check(file, err);
    }
    slm_file_free(file);
    return status;
}

slm_status slm_check_file(const char *path, const slm_file_params *params, slm_check_info *info, slm_error *err)
{
    slm_file_params p;
    slm_check_info full = SLM_CHECK_INFO_INIT;
    slm_heap heap;
    if (!path)
        return slm_fail(err, SLM_E_ARG, "path is NULL");
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    slm_heap_init(&heap, p.allocator, p.memory_limit);
    status = check(&full, path, &heap, err);
    return status || !info ? status : slm_params_write(info, &full, sizeof full, err);
}
