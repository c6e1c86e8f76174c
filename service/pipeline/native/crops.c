/* The crops of all segments of a line, see segment.place. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wide.h"

enum { CROP = 32 };

typedef struct {
    double normal, largest, size_damping, offset_damping;
} Placement;

/* As rintf, of what is far below 2^22, without a call. */
static inline float rounded(float value)
{
    return (value + 12582912.0f) - 12582912.0f;
}

/* Bilinear sampling of what a scale and a shift make of an image, as OpenCV's warpAffine does it:
 * coordinates and weights in single precision, nothing outside the image. image: with a pixel of paper
 * all around, so that its rows are `width` + 2 long. */
static void sample(
    const uint8_t *image, int64_t height, int64_t width, double scale, double right, double down,
    uint8_t *crop)
{
    double share = 1.0 / (scale * scale), back = scale * share;
    float step = (float)back, x0 = (float)(-back * right), y0 = (float)(-back * down);
    int64_t column[CROP], stride = width + 2;
    int first = CROP, last = 0; /* columns that see the image */
    float across[CROP];
    for (int x = 0; x < CROP; x++) {
        float at = (float)x * step + x0, whole = floorf(at);
        column[x] = (int64_t)whole + 1;
        across[x] = at - whole;
        if (column[x] < 0 || column[x] > width) continue;
        first = x < first ? x : first;
        last = x + 1;
    }
    memset(crop, 0, CROP * CROP);
    for (int y = 0; y < CROP; y++) {
        float at = (float)y * step + y0, whole = floorf(at), along = at - whole;
        int64_t row = (int64_t)whole + 1;
        if (row < 0 || row > height) continue;
        const uint8_t *upper = image + row * stride, *lower = upper + stride;
        for (int x = first; x < last; x++) {
            const uint8_t *above = upper + column[x], *below = lower + column[x];
            float p00 = above[0], p01 = above[1], p10 = below[0], p11 = below[1];
            float top = p00 + across[x] * (p01 - p00), bottom = p10 + across[x] * (p11 - p10);
            float value = rounded(top + along * (bottom - top));
            crop[y * CROP + x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

/* The ink of the pieces from one on, `count` of them. */
WIDE static void keep_pieces(
    const uint8_t *restrict ink, const int16_t *restrict piece, int64_t width, uint16_t first, uint16_t count,
    uint8_t *restrict own)
{
    for (int64_t x = 0; x < width; x++) own[x] = (uint16_t)(piece[x] - first) < count ? ink[x] : 0;
}

static double clip(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

/* crops u8[count, 32, 32] of the pieces first .. last - 1, whose ink has the box; ink and piece
 * [height, width]; size: of the line; centre: of the line. */
int crops(
    const uint8_t *ink, const int16_t *piece, int64_t height, int64_t width, const int32_t *first,
    const int32_t *last, const int32_t *boxes, int64_t count, double size, double centre,
    const Placement *placement, uint8_t *found)
{
    uint8_t *own = malloc((size_t)((height + 2) * (width + 2)));
    if (!own) return 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *box = boxes + 4 * i;
        int64_t x0 = box[0] > 0 ? box[0] - 1 : 0, y0 = box[1] > 0 ? box[1] - 1 : 0;
        int64_t x1 = box[2] < width ? box[2] + 1 : width, y1 = box[3] < height ? box[3] + 1 : height;
        int64_t w = x1 - x0, h = y1 - y0;
        memset(own, 0, (size_t)((h + 2) * (w + 2)));
        for (int64_t y = 0; y < h; y++)
            keep_pieces(ink + (y0 + y) * width + x0, piece + (y0 + y) * width + x0, w, (uint16_t)first[i],
                        (uint16_t)(last[i] - first[i]), own + (y + 1) * (w + 2) + 1);
        int32_t tall = box[3] - box[1], wide = box[2] - box[0];
        double extent = (tall > wide ? tall : wide) / size;
        double offset = ((box[1] + box[3]) / 2.0 - centre) / size;
        extent = extent < 0.05 ? 0.05 : extent;
        double target = placement->normal * pow(extent, placement->size_damping);
        target = target < placement->largest ? target : placement->largest;
        double scale = target / (extent * size);
        double shift = clip(offset * placement->offset_damping, -0.25, 0.25) * placement->normal;
        double right = (CROP - 1) / 2.0 - scale * (double)(w - 1) / 2.0;
        double down = (CROP - 1) / 2.0 + shift - scale * (double)(h - 1) / 2.0;
        sample(own, h, w, scale, right, down, found + i * CROP * CROP);
    }
    free(own);
    return 1;
}
