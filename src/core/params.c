/* params.c -- reads a caller's option struct of any version (the rule of Linux's copy_struct_from_user). */
#include "core/params.h"

#include <string.h>

slm_status slm_params_read(void *dst, size_t room, const void *src, slm_error *err)
{
    const uint8_t *bytes = src;
    size_t size;
    memset(dst, 0, room);
    memcpy(dst, &room, sizeof room);
    if (!src)
        return SLM_OK;                                          /* all defaults */
    memcpy(&size, src, sizeof size);
    if (size < sizeof size || size > 4096)                      /* garbage would have us read far past it */
        return slm_fail(err, SLM_E_ARG, "params.size is %zu: start from the SLM_..._INIT of the struct", size);
    for (size_t i = room; i < size; i++)
        if (bytes[i])                                           /* newer caller, and it uses what we lack */
            return slm_fail(err, SLM_E_UNSUPPORTED, "params: byte %zu is set, this library knows %zu bytes", i, room);
    memcpy(dst, src, size < room ? size : room);
    return SLM_OK;
}

slm_status slm_params_write(void *dst, const void *full, size_t room, slm_error *err)
{
    size_t size = 0;
    if (dst)
        memcpy(&size, dst, sizeof size);
    if (size < sizeof size || size > 4096)
        return slm_fail(err, SLM_E_ARG, "info.size is %zu: start from the SLM_..._INIT of the struct", size);
    if (size > room)
        memset((uint8_t *)dst + room, 0, size - room);
    memcpy((uint8_t *)dst + sizeof size, (const uint8_t *)full + sizeof size, (size < room ? size : room) - sizeof size);
    return SLM_OK;
}
