/* Connected components from runs: unbroken stretches of pixels in a row. */
#ifndef RUNS_H
#define RUNS_H

#include <stdint.h>
#include <string.h>

/* The next x from which a byte is not zero, width where there is none; most bytes are zero. */
static inline int64_t solid_next(const uint8_t *row, int64_t x, int64_t width)
{
    uint64_t eight;
    if (x < width && row[x]) return x;
    for (; x + 8 <= width; x += 8) {
        memcpy(&eight, row + x, 8);
        if (eight) break;
    }
    while (x < width && !row[x]) x++;
    return x;
}

/* The next x from which a byte (0 or 1) is not zero, or is where wanted is 0; width where there is
 * none. Eight at a time. */
static inline int64_t runs_next(const uint8_t *row, int64_t x, int64_t width, int wanted)
{
    uint64_t level = wanted ? 0 : 0x0101010101010101u, many[4];
    for (; wanted && x + 32 <= width; x += 32) { /* paper is wide, ink is not */
        memcpy(many, row + x, 32);
        if (many[0] | many[1] | many[2] | many[3]) break;
    }
    for (; x + 8 <= width; x += 8) {
        uint64_t eight;
        memcpy(&eight, row + x, 8);
        eight ^= level;
        if (!eight) continue;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return x + (__builtin_ctzll(eight) >> 3);
#else
        break;
#endif
    }
    while (x < width && (row[x] != 0) != wanted) x++;
    return x;
}

/* Whether 64 bytes are zero. */
static inline int are_zero(const uint8_t *bytes)
{
    uint64_t any = 0, eight;
    for (int i = 0; i < 64; i += 8) {
        memcpy(&eight, bytes + i, 8);
        any |= eight;
    }
    return !any;
}

typedef struct {
    int32_t y, x0, x1, parent; /* x1: one past the last */
} Run;

typedef struct {
    Run *run;
    int64_t count, room;
} Runs;

/* Adds the stretches of nonzero bytes (0 or 1 each) of a part of a row. */
int runs_add_row(Runs *runs, const uint8_t *row, int32_t y, int64_t from, int64_t to);
int runs_add(Runs *runs, int32_t y, int32_t x0, int32_t x1);
/* Adds the stretches of an image, whose rows are `stride` apart, that are above a level. */
int runs_add_above(
    Runs *runs, const uint8_t *image, int64_t height, int64_t width, int64_t stride, uint8_t level);
/* Joins runs that touch in 8 directions; runs must be in order of y, then x. The parent of each is then
 * the first run of its component. */
void runs_join(Runs *runs);
/* Joins those alone that are of one kind, i32[count]. */
void runs_join_alike(Runs *runs, const int32_t *kind);
void runs_free(Runs *runs);

/* left, top, width, height, area, and the sums of x and y. */
typedef struct {
    int32_t x0, y0, x1, y1;
    int64_t area, sum_x, sum_y, place;
} Component;

/* The components of joined runs in OpenCV's order, that of their first block of 2 x 2 pixels.
 * number i32[count]: of each run, its component. Returns them (to be freed), 0 without memory. */
Component *runs_components(Runs *runs, int32_t *number, int64_t *count);

/* The components of the nonzero pixels (0 or 1) of an image whose rows are `stride` apart, to be
 * freed; 0 without memory. labels i32[height, width], or none: their numbers, from 1. */
Component *label_components(
    const uint8_t *solid, int64_t height, int64_t width, int64_t stride, int32_t *labels, int64_t *count);

#endif
