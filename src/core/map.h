/* map.h -- a file in memory without reading it: mapped, shared with every process that maps it, and watched for change. */
#ifndef SLM_CORE_MAP_H
#define SLM_CORE_MAP_H

#include "core/heap.h"
#include "core/source.h"

typedef struct slm_map slm_map;

/* Maps all of a source that is a file. The map keeps a descriptor of its own, so the source may be closed. SLM_E_CHANGED if the file is
 * no longer of the size it had when the source was opened. A file that another process cuts off in place kills whoever reads the map
 * beyond its new end; one that is replaced by rename leaves it whole. */
slm_status slm_map_open(slm_map **out, slm_heap *heap, const slm_source *source, slm_error *err);
void slm_map_close(slm_map *map);

const uint8_t *slm_map_bytes(const slm_map *map);       /* [size of the source], aligned to a page */

/* Is the file what it was: size, time of change, inode. slm_map_step looks at each 64th call only. map may be NULL: nothing to watch.
 * Threads: any number at once. */
slm_status slm_map_look(const slm_map *map, slm_error *err);
slm_status slm_map_step(slm_map *map, slm_error *err);

#endif
