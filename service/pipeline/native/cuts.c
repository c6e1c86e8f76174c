/* Over-segmentation of one line: cheapest cuts, and the pieces between them. See segment.py.
 *
 * Images are dense rows, [height, width]. Functions that take memory return 0 where there is none. */
#include "cuts.h"
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int32_t STEP[5] = {0, -1, 1, -2, 2};
enum { BLOCK = 16 };

/* The least of the ways to a pixel, the first of equals; its number, as in least_ink. */
static inline float least_of(
    float straight, float left, float right, float far_left, float far_right, int32_t *way)
{
    float best = straight;
    int32_t one = left < best ? 1 : 0;
    best = left < best ? left : best;
    one = right < best ? 2 : one;
    best = right < best ? right : best;
    one = far_left < best ? 3 : one;
    best = far_left < best ? far_left : best;
    one = far_right < best ? 4 : one;
    best = far_right < best ? far_right : best;
    *way = one;
    return best;
}

/* One row of least_ink from its third pixel on, where every step is open, in blocks that become
 * vectors; returns the first pixel that is left. */
static int64_t least_inside(
    const float *restrict above, const float *restrict own, int64_t width, float lateral,
    float *restrict out, int8_t *restrict taken)
{
    int64_t x = 2;
    for (; x + BLOCK <= width - 2; x += BLOCK) {
        int32_t way[BLOCK];
        for (int k = 0; k < BLOCK; k++) {
            int64_t at = x + k;
            out[at] = own[at] + least_of(
                above[at], above[at - 1] + lateral, above[at + 1] + lateral,
                above[at - 2] + 2 * lateral + own[at - 1], above[at + 2] + 2 * lateral + own[at + 1],
                way + k);
        }
        for (int k = 0; k < BLOCK; k++) taken[x + k] = (int8_t)way[k];
    }
    return x;
}

/* Least ink from the top row to every pixel, and the steps taken: 0 straight, 1 from the left, 2
 * from the right, 3 and 4 from two pixels left and right, over the one between; the first of equals. */
void least_ink(
    const float *ink, int64_t height, int64_t width, float lateral, float *total, int8_t *step)
{
    memcpy(total, ink, (size_t)width * sizeof(float));
    memset(step, 0, (size_t)width);
    for (int64_t y = 1; y < height; y++) {
        const float *above = total + (y - 1) * width, *own = ink + y * width;
        float *out = total + y * width;
        int8_t *taken = step + y * width;
        for (int64_t x = 0; x < width; x++) {
            if (x == 2) x = least_inside(above, own, width, lateral, out, taken);
            float left = x > 0 ? above[x - 1] + lateral : INFINITY;
            float right = x < width - 1 ? above[x + 1] + lateral : INFINITY;
            float far_left = x > 1 ? above[x - 2] + 2 * lateral + own[x - 1] : INFINITY;
            float far_right = x < width - 2 ? above[x + 2] + 2 * lateral + own[x + 1] : INFINITY;
            int32_t way;
            out[x] = own[x] + least_of(above[x], left, right, far_left, far_right, &way);
            taken[x] = (int8_t)way;
        }
    }
}

static void merge_sort(int32_t **rows, int32_t **spare, int64_t count, int64_t length)
{
    if (count < 2) return;
    int64_t half = count / 2;
    merge_sort(rows, spare, half, length);
    merge_sort(rows + half, spare, count - half, length);
    int64_t i = 0, j = half, k = 0;
    while (i < half && j < count) {
        int64_t at = 0;
        while (at < length && rows[i][at] == rows[j][at]) at++;
        spare[k++] = at == length || rows[i][at] < rows[j][at] ? rows[i++] : rows[j++];
    }
    while (i < half) spare[k++] = rows[i++];
    while (j < count) spare[k++] = rows[j++];
    memcpy(rows, spare, (size_t)count * sizeof(*rows));
}

/* Follows steps from (row, column) back to row 0; the columns go to path[row * stride], row 0 last. */
static void follow(
    const int8_t *step, int64_t width, int64_t row, int64_t column, int32_t *path, int64_t stride)
{
    for (int64_t y = row; y >= 0; y--) {
        path[y * stride] = (int32_t)column;
        column += STEP[step[y * width + column]];
    }
}

/* Columns, from row 0 down to a row, of the cheapest way to (row, column). */
void trace(const int8_t *step, int64_t width, int64_t row, int64_t column, int32_t *path)
{
    follow(step, width, row, column, path, 1);
}

/* The cheapest cut through every seed, each once, in lexical order: i32[*count, height].
 * paths has room for all seeds; up is of the image upside down. */
int cut_paths(
    const int8_t *down, const int8_t *up, int64_t height, int64_t width, const int32_t *seed_row,
    const int32_t *seed_column, int64_t seeds, int32_t *paths, int64_t *count)
{
    int32_t *drawn = malloc((size_t)(seeds * height + 1) * sizeof(int32_t));
    int32_t **rows = malloc((size_t)(2 * seeds + 1) * sizeof(int32_t *));
    if (!drawn || !rows) { free(drawn); free(rows); return 0; }
    for (int64_t i = 0; i < seeds; i++) {
        int32_t *path = rows[i] = drawn + i * height;
        follow(up, width, height - 1 - seed_row[i], seed_column[i], path + height - 1, -1);
        follow(down, width, seed_row[i], seed_column[i], path, 1);
    }
    merge_sort(rows, rows + seeds, seeds, height);
    int64_t kept = 0;
    for (int64_t i = 0; i < seeds; i++) {
        size_t size = (size_t)height * sizeof(int32_t);
        if (kept && memcmp(paths + (kept - 1) * height, rows[i], size) == 0) continue;
        memcpy(paths + kept++ * height, rows[i], size);
    }
    *count = kept;
    free(drawn);
    free(rows);
    return 1;
}

/* Middles of the local minima of a profile that are deep enough; how many. found: i32[count]. */
int64_t minima(const float *total, int64_t count, float level_step, double prominence, int32_t *found)
{
    double lowest = INFINITY, highest = INFINITY;
    int64_t minima = 0, start = 0, where_start = -1, where_end = -1;
    for (int64_t i = 0; i < count; i++) {
        if (i + 1 < count && !(fabsf(total[i + 1] - total[i]) > level_step)) continue;
        double level = total[start];
        if (level < lowest && highest - level >= prominence) {
            lowest = level;
            where_start = start;
            where_end = i;
        }
        if (where_start >= 0 && level - lowest >= prominence) {
            found[minima++] = (int32_t)((where_start + where_end) / 2);
            lowest = INFINITY;
            where_start = -1;
            highest = level;
        } else if (where_start < 0 && level > highest) {
            highest = level;
        }
        start = i + 1;
    }
    if (where_start >= 0) found[minima++] = (int32_t)((where_start + where_end) / 2);
    return minima;
}

/* Which paths to keep, cheapest first, none that parts too little ink from another; how many.
 * order: the paths from the cheapest; before: ink pixels to the left of each; middle: mean column. */
int64_t choose_cuts(
    const int64_t *order, int64_t count, const float *crossed, const int64_t *before,
    const double *middle, double is_free, double clear, double gap, double piece, int64_t most,
    int64_t *kept)
{
    int64_t found = 0;
    for (int64_t n = 0; n < count && found < most; n++) {
        int64_t i = order[n];
        int near = 0, free_cut = (double)crossed[i] <= is_free;
        for (int64_t k = 0; k < found && !near; k++) {
            double between = (double)llabs(before[kept[k]] - before[i]);
            if (free_cut) near = between < clear;
            else near = fabs(middle[kept[k]] - middle[i]) < gap || between < piece;
        }
        if (!near) kept[found++] = i;
    }
    return found;
}

/* Of each path: ink pixels (above a level) to the left of it, and its mean column. */
int cut_places(
    const float *ink, int64_t height, int64_t width, float level, const int32_t *paths, int64_t count,
    int64_t *before, double *middle)
{
    int32_t *columns = malloc((size_t)(height * width + 1) * sizeof(int32_t));
    if (!columns) return 0;
    for (int64_t y = 0; y < height; y++) {
        int32_t sum = 0;
        for (int64_t x = 0; x < width; x++) {
            sum += ink[y * width + x] > level;
            columns[y * width + x] = sum;
        }
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t left = 0, sum = 0;
        for (int64_t y = 0; y < height; y++) {
            int32_t x = paths[i * height + y];
            left += columns[y * width + x];
            sum += x;
        }
        before[i] = left;
        middle[i] = (double)sum / (double)height;
    }
    free(columns);
    return 1;
}

/* The number of cuts at or left of each pixel, where each cut is moved right of those before it. */
int pieces(const int32_t *paths, int64_t count, int64_t height, int64_t width, int16_t *piece)
{
    memset(piece, 0, (size_t)(height * width) * sizeof(int16_t));
    for (int64_t y = 0; y < height; y++) {
        int16_t *row = piece + y * width;
        int32_t right = 0;
        for (int64_t i = 0; i < count; i++) {
            int32_t x = paths[i * height + y];
            right = x > right ? x : right;
            if (right < width) row[right]++;
        }
        for (int64_t x = 1; x < width; x++) row[x] = (int16_t)(row[x] + row[x - 1]);
    }
    return 1;
}

/* The box of the solid pixels of each piece, i32[count, 4]: x0, y0, x1, y1, half open. */
void piece_boxes(
    const int16_t *piece, const uint8_t *solid, int64_t height, int64_t width, int64_t count,
    int32_t *boxes)
{
    for (int64_t p = 0; p < count; p++) {
        boxes[4 * p] = boxes[4 * p + 1] = INT32_MAX;
        boxes[4 * p + 2] = boxes[4 * p + 3] = -1;
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = solid_next(solid + y * width, 0, width); x < width;
             x = solid_next(solid + y * width, x + 1, width)) {
            int32_t *box = boxes + 4 * piece[y * width + x];
            if (x < box[0]) box[0] = (int32_t)x;
            if (y < box[1]) box[1] = (int32_t)y;
            if (x >= box[2]) box[2] = (int32_t)x + 1;
            if (y >= box[3]) box[3] = (int32_t)y + 1;
        }
}

/* Pixels that touch the next piece on the right, by the left one of the two: i64[count]. */
void crossings(
    const int16_t *piece, const uint8_t *solid, int64_t height, int64_t width, int64_t *found)
{
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = solid_next(solid + y * width, 0, width); x + 1 < width;
             x = solid_next(solid + y * width, x + 1, width)) {
            int64_t at = y * width + x;
            if (solid[at + 1] && piece[at + 1] == piece[at] + 1) found[piece[at]]++;
        }
}

typedef struct {
    int32_t x0, y0, x1, y1, area;
} Part;

/* Marks the component of one tag about a pixel with a number; stack has room for every pixel. */
static Part fill(
    const int16_t *tag, int32_t *mark, int64_t width, const int32_t *view, int32_t x, int32_t y,
    int32_t number, int32_t *stack)
{
    Part part = {x, y, x, y, 0};
    int64_t top = 0;
    int16_t own = tag[y * width + x];
    mark[y * width + x] = number;
    stack[top++] = (int32_t)(y * width + x);
    while (top) {
        int32_t at = stack[--top];
        int32_t cx = (int32_t)(at % width), cy = (int32_t)(at / width);
        part.area++;
        if (cx < part.x0) part.x0 = cx;
        if (cx > part.x1) part.x1 = cx;
        if (cy < part.y0) part.y0 = cy;
        if (cy > part.y1) part.y1 = cy;
        for (int32_t ny = cy - 1; ny <= cy + 1; ny++)
            for (int32_t nx = cx - 1; nx <= cx + 1; nx++) {
                if (nx < view[0] || ny < view[1] || nx >= view[2] || ny >= view[3]) continue;
                int64_t near = ny * width + nx;
                if (tag[near] != own || mark[near] == number) continue;
                mark[near] = number;
                stack[top++] = (int32_t)near;
            }
    }
    return part;
}

/* Gives one sliver to the piece that it touches most. */
static void give(
    const int16_t *tag, const int32_t *mark, int64_t width, const int32_t *view, Part part,
    int32_t number, int32_t *votes, int16_t most, int16_t *piece)
{
    int16_t own = 0, winner = 0;
    int32_t x0 = part.x0 - 1 > view[0] ? part.x0 - 1 : view[0];
    int32_t y0 = part.y0 - 1 > view[1] ? part.y0 - 1 : view[1];
    int32_t x1 = part.x1 + 2 < view[2] ? part.x1 + 2 : view[2];
    int32_t y1 = part.y1 + 2 < view[3] ? part.y1 + 2 : view[3];
    for (int32_t y = part.y0; y <= part.y1; y++)
        for (int32_t x = part.x0; x <= part.x1; x++)
            if (mark[y * width + x] == number) own = tag[y * width + x];
    memset(votes, 0, (size_t)(most + 1) * sizeof(int32_t));
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t y = y0; y < y1; y++)
            for (int32_t x = x0; x < x1; x++) {
                int fat = 0;
                for (int32_t ny = y - 1; ny <= y + 1; ny++)
                    for (int32_t nx = x - 1; nx <= x + 1; nx++)
                        if (nx >= x0 && ny >= y0 && nx < x1 && ny < y1)
                            fat |= mark[ny * width + nx] == number;
                if (!fat) continue;
                int16_t here = tag[y * width + x];
                if (pass == 0 && here > 0 && here != own) votes[here]++;
                if (pass == 1 && (here == own || here == 0)) piece[y * width + x] = winner - 1;
            }
        if (pass == 0) {
            for (int16_t t = 1; t <= most; t++)
                if (votes[t] > votes[winner]) winner = t;
            if (!winner) return;
        }
    }
}

/* Gives slivers that a cut took off a stroke back to the neighbour they belong to.
 * piece i16[height, width] becomes the result; smallest: pixels that a part of its own has. */
int mend(const uint8_t *solid, int64_t height, int64_t width, double smallest, int16_t *piece)
{
    int64_t size = height * width;
    int16_t *tag = malloc((size_t)(size + 1) * sizeof(int16_t)), most = 0;
    if (!tag) return 0;
    for (int64_t i = 0; i < size; i++) {
        int16_t own = (int16_t)(-(int16_t)(solid[i] != 0) & (piece[i] + 1));
        tag[i] = own;
        most = own > most ? own : most;
    }
    int32_t *memory = calloc((size_t)(2 * size + 6 * ((int64_t)most + 1)), sizeof(int32_t));
    Part *parts = malloc((size_t)(size + 1) * sizeof(Part));
    if (!memory || !parts) { free(tag); free(memory); free(parts); return 0; }
    int32_t *mark = memory, *stack = mark + size, *boxes = stack + size, *votes = boxes + 4 * (most + 1);
    int32_t *touched = votes + most + 1, number = 0;
    piece_boxes(tag, solid, height, width, most + 1, boxes);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = solid_next(solid + y * width, 0, width); x + 1 < width;
             x = solid_next(solid + y * width, x + 1, width)) {
            int16_t left = tag[y * width + x], right = tag[y * width + x + 1];
            if (right && left != right) touched[left] = touched[right] = 1;
        }
    for (int16_t p = 1; p <= most; p++) {
        if (!touched[p]) continue;
        const int32_t *box = boxes + 4 * p;
        int32_t view[4] = {box[0] > 0 ? box[0] - 1 : 0, box[1] > 0 ? box[1] - 1 : 0,
                           box[2] < width ? box[2] + 1 : (int32_t)width,
                           box[3] < height ? box[3] + 1 : (int32_t)height};
        int64_t count = 0;
        int32_t first = number + 1;
        /* Blocks of 2 x 2 in turn, as OpenCV numbers components: later ones overwrite. */
        for (int32_t by = view[1]; by < view[3]; by += 2)
            for (int32_t bx = view[0]; bx < view[2]; bx += 2)
                for (int32_t i = 0; i < 4; i++) {
                    int32_t x = bx + (i & 1), y = by + (i >> 1);
                    if (x >= view[2] || y >= view[3]) continue;
                    if (tag[y * width + x] != p || mark[y * width + x] >= first) continue;
                    parts[count++] = fill(tag, mark, width, view, x, y, ++number, stack);
                }
        if (count < 2) continue;
        for (int64_t c = 0; c < count; c++)
            if (parts[c].area < smallest)
                give(tag, mark, width, view, parts[c], first + (int32_t)c, votes, most, piece);
    }
    free(tag);
    free(memory);
    free(parts);
    return 1;
}

/* Makes every chosen component a piece of its own, before or after the rest of the piece it stood
 * in: numbers are tripled. labels i32 and stats i32[., 5] as OpenCV gives them; middle f64: x of
 * each component's centre. piece becomes the result. */
int free_points(
    const int32_t *labels, const int32_t *stats, const double *middle, const int32_t *chosen,
    int64_t count, const uint8_t *solid, int64_t height, int64_t width, int64_t most, int16_t *piece)
{
    int64_t size = height * width;
    int16_t *before = malloc((size_t)(size + 1) * sizeof(int16_t));
    int32_t *votes = malloc((size_t)(most + 1) * sizeof(int32_t));
    uint8_t *columns = malloc((size_t)width + 1);
    if (!before || !votes || !columns) { free(before); free(votes); free(columns); return 0; }
    memcpy(before, piece, (size_t)size * sizeof(int16_t));
    for (int64_t i = 0; i < size; i++) piece[i] = (int16_t)(before[i] * 3 + 1);
    for (int64_t n = 0; n < count; n++) {
        int32_t c = chosen[n];
        const int32_t *box = stats + 5 * c;
        int64_t home = 0, held = 0, sum = 0;
        memset(votes, 0, (size_t)(most + 1) * sizeof(int32_t));
        memset(columns, 0, (size_t)width);
        for (int64_t y = box[1]; y < box[1] + box[3]; y++)
            for (int64_t x = box[0]; x < box[0] + box[2]; x++)
                if (labels[y * width + x] == c) votes[before[y * width + x]]++;
        for (int64_t p = 1; p <= most; p++) home = votes[p] > votes[home] ? p : home;
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int64_t at = y * width + x;
                if (solid[at] && before[at] == home && labels[at] != c) columns[x] = 1;
            }
        for (int64_t x = 0; x < width; x++)
            if (columns[x]) { held++; sum += x; }
        int place = held == 0 ? 1 : middle[c] > (double)sum / (double)held ? 2 : 0;
        for (int64_t y = box[1]; y < box[1] + box[3]; y++)
            for (int64_t x = box[0]; x < box[0] + box[2]; x++)
                if (labels[y * width + x] == c) piece[y * width + x] = (int16_t)(3 * home + place);
    }
    free(before);
    free(votes);
    free(columns);
    return 1;
}

/* How much higher the boxes from each on end than those before it: of boxes at least `height` tall
 * that reach within `reach` of the rightmost, or begin within it of the leftmost. 0 where either
 * side has none. boxes i32[count, 4]; found f64[count - 1]. */
void rises(const int32_t *boxes, int64_t count, double reach, double height, double *found)
{
    for (int64_t p = 1; p < count; p++) {
        int32_t right = INT32_MIN, left = INT32_MAX, before = INT32_MIN, after = INT32_MIN;
        for (int64_t q = 0; q < p; q++) right = boxes[4 * q + 2] > right ? boxes[4 * q + 2] : right;
        for (int64_t q = p; q < count; q++) left = boxes[4 * q] < left ? boxes[4 * q] : left;
        for (int64_t q = 0; q < count; q++) {
            const int32_t *box = boxes + 4 * q;
            if (box[3] - box[1] < height) continue;
            if (q < p && box[2] > right - reach && box[3] > before) before = box[3];
            if (q >= p && box[0] < left + reach && box[3] > after) after = box[3];
        }
        found[p - 1] = before > INT32_MIN && after > INT32_MIN ? before - after : 0;
    }
}
