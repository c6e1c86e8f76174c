/* Which pieces of a line may be one character together, see segment._segments and groups.py. */
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of segment.py and groups.py; lengths in units of the line's size. */
typedef struct {
    double centre, size, widest, widest_apart, clear_gap, inner_gap;
    double whole_width, whole_share, part, large, tall, middle_width, middle_part, wide_from, tall_from;
    double to_working[6];
    int64_t solid, most;
} Grouping;

typedef struct {
    int64_t pieces, larges;
    int64_t *area;    /* [pieces + 1]: ink of all pieces before each, in pixels */
    uint8_t *whole;   /* [pieces, pieces + 1]: little else but one component */
    int64_t *running; /* [larges, pieces + 1]: of each large component, its pixels before each piece */
    double *height, *width; /* [larges] */
    int32_t *memory;
} Held;

static void held_free(Held *h)
{
    free(h->area);
    free(h->whole);
    free(h->height);
    free(h->memory);
}

/* What each piece has of the components of the ink. */
static int hold(
    Held *h, const uint8_t *line, const int16_t *piece, int64_t height, int64_t width,
    const Grouping *rules)
{
    int64_t size = height * width, count = 0, pieces = h->pieces;
    int32_t *labels = h->memory = malloc((size_t)(size + size / 2 + 2) * sizeof(int32_t));
    uint8_t *solid = (uint8_t *)(labels + size);
    if (!labels) return 0;
    for (int64_t i = 0; i < size; i++) solid[i] = line[i] > rules->solid;
    Component *parts = label_components(solid, height, width, width, labels, &count);
    int32_t *ends = parts ? malloc((size_t)(3 * (count + 1)) * sizeof(int32_t)) : 0;
    if (!ends) { free(parts); return 0; }
    int32_t *first = ends, *last = first + count + 1, *number = last + count + 1;
    double least = rules->large * rules->size * rules->size;
    for (int64_t c = 0; c <= count; c++) {
        first[c] = INT32_MAX;
        last[c] = number[c] = -1;
        if (c && (double)parts[c - 1].area >= least) number[c] = (int32_t)h->larges++;
    }
    h->area = calloc((size_t)((h->larges + 1) * (pieces + 1)), sizeof(int64_t));
    h->whole = calloc((size_t)(pieces * (pieces + 1)), 1);
    h->height = malloc((size_t)(2 * h->larges + 1) * sizeof(double));
    if (!h->area || !h->whole || !h->height) { free(parts); free(ends); return 0; }
    h->running = h->area + pieces + 1;
    h->width = h->height + h->larges;
    for (int64_t i = 0; i < size; i++) {
        int32_t c = labels[i], p = piece[i];
        if (!c) continue;
        h->area[p + 1]++;
        first[c] = p < first[c] ? p : first[c];
        last[c] = p > last[c] ? p : last[c];
        if (number[c] >= 0) h->running[number[c] * (pieces + 1) + p + 1]++;
    }
    for (int64_t row = 0; row <= h->larges; row++)
        for (int64_t p = 0; p < pieces; p++)
            h->area[row * (pieces + 1) + p + 1] += h->area[row * (pieces + 1) + p];
    for (int64_t c = 1; c <= count; c++) {
        const Component *part = parts + c - 1;
        if (number[c] >= 0) {
            h->height[number[c]] = (part->y1 - part->y0) / rules->size;
            h->width[number[c]] = (part->x1 - part->x0) / rules->size;
        }
        int64_t held = h->area[last[c] + 1] - h->area[first[c]];
        if (last[c] > first[c] && (part->x1 - part->x0) / rules->size <= rules->whole_width
            && (double)part->area >= rules->whole_share * (double)held)
            h->whole[first[c] * (pieces + 1) + last[c] + 1] = 1;
    }
    free(parts);
    free(ends);
    return 1;
}

/* Whether pieces first .. last - 1 are of the middle of a component too narrow for three characters. */
static int middle(const Held *h, int64_t first, int64_t last, const Grouping *rules)
{
    for (int64_t l = 0; l < h->larges; l++) {
        const int64_t *running = h->running + l * (h->pieces + 1);
        double least = rules->middle_part * (double)running[h->pieces];
        if (h->width[l] < rules->middle_width && (double)running[first] >= least
            && (double)(running[last] - running[first]) >= least
            && (double)(running[h->pieces] - running[last]) >= least)
            return 1;
    }
    return 0;
}

/* Whether pieces first .. last - 1 could be one character: none is of a part of one component and
 * much of another, or of two whole ones as tall as digits. */
static int plausible(const Held *h, int64_t first, int64_t last, const Grouping *rules)
{
    int64_t parts = 0, both = 0, tall = 0;
    double least = rules->large * rules->size * rules->size;
    if (last - first == 1) return 1;
    for (int64_t l = 0; l < h->larges; l++) {
        const int64_t *running = h->running + l * (h->pieces + 1);
        double inside = (double)(running[last] - running[first]);
        if (inside < least) continue;
        double share = inside / (double)running[h->pieces];
        int whole = share >= 1 - rules->part, part = share > rules->part && !whole;
        parts += part;
        both += part || whole;
        tall += whole && h->height[l] >= rules->tall;
    }
    return !(parts && both > 1) && tall <= 1;
}

/* Whether groupings, in order of the first, lead from the first piece to the last; -1 without memory. */
static int lead_through(int64_t pieces, int64_t groups, const int32_t *first, const int32_t *last)
{
    uint8_t *reached = calloc((size_t)(pieces + 1), 1);
    if (!reached) return -1;
    reached[0] = 1;
    for (int64_t g = 0; g < groups; g++) reached[last[g]] |= reached[first[g]];
    int through = reached[pieces];
    free(reached);
    return through;
}

static float above(float value, float least)
{
    return value - least > 0 ? value - least : 0;
}

/* Every grouping of neighbouring pieces that could be one character, in order of the first and the
 * last: how many, -1 without memory, -2 where `room` are not enough. first, last i32[room]; bounds
 * i32[room, 4] on the line and boxes f32[room, 4] in working pixels; features f32[room, 8] as
 * segment.FEATURES. */
int64_t group_pieces(
    const uint8_t *line, const int16_t *piece, int64_t height, int64_t width, const Grouping *rules,
    int64_t pieces, const int32_t *piece_box, const float *joint, const float *gap, const float *ink,
    int64_t room, int32_t *first, int32_t *last, int32_t *bounds, float *boxes, float *features)
{
    Held held = {.pieces = pieces}, *h = &held;
    int64_t found = 0;
    if (!hold(h, line, piece, height, width, rules)) { held_free(h); return -1; }
    for (int64_t i = 0; i < pieces; i++) {
        int32_t box[4];
        memcpy(box, piece_box + 4 * i, sizeof box);
        double widest_gap = 0.0;
        int near = 1;
        for (int64_t j = i + 1; j <= pieces; j++) {
            if (j > i + 1) {
                const int32_t *own = piece_box + 4 * (j - 1);
                if (own[0] < box[0]) box[0] = own[0];
                if (own[1] < box[1]) box[1] = own[1];
                if (own[2] > box[2]) box[2] = own[2];
                if (own[3] > box[3]) box[3] = own[3];
                near = near && j - i <= rules->most;
                if (near && joint[j - 2] == 0 && (double)gap[j - 2] > widest_gap)
                    widest_gap = (double)gap[j - 2];
                double widest = widest_gap < rules->clear_gap ? rules->widest : rules->widest_apart;
                near = near && box[2] - box[0] <= widest * rules->size && widest_gap <= rules->inner_gap;
            }
            if (!near && !h->whole[i * (pieces + 1) + j]) continue;
            if (!plausible(h, i, j, rules) || middle(h, i, j, rules)) continue;
            if (found == room) { held_free(h); return -2; }
            float *out = features + 8 * found, size = (float)rules->size;
            float left = i ? joint[i - 1] : 0.0f, right = j < pieces ? joint[j - 1] : 0.0f;
            float middle = ((float)box[1] + (float)box[3]) / 2;
            out[0] = 1.0f;
            out[1] = near ? (float)widest_gap : 0.0f;
            out[2] = left + right;
            out[3] = above(((float)box[2] - (float)box[0]) / size, (float)rules->wide_from);
            out[4] = above(((float)box[3] - (float)box[1]) / size, (float)rules->tall_from);
            out[5] = fabsf(middle - (float)rules->centre) / size;
            out[6] = (float)(j - i - 1);
            out[7] = ink[j] - ink[i];
            const double *to = rules->to_working;
            for (int axis = 0; axis < 2; axis++) {
                double low = INFINITY, high = -INFINITY;
                for (int corner = 0; corner < 4; corner++) {
                    double x = box[corner & 1 ? 2 : 0], y = box[corner & 2 ? 3 : 1];
                    double at = x * to[3 * axis] + y * to[3 * axis + 1] + to[3 * axis + 2];
                    low = at < low ? at : low;
                    high = at > high ? at : high;
                }
                boxes[4 * found + axis] = (float)low;
                boxes[4 * found + 2 + axis] = (float)high;
            }
            memcpy(bounds + 4 * found, box, sizeof box);
            first[found] = (int32_t)i;
            last[found++] = (int32_t)j;
        }
    }
    held_free(h);
    int through = lead_through(pieces, found, first, last);
    if (through || rules->middle_width == 0) return through < 0 ? -1 : found;
    /* Two that are not plausible together have left a middle alone: none is left out for that. */
    Grouping all = *rules;
    all.middle_width = 0;
    return group_pieces(
        line, piece, height, width, &all, pieces, piece_box, joint, gap, ink, room, first, last, bounds,
        boxes, features);
}

/* Adds the arcs of one zone to a segmentation graph, see segment._Builder: nodes are numbered from
 * *nodes on, rows of crops from `row`. The zone is entered from a node at a penalty; `end`: its last
 * node is the graph's, written as -1. spaces f64[pieces]: penalty of SPACE at the cut before each
 * piece, NaN where there is none. arcs f64[., 4]: source, destination, row or -1, penalty; room for
 * 2 groups + pieces. Returns how many; *nodes and *exit become the next number and the last node. */
int64_t zone_arcs(
    int64_t pieces, const double *spaces, int64_t groups, const int32_t *first, const int32_t *last,
    int64_t row, int64_t entry, double penalty, int64_t end, int64_t *nodes, int64_t *exit, double *arcs)
{
    int64_t count = 0;
    int64_t *near = malloc((size_t)(2 * (pieces + 1)) * sizeof(int64_t)), *far = near + pieces + 1;
    if (!near) return -1;
    near[0] = entry;
    far[0] = -1;
    for (int64_t p = 1; p <= pieces; p++) {
        far[p] = near[p] = -1;
        if (p == pieces && end) break;
        near[p] = (*nodes)++;
        if (p == pieces || isnan(spaces[p])) continue;
        far[p] = (*nodes)++;
        double *arc = arcs + 4 * count++;
        arc[0] = (double)near[p]; arc[1] = (double)far[p]; arc[2] = -1; arc[3] = spaces[p];
    }
    for (int64_t g = 0; g < groups; g++)
        for (int way = 0; way < 2; way++) {
            int64_t from = way ? far[first[g]] : near[first[g]];
            if (from < 0) continue;
            double *arc = arcs + 4 * count++;
            arc[0] = (double)from; arc[1] = (double)near[last[g]];
            arc[2] = (double)(row + g); arc[3] = first[g] == 0 ? penalty : 0.0;
        }
    *exit = near[pieces];
    free(near);
    return count;
}
