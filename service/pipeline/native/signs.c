/* How much ink looks like a pattern, see signs.py. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MOST_CELLS = 16 };

/* The source pixels of one cell of an image brought to fewer: [from, to), and what the first and the
 * last of them count for beside the others, as in OpenCV's resizing by area. */
typedef struct {
    int64_t from, to;
    float first, inner, last;
} Cell;

static void divide(int64_t size, int64_t cells, Cell *cell)
{
    double scale = (double)size / (double)cells;
    for (int64_t i = 0; i < cells; i++) {
        double begin = (double)i * scale, end = begin + scale, left = (double)size - begin;
        double wide = scale < left ? scale : left;
        int64_t first = (int64_t)ceil(begin), last = (int64_t)floor(end);
        last = last < size - 1 ? last : size - 1;
        first = first < last ? first : last;
        cell[i] = (Cell){first, last, 0.0f, (float)(1.0 / wide), 0.0f};
        if ((double)first - begin > 1e-3) cell[i].first = (float)(((double)first - begin) / wide);
        if (end - (double)last > 1e-3) {
            double rest = end - (double)last < 1.0 ? end - (double)last : 1.0;
            cell[i].last = (float)((rest < wide ? rest : wide) / wide);
        }
    }
}

static float share(const uint8_t *row, const Cell *cell)
{
    /* No branches: where there is ink is hard to foretell. */
    float sum = 0.0f, own = 255.0f * cell->inner;
    if (cell->first > 0) sum += row[cell->from - 1] ? 255.0f * cell->first : 0.0f;
    for (int64_t x = cell->from; x < cell->to; x++) sum += row[x] ? own : 0.0f;
    if (cell->last > 0) sum += row[cell->to] ? 255.0f * cell->last : 0.0f;
    return sum;
}

/* As rintf, of what is not negative and below 2^22, without a call. */
static float rounded(float value)
{
    return (value + 12582912.0f) - 12582912.0f;
}

/* The two source pixels of one pixel of an image brought to more, and what they count for in 2048ths;
 * OpenCV's resizing by area does so. */
typedef struct {
    int64_t first, second;
    int32_t own, next;
} Between;

static void spread(int64_t size, int64_t cells, Between *between)
{
    double inverse = (double)cells / (double)size, scale = 1.0 / inverse;
    for (int64_t i = 0; i < cells; i++) {
        int64_t at = (int64_t)floor((double)i * scale);
        float part = (float)((double)(i + 1) - (double)(at + 1) * inverse);
        part = part <= 0 ? 0.0f : part - floorf(part);
        if (at >= size - 1) { at = size - 1; part = 0.0f; }
        between[i].first = at;
        between[i].second = at + 1 < size ? at + 1 : at;
        between[i].own = (int32_t)rounded((1.0f - part) * 2048.0f);
        between[i].next = (int32_t)rounded(part * 2048.0f);
    }
}

/* A row of ink between its pixels, in 2048ths. */
static int32_t along(const uint8_t *row, const Between *between)
{
    return (row[between->first] ? 255 : 0) * between->own + (row[between->second] ? 255 : 0) * between->next;
}

/* As numpy adds up fewer than 128 numbers: in eight strands. */
static float added(const float *values, int64_t count)
{
    float strand[8], sum = 0.0f;
    int64_t i = 8;
    if (count < 8) i = 0;
    else memcpy(strand, values, sizeof strand);
    for (; i && i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) strand[k] += values[i + k];
    if (i)
        sum = ((strand[0] + strand[1]) + (strand[2] + strand[3]))
            + ((strand[4] + strand[5]) + (strand[6] + strand[7]));
    for (; i < count; i++) sum += values[i];
    return sum;
}

/* The ink of a box that is smaller than the pattern. */
static double compare_small(
    const uint8_t *corner, int64_t width, int64_t wide, int64_t high, const float *pattern, int64_t rows,
    int64_t columns)
{
    Between across[MOST_CELLS], down[MOST_CELLS];
    float products[MOST_CELLS * MOST_CELLS];
    spread(wide, columns, across);
    spread(high, rows, down);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int32_t upper = along(corner + down[r].first * width, across + c) >> 4;
            int32_t lower = along(corner + down[r].second * width, across + c) >> 4;
            int32_t ink = (((down[r].own * upper) >> 16) + ((down[r].next * lower) >> 16) + 2) >> 2;
            products[r * columns + c] = (float)ink * pattern[r * columns + c];
        }
    return (double)added(products, rows * columns);
}

/* How much the ink of a box, which is inside of the mask, is like the pattern: the sum of their
 * products, the ink brought to the pattern's size as OpenCV's resizing by area does, 255 where full. */
static double compare(
    const uint8_t *mask, int64_t width, const int32_t *box, const float *pattern, int64_t rows, int64_t columns)
{
    Cell across[MOST_CELLS], down[MOST_CELLS];
    int64_t wide = box[2] - box[0], high = box[3] - box[1];
    const uint8_t *corner = mask + box[1] * width + box[0];
    if (wide < columns || high < rows)
        return compare_small(corner, width, wide, high, pattern, rows, columns);
    divide(wide, columns, across);
    divide(high, rows, down);
    double total = 0.0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            const Cell *cell = down + r;
            float sum = 0.0f;
            if (cell->first > 0) sum += cell->first * share(corner + (cell->from - 1) * width, across + c);
            for (int64_t y = cell->from; y < cell->to; y++)
                sum += cell->inner * share(corner + y * width, across + c);
            if (cell->last > 0) sum += cell->last * share(corner + cell->to * width, across + c);
            total += (double)(rounded(sum) * pattern[r * columns + c]);
        }
    return total;
}

/* What boxes are compared at all: their height in px, and their width in heights. */
typedef struct {
    double least_high, most_high, narrowest, widest, bias;
} Possible;

/* How likely the ink in each box, i32[count, 4] inside of the mask, is what the pattern f32[rows,
 * columns] shows, 16 each at most: by a logistic model of their products in tenths, f32[count]; 0 where
 * the box cannot be it. */
void compare_ink(
    const uint8_t *mask, int64_t width, const int32_t *boxes, int64_t count, const float *pattern,
    int64_t rows, int64_t columns, const Possible *possible, float *found)
{
    for (int64_t i = 0; i < count; i++) {
        const int32_t *box = boxes + 4 * i;
        double wide = box[2] - box[0], high = box[3] - box[1];
        found[i] = 0.0f;
        if (high < possible->least_high || high > possible->most_high) continue;
        if (wide < possible->narrowest * high || wide > possible->widest * high) continue;
        /* A word of one mark begins and ends with it. */
        if (i > 0 && !memcmp(box, box - 4, 4 * sizeof *box)) { found[i] = found[i - 1]; continue; }
        double product = compare(mask, width, box, pattern, rows, columns);
        found[i] = (float)(1 / (1 + exp(-(product / 255 + possible->bias) / 10)));
    }
}
