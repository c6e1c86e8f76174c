/* How much darker than its paper an image is, see ink.py. Images are dense rows, [height, width]. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wide.h"

/* 256ths of a Gaussian of 0.6 px, as OpenCV rounds them. */
enum { BESIDE = 43, MIDDLE = 170 };

/* A row blurred along x, in 256ths; the image is reflected at its edges. */
WIDE static void blur_row(const uint8_t *restrict row, int64_t width, uint16_t *restrict out)
{
    int64_t last = width - 1, after = width > 1 ? 1 : 0, before = width > 1 ? width - 2 : 0;
    out[0] = (uint16_t)(BESIDE * 2 * row[after] + MIDDLE * row[0]);
    for (int64_t x = 1; x < last; x++)
        out[x] = (uint16_t)(BESIDE * (row[x - 1] + row[x + 1]) + MIDDLE * row[x]);
    if (last > 0) out[last] = (uint16_t)(BESIDE * 2 * row[before] + MIDDLE * row[last]);
}

/* A row of the paper brought to twice its width, in quarters. */
WIDE static void widen_row(const uint8_t *restrict row, int64_t width, uint16_t *restrict out)
{
    int64_t last = width - 1;
    for (int64_t x = 0; x < width; x++) {
        out[2 * x] = (uint16_t)(row[x > 0 ? x - 1 : 0] + 3 * row[x]);
        out[2 * x + 1] = (uint16_t)(3 * row[x] + row[x < last ? x + 1 : last]);
    }
}

/* A row between two of the paper, a quarter of the way from the near one; rounded as OpenCV does. */
WIDE static void between_rows(
    const uint16_t *restrict near, const uint16_t *restrict far, int64_t width, uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++)
        out[x] = (uint8_t)((uint16_t)((uint16_t)(3 * near[x]) / 4 + far[x] / 4 + 2) / 4);
}

/* How much darker than the paper three blurred rows are; below: the row's difference. Sixteen bits
 * hold all sums, as the upper and lower bytes are added up apart. */
WIDE static void subtract_rows(
    const uint16_t *restrict above, const uint16_t *restrict own, const uint16_t *restrict below,
    const uint8_t *restrict paper, int64_t width, uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++) {
        uint16_t a = above[x], b = own[x], c = below[x];
        uint16_t upper = (uint16_t)(BESIDE * (uint16_t)((a >> 8) + (c >> 8)) + MIDDLE * (b >> 8));
        uint16_t lower = (uint16_t)(BESIDE * (uint16_t)((a & 255) + (c & 255)) + MIDDLE * (b & 255));
        uint8_t smooth = (uint8_t)((uint16_t)(upper + (lower >> 8) + 128) >> 8);
        out[x] = (uint8_t)(paper[x] > smooth ? paper[x] - smooth : 0);
    }
}

/* The row of the paper at y; paper u8[height / 2, width / 2]. rows: two, of widen_row, and which of
 * the paper's they are. */
static void paper_row(
    const uint8_t *paper, int64_t height, int64_t width, int64_t y, uint16_t *rows, int64_t *held,
    uint8_t *out)
{
    int64_t own = y / 2, other = y % 2 ? own + 1 : own - 1;
    other = other < 0 ? 0 : other > height / 2 - 1 ? height / 2 - 1 : other;
    for (int k = 0; k < 2; k++) {
        int64_t wanted = k ? other : own;
        if (held[wanted & 1] == wanted) continue;
        widen_row(paper + wanted * (width / 2), width / 2, rows + (wanted & 1) * width);
        held[wanted & 1] = wanted;
    }
    between_rows(rows + (own & 1) * width, rows + (other & 1) * width, width, out);
}

/* How much darker than its paper each pixel is, smoothed a little; u8[height, width]. paper: as large
 * as the image, or where `half` half as high and wide (both of the image's are even then), or none: it
 * is 255 everywhere. 0 without memory. */
int darken(
    const uint8_t *grey, int64_t height, int64_t width, const uint8_t *paper, int64_t half, uint8_t *out)
{
    uint16_t *rows = malloc((size_t)(5 * width + 1) * sizeof(uint16_t));
    uint8_t *white = malloc((size_t)(width + 1));
    int64_t held[2] = {-1, -1};
    int made = rows && white;
    if (made) memset(white, 255, (size_t)width);
    for (int64_t y = 0; y < height && made; y++) {
        if (y == 0) blur_row(grey, width, rows);
        if (y + 1 < height) blur_row(grey + (y + 1) * width, width, rows + (y + 1) % 3 * width);
        const uint16_t *own = rows + y % 3 * width;
        const uint16_t *below = y + 1 < height ? rows + (y + 1) % 3 * width : y > 0 ? rows + (y - 1) % 3 * width : own;
        const uint16_t *above = y > 0 ? rows + (y - 1) % 3 * width : below;
        if (paper && half) paper_row(paper, height, width, y, rows + 3 * width, held, white);
        subtract_rows(above, own, below, paper && !half ? paper + y * width : white, width, out + y * width);
    }
    free(rows);
    free(white);
    return made;
}
