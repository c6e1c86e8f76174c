/* What the allocator does with memory that is given back. */
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Keep what a page takes for the next one: handing megabytes back to the system and having them
 * again, zeroed page by page, costs a tenth of a reading. 0 where it can't be had. */
int keep_memory(void)
{
#ifdef __GLIBC__
    return mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 64 << 20);
#else
    return 0;
#endif
}
