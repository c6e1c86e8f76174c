/* Strokes through a page or an amount, see crossed.py and strike.py. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* A pixel without ink takes back so many with ink. */
enum { GAP = 2 };
/* The ends of a line through an amount are so many rows above or below its middle, in such steps. */
enum { MOST_RISE = 14, RISE_STEP = 2 };
/* It is inked along so much of the amount, with no more columns without ink that follow each other. */
static const double INKED = 0.9;
enum { LONGEST_GAP = 8 };

/* The path with the most ink that with each column falls by a row or by none; where it has as many
 * gaps as ink it begins anew. solid: 1 where inked, its rows `down` bytes apart and its columns
 * `right`; path i64[width, 2]: x, y of each pixel. How many; -1 without memory. */
int64_t longest_path(
    const uint8_t *solid, int64_t height, int64_t width, int64_t down, int64_t right, int64_t *path)
{
    /* Of each column, the one before the first too: the scores below a row of zeros. */
    int64_t size = height + 1, x = -1, y = -1, most = 0, count = 0;
    int32_t *scores = calloc((size_t)((width + 1) * size), sizeof(int32_t));
    if (!scores) return -1;
    for (int64_t column = 0; column < width; column++) {
        const int32_t *before = scores + column * size + 1;
        int32_t *own = scores + (column + 1) * size + 1;
        const uint8_t *inked = solid + column * right;
        for (int64_t row = 0; row < height; row++, inked += down) {
            int32_t best = before[row - 1] > before[row] ? before[row - 1] : before[row];
            best += *inked ? 1 : -GAP;
            own[row] = best > 0 ? best : 0;
            if (best > most) { most = best; x = column; y = row; }
        }
    }
    while (x >= 0 && y >= 0 && scores[(x + 1) * size + y + 1] > 0) {
        const int32_t *before = scores + x * size + 1;
        path[2 * count] = x--;
        path[2 * count++ + 1] = y;
        if (before[y - 1] >= before[y]) y--;
    }
    free(scores);
    for (int64_t i = 0; i < count / 2; i++)
        for (int64_t k = 0; k < 2; k++) {
            int64_t *one = path + 2 * i + k, *other = path + 2 * (count - 1 - i) + k, kept = *one;
            *one = *other;
            *other = kept;
        }
    return count;
}

/* Whether a line is inked along all its columns but a few: how far down each is, in a zone as below. */
static int is_inked(const uint8_t *zone, int64_t height, int64_t width, const int64_t *down, uint8_t level)
{
    int64_t inked = 0, gap = 0;
    for (int64_t x = 0; x < width; x++) {
        int64_t y = down[x] < 0 ? 0 : down[x] < height ? down[x] : height - 1;
        const uint8_t *at = zone + y * width + x;
        int held = *at > level || (y > 0 && at[-width] > level);
        gap = held ? 0 : gap + 1;
        if (gap > LONGEST_GAP) return 0;
        inked += held;
    }
    return (double)inked / (double)width >= INKED;
}

/* Whether a line, thin or a little bent, runs through a zone u8[height, width] of what is darker than
 * a level, from side to side, its middle in one of the rows first .. last; -1 without memory. */
int is_run_through(
    const uint8_t *zone, int64_t height, int64_t width, uint8_t level, int64_t first, int64_t last)
{
    int64_t *down = malloc((size_t)(width + 1) * sizeof(int64_t));
    int found = 0;
    if (!down) return -1;
    /* No line is inked in more columns than have any ink. */
    for (int64_t x = 0; x < width; x++)
        for (down[x] = 0; down[x] < height - 1 && zone[down[x] * width + x] <= level;) down[x]++;
    int possible = is_inked(zone, height, width, down, level);
    for (int64_t rise = -MOST_RISE; possible && !found && rise <= MOST_RISE; rise += RISE_STEP) {
        for (int64_t x = 0; x < width; x++)
            down[x] = first + (int64_t)rint((double)rise * ((double)(2 * x) / (double)width - 1.0));
        for (int64_t row = first; !found && row < last; row++) {
            found = is_inked(zone, height, width, down, level);
            for (int64_t x = 0; x < width; x++) down[x]++;
        }
    }
    free(down);
    return found;
}
