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

/* How much the ink in each box, i32[count, 4] inside of the mask, is like the pattern f32[rows,
 * columns], 16 each at most: the sum of their products, the ink brought to the pattern's size by
 * averaging, 255 where it is full; NaN where the box is smaller. */
void compare_ink(
    const uint8_t *mask, int64_t width, const int32_t *boxes, int64_t count, const float *pattern,
    int64_t rows, int64_t columns, double *found)
{
    Cell across[MOST_CELLS], down[MOST_CELLS];
    for (int64_t i = 0; i < count; i++) {
        const int32_t *box = boxes + 4 * i;
        int64_t wide = box[2] - box[0], high = box[3] - box[1];
        const uint8_t *corner = mask + box[1] * width + box[0];
        /* A word of one mark begins and ends with it. */
        if (i > 0 && !memcmp(box, box - 4, 4 * sizeof *box)) { found[i] = found[i - 1]; continue; }
        found[i] = NAN;
        if (wide < columns || high < rows) continue;
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
        found[i] = total;
    }
}
