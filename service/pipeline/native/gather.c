/* Parts a line by where the middle of each pixel's character is, see segment.find_pieces. */
#include "runs.h"
#include "wide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of segment.py; cell: pixels to one of the maps, unit: pixels to 1 of an offset. */
typedef struct {
    double size, cell, unit, sliver, reach, height;
    int64_t solid, most, top;
} Gathering;

enum { REACH = 3, MARGIN = 2 };
/* Steps from pixel to pixel in quarters, and what is farther than any. */
enum { ACROSS = 12, SLANTED = 16, FAR = INT32_MAX / 8 * 4 };
enum { COUNT, CHOOSE, CLEAR };

typedef struct {
    double middle;
    int64_t area;
    int32_t number, kept;
} Label;

typedef struct {
    const Gathering *rules;
    int64_t height, width, regions, labels;
    Runs runs;       /* solid pixels of one key */
    int32_t *key;    /* [runs]: the mode, from 1, that they speak for, -1 for none */
    int32_t *own;    /* [runs]: runs, those of one region together */
    int32_t *start;  /* [regions + 1]: where those of each begin */
    int32_t *label;  /* [regions] */
    int32_t *region; /* [height, width]: number from 1, 0 where there is no ink */
} Gathered;

/* The best of a bin of a histogram and those about it, the first of equal ones but itself. */
static int32_t above(const float *bins, int64_t high, int64_t wide, int32_t bin)
{
    int64_t best = bin, x = bin % wide, y = bin / wide;
    for (int64_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < high; j++)
        for (int64_t i = x > 0 ? x - 1 : 0; i <= x + 1 && i < wide; i++)
            if (bins[j * wide + i] > bins[best]) best = j * wide + i;
    return (int32_t)best;
}

/* The peak that a bin leads up to. up i32[high, wide]: where bins lead, as far as is known, or -1. */
static int32_t climb(const float *bins, int64_t high, int64_t wide, int32_t bin, int32_t *up)
{
    int32_t top = bin, next;
    for (;; top = next) {
        next = up[top] < 0 ? above(bins, high, wide, top) : up[top];
        up[top] = next;
        if (next == top) break;
    }
    for (; bin != top; bin = next) {
        next = up[bin];
        up[bin] = top;
    }
    return top;
}

/* Adds a row, weighed, to another one. */
WIDE static void add(float *restrict to, const float *restrict row, int64_t count, float weight)
{
    for (int64_t x = 0; x < count; x++) to[x] += weight * row[x];
}

/* Blurs a histogram by a Gaussian of 0.7 bins, in place; spare has room for it. */
static void blur(float *bins, float *spare, int64_t high, int64_t wide)
{
    static const float weight[REACH + 1] = {0.56991166f, 0.20540506f, 0.00961897f, 0.00005853f};
    memset(spare, 0, (size_t)(high * wide) * sizeof(float));
    for (int64_t y = 0; y < high; y++) {
        float *row = bins + y * wide, *to = spare + y * wide;
        add(to, row, wide, weight[0]);
        for (int64_t k = 1; k <= REACH && k < wide; k++) {
            add(to + k, row, wide - k, weight[k]);
            add(to, row + k, wide - k, weight[k]);
        }
    }
    memset(bins, 0, (size_t)(high * wide) * sizeof(float));
    for (int64_t y = 0; y < high; y++) {
        float *to = bins + y * wide;
        add(to, spare + y * wide, wide, weight[0]);
        for (int64_t k = 1; k <= REACH; k++) {
            if (y >= k) add(to, spare + (y - k) * wide, wide, weight[k]);
            if (y + k < high) add(to, spare + (y + k) * wide, wide, weight[k]);
        }
    }
}

static int64_t bin_of(double place, int64_t count)
{
    double bin = floor(place) + MARGIN;
    return bin < 0 ? 0 : bin >= (double)count ? count - 1 : (int64_t)bin;
}

/* The row of cells that a row of the line lies in, which there may not be. */
static int64_t cell_row(const Gathering *rules, int64_t y)
{
    return (int64_t)floor((double)(y - rules->top) / rules->cell);
}

/* Counts the solid pixels of each cell, i32[rows, columns]; cell i32[width]: the one of each column. */
static void count_cells(
    const Gathered *g, const Runs *solid, const int32_t *cell, int64_t rows, int64_t columns, int32_t *count)
{
    for (int64_t i = 0; i < solid->count; i++) {
        const Run *run = solid->run + i;
        int64_t y = cell_row(g->rules, run->y);
        if (y < 0 || y >= rows) continue;
        for (int32_t x = run->x0; x < run->x1; x++)
            if (cell[x] < columns) count[y * columns + cell[x]]++;
    }
}

/* The key of each cell, i32[rows, columns]: the peak of the middles that its pixels speak for, from 1, or
 * -1. They hold how many solid pixels there are. 0 without memory. */
static int peaks_of_cells(Gathered *g, const float *maps, int64_t rows, int64_t columns, int32_t *cells)
{
    const Gathering *rules = g->rules;
    const float *none = maps, *across = maps + rows * columns, *down = across + rows * columns;
    double cell = rules->cell, reach = rules->unit / cell;
    int64_t high = (int64_t)((double)g->height / cell) + 2 * MARGIN + 1;
    int64_t wide = (int64_t)((double)g->width / cell) + 2 * MARGIN + 1;
    float *bins = calloc((size_t)(2 * high * wide), sizeof(float));
    int32_t *up = malloc((size_t)(high * wide) * sizeof(int32_t));
    if (!bins || !up) { free(bins); free(up); return 0; }
    for (int64_t y = 0, at = 0; y < rows; y++) {
        double middle = ((double)y + 0.5) * cell + (double)rules->top;
        for (int64_t x = 0; x < columns; x++, at++) {
            int32_t count = cells[at];
            cells[at] = -1;
            if (!count || none[at] > 0) continue;
            int64_t row = bin_of((middle + (double)down[at] * rules->unit) / cell, high);
            int64_t column = bin_of((double)x + 0.5 + (double)across[at] * reach, wide);
            cells[at] = (int32_t)(row * wide + column);
            bins[cells[at]] += (float)count;
        }
    }
    blur(bins, bins + high * wide, high, wide);
    memset(up, -1, (size_t)(high * wide) * sizeof(int32_t));
    for (int64_t at = 0; at < rows * columns; at++)
        if (cells[at] >= 0) cells[at] = climb(bins, high, wide, cells[at], up) + 1;
    g->labels = high * wide;
    free(bins);
    free(up);
    return 1;
}

/* Parts runs of solid pixels where their cells' keys differ. */
static int part_runs(
    Gathered *g, const Runs *solid, const int32_t *cell, const int32_t *cells, int64_t rows, int64_t columns)
{
    int64_t room = 0;
    for (int64_t i = 0; i < solid->count; i++) {
        Run run = solid->run[i];
        int64_t y = cell_row(g->rules, run.y);
        const int32_t *keys = y >= 0 && y < rows ? cells + y * columns : 0;
        for (int32_t x = run.x0, from = x; x < run.x1; from = x) {
            int32_t key = keys && cell[x] < columns ? keys[cell[x]] : -1;
            while (++x < run.x1 && key == (keys && cell[x] < columns ? keys[cell[x]] : -1)) {}
            if (g->runs.count == room) {
                room = room ? 2 * room : 1024;
                int32_t *more = realloc(g->key, (size_t)room * sizeof(int32_t));
                if (!more) return 0;
                g->key = more;
            }
            g->key[g->runs.count] = key;
            if (!runs_add(&g->runs, run.y, from, x)) return 0;
        }
    }
    return 1;
}

/* Finds the runs of solid pixels of one key: the peak of the middles that their own lie at. */
static int vote(Gathered *g, const uint8_t *line, const float *maps, int64_t rows, int64_t columns)
{
    Runs solid = {0};
    int32_t *cells = calloc((size_t)(rows * columns + g->width), sizeof(int32_t)), *cell = cells + rows * columns;
    int made = cells && runs_add_above(&solid, line, g->height, g->width, g->width, (uint8_t)g->rules->solid);
    if (made) {
        for (int64_t x = 0; x < g->width; x++) cell[x] = (int32_t)((double)x / g->rules->cell);
        count_cells(g, &solid, cell, rows, columns, cells);
        made = peaks_of_cells(g, maps, rows, columns, cells) && part_runs(g, &solid, cell, cells, rows, columns);
    }
    free(cells);
    runs_free(&solid);
    return made;
}

/* Joins runs of one key that touch to regions. Those of a peak have its label, however many there
 * are; every region that no character speaks for has its own. */
static int join(Gathered *g)
{
    int64_t count = g->runs.count;
    Run *run = g->runs.run;
    int32_t *number = malloc((size_t)(count + 1) * sizeof(int32_t));
    g->own = malloc((size_t)(3 * count + 2) * sizeof(int32_t));
    g->region = calloc((size_t)(g->height * g->width), sizeof(int32_t));
    if (!number || !g->own || !g->region) { free(number); return 0; }
    g->start = g->own + count;
    g->label = g->start + count + 2;
    runs_join_alike(&g->runs, g->key);
    memset(g->start, 0, (size_t)(count + 2) * sizeof(int32_t));
    for (int64_t i = 0; i < count; i++) {
        if (run[i].parent == i) {
            g->label[g->regions] = g->key[i] > 0 ? g->key[i] - 1 : (int32_t)g->labels++;
            number[i] = (int32_t)g->regions++;
        }
        number[i] = number[run[i].parent];
        g->start[number[i] + 2]++;
        int32_t *row = g->region + run[i].y * g->width;
        for (int32_t x = run[i].x0; x < run[i].x1; x++) row[x] = number[i] + 1;
    }
    /* Each start is moved on as its runs are put down, to that of the next. */
    for (int64_t r = 0; r < g->regions; r++) g->start[r + 2] += g->start[r + 1];
    for (int64_t i = 0; i < count; i++) g->own[g->start[number[i] + 1]++] = (int32_t)i;
    free(number);
    return 1;
}

/* How many pixels a region has. */
static int64_t area_of(const Gathered *g, int64_t region)
{
    int64_t area = 0;
    for (int32_t p = g->start[region]; p < g->start[region + 1]; p++)
        area += g->runs.run[g->own[p]].x1 - g->runs.run[g->own[p]].x0;
    return area;
}

/* Gives every sliver of a region to the label that it touches most, the first of equal ones. */
static int give(Gathered *g)
{
    int32_t *touched = calloc((size_t)g->labels + 1, sizeof(int32_t));
    if (!touched) return 0;
    for (int64_t r = 0; r < g->regions; r++) {
        if ((double)area_of(g, r) >= g->rules->sliver) continue;
        int32_t best = -1;
        for (int way = COUNT; way <= CLEAR; way++)
            for (int32_t p = g->start[r]; p < g->start[r + 1]; p++) {
                const Run *run = g->runs.run + g->own[p];
                for (int64_t x = run->x0, y = run->y; x < run->x1; x++)
                    for (int64_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < g->height; j++)
                        for (int64_t k = x > 0 ? x - 1 : 0; k <= x + 1 && k < g->width; k++) {
                            int32_t other = g->region[j * g->width + k];
                            if (!other || other == r + 1) continue;
                            int32_t own = g->label[other - 1];
                            if (way == COUNT) touched[own]++;
                            else if (way == CLEAR) touched[own] = 0;
                            else if (best < 0 || touched[own] > touched[best]
                                     || (touched[own] == touched[best] && own < best)) best = own;
                        }
            }
        if (best >= 0) g->label[r] = best;
    }
    free(touched);
    return 1;
}

static int larger_first(const void *a, const void *b)
{
    const Label *one = a, *other = b;
    if (one->area != other->area) return one->area > other->area ? -1 : 1;
    return one->number < other->number ? -1 : one->number > other->number;
}

static int left_first(const void *a, const void *b)
{
    const Label *one = a, *other = b;
    if (one->middle != other->middle) return one->middle < other->middle ? -1 : 1;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* Numbers the labels from left to right by the middle of their ink's box, and writes the piece of
 * every solid pixel; the smallest of too many go with the one on their left. How many, -1 without
 * memory. */
static int64_t order(const Gathered *g, int16_t *piece)
{
    int64_t found = 0;
    int32_t *slot = malloc((size_t)g->labels * sizeof(int32_t));
    int32_t *ends = malloc((size_t)(2 * g->regions) * sizeof(int32_t));
    Label *label = calloc((size_t)g->regions, sizeof(Label));
    if (!slot || !ends || !label) { free(slot); free(ends); free(label); return -1; }
    memset(slot, -1, (size_t)g->labels * sizeof(int32_t));
    for (int64_t r = 0; r < g->regions; r++) {
        int32_t own = g->label[r];
        if (slot[own] < 0) {
            slot[own] = (int32_t)found;
            label[found].number = own;
            ends[2 * found] = INT32_MAX;
            ends[2 * found++ + 1] = -1;
        }
        int32_t *end = ends + 2 * slot[own];
        label[slot[own]].area += area_of(g, r);
        for (int32_t p = g->start[r]; p < g->start[r + 1]; p++) {
            const Run *run = g->runs.run + g->own[p];
            end[0] = run->x0 < end[0] ? run->x0 : end[0];
            end[1] = run->x1 - 1 > end[1] ? run->x1 - 1 : end[1];
        }
    }
    for (int64_t i = 0; i < found; i++) label[i].middle = (ends[2 * i] + ends[2 * i + 1]) / 2.0;
    qsort(label, (size_t)found, sizeof(Label), larger_first);
    for (int64_t i = 0; i < found; i++) label[i].kept = i < g->rules->most;
    qsort(label, (size_t)found, sizeof(Label), left_first);
    int64_t count = 0;
    for (int64_t i = 0; i < found; i++) {
        count += label[i].kept;
        slot[label[i].number] = (int32_t)(count ? count - 1 : 0);
    }
    for (int64_t r = 0; r < g->regions; r++)
        for (int32_t p = g->start[r]; p < g->start[r + 1]; p++) {
            const Run *run = g->runs.run + g->own[p];
            int16_t *row = piece + run->y * g->width;
            for (int32_t x = run->x0; x < run->x1; x++) row[x] = (int16_t)slot[g->label[r]];
        }
    free(slot);
    free(ends);
    free(label);
    return count;
}

/* How far the nearest ink is by way of the row before, and which way, 1 to 3, or that none of these is
 * nearer (0): the lower two bits. before i32[width + 2]: how far it is there, beyond both ends. */
WIDE static void come_from(const int32_t *restrict before, int64_t width, int32_t one, int32_t other, int32_t *restrict far)
{
    for (int64_t x = 0; x < width; x++) {
        int32_t least = far[x], left = before[x] + one, above = before[x + 1] + ACROSS + 2;
        int32_t right = before[x + 2] + other;
        least = left < least ? left : least;
        above = above < right ? above : right;
        far[x] = above < least ? above : least;
    }
}

/* Gives every pixel without ink to the piece of ink nearest to it, as two passes over it tell: straight
 * steps are 3 long, others 4. Lengths are kept in quarters, so that which of equal ones comes first, the
 * one along the row, the one before above ..., is told with them. */
static int spread(const Gathered *g, int16_t *piece)
{
    int64_t height = g->height, width = g->width, wide = width + 2;
    int32_t *far = malloc((size_t)(wide * (height + 1)) * sizeof(int32_t));
    if (!far) return 0;
    for (int64_t i = 0; i < wide * (height + 1); i++) far[i] = FAR;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) far[y * wide + x + 1] = g->region[y * width + x] ? 0 : FAR;
    for (int64_t way = 1; way >= -1; way -= 2) {
        const int64_t from[4] = {0, -way * (width + 1), -way * width, -way * (width - 1)};
        const int32_t *before = far + height * wide;
        /* Nothing comes down to the rows above all ink. */
        for (int64_t y = way > 0 ? g->runs.run[0].y : height - 1; y >= 0 && y < height; y += way) {
            int32_t *own = far + y * wide + 1, along = FAR;
            int16_t *to = piece + y * width, last = 0;
            come_from(before, width, SLANTED + 2 - (int32_t)way, SLANTED + 2 + (int32_t)way, own);
            for (int64_t x = way > 0 ? 0 : width - 1; x >= 0 && x < width; x += way) {
                int32_t above = own[x], beside = along + ACROSS;
                int16_t there = to[x + from[above & 3]];
                last = beside < above ? last : there;
                along = beside < above ? beside : above & ~3;
                to[x] = last;
                own[x] = along;
            }
            before = own - 1;
        }
    }
    free(far);
    return 1;
}

/* Two pixels of these pieces touch: what cuts lie between, as differences. */
static void cross(int16_t one, int16_t other, int64_t *crossed)
{
    if (one == other) return;
    crossed[one < other ? one : other]++;
    crossed[one < other ? other : one]--;
}

/* The box of the solid pixels of each piece, i32[count, 4]: x0, y0, x1, y1, half open; how many
 * they are, and how many pixels touch one of a later piece across the cut after it. */
static void measure(
    const Gathered *g, const int16_t *piece, int64_t count, int32_t *boxes, int64_t *area,
    int64_t *crossed)
{
    for (int64_t p = 0; p < count; p++) {
        boxes[4 * p] = boxes[4 * p + 1] = INT32_MAX;
        boxes[4 * p + 2] = boxes[4 * p + 3] = area[p] = crossed[p] = 0;
    }
    for (int64_t i = 0; i < g->runs.count; i++) {
        const Run *run = g->runs.run + i;
        const int16_t *row = piece + run->y * g->width;
        const int32_t *region = g->region + run->y * g->width;
        int16_t own = row[run->x0];
        int32_t *box = boxes + 4 * own;
        area[own] += run->x1 - run->x0;
        if (run->x0 < box[0]) box[0] = run->x0;
        if (run->y < box[1]) box[1] = run->y;
        if (run->x1 > box[2]) box[2] = run->x1;
        if (run->y >= box[3]) box[3] = run->y + 1;
        if (run->x1 < g->width && region[run->x1]) cross(own, row[run->x1], crossed);
        for (int64_t x = run->x0; run->y + 1 < g->height && x < run->x1; x++)
            if (region[g->width + x]) cross(own, row[g->width + x], crossed);
    }
    for (int64_t p = 1; p < count; p++) crossed[p] += crossed[p - 1];
}

/* How much higher the boxes from each on end than those before it: of boxes at least `height` tall
 * that reach within `reach` of the rightmost, or begin within it of the leftmost. 0 where either
 * side has none. boxes i32[count, 4]; found f32[count - 1], in units of the size. */
static void rises(const int32_t *boxes, int64_t count, const Gathering *rules, float *found)
{
    for (int64_t p = 1; p < count; p++) {
        int32_t right = INT32_MIN, left = INT32_MAX, before = INT32_MIN, after = INT32_MIN;
        for (int64_t q = 0; q < p; q++) right = boxes[4 * q + 2] > right ? boxes[4 * q + 2] : right;
        for (int64_t q = p; q < count; q++) left = boxes[4 * q] < left ? boxes[4 * q] : left;
        for (int64_t q = 0; q < count; q++) {
            const int32_t *box = boxes + 4 * q;
            if (box[3] - box[1] < rules->height) continue;
            if (q < p && box[2] > right - rules->reach && box[3] > before) before = box[3];
            if (q >= p && box[0] < left + rules->reach && box[3] > after) after = box[3];
        }
        int both = before > INT32_MIN && after > INT32_MIN;
        found[p - 1] = both ? (float)((before - after) / rules->size) : 0.0f;
    }
}

/* Parts a line into pieces: how many, 0 where it holds no ink, -1 without memory. maps f32[3, rows,
 * columns]: of each cell from row `top` of the line on the log odds that its ink is of no character,
 * and how far the middle of its character is from its own, across and down. piece i16[height,
 * width] and, with room for `most`, boxes i32[., 4], joint, gap, rise f32[.] and, with room for one
 * more, ink f32[.], as in cutting.Pieces. */
int64_t gather_pieces(
    const uint8_t *line, int64_t height, int64_t width, const Gathering *rules, const float *maps,
    int64_t rows, int64_t columns, int16_t *piece, int32_t *boxes, float *joint, float *gap,
    float *rise, float *ink)
{
    Gathered gathered = {.rules = rules, .height = height, .width = width}, *g = &gathered;
    int64_t count = -1, *area = malloc((size_t)(2 * rules->most) * sizeof(int64_t));
    if (!area || !vote(g, line, maps, rows, columns)) goto end;
    count = 0;
    if (!g->runs.count) goto end;
    count = join(g) && give(g) ? order(g, piece) : -1;
    if (count < 0) goto end;
    if (!spread(g, piece)) { count = -1; goto end; }
    int64_t *crossed = area + rules->most;
    measure(g, piece, count, boxes, area, crossed);
    rises(boxes, count, rules, rise);
    double sum = 0.0;
    ink[0] = 0.0f;
    for (int64_t p = 0; p < count; p++) {
        sum += (double)area[p] / (rules->size * rules->size);
        ink[p + 1] = (float)sum;
        if (p + 1 == count) break;
        joint[p] = (float)((double)crossed[p] / rules->size);
        gap[p] = (float)((boxes[4 * (p + 1)] - boxes[4 * p + 2]) / rules->size);
    }
end:
    free(area);
    free(g->key);
    free(g->own);
    free(g->region);
    runs_free(&g->runs);
    return count;
}
