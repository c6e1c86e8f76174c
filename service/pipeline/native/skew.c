/* Thin strokes that run sideways, and how sharp their profile is along lines of a slope, see skew.py. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"
#include "wide.h"

enum { REACH = 3, ROWS = 2 * REACH + 1, BESIDE = 4, EDGE = 3, BANKS = 4 };

/* The nearest row that there is. */
static int64_t within(int64_t y, int64_t height)
{
    return y < 0 ? 0 : y < height ? y : height - 1;
}

/* The greatest, or the least, of seven rows, pixel by pixel. */
WIDE static void greatest(const uint8_t *const *rows, int64_t width, uint8_t *restrict out)
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4], *f = rows[5];
    const uint8_t *g = rows[6];
    for (int64_t x = 0; x < width; x++) {
        uint8_t one = a[x] > b[x] ? a[x] : b[x], two = c[x] > d[x] ? c[x] : d[x];
        uint8_t three = e[x] > f[x] ? e[x] : f[x];
        one = one > two ? one : two;
        three = three > g[x] ? three : g[x];
        out[x] = one > three ? one : three;
    }
}

WIDE static void least(const uint8_t *const *rows, int64_t width, uint8_t *restrict out)
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4], *f = rows[5];
    const uint8_t *g = rows[6];
    for (int64_t x = 0; x < width; x++) {
        uint8_t one = a[x] < b[x] ? a[x] : b[x], two = c[x] < d[x] ? c[x] : d[x];
        uint8_t three = e[x] < f[x] ? e[x] : f[x];
        one = one < two ? one : two;
        three = three < g[x] ? three : g[x];
        out[x] = one < three ? one : three;
    }
}

/* The mean of nine pixels along a row, which goes on BESIDE px beyond both ends. */
WIDE static void mean_of_nine(const uint8_t *restrict row, int64_t width, uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++) {
        const uint8_t *at = row + x;
        uint16_t sum = (uint16_t)(at[-4] + at[-3] + at[-2] + at[-1] + at[0] + at[1] + at[2] + at[3] + at[4]);
        out[x] = (uint8_t)((uint16_t)(sum + 4) * 7282u >> 16); /* by nine, rounded */
    }
}

/* How much darker than what is 3 px above or below, on the mean of nine pixels along x: u8[height,
 * width]. 0 without memory. */
int thin_strokes(const uint8_t *grey, int64_t height, int64_t width, uint8_t *out)
{
    uint8_t *rows = malloc((size_t)((ROWS + 1) * width + 2 * BESIDE + 1));
    if (!rows) return 0;
    uint8_t *thin = rows + ROWS * width + BESIDE;
    const uint8_t *near[ROWS];
    int64_t ready = 0;
    for (int64_t y = 0; y < height; y++) {
        for (; ready <= y + REACH && ready < height; ready++) {
            for (int64_t k = 0; k < ROWS; k++) near[k] = grey + within(ready + k - REACH, height) * width;
            greatest(near, width, rows + ready % ROWS * width);
        }
        for (int64_t k = 0; k < ROWS; k++) near[k] = rows + within(y + k - REACH, height) % ROWS * width;
        least(near, width, thin);
        for (int64_t x = 0; x < width; x++) thin[x] = (uint8_t)(thin[x] - grey[y * width + x]);
        for (int64_t k = 1; k <= BESIDE; k++) { /* reflected at the ends, where there are as many */
            thin[-k] = thin[k < width ? k : width - 1];
            thin[width - 1 + k] = thin[width - 1 - k > 0 ? width - 1 - k : 0];
        }
        mean_of_nine(thin, width, out + y * width);
    }
    free(rows);
    return 1;
}

/* Where a row is above a level, u8 0 or 1; how often. */
WIDE static int32_t mark_above(const uint8_t *restrict row, int64_t width, uint8_t level, uint8_t *restrict mark)
{
    int32_t count = 0;
    for (int64_t x = 0; x < width; x++) mark[x] = row[x] > level;
    for (int64_t x = 0; x < width; x++) count += mark[x];
    return count;
}

/* Points of strokes u8[height, width] that are above a level, but for the edges: all, or where there are
 * twice as many as `most` or more every second, third ... x, y f32, weight i32: room for twice `most`.
 * How many; -1 without memory. */
int64_t thin_points(
    const uint8_t *strokes, int64_t height, int64_t width, int32_t level, int64_t most, float *x, float *y,
    int32_t *weight)
{
    int64_t count = 0, left = 0, kept = 0, wide = width - 2 * EDGE;
    if (wide <= 0 || height <= 2 * EDGE) return 0;
    uint8_t above = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    uint8_t *marks = malloc((size_t)(height * wide));
    if (!marks) return -1;
    for (int64_t row = EDGE; row < height - EDGE; row++)
        count += mark_above(strokes + row * width + EDGE, wide, above, marks + row * wide);
    int64_t step = count / most > 1 ? count / most : 1;
    for (int64_t row = EDGE; row < height - EDGE; row++) {
        const uint8_t *mark = marks + row * wide;
        for (int64_t k = solid_next(mark, 0, wide); k < wide; k = solid_next(mark, k + 1, wide)) {
            if (left-- > 0) continue;
            left = step - 1;
            x[kept] = (float)(k + EDGE);
            y[kept] = (float)row;
            weight[kept++] = strokes[row * width + k + EDGE];
        }
    }
    free(marks);
    return kept;
}

/* The bins that points are projected into along lines of a slope; least: the least place. */
WIDE static void number_bins(
    const float *restrict x, const float *restrict y, int64_t count, float slope, float scale, float least,
    int32_t *restrict bin)
{
    for (int64_t i = 0; i < count; i++) bin[i] = (int32_t)((y[i] - slope * x[i]) * scale - least);
}

/* The first and the last points of the rows: any slope has its least and its greatest places there. */
static int64_t ends_of_rows(const float *y, int64_t count, int32_t *ends)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        if (i == 0 || i == count - 1 || y[i] != y[i - 1] || y[i] != y[i + 1]) ends[found++] = (int32_t)i;
    return found;
}

/* Sum of squares, f64[slopes], of the profile of points projected along lines of each slope, in bins of
 * 1 / scale px. The points are in order of y, then x. 0 without memory. */
int profile_energies(
    const float *x, const float *y, const int32_t *weight, int64_t count, const float *slopes,
    int64_t slope_count, float scale, double *found)
{
    int32_t *bin = malloc((size_t)(2 * count + 1) * sizeof(int32_t)), *ends = bin + count, *profile = 0;
    if (!bin) return 0;
    int64_t room = 0, outer = ends_of_rows(y, count, ends);
    for (int64_t s = 0; s < slope_count; s++) {
        float least = 0.0f, most = 0.0f;
        double sum = 0.0;
        for (int64_t k = 0; k < outer; k++) {
            float place = (y[ends[k]] - slopes[s] * x[ends[k]]) * scale;
            if (k == 0 || place < least) least = place;
            if (k == 0 || place > most) most = place;
        }
        int64_t bins = (int64_t)(most - least) + 1, i = 0;
        if (bins > room) {
            free(profile);
            profile = malloc((size_t)(BANKS * bins) * sizeof(int32_t));
            if (!profile) { free(bin); return 0; }
            room = bins;
        }
        memset(profile, 0, (size_t)(BANKS * bins) * sizeof(int32_t));
        number_bins(x, y, count, slopes[s], scale, least, bin);
        /* Neighbours fall into one bin, and adding to it twice waits: each has a bank of its own. */
        for (; i + BANKS <= count; i += BANKS)
            for (int k = 0; k < BANKS; k++) profile[BANKS * bin[i + k] + k] += weight[i + k];
        for (; i < count; i++) profile[BANKS * bin[i]] += weight[i];
        for (int64_t b = 0; b < bins; b++) {
            int32_t own = 0;
            for (int k = 0; k < BANKS; k++) own += profile[BANKS * b + k];
            sum += (double)own * own;
        }
        found[s] = sum;
    }
    free(profile);
    free(bin);
    return 1;
}
