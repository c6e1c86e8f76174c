#include "runs.h"

#include "wide.h"

#include <stdlib.h>
#include <string.h>

int runs_add(Runs *runs, int32_t y, int32_t x0, int32_t x1)
{
    if (runs->count == runs->room) {
        int64_t room = runs->room ? 2 * runs->room : 4096;
        Run *more = realloc(runs->run, (size_t)room * sizeof(Run));
        if (!more) return 0;
        runs->run = more;
        runs->room = room;
    }
    runs->run[runs->count] = (Run){y, x0, x1, (int32_t)runs->count};
    runs->count++;
    return 1;
}

/* Eight bytes, 0 or 1 each, as bits, the first the lowest. */
static inline uint64_t bits_of(const uint8_t *bytes)
{
    uint64_t eight;
    memcpy(&eight, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight * 0x0102040810204080u >> 56;
}

/* 64 bytes at most, 0 or 1 each, as bits; most bytes are zero. */
static inline uint64_t many_bits(const uint8_t *bytes, int64_t count)
{
    uint64_t bits = 0;
    int64_t i = 0;
    if (count == 64 && are_zero(bytes)) return 0;
    for (; i + 8 <= count; i += 8) bits |= bits_of(bytes + i) << i;
    for (; i < count; i++) bits |= (uint64_t)(bytes[i] != 0) << i;
    return bits;
}

/* Adds the stretches of nonzero bytes (0 or 1 each) of a part of a row. */
int runs_add_row(Runs *runs, const uint8_t *row, int32_t y, int64_t from, int64_t to)
{
    int64_t start = -1;
    for (int64_t x = from; x < to; x += 64) {
        uint64_t bits = many_bits(row + x, to - x < 64 ? to - x : 64);
        /* Where it changes, begins or ends a stretch. */
        for (uint64_t change = bits ^ (bits << 1 | (start >= 0)); change; change &= change - 1) {
            int64_t at = x + __builtin_ctzll(change);
            if (start < 0) { start = at; continue; }
            if (!runs_add(runs, y, (int32_t)start, (int32_t)at)) return 0;
            start = -1;
        }
    }
    return start < 0 || runs_add(runs, y, (int32_t)start, (int32_t)to);
}

/* Where a row is above a level: 1, else 0. */
WIDE static void mark_above(const uint8_t *restrict row, int64_t width, uint8_t level, uint8_t *restrict mark)
{
    for (int64_t x = 0; x < width; x++) mark[x] = row[x] > level;
}

int runs_add_above(
    Runs *runs, const uint8_t *image, int64_t height, int64_t width, int64_t stride, uint8_t level)
{
    uint8_t *mark = malloc((size_t)(width + 1));
    int made = mark != 0;
    for (int64_t y = 0; y < height && made; y++) {
        mark_above(image + y * stride, width, level, mark);
        made = runs_add_row(runs, mark, (int32_t)y, 0, width);
    }
    free(mark);
    return made;
}

static inline int32_t root_of(Run *run, int32_t i)
{
    while (run[i].parent != i) {
        run[i].parent = run[run[i].parent].parent;
        i = run[i].parent;
    }
    return i;
}

void runs_join(Runs *runs)
{
    runs_join_alike(runs, 0);
}

void runs_join_alike(Runs *runs, const int32_t *kind)
{
    Run *run = runs->run;
    int64_t above = 0, above_end = 0, i = 0;
    while (i < runs->count) {
        int64_t end = i;
        while (end < runs->count && run[end].y == run[i].y) end++;
        if (above_end == i && above < above_end && run[above].y + 1 == run[i].y) {
            int64_t a = above;
            for (int64_t b = i; b < end; b++) {
                while (a < above_end && run[a].x1 < run[b].x0) a++;
                for (int64_t k = a; k < above_end && run[k].x0 <= run[b].x1; k++) {
                    if (kind && kind[k] != kind[b]) continue;
                    int32_t one = root_of(run, (int32_t)k), other = root_of(run, (int32_t)b);
                    if (one < other) run[other].parent = one;
                    else run[one].parent = other;
                }
            }
        }
        above = i;
        above_end = i = end;
    }
    /* A parent comes before its children, so that its own is known. */
    for (i = 0; i < runs->count; i++) run[i].parent = run[run[i].parent].parent;
}

void runs_free(Runs *runs)
{
    free(runs->run);
}

static int by_place(const void *a, const void *b)
{
    const Component *one = a, *other = b;
    return one->place < other->place ? -1 : one->place > other->place;
}

Component *runs_components(Runs *runs, int32_t *number, int64_t *count)
{
    Run *run = runs->run;
    int64_t found = 0;
    for (int64_t i = 0; i < runs->count; i++)
        if (run[i].parent == i) number[i] = (int32_t)found++;
    Component *parts = malloc((size_t)(found + 1) * sizeof(Component));
    int32_t *moved = malloc((size_t)(found + 1) * sizeof(int32_t));
    if (!parts || !moved) { free(parts); free(moved); return 0; }
    for (int64_t i = 0; i < runs->count; i++) {
        int32_t root = run[i].parent;
        Component *part = parts + number[root];
        int64_t length = run[i].x1 - run[i].x0, strip = run[i].y / 2;
        int64_t place = (strip << 43) + ((int64_t)(run[i].x0 / 2) << 22);
        if (root == i) *part = (Component){run[i].x0, run[i].y, run[i].x1, run[i].y + 1, 0, 0, 0, place};
        number[i] = number[root];
        if (place < part->place) part->place = place;
        if (run[i].x0 < part->x0) part->x0 = run[i].x0;
        if (run[i].x1 > part->x1) part->x1 = run[i].x1;
        part->y1 = run[i].y + 1;
        part->area += length;
        part->sum_x += length * (run[i].x0 + run[i].x1 - 1) / 2;
        part->sum_y += length * run[i].y;
    }
    for (int64_t c = 0; c < found; c++) parts[c].place += c; /* the low bits remember the number */
    qsort(parts, (size_t)found, sizeof(Component), by_place);
    for (int64_t c = 0; c < found; c++) moved[parts[c].place & 0x3FFFFF] = (int32_t)c;
    for (int64_t i = 0; i < runs->count; i++) number[i] = moved[number[i]];
    free(moved);
    *count = found;
    return parts;
}

Component *label_components(
    const uint8_t *solid, int64_t height, int64_t width, int64_t stride, int32_t *labels, int64_t *count)
{
    Runs runs = {0};
    int failed = 0;
    for (int64_t y = 0; y < height && !failed; y++)
        failed = !runs_add_row(&runs, solid + y * stride, (int32_t)y, 0, width);
    int32_t *number = failed ? 0 : malloc((size_t)(runs.count + 1) * sizeof(int32_t));
    Component *parts = 0;
    if (number) {
        runs_join(&runs);
        parts = runs_components(&runs, number, count);
    }
    if (parts && labels) {
        memset(labels, 0, (size_t)(height * width) * sizeof(int32_t));
        for (int64_t i = 0; i < runs.count; i++) {
            int32_t *row = labels + runs.run[i].y * width;
            for (int32_t x = runs.run[i].x0; x < runs.run[i].x1; x++) row[x] = number[i] + 1;
        }
    }
    free(number);
    runs_free(&runs);
    return parts;
}
