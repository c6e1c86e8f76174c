/* Loops over bytes are done 32 at a time where the processor can, though the library is compiled for
 * any: WIDE before a function has it compiled twice, and the loader choose. */
#ifndef WIDE_H
#define WIDE_H

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#endif
