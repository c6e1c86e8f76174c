/* The pieces of a line between its cuts, see segment.find_cuts, in one call. */
#include "cuts.h"
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTHS = 4, ROWS = 5 };

/* The numbers of segment.py that the steps take; penalties of ink in units as there. */
typedef struct {
    double centre, size, lateral, level_step, prominence, free_ink, most_ink, deep_width, deep_ink;
    double contour_weight, contour_reach, dark, clear, gap, piece, sliver, point, below, reach, height;
    double rows[ROWS], widths[WIDTHS], strokes[WIDTHS];
    int64_t solid, most;
} Cutting;

typedef struct {
    const Cutting *rules;
    int64_t height, width, parts, seeds, room, paths, deep;
    const uint8_t *line;
    float *ink, *total, *flipped, *profile, *crossed;
    int8_t *down, *up;
    uint8_t *solid;
    int32_t *labels, *seed_row, *seed_column, *found, *path;
    Component *part;
    int64_t *before, *order, *kept;
    double *middle;
    float *limit;
} Zone;

/* Sums as numpy adds up a row of less than 128 at once: in eight strands. */
static float strands(const float *values, int64_t count)
{
    if (count > 128) {
        int64_t half = count / 2 - count / 2 % 8;
        return strands(values, half) + strands(values + half, count - half);
    }
    float sum = 0.0f;
    int64_t i = 0;
    if (count >= 8) {
        float strand[8];
        memcpy(strand, values, sizeof strand);
        for (i = 8; i + 8 <= count; i += 8)
            for (int k = 0; k < 8; k++) strand[k] += values[i + k];
        sum = ((strand[0] + strand[1]) + (strand[2] + strand[3]))
            + ((strand[4] + strand[5]) + (strand[6] + strand[7]));
    }
    for (; i < count; i++) sum += values[i];
    return sum;
}

static void zone_free(Zone *z)
{
    free(z->ink);
    free(z->down);
    free(z->labels);
    free(z->part);
    free(z->path);
    free(z->before);
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    value = value < most ? value : most;
    return value > least ? value : least;
}

/* Ink, its components and the steps of least ink from both ends. */
static int zone_make(Zone *z)
{
    int64_t height = z->height, width = z->width, size = height * width;
    z->ink = malloc((size_t)(3 * size + width + 1) * sizeof(float));
    z->down = malloc((size_t)(3 * size + 1));
    if (!z->ink || !z->down) return 0;
    z->total = z->ink + size;
    z->flipped = z->total + size;
    z->profile = z->flipped + size;
    z->up = z->down + size;
    z->solid = (uint8_t *)z->up + size;
    uint8_t solid = (uint8_t)within(z->rules->solid, 0, 255);
    for (int64_t i = 0; i < size; i++) z->ink[i] = (float)z->line[i] / 255.0f;
    for (int64_t i = 0; i < size; i++) z->solid[i] = z->line[i] > solid;
    z->labels = malloc((size_t)(size + 1) * sizeof(int32_t));
    if (!z->labels) return 0;
    z->part = label_components(z->solid, height, width, width, z->labels, &z->parts);
    if (!z->part) return 0;
    if (!z->parts) return 1;
    /* The ink upside down lies where the totals go afterwards. */
    for (int64_t y = 0; y < height; y++)
        memcpy(z->total + y * width, z->ink + (height - 1 - y) * width, (size_t)width * sizeof(float));
    least_ink(z->total, height, width, (float)z->rules->lateral, z->flipped, z->up);
    least_ink(z->ink, height, width, (float)z->rules->lateral, z->total, z->down);
    return 1;
}

static void add_seeds(Zone *z, int64_t row, int64_t count)
{
    for (int64_t i = 0; i < count; i++) z->seed_row[z->seeds + i] = (int32_t)row;
    z->seeds += count;
}

/* Minima of the least ink through each pixel at several heights, and both sides of components. */
static int find_seeds(Zone *z)
{
    int64_t height = z->height, width = z->width;
    z->room = ROWS * width + 2 * z->parts + 2 * width;
    z->path = malloc((size_t)(z->room * (height + 2) + 4 * width + 1) * sizeof(int32_t));
    if (!z->path) return 0;
    z->seed_row = z->path + z->room * height;
    z->seed_column = z->seed_row + z->room;
    z->found = z->seed_column + z->room;
    for (int k = 0; k < ROWS; k++) {
        double at = z->rules->centre + z->rules->rows[k] * z->rules->size;
        at = at > 1 ? at : 1;
        at = at < (double)(height - 2) ? at : (double)(height - 2);
        int64_t row = (int64_t)at;
        const float *down = z->total + row * width, *own = z->ink + row * width;
        const float *up = z->flipped + (height - 1 - row) * width;
        for (int64_t x = 0; x < width; x++) z->profile[x] = down[x] + up[x] - own[x];
        add_seeds(z, row, minima(z->profile, width, (float)z->rules->level_step, z->rules->prominence,
                                 z->seed_column + z->seeds));
    }
    for (int64_t c = 0; c < z->parts; c++) {
        const Component *part = z->part + c;
        z->seed_column[z->seeds] = (int32_t)within(part->x0 - 1, 0, width - 1);
        z->seed_column[z->seeds + 1] = (int32_t)within(part->x1, 0, width - 1);
        int64_t row = part->y0 + (part->y1 - part->y0) / 2;
        add_seeds(z, row < height - 2 ? (row > 1 ? row : 1) : height - 2, 2);
    }
    return cut_paths(z->down, z->up, height, width, z->seed_row, z->seed_column, z->seeds, z->path,
                     &z->paths);
}

/* Adds a cut from one column above the ink straight to another below it. */
static void add_contour_path(Zone *z, const int32_t *top, const int32_t *bottom, int32_t x, int32_t end)
{
    int64_t height = z->height, width = z->width;
    int64_t first = within(top[x] - 1, 0, height - 1), last = within(bottom[end] + 1, 0, height - 1);
    if (last <= first) return;
    int32_t *path = z->path + (z->paths + z->deep++) * height;
    trace(z->down, width, first, x, path);
    trace(z->up, width, height - 1 - last, end, path + last);
    for (int64_t a = last, b = height - 1; a < b; a++, b--) {
        int32_t one = path[a];
        path[a] = path[b];
        path[b] = one;
    }
    double lean = (double)(end - x) / (double)(last - first);
    for (int64_t y = first; y < last; y++) path[y] = (int32_t)rint((double)(y - first) * lean + x);
    path[last] = end;
}

/* Adds the cuts from valleys of the upper contour straight to near peaks of the lower one, and
 * straight up from peaks that have no valley near. */
static void add_contour_paths(Zone *z)
{
    int64_t height = z->height, width = z->width;
    int32_t *top = z->found, *bottom = top + width, *valley = bottom + width, *peak = valley + width;
    float weight = (float)z->rules->contour_weight;
    for (int64_t x = 0; x < width; x++) { top[x] = (int32_t)height; bottom[x] = -1; }
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *row = z->solid + y * width;
        for (int64_t x = solid_next(row, 0, width); x < width; x = solid_next(row, x + 1, width)) {
            if (top[x] == height) top[x] = (int32_t)y;
            bottom[x] = (int32_t)y;
        }
    }
    for (int64_t x = 0; x < width; x++)
        z->profile[x] = (float)(bottom[x] < 0 ? 1 : height - top[x]) * weight;
    float step = (float)z->rules->level_step;
    int64_t valleys = minima(z->profile, width, step, z->rules->prominence, valley);
    for (int64_t x = 0; x < width; x++) z->profile[x] = (float)(bottom[x] < 0 ? 0 : bottom[x]) * weight;
    int64_t peaks = minima(z->profile, width, step, z->rules->prominence, peak);
    for (int64_t v = 0; v < valleys; v++) {
        int32_t x = valley[v], end = x;
        int64_t nearest = INT64_MAX;
        if (bottom[x] < 0) continue;
        for (int64_t k = 0; k < peaks; k++) {
            int64_t apart = peak[k] > x ? peak[k] - x : x - peak[k];
            if (bottom[peak[k]] < 0 || (double)apart > z->rules->contour_reach || apart >= nearest) continue;
            nearest = apart;
            end = peak[k];
        }
        add_contour_path(z, top, bottom, x, end);
    }
    for (int64_t k = 0; k < peaks; k++) {
        int32_t x = peak[k];
        int near = bottom[x] < 0;
        for (int64_t v = 0; v < valleys && !near; v++) {
            int64_t apart = valley[v] > x ? valley[v] - x : x - valley[v];
            near = bottom[valley[v]] >= 0 && (double)apart <= z->rules->contour_reach;
        }
        if (!near) add_contour_path(z, top, bottom, x, x);
    }
}

/* Mean distance of the solid pixels to the nearest other one, by steps along the axes. */
static double thickness(const Zone *z, int32_t *far)
{
    int64_t height = z->height, width = z->width, sum = 0, count = 0;
    int32_t most = (int32_t)(height + width);
    memset(far, 0, (size_t)(height * width) * sizeof(int32_t));
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = solid_next(z->solid + y * width, 0, width); x < width;
             x = solid_next(z->solid + y * width, x + 1, width)) {
            int64_t at = y * width + x;
            int32_t near = most;
            if (y > 0 && far[at - width] + 1 < near) near = far[at - width] + 1;
            if (x > 0 && far[at - 1] + 1 < near) near = far[at - 1] + 1;
            far[at] = near;
        }
    for (int64_t y = height - 1; y >= 0; y--)
        for (int64_t x = width - 1; x >= 0; x--) {
            int64_t at = y * width + x;
            if (!z->solid[at]) continue;
            int32_t near = far[at];
            if (y + 1 < height && far[at + width] + 1 < near) near = far[at + width] + 1;
            if (x + 1 < width && far[at + 1] + 1 < near) near = far[at + 1] + 1;
            far[at] = near;
            sum += near;
            count++;
        }
    return (double)(float)((double)sum / (double)count);
}

static double between(double x, const double *xs, const double *ys)
{
    if (x >= xs[WIDTHS - 1]) return ys[WIDTHS - 1];
    if (x < xs[0]) return ys[0];
    int j = 0;
    while (x >= xs[j + 1]) j++;
    return (ys[j + 1] - ys[j]) / (xs[j + 1] - xs[j]) * (x - xs[j]) + ys[j];
}

/* Keeps the paths that cross no more ink than they may: little in a narrow component, two strokes
 * in a wide one, and straight cuts of the contours only in a wide one. */
static int64_t allowed_paths(Zone *z)
{
    const Cutting *rules = z->rules;
    int64_t height = z->height, width = z->width, kept = 0, count = z->paths + z->deep;
    double stroke = 4.0 * thickness(z, (int32_t *)z->flipped) - 1.0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *path = z->path + i * height;
        int32_t widest = 0;
        for (int64_t y = 0; y < height; y++) {
            int32_t c = z->labels[y * width + path[y]];
            z->limit[y] = z->ink[y * width + path[y]];
            if (c && z->part[c - 1].x1 - z->part[c - 1].x0 > widest)
                widest = z->part[c - 1].x1 - z->part[c - 1].x0;
        }
        double wide = widest / rules->size, most, crossed = (double)strands(z->limit, height);
        if (i < z->paths) {
            most = between(wide, rules->widths, rules->strokes) * stroke;
            most = most < rules->free_ink ? rules->free_ink : most;
            most = most > rules->most_ink ? rules->most_ink : most;
        } else {
            most = wide > rules->deep_width ? rules->deep_ink : 0.0;
        }
        if (crossed > most) continue;
        z->crossed[kept] = (float)crossed;
        memmove(z->path + kept++ * height, path, (size_t)height * sizeof(int32_t));
    }
    return kept;
}

/* Sorts indices by a key, stable; few are given. */
static void sort_by_key(int64_t *order, int64_t *spare, int64_t count, const double *key)
{
    if (count < 2) return;
    int64_t half = count / 2, i = 0, j = half, k = 0;
    sort_by_key(order, spare, half, key);
    sort_by_key(order + half, spare, count - half, key);
    while (i < half && j < count)
        spare[k++] = key[order[i]] <= key[order[j]] ? order[i++] : order[j++];
    while (i < half) spare[k++] = order[i++];
    while (j < count) spare[k++] = order[j++];
    memcpy(order, spare, (size_t)count * sizeof(*order));
}

/* The cuts to keep, left to right: i32[count, height], at the front of the paths. */
static int choose(Zone *z, int64_t count, int32_t *chosen, int64_t *cuts)
{
    const Cutting *rules = z->rules;
    int64_t height = z->height;
    double *key = z->middle + count;
    if (!cut_places(z->ink, height, z->width, (float)rules->dark, z->path, count, z->before, z->middle))
        return 0;
    for (int64_t i = 0; i < count; i++) { z->order[i] = i; key[i] = (double)z->crossed[i]; }
    sort_by_key(z->order, z->kept, count, key);
    int64_t found = choose_cuts(z->order, count, z->crossed, z->before, z->middle, rules->free_ink,
                                rules->clear, rules->gap, rules->piece, rules->most, z->kept);
    /* By the ink to their left: where cuts share free paper their columns may cross. */
    for (int64_t i = 0; i < count; i++) key[i] = (double)z->before[i];
    sort_by_key(z->kept, z->order, found, key);
    for (int64_t i = 0; i < found; i++)
        memcpy(chosen + i * height, z->path + z->kept[i] * height, (size_t)height * sizeof(int32_t));
    *cuts = found;
    return 1;
}

/* Every small low component becomes a piece of its own. */
static int part_points(const Zone *z, int64_t cuts, int16_t *piece)
{
    const Cutting *rules = z->rules;
    int64_t count = 0;
    int32_t *stats = malloc((size_t)(6 * (z->parts + 1)) * sizeof(int32_t));
    double *middle = malloc((size_t)(z->parts + 1) * sizeof(double));
    if (!stats || !middle) { free(stats); free(middle); return 0; }
    int32_t *chosen = stats + 5 * (z->parts + 1);
    for (int64_t c = 0; c < z->parts; c++) {
        const Component *part = z->part + c;
        int32_t wide = part->x1 - part->x0, high = part->y1 - part->y0, *own = stats + 5 * (c + 1);
        own[0] = part->x0; own[1] = part->y0; own[2] = wide; own[3] = high; own[4] = (int32_t)part->area;
        middle[c + 1] = (double)part->sum_x / (double)part->area;
        if ((wide > high ? wide : high) < rules->point && part->y0 > rules->below)
            chosen[count++] = (int32_t)c + 1;
    }
    int made = !count || free_points(z->labels, stats, middle, chosen, count, z->solid, z->height,
                                     z->width, cuts, piece);
    free(stats);
    free(middle);
    return made;
}

/* Numbers the pieces that hold ink from 0; what holds none goes to the next that does. How many. */
static int64_t renumber(const Zone *z, int64_t most, int16_t *piece)
{
    int64_t size = z->height * z->width, count = 0;
    int16_t *name = calloc((size_t)(most + 2), sizeof(int16_t));
    if (!name) return -1;
    for (int64_t i = solid_next(z->solid, 0, size); i < size; i = solid_next(z->solid, i + 1, size))
        name[piece[i]] = 1;
    for (int64_t p = 0; p <= most; p++) {
        int16_t own = name[p];
        name[p] = (int16_t)count;
        count += own;
    }
    for (int64_t p = 0; p <= most; p++) name[p] = name[p] < count ? name[p] : (int16_t)(count - 1);
    for (int64_t i = 0; i < size; i++) piece[i] = name[piece[i]];
    free(name);
    return count;
}

/* Cuts a line into pieces: how many, 0 where it holds no ink, -1 without memory. piece i16[height,
 * width] and, with room for 3 (most + 1) + 1 of them, boxes i32[., 4], joint, gap, rise f32[.] and
 * ink f32[.], as in segment.Cuts. */
int64_t cut_line(
    const uint8_t *line, int64_t height, int64_t width, const Cutting *rules, int16_t *piece,
    int32_t *boxes, float *joint, float *gap, float *rise, float *ink)
{
    Zone zone = {.rules = rules, .height = height, .width = width, .line = line}, *z = &zone;
    int64_t count = -1, cuts = 0;
    int32_t *chosen = malloc((size_t)(rules->most * height + 1) * sizeof(int32_t));
    if (!chosen || !zone_make(z)) goto end;
    count = 0;
    if (!z->parts) goto end;
    count = -1;
    if (!find_seeds(z)) goto end;
    add_contour_paths(z);
    int64_t paths = z->paths + z->deep;
    z->before = malloc((size_t)(paths + 1) * (3 * sizeof(int64_t) + 2 * sizeof(double) + sizeof(float))
                       + (size_t)height * sizeof(float));
    if (!z->before) goto end;
    z->order = z->before + paths + 1;
    z->kept = z->order + paths + 1;
    z->middle = (double *)(z->kept + paths + 1);
    z->crossed = (float *)(z->middle + 2 * paths);
    z->limit = z->crossed + paths + 1;
    if (!choose(z, allowed_paths(z), chosen, &cuts)) goto end;
    pieces(chosen, cuts, height, width, piece);
    if (!mend(z->solid, height, width, rules->sliver, piece)) goto end;
    if (!part_points(z, cuts, piece)) goto end;
    count = renumber(z, 3 * (cuts + 1), piece);
    if (count <= 0) goto end;
    int64_t *crossed = calloc((size_t)(2 * count + 1), sizeof(int64_t));
    double *rising = malloc((size_t)(count + 1) * sizeof(double));
    if (!crossed || !rising) { free(crossed); free(rising); count = -1; goto end; }
    int64_t *area = crossed + count;
    piece_boxes(piece, z->solid, height, width, count, boxes);
    crossings(piece, z->solid, height, width, crossed);
    rises(boxes, count, rules->reach, rules->height, rising);
    int64_t size = height * width;
    for (int64_t i = solid_next(z->solid, 0, size); i < size; i = solid_next(z->solid, i + 1, size))
        area[piece[i]]++;
    double sum = 0.0;
    ink[0] = 0.0f;
    for (int64_t p = 0; p < count; p++) {
        sum += (double)area[p] / (rules->size * rules->size);
        ink[p + 1] = (float)sum;
        if (p + 1 == count) break;
        joint[p] = (float)((double)crossed[p] / rules->size);
        gap[p] = (float)((boxes[4 * (p + 1)] - boxes[4 * p + 2]) / rules->size);
        rise[p] = (float)(rising[p] / rules->size);
    }
    free(crossed);
    free(rising);
end:
    free(chosen);
    zone_free(z);
    return count;
}
