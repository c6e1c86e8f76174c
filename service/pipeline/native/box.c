/* The greatest and the least of the square around each pixel. Images u8 are dense rows, [height, width]. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wide.h"

WIDE static void flip_row(const uint8_t *restrict row, int64_t width, uint8_t flip, uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++) out[x] = row[x] ^ flip;
}

/* row[x] becomes the greatest of itself and the one `apart` px on. */
WIDE static void join_ahead(uint8_t *row, int64_t count, int64_t apart)
{
    for (int64_t x = 0; x < count; x++) row[x] = row[x] > row[x + apart] ? row[x] : row[x + apart];
}

WIDE static void greater_of(
    const uint8_t *restrict one, const uint8_t *restrict other, int64_t width, uint8_t flip,
    uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++) out[x] = (one[x] > other[x] ? one[x] : other[x]) ^ flip;
}

WIDE static void raise_row(uint8_t *restrict to, const uint8_t *restrict row, int64_t width)
{
    for (int64_t x = 0; x < width; x++) to[x] = row[x] > to[x] ? row[x] : to[x];
}

/* The greatest within `reach` px along a row of the image, 0 for rows that there are not. scratch
 * [width + 2 reach]. */
static void widen(
    const uint8_t *image, int64_t height, int64_t width, int64_t y, int64_t reach, uint8_t flip,
    uint8_t *scratch, uint8_t *out)
{
    int64_t window = 2 * reach + 1, have = 1, total = width + 2 * reach;
    if (y < 0 || y >= height) { memset(out, 0, (size_t)width); return; }
    memset(scratch, 0, (size_t)reach);
    memset(scratch + reach + width, 0, (size_t)reach);
    flip_row(image + y * width, width, flip, scratch + reach);
    for (; 2 * have <= window; have *= 2) join_ahead(scratch, total - 2 * have + 1, have);
    greater_of(scratch, scratch + window - have, width, 0, out);
}

/* The greatest, or where flip is 255 in place of 0 the least, of the pixels within `reach` px of each
 * along both axes. Rows are taken in blocks as high as the window: what is from a row to its block's
 * end, and from the next block's beginning to a row, makes any window. 0 without memory. */
int greatest_around(
    const uint8_t *image, int64_t height, int64_t width, int64_t reach, int64_t flip, uint8_t *out)
{
    int64_t window = 2 * reach + 1, size = window * width;
    uint8_t *memory = malloc((size_t)(2 * size + 2 * width + 2 * reach + 1)), inverse = (uint8_t)flip;
    if (!memory) return 0;
    uint8_t *block = memory, *next = block + size, *before = next + size, *scratch = before + width;
    for (int64_t k = 0; k < window; k++)
        widen(image, height, width, k - reach, reach, inverse, scratch, block + k * width);
    for (int64_t top = 0; top < height; top += window) {
        for (int64_t k = window - 2; k >= 0; k--)
            raise_row(block + k * width, block + (k + 1) * width, width);
        memset(before, 0, (size_t)width);
        for (int64_t k = 0; k < window; k++) {
            if (top + k < height) greater_of(block + k * width, before, width, inverse, out + (top + k) * width);
            widen(image, height, width, top + k + reach + 1, reach, inverse, scratch, next + k * width);
            raise_row(before, next + k * width, width);
        }
        uint8_t *own = block;
        block = next;
        next = own;
    }
    free(memory);
    return 1;
}

WIDE static void add_row(const uint8_t *restrict row, int64_t width, uint16_t *restrict sums)
{
    for (int64_t x = 0; x < width; x++) sums[x] = (uint16_t)(sums[x] + row[x]);
}

/* The means of `factor` sums each, a half rounded to the even, as OpenCV does. */
static inline void mean_of(const uint16_t *restrict sums, int64_t count, int64_t factor, uint8_t *restrict out)
{
    float share = 1.0f / (float)(factor * factor);
    for (int64_t x = 0; x < count; x++) {
        int32_t sum = 0;
        for (int64_t k = 0; k < factor; k++) sum += sums[x * factor + k];
        out[x] = (uint8_t)(int32_t)(((float)sum * share + 12582912.0f) - 12582912.0f);
    }
}

WIDE static void mean_of_three(const uint16_t *restrict sums, int64_t count, uint8_t *restrict out)
{
    mean_of(sums, count, 3, out);
}

WIDE static void mean_of_four(const uint16_t *restrict sums, int64_t count, uint8_t *restrict out)
{
    mean_of(sums, count, 4, out);
}

WIDE static void mean_of_six(const uint16_t *restrict sums, int64_t count, uint8_t *restrict out)
{
    mean_of(sums, count, 6, out);
}

/* The means of blocks of factor x factor pixels, 256 at most; image: rows `down` bytes apart, out
 * u8[height, width]. 0 without memory. */
int shrink(
    const uint8_t *image, int64_t down, int64_t height, int64_t width, int64_t factor, uint8_t *out)
{
    uint16_t *sums = malloc((size_t)(width * factor + 1) * sizeof(uint16_t));
    if (!sums) return 0;
    for (int64_t y = 0; y < height; y++, out += width) {
        memset(sums, 0, (size_t)(width * factor) * sizeof(uint16_t));
        for (int64_t k = 0; k < factor; k++) add_row(image + (y * factor + k) * down, width * factor, sums);
        if (factor == 3) mean_of_three(sums, width, out);
        else if (factor == 4) mean_of_four(sums, width, out);
        else if (factor == 6) mean_of_six(sums, width, out);
        else mean_of(sums, width, factor, out);
    }
    free(sums);
    return 1;
}
