/* What a map of a page's cells says of boxes, see field_map.py. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static const double LEAST = 1e-3;

/* Sums of a map over all that is above and left of the corners of its cells. */
typedef struct {
    int64_t rows, columns;
    double across, down, *table;
} Sums;

static void add_up(const Sums *s, const float *values)
{
    for (int64_t x = 0; x < s->columns; x++) s->table[x] = 0;
    for (int64_t y = 1; y < s->rows; y++) {
        double *row = s->table + y * s->columns, along = 0;
        row[0] = 0;
        for (int64_t x = 1; x < s->columns; x++) {
            along += *values++;
            row[x] = row[x - s->columns] + along;
        }
    }
}

/* A place along one axis: the corner before it, and how far on it is, in parts of a cell. */
typedef struct {
    int64_t before;
    double part;
} Place;

static Place place(double at, int64_t corners)
{
    if (at > corners - 1) at = (double)(corners - 1);
    if (at < 0) at = 0;
    int64_t before = (int64_t)at;
    if (before > corners - 2) before = corners - 2;
    return (Place){before, at - before};
}

static double within(const Sums *s, Place x, Place y)
{
    const double *above = s->table + y.before * s->columns + x.before, *below = above + s->columns;
    return (above[0] * (1 - x.part) + above[1] * x.part) * (1 - y.part) +
           (below[0] * (1 - x.part) + below[1] * x.part) * y.part;
}

/* Over a box given by its sides in pixels of the page, between the corners of cells in parts. */
static double sum(const Sums *s, double x0, double y0, double x1, double y1)
{
    Place left = place(x0 * s->across, s->columns), right = place(x1 * s->across, s->columns);
    Place top = place(y0 * s->down, s->rows), bottom = place(y1 * s->down, s->rows);
    return within(s, right, bottom) - within(s, left, bottom) - within(s, right, top) +
           within(s, left, top);
}

static double whole(const Sums *s) { return fmax(s->table[s->rows * s->columns - 1], 1); }

/* features: f32 [count, 3] of boxes i32 [count, 4], see FieldMap.features; amount, cents: the maps,
 * f32 [rows, columns]. 0 where there is no memory. */
int map_features(const float *amount, const float *cents, int64_t rows, int64_t columns,
                 double across, double down, const int32_t *boxes, int64_t count, float *features)
{
    Sums held = {rows + 1, columns + 1, across, down, 0}, follow = held;
    int64_t corners = held.rows * held.columns;
    held.table = malloc((size_t)(2 * corners) * sizeof(double));
    if (!held.table) return 0;
    follow.table = held.table + corners;
    add_up(&held, amount);
    add_up(&follow, cents);
    for (int64_t n = 0; n < count; n++, boxes += 4, features += 3) {
        double x0 = boxes[0], y0 = boxes[1], x1 = boxes[2], y1 = boxes[3], high = y1 - y0;
        double own = sum(&held, x0, y0, x1, y1), area = (x1 - x0) * high * across * down;
        double share = fmin(fmax(own / fmax(area, 1e-6), LEAST), 1 - LEAST);
        features[0] = (float)(log(share) - log1p(-share));
        features[1] = (float)(own / whole(&held));
        features[2] = (float)(sum(&follow, x1, y0 - high, x1 + 4 * high, y1) / whole(&follow));
    }
    free(held.table);
    return 1;
}
