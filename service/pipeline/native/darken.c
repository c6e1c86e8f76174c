/* How much darker than its paper an image is, see ink.py. Images are dense rows, [height, width]. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wide.h"

/* 256ths of a Gaussian of 0.6 px, as OpenCV rounds them. */
enum { BESIDE = 43, MIDDLE = 170, CHUNK = 256, MOST = 2048 };

/* A row of the paper brought to twice its width, in quarters. */
WIDE static void widen_row(const uint8_t *restrict row, int64_t width, uint16_t *restrict out)
{
    int64_t last = width - 1;
    out[0] = (uint16_t)(4 * row[0]);
    for (int64_t x = 0; x < last; x++) {
        out[2 * x + 1] = (uint16_t)(3 * row[x] + row[x + 1]);
        out[2 * x + 2] = (uint16_t)(row[x] + 3 * row[x + 1]);
    }
    out[2 * last + 1] = (uint16_t)(4 * row[last]);
}

/* A row between two of the paper, a quarter of the way from the near one; rounded as OpenCV does. */
WIDE static void between_rows(
    const uint16_t *restrict near, const uint16_t *restrict far, int64_t width, uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++)
        out[x] = (uint8_t)((uint16_t)((uint16_t)(3 * near[x]) / 4 + far[x] / 4 + 2) / 4);
}

/* Whether all of three rows is white. */
WIDE static int is_white(const uint8_t *above, const uint8_t *own, const uint8_t *below, int64_t count)
{
    uint8_t all = 255;
    for (int64_t x = 0; x < count; x++) all &= above[x] & own[x] & below[x];
    return all == 255;
}

/* Columns of three rows blurred along y, in 256ths. */
WIDE static void blur_columns(
    const uint8_t *above, const uint8_t *own, const uint8_t *below, int64_t count, uint16_t *restrict out)
{
    for (int64_t x = 0; x < count; x++)
        out[x] = (uint16_t)(BESIDE * (above[x] + below[x]) + MIDDLE * own[x]);
}

/* How much darker than the paper columns are, blurred along x as well: of columns [-1, count]. Sixteen
 * bits hold all sums, as the upper and lower bytes are added up apart. */
WIDE static void subtract_columns(
    const uint16_t *restrict column, const uint8_t *restrict paper, int64_t count, uint8_t *restrict out)
{
    for (int64_t x = 0; x < count; x++) {
        uint16_t a = column[x - 1], b = column[x], c = column[x + 1];
        uint16_t upper = (uint16_t)(BESIDE * (uint16_t)((a >> 8) + (c >> 8)) + MIDDLE * (b >> 8));
        uint16_t lower = (uint16_t)(BESIDE * (uint16_t)((a & 255) + (c & 255)) + MIDDLE * (b & 255));
        uint8_t smooth = (uint8_t)((uint16_t)(upper + (lower >> 8) + 128) >> 8);
        out[x] = (uint8_t)(paper[x] > smooth ? paper[x] - smooth : 0);
    }
}

/* How much darker than the paper a row is, blurred with those beside it, which is reflected at its ends;
 * white: where all is white, so is the paper. */
static void darken_row(
    const uint8_t *above, const uint8_t *own, const uint8_t *below, const uint8_t *paper, int64_t width,
    int white, uint8_t *out)
{
    uint16_t columns[MOST + 2];
    int64_t chunk = white ? CHUNK : MOST;
    for (int64_t from = 0; from < width; from += chunk) {
        int64_t to = from + chunk < width ? from + chunk : width;
        int64_t left = from > 0 ? from - 1 : 0, right = to < width ? to + 1 : width;
        if (white && is_white(above + left, own + left, below + left, right - left)) {
            memset(out + from, 0, (size_t)(to - from));
            continue;
        }
        uint16_t *column = columns + 1;
        blur_columns(above + left, own + left, below + left, right - left, column + (left - from));
        if (from == 0) column[-1] = column[width > 1 ? 1 : 0];
        if (to == width) column[to - from] = to - from > 1 || from > 0 ? column[to - from - 2] : column[0];
        subtract_columns(column, paper + from, to - from, out + from);
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
    uint16_t *rows = malloc((size_t)(2 * width + 1) * sizeof(uint16_t));
    uint8_t *own_paper = malloc((size_t)(width + 1));
    int64_t held[2] = {-1, -1};
    int made = rows && own_paper;
    if (made) memset(own_paper, 255, (size_t)width);
    for (int64_t y = 0; y < height && made; y++) {
        const uint8_t *own = grey + y * width;
        const uint8_t *below = y + 1 < height ? own + width : y > 0 ? own - width : own;
        const uint8_t *above = y > 0 ? own - width : below;
        if (paper && half) paper_row(paper, height, width, y, rows, held, own_paper);
        darken_row(above, own, below, paper && !half ? paper + y * width : own_paper, width, !paper,
                   out + y * width);
    }
    free(rows);
    free(own_paper);
    return made;
}
