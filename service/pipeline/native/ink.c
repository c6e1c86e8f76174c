/* Ruled lines and strokes of a page, see ink.py. Images are dense rows, [height, width]. */
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pixels that a stretch may lack in a row. */
enum { GAP = 2 };

/* One stretch [x0, x1) of the joined rows, opened by `length` px; what is left may be dark. */
static int add_opened(
    Runs *runs, const uint8_t *dark, int32_t y, int64_t width, int64_t length, int64_t x0, int64_t x1)
{
    int64_t before = length / 2, after = length - 1 - before;
    int64_t low = x0 == 0 ? 0 : x0 + before, high = x1 == width ? width - 1 : x1 - 1 - after;
    if (low > high) return 1;
    low = low - after > 0 ? low - after : 0;
    high = high + before < width ? high + before : width - 1;
    return runs_add_row(runs, dark, y, low, high + 1);
}

/* Whether the pixels numbered so in a box follow one straight line that leans little: but for a quarter
 * of the columns their middles lie within `off` px of it, and it falls by less than `slope`. */
static int is_straight(
    const uint16_t *labels, int64_t width, const int32_t *box, uint16_t number, double slope, double off,
    double *middle)
{
    int64_t wide = box[2], high = box[3], columns = 0, near = 0;
    if (high <= 4) return 1;
    double *at = middle + wide, sum_x = 0.0, sum_y = 0.0, xy = 0.0, xx = 0.0;
    for (int64_t x = 0; x < wide; x++) {
        int64_t filled = 0, rows = 0;
        const uint16_t *column = labels + box[1] * width + box[0] + x;
        for (int64_t y = 0; y < high; y++)
            if (column[y * width] == number) { filled++; rows += y; }
        if (!filled) continue;
        at[columns] = (double)x;
        middle[columns++] = (double)rows / (double)filled;
        sum_x += (double)x;
        sum_y += (double)rows / (double)filled;
    }
    for (int64_t i = 0; i < columns; i++) {
        at[i] -= sum_x / (double)columns;
        middle[i] -= sum_y / (double)columns;
        xy += at[i] * middle[i];
        xx += at[i] * at[i];
    }
    double lean = xy / (xx > 1.0 ? xx : 1.0), place = 0.75 * (double)(columns - 1);
    if (fabs(lean) >= slope) return 0;
    int64_t below = (int64_t)place, above = below + 1 < columns ? below + 1 : columns - 1;
    double greatest = 0.0, least = INFINITY;
    for (int64_t i = 0; i < columns; i++) {
        double far = fabs(middle[i] - lean * at[i]);
        if (far <= off) { near++; greatest = far > greatest ? far : greatest; }
        else least = far < least ? far : least;
    }
    if (near > above) return 1;
    if (near <= below) return 0;
    return greatest + (least - greatest) * (place - (double)below) <= off;
}

/* Where the stretch that holds a pixel begins, not before `least`; it may have gaps. */
static int64_t begin_of(const uint8_t *row, int64_t x, int64_t least)
{
    for (int64_t gap = 0, at = x - 1; at >= least && gap <= GAP; at--) {
        gap = row[at] ? 0 : gap + 1;
        if (row[at]) x = at;
    }
    return x;
}

/* The beginning of the next stretch that may be `length` px long, or that reaches an edge, from
 * `least` on; width where there is none. A stretch has one of three pixels wherever it is looked
 * into, so that most of what is shorter is never seen. */
static int64_t next_stretch(const uint8_t *row, int64_t least, int64_t length, int64_t width)
{
    int64_t step = length > 2 * GAP ? length - GAP : 1;
    if (least == 0 && width > 1 && (row[0] || row[1])) return row[0] ? 0 : 1;
    for (int64_t s = (least + step - 1) / step * step; s + GAP < width; s += step)
        for (int64_t x = s; x <= s + GAP; x++)
            if (row[x]) return begin_of(row, x, least);
    for (int64_t x = width - 1; x >= least && x >= width - 2; x--)
        if (row[x]) return begin_of(row, x, least);
    return width;
}

/* Thin straight lines along x: the components of what is darker than a threshold in unbroken stretches of
 * `length` px, where two rows together count as one and gaps of two pixels as none; of those the
 * ones at least `least` px long and at most `thickness` px thick on average that are straight. They
 * are numbered from 1 in labels u16, which is left alone where there is none; stats i32[room, 4]: left, top, width, height.
 * Returns how many, room at most; -1 without memory. */
int64_t find_lines(
    const uint8_t *darkness, int64_t height, int64_t width, int32_t threshold, int64_t length,
    int64_t least, double thickness, double slope, double off, uint16_t *labels, int32_t *stats,
    int64_t room)
{
    Runs runs = {0};
    uint8_t *rows = calloc((size_t)(3 * width + 1), 1);
    int failed = !rows;
    /* Bytes alone, so that they are compared sixteen at once. */
    uint8_t level = (uint8_t)(threshold < 0 ? 0 : threshold > 255 ? 255 : threshold), all = threshold < 0;
    for (int64_t y = 0; y < height && !failed; y++) {
        uint8_t *dark = rows + (y & 1) * width, *above = rows + (~y & 1) * width;
        uint8_t *joined = rows + 2 * width;
        const uint8_t *row = darkness + y * width;
        for (int64_t x = 0; x < width; x++) dark[x] = (row[x] > level) | all;
        for (int64_t x = 0; x < width; x++) joined[x] = dark[x] | above[x];
        for (int64_t x0 = next_stretch(joined, 0, length, width); x0 < width && !failed;) {
            int64_t x1 = runs_next(joined, x0, width, 0), more = runs_next(joined, x1, width, 1);
            while (more < width && more - x1 <= GAP) {
                x1 = runs_next(joined, more, width, 0);
                more = runs_next(joined, x1, width, 1);
            }
            int64_t from = x0 <= 1 ? 0 : x0, to = x1 >= width - 1 ? width : x1;
            failed = !add_opened(&runs, dark, (int32_t)y, width, length, from, to);
            x0 = next_stretch(joined, x1, length, width);
        }
    }
    free(rows);
    int64_t count = 0, kept = 0;
    int32_t *number = failed ? 0 : malloc((size_t)(runs.count + 1) * sizeof(int32_t));
    Component *parts = 0;
    if (number) {
        runs_join(&runs);
        parts = runs_components(&runs, number, &count);
    }
    uint16_t *name = parts ? calloc((size_t)count + 1, sizeof(uint16_t)) : 0;
    if (!name) kept = -1;
    for (int64_t c = 0; kept >= 0 && c < count && kept < room; c++) {
        const Component *part = parts + c;
        int32_t wide = part->x1 - part->x0;
        if (wide < least || (double)part->area / wide > thickness) continue;
        int32_t *out = stats + 4 * kept;
        out[0] = part->x0;
        out[1] = part->y0;
        out[2] = wide;
        out[3] = part->y1 - part->y0;
        name[c] = (uint16_t)++kept;
    }
    if (kept > 0) memset(labels, 0, (size_t)(height * width) * sizeof(uint16_t));
    for (int64_t i = 0; kept > 0 && i < runs.count; i++) {
        const Run *run = runs.run + i;
        uint16_t own = name[number[i]];
        if (own)
            for (int32_t x = run->x0; x < run->x1; x++) labels[(int64_t)run->y * width + x] = own;
    }
    double *middle = kept > 0 ? malloc((size_t)(2 * width) * sizeof(double)) : 0;
    int64_t straight = kept > 0 && !middle ? -1 : kept < 0 ? -1 : 0;
    for (int64_t i = 0; i < kept && middle; i++) {
        int32_t *box = stats + 4 * i;
        uint16_t number = (uint16_t)(i + 1);
        int stays = is_straight(labels, width, box, number, slope, off, middle);
        uint16_t own = stays ? (uint16_t)(straight + 1) : 0;
        if (own != number)
            for (int64_t y = box[1]; y < box[1] + box[3]; y++)
                for (int64_t x = box[0]; x < box[0] + box[2]; x++)
                    if (labels[y * width + x] == number) labels[y * width + x] = own;
        if (stays) memmove(stats + 4 * straight++, box, 4 * sizeof *box);
    }
    free(middle);
    free(name);
    free(parts);
    free(number);
    runs_free(&runs);
    return straight;
}

/* Paints the lines that are wanted (u8[lines]) into pixels u8, zeros before, and counts the darkness
 * under them, i64[256]. labels, stats: of find_lines. */
void paint_lines(
    const uint8_t *darkness, const uint16_t *labels, int64_t width, const int32_t *stats, int64_t lines,
    const uint8_t *wanted, uint8_t *pixels, int64_t *counts)
{
    memset(counts, 0, 256 * sizeof *counts);
    for (int64_t i = 0; i < lines; i++) {
        const int32_t *box = stats + 4 * i;
        if (!wanted[i]) continue;
        for (int64_t y = box[1]; y < box[1] + box[3]; y++)
            for (int64_t x = box[0]; x < box[0] + box[2]; x++) {
                int64_t at = y * width + x;
                if (labels[at] != i + 1) continue;
                pixels[at] = 1;
                counts[darkness[at]]++;
            }
    }
}

static void widest(const uint8_t *row, int64_t width, uint8_t *out)
{
    for (int64_t x = 0; x < width; x++) {
        uint8_t most = row[x];
        if (x > 0 && row[x - 1] > most) most = row[x - 1];
        if (x + 1 < width && row[x + 1] > most) most = row[x + 1];
        out[x] = most;
    }
}

/* Takes lines (u8 0 or 1, inside of the boxes i32[count, 4]: x0, y0, x1, y1) and a pixel around them
 * out of the darkness where that is at most `usual`; what is dark both within `reach` px above and
 * below goes through. result: a copy of the darkness. */
int erase_lines(
    const uint8_t *darkness, const uint8_t *lines, int64_t height, int64_t width,
    const int32_t *boxes, int64_t count, double usual, int64_t reach, uint8_t *result)
{
    uint8_t *fat = calloc((size_t)(height * width + 1), 1);
    if (!fat) return 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *box = boxes + 4 * i;
        for (int64_t y = box[1]; y < box[3]; y++)
            for (int64_t x = box[0]; x < box[2]; x++) {
                if (!lines[y * width + x]) continue;
                for (int64_t ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ny++)
                    for (int64_t nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; nx++)
                        fat[ny * width + nx] = darkness[ny * width + nx] <= usual;
            }
    }
    for (int64_t i = 0; i < count; i++) {
        const int32_t *box = boxes + 4 * i;
        int64_t x0 = box[0] > 0 ? box[0] - 1 : 0, x1 = box[2] < width ? box[2] + 1 : width;
        int64_t y0 = box[1] > 0 ? box[1] - 1 : 0, y1 = box[3] < height ? box[3] + 1 : height;
        int64_t top = y0 > reach ? y0 - reach : 0, end = y1 + reach < height ? y1 + reach : height;
        int64_t left = x0 > 0 ? x0 - 1 : 0, right = x1 < width ? x1 + 1 : width, wide = right - left;
        uint8_t *rest = malloc((size_t)((end - top + 3) * wide + 1));
        if (!rest) { free(fat); return 0; }
        uint8_t *row = rest + (end - top) * wide, *above = row + wide, *below = above + wide;
        for (int64_t y = top; y < end; y++) {
            const uint8_t *own = darkness + y * width + left, *gone = fat + y * width + left;
            for (int64_t x = 0; x < wide; x++) row[x] = gone[x] ? 0 : own[x];
            widest(row, wide, rest + (y - top) * wide);
        }
        for (int64_t y = y0; y < y1; y++) {
            memset(above, 0, (size_t)wide);
            memset(below, 0, (size_t)wide);
            for (int64_t k = y - reach > top ? y - reach : top; k <= y; k++)
                for (int64_t x = 0; x < wide; x++) {
                    uint8_t one = rest[(k - top) * wide + x];
                    above[x] = one > above[x] ? one : above[x];
                }
            for (int64_t k = y; k <= y + reach && k < end; k++)
                for (int64_t x = 0; x < wide; x++) {
                    uint8_t one = rest[(k - top) * wide + x];
                    below[x] = one > below[x] ? one : below[x];
                }
            for (int64_t x = x0; x < x1; x++) {
                int64_t at = y * width + x;
                if (!fat[at]) continue;
                uint8_t through = above[x - left] < below[x - left] ? above[x - left] : below[x - left];
                result[at] = through < darkness[at] ? through : darkness[at];
            }
        }
        free(rest);
    }
    free(fat);
    return 1;
}

/* How often each value occurs, i64[256]. */
void histogram(const uint8_t *values, int64_t count, int64_t *found)
{
    uint32_t part[4][256] = {{0}};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t eight;
        memcpy(&eight, values + i, 8);
        if (eight == 0) { part[0][0] += 8; continue; } /* most of a page is paper */
        for (int k = 0; k < 8; k++) part[k & 3][values[i + k]]++;
    }
    for (; i < count; i++) part[0][values[i]]++;
    for (int v = 0; v < 256; v++)
        found[v] = (int64_t)part[0][v] + part[1][v] + part[2][v] + part[3][v];
}

/* Writing: pixels whose share of the local level is above `weak`, in components that hold one above
 * `strong`. The level is within lowest .. highest: the peak u8[256] of the darkest near a pixel (u8, or
 * none: the highest), or of 255 where more than `texture` of its surroundings is faintly dark (u8).
 * ink u8: 255 times the share, 0 elsewhere; mask u8 0 or 1. */
int find_strokes(
    const uint8_t *darkness, const uint8_t *darkest, const uint8_t *faint, const uint8_t *peaks,
    int texture, int64_t height, int64_t width, float lowest, float highest, float weak, float strong,
    uint8_t *ink, uint8_t *mask)
{
    Runs runs = {0};
    uint8_t *near = malloc((size_t)(width + 1)), *has = 0;
    int failed = !near;
    /* What is no darker than this is paper whatever the level; shares are taken of the rest alone. */
    float faintest = weak * lowest - 1.0f;
    uint8_t paper = (uint8_t)(faintest < 0 ? 0 : faintest > 254 ? 254 : faintest);
    memset(ink, 0, (size_t)(height * width));
    memset(mask, 0, (size_t)(height * width));
    for (int64_t y = 0; y < height && !failed; y++) {
        const uint8_t *own = darkness + y * width, *top = darkest ? darkest + y * width : 0;
        const uint8_t *grain = darkest ? faint + y * width : 0;
        for (int64_t x = 0; x < width; x++) near[x] = own[x] > paper;
        for (int64_t from = runs_next(near, 0, width, 1); from < width && !failed;) {
            int64_t to = runs_next(near, from, width, 0), start = -1;
            int strong_one = 0;
            for (int64_t x = from; x <= to; x++) {
                float share = 0.0f;
                if (x < to) {
                    float level = top ? (float)peaks[grain[x] > texture ? 255 : top[x]] : highest;
                    level = level < lowest ? lowest : level;
                    level = level > highest ? highest : level;
                    share = (float)own[x] / level;
                }
                if (share > weak) {
                    float full = rintf(share * 255.0f);
                    ink[y * width + x] = (uint8_t)(full > 255.0f ? 255.0f : full);
                    if (start < 0) { start = x; strong_one = 0; }
                    strong_one |= share > strong;
                } else if (start >= 0) {
                    failed |= !runs_add(&runs, (int32_t)y, (int32_t)start, (int32_t)x);
                    /* The first pixel of a run that holds a strong one says so until runs are joined. */
                    mask[y * width + start] = (uint8_t)strong_one;
                    start = -1;
                }
            }
            from = runs_next(near, to, width, 1);
        }
    }
    if (!failed) {
        runs_join(&runs);
        has = calloc((size_t)runs.count + 1, 1);
        failed = !has;
    }
    for (int64_t i = 0; !failed && i < runs.count; i++) {
        uint8_t *first = mask + (int64_t)runs.run[i].y * width + runs.run[i].x0;
        if (*first) has[runs_root(runs.run, (int32_t)i)] = 1;
        *first = 0;
    }
    for (int64_t i = 0; !failed && i < runs.count; i++) {
        const Run *run = runs.run + i;
        int64_t at = (int64_t)run->y * width + run->x0, length = run->x1 - run->x0;
        if (has[runs_root(runs.run, (int32_t)i)]) memset(mask + at, 1, (size_t)length);
        else memset(ink + at, 0, (size_t)length);
    }
    free(has);
    free(near);
    runs_free(&runs);
    return !failed;
}

/* Components of the nonzero pixels (0 or 1), without labels: stats i32[., 5] in OpenCV's order:
 * left, top, width, height, area. Returns how many, room at most are written; -1 without memory. */
int64_t component_stats(
    const uint8_t *pixels, int64_t height, int64_t width, int32_t *stats, int64_t room)
{
    int64_t count = -1;
    Component *parts = label_components(pixels, height, width, width, 0, &count);
    if (!parts) return -1;
    for (int64_t c = 0; c < count && c < room; c++) {
        int32_t *out = stats + 5 * c;
        out[0] = parts[c].x0;
        out[1] = parts[c].y0;
        out[2] = parts[c].x1 - parts[c].x0;
        out[3] = parts[c].y1 - parts[c].y0;
        out[4] = (int32_t)parts[c].area;
    }
    free(parts);
    return count;
}
