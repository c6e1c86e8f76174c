/* Parts a line by where the middle of each pixel's character is, see segment.find_pieces. */
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of segment.py; cell: pixels to one of the maps, unit: pixels to 1 of an offset. */
typedef struct {
    double size, cell, unit, sliver, reach, height;
    int64_t solid, most, top;
} Gathering;

enum { REACH = 3, MARGIN = 2 };
enum { COUNT, CHOOSE, CLEAR };

typedef struct {
    double middle;
    int64_t area;
    int32_t number, kept;
} Label;

typedef struct {
    const Gathering *rules;
    int64_t height, width, pixels, regions, labels;
    int32_t *at;     /* [pixels]: solid pixels, those of one region together */
    int32_t *start;  /* [regions + 1]: where those of each begin */
    int32_t *label;  /* [regions] */
    int32_t *region; /* [height, width]: number from 1, 0 where there is no ink */
    int32_t *key;    /* [height, width]: the mode, from 1, that a pixel speaks for, -1 for none */
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
static void add(float *to, const float *row, int64_t count, float weight)
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

/* Sets the key of every solid pixel: the peak of the middles that its own lies at. */
static int vote(Gathered *g, const uint8_t *line, const float *maps, int64_t rows, int64_t columns)
{
    const Gathering *rules = g->rules;
    const float *none = maps, *across = maps + rows * columns, *down = across + rows * columns;
    double cell = rules->cell, reach = rules->unit / cell;
    int64_t high = (int64_t)((double)g->height / cell) + 2 * MARGIN + 1;
    int64_t wide = (int64_t)((double)g->width / cell) + 2 * MARGIN + 1;
    float *bins = calloc((size_t)(2 * high * wide), sizeof(float));
    int32_t *up = malloc((size_t)(high * wide) * sizeof(int32_t));
    if (!bins || !up) { free(bins); free(up); return 0; }
    memset(g->key, 0, (size_t)(g->height * g->width) * sizeof(int32_t));
    for (int64_t y = 0; y < g->height; y++) {
        int64_t cell_y = (int64_t)floor((double)(y - rules->top) / cell);
        double middle = ((double)cell_y + 0.5) * cell + (double)rules->top;
        int seen = cell_y >= 0 && cell_y < rows;
        for (int64_t x = 0; x < g->width; x++) {
            int64_t i = y * g->width + x;
            if (line[i] <= rules->solid) continue;
            int64_t cell_x = (int64_t)((double)x / cell), at = cell_y * columns + cell_x;
            g->key[i] = -1;
            g->pixels++;
            if (!seen || cell_x >= columns || none[at] > 0) continue;
            int64_t row = bin_of((middle + (double)down[at] * rules->unit) / cell, high);
            int64_t column = bin_of((double)cell_x + 0.5 + (double)across[at] * reach, wide);
            g->key[i] = (int32_t)(row * wide + column) + 1;
            bins[row * wide + column]++;
        }
    }
    blur(bins, bins + high * wide, high, wide);
    memset(up, -1, (size_t)(high * wide) * sizeof(int32_t));
    for (int64_t i = 0; i < g->height * g->width; i++)
        if (g->key[i] > 0) g->key[i] = climb(bins, high, wide, g->key[i] - 1, up) + 1;
    g->labels = high * wide;
    free(bins);
    free(up);
    return 1;
}

/* Joins pixels of one key that touch to regions. Those of a peak have its label, however many there
 * are; every region that no character speaks for has its own. */
static int join(Gathered *g)
{
    int64_t width = g->width, size = g->height * width, filled = 0;
    g->at = malloc((size_t)(3 * g->pixels + 2) * sizeof(int32_t));
    if (!g->at) return 0;
    g->start = g->at + g->pixels;
    g->label = g->start + g->pixels + 1;
    memset(g->region, 0, (size_t)size * sizeof(int32_t));
    for (int64_t i = 0; i < size; i++) {
        if (!g->key[i] || g->region[i]) continue;
        int64_t next = filled;
        g->start[g->regions] = (int32_t)filled;
        g->label[g->regions] = g->key[i] > 0 ? g->key[i] - 1 : (int32_t)g->labels++;
        g->region[i] = (int32_t)++g->regions;
        g->at[filled++] = (int32_t)i;
        while (next < filled) {
            int64_t x = g->at[next] % width, y = g->at[next] / width;
            next++;
            for (int64_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < g->height; j++)
                for (int64_t k = x > 0 ? x - 1 : 0; k <= x + 1 && k < width; k++) {
                    int64_t near = j * width + k;
                    if (g->region[near] || g->key[near] != g->key[i]) continue;
                    g->region[near] = (int32_t)g->regions;
                    g->at[filled++] = (int32_t)near;
                }
        }
    }
    g->start[g->regions] = (int32_t)filled;
    return 1;
}

/* Gives every sliver of a region to the label that it touches most, the first of equal ones. */
static int give(Gathered *g)
{
    int32_t *touched = calloc((size_t)g->labels + 1, sizeof(int32_t));
    if (!touched) return 0;
    for (int64_t r = 0; r < g->regions; r++) {
        if (g->start[r + 1] - g->start[r] >= g->rules->sliver) continue;
        int32_t best = -1;
        for (int way = COUNT; way <= CLEAR; way++)
            for (int32_t p = g->start[r]; p < g->start[r + 1]; p++) {
                int64_t x = g->at[p] % g->width, y = g->at[p] / g->width;
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
        label[slot[own]].area += g->start[r + 1] - g->start[r];
        for (int32_t p = g->start[r]; p < g->start[r + 1]; p++) {
            int32_t x = (int32_t)(g->at[p] % g->width);
            end[0] = x < end[0] ? x : end[0];
            end[1] = x > end[1] ? x : end[1];
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
        for (int32_t p = g->start[r]; p < g->start[r + 1]; p++)
            piece[g->at[p]] = (int16_t)slot[g->label[r]];
    free(slot);
    free(ends);
    free(label);
    return count;
}

/* Gives every pixel without ink to the piece of ink nearest to it, as two passes over it tell. */
static int spread(const int32_t *key, int64_t height, int64_t width, int16_t *piece)
{
    int32_t *far = malloc((size_t)(height * width) * sizeof(int32_t));
    if (!far) return 0;
    for (int64_t i = 0; i < height * width; i++) far[i] = key[i] ? 0 : INT32_MAX / 2;
    for (int64_t way = 1; way >= -1; way -= 2) {
        const int64_t step[4] = {-way, -way * (width + 1), -way * width, -way * (width - 1)};
        static const int32_t cost[4] = {3, 4, 3, 4};
        int64_t left = way > 0 ? 0 : width - 1, right = width - 1 - left;
        for (int64_t n = 0; n < height; n++) {
            int64_t row = (way > 0 ? n : height - 1 - n) * width;
            for (int64_t x = left; x >= 0 && x < width; x += way) {
                int64_t i = row + x, nearest = i;
                int32_t least = far[i];
                if (!least) continue;
                for (int k = 0; k < 4; k++) {
                    if ((k < 2 && x == left) || (k == 3 && x == right) || (k && !n)) continue;
                    if (far[i + step[k]] + cost[k] >= least) continue;
                    nearest = i + step[k];
                    least = far[nearest] + cost[k];
                }
                far[i] = least;
                piece[i] = piece[nearest];
            }
        }
    }
    free(far);
    return 1;
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
    for (int64_t n = 0; n < g->pixels; n++) {
        int64_t i = g->at[n], x = i % g->width, y = i / g->width;
        int16_t own = piece[i];
        int32_t *box = boxes + 4 * own;
        area[own]++;
        if (x < box[0]) box[0] = (int32_t)x;
        if (y < box[1]) box[1] = (int32_t)y;
        if (x >= box[2]) box[2] = (int32_t)x + 1;
        if (y >= box[3]) box[3] = (int32_t)y + 1;
        for (int down = 0; down < 2; down++) {
            int64_t near = down ? i + g->width : i + 1;
            if ((down ? y + 1 >= g->height : x + 1 >= g->width) || !g->key[near]) continue;
            int16_t other = piece[near];
            if (other == own) continue;
            crossed[own < other ? own : other]++;
            crossed[own < other ? other : own]--;
        }
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
    g->key = malloc((size_t)(2 * height * width) * sizeof(int32_t));
    if (!area || !g->key || !vote(g, line, maps, rows, columns)) goto end;
    g->region = g->key + height * width;
    count = 0;
    if (!g->pixels) goto end;
    count = -1;
    if (!join(g) || !give(g)) goto end;
    count = order(g, piece);
    if (count < 0) goto end;
    if (!spread(g->key, height, width, piece)) { count = -1; goto end; }
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
    free(g->at);
    return count;
}
