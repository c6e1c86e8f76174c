/* Ruled lines and strokes of a page, see ink.py. Images are dense rows, [height, width]. */
#include "runs.h"
#include "wide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pixels that a stretch may lack in a row; columns that are looked at together. */
enum { GAP = 2, COLUMNS = 64 };

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

/* Whether the runs of a line follow one straight line that leans little: but for a quarter of the
 * columns their middles lie within `off` px of it, and it falls by less than `slope`. stats: left,
 * top, width, height; middle: room for four numbers a column. */
static int is_straight(
    const Run *run, int64_t count, const int32_t *stats, double slope, double off, double *middle)
{
    int64_t wide = stats[2], columns = 0, near = 0;
    if (stats[3] <= 4) return 1;
    double *at = middle + wide, *filled = at + wide, *rows = filled + wide;
    double sum_x = 0.0, sum_y = 0.0, xy = 0.0, xx = 0.0;
    memset(filled, 0, (size_t)(2 * wide) * sizeof(double));
    for (int64_t i = 0; i < count; i++)
        for (int64_t x = run[i].x0 - stats[0]; x < run[i].x1 - stats[0]; x++) {
            filled[x] += 1.0;
            rows[x] += (double)(run[i].y - stats[1]);
        }
    for (int64_t x = 0; x < wide; x++) {
        if (filled[x] == 0.0) continue;
        at[columns] = (double)x;
        middle[columns++] = rows[x] / filled[x];
        sum_x += (double)x;
        sum_y += rows[x] / filled[x];
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

WIDE static void join_rows(const uint8_t *one, const uint8_t *other, int64_t width, uint8_t *restrict joined)
{
    for (int64_t x = 0; x < width; x++) joined[x] = one[x] | other[x];
}

/* What is followed from row to row: stretches along x of two rows together, and along y of two columns
 * together; what is darker than `level` is dark, or `all` is. Of an upright run x and y are exchanged. */
typedef struct {
    const uint8_t *darkness;
    int64_t height, width;
    uint8_t level, all;
    int64_t level_length, upright_length;
    Runs level_runs, upright_runs;
    uint8_t *memory, *joined, *grown, *gap, *ended, *column;
} Scan;

/* Adds the stretches of a row joined with the one above, opened. */
static int scan_level(Scan *scan, const uint8_t *dark, const uint8_t *above, int64_t y)
{
    int64_t width = scan->width, length = scan->level_length;
    uint8_t *joined = scan->joined;
    join_rows(dark, above, width, joined);
    for (int64_t x0 = next_stretch(joined, 0, length, width); x0 < width;) {
        int64_t x1 = runs_next(joined, x0, width, 0), more = runs_next(joined, x1, width, 1);
        while (more < width && more - x1 <= GAP) {
            x1 = runs_next(joined, more, width, 0);
            more = runs_next(joined, x1, width, 1);
        }
        int64_t from = x0 <= 1 ? 0 : x0, to = x1 >= width - 1 ? width : x1;
        if (!add_opened(&scan->level_runs, dark, (int32_t)y, width, length, from, to)) return 0;
        x0 = next_stretch(joined, x1, length, width);
    }
    return 1;
}

/* Adds the stretch of a column, joined with the one before it, that ends before row y1, opened. */
static int add_upright(Scan *scan, int64_t x, int64_t y1)
{
    int64_t height = scan->height, width = scan->width, y0 = y1;
    uint8_t level = scan->level, all = scan->all, *column = scan->column;
    for (int64_t gap = 0, y = y1 - 1; y >= 0 && gap <= GAP; y--) {
        const uint8_t *own = scan->darkness + y * width + x;
        column[y] = (own[0] > level) | all;
        int joined = column[y] | (x > 0 && own[-1] > level) | (all && x > 0);
        gap = joined ? 0 : gap + 1;
        if (joined) y0 = y;
    }
    int64_t from = y0 <= 1 ? 0 : y0, to = y1 >= height - 1 ? height : y1;
    if (y1 < height) column[y1] = 0;
    return add_opened(&scan->upright_runs, column, (int32_t)x, height, scan->upright_length, from, to);
}

/* Marks where some columns of a row are dark, and takes those or the ones before them that are into the
 * stretches of all columns: how long each is so far, its gaps with it, 255 at most; and how many rows it
 * lacks. ended: 1 where one ends that may be long enough. Whether any does. first: 255 in a row where a
 * stretch touches the edge, so that it may be shorter, else 0. No branches, so that many columns are done
 * at once; where nothing is dark and no stretch goes on there is nothing to do. */
static inline int extend_block(
    const Scan *scan, const uint8_t *restrict row, int64_t count, uint8_t enough, uint8_t first,
    uint8_t *restrict dark, uint8_t *restrict length, uint8_t *restrict gap, uint8_t *restrict ended)
{
    uint8_t any = 0, level = scan->level, all = scan->all;
    for (int64_t x = 0; x < count; x++) dark[x] = (row[x] > level) | all;
    if (count == COLUMNS && !dark[-1] && are_zero(dark) && are_zero(length)) return 0;
    for (int64_t x = 0; x < count; x++) {
        uint8_t joined = (uint8_t)-(dark[x] | dark[x - 1]), grown = length[x], lacks = gap[x];
        grown = (uint8_t)(grown + (((grown > 0) | (joined > 0)) & (grown < 255)));
        grown = (uint8_t)(grown | (joined & first));
        lacks = (uint8_t)((lacks + (lacks < 255)) & ~joined);
        uint8_t over = lacks > GAP;
        uint8_t end = over & (grown >= enough);
        any |= end;
        ended[x] = end;
        length[x] = (uint8_t)(grown & (uint8_t)(over - 1));
        gap[x] = lacks;
    }
    return any;
}

/* The same of all columns. */
WIDE static int extend_columns(const Scan *scan, const uint8_t *row, uint8_t enough, uint8_t first, uint8_t *dark)
{
    int any = 0;
    int64_t x = 0;
    for (; x + COLUMNS <= scan->width; x += COLUMNS)
        any |= extend_block(scan, row + x, COLUMNS, enough, first, dark + x, scan->grown + x, scan->gap + x,
                            scan->ended + x);
    return any | extend_block(scan, row + x, scan->width - x, enough, first, dark + x, scan->grown + x,
                              scan->gap + x, scan->ended + x);
}

/* Puts runs that were found row by row into the order of their columns; those of one column are in
 * order. */
static int order_columns(Runs *runs, int64_t width)
{
    int64_t *next = calloc((size_t)width + 2, sizeof(int64_t));
    Run *sorted = malloc((size_t)(runs->count + 1) * sizeof(Run));
    if (!next || !sorted) { free(next); free(sorted); return 0; }
    for (int64_t i = 0; i < runs->count; i++) next[runs->run[i].y + 1]++;
    for (int64_t x = 0; x < width; x++) next[x + 1] += next[x];
    for (int64_t i = 0; i < runs->count; i++) {
        int64_t place = next[runs->run[i].y]++;
        sorted[place] = runs->run[i];
        sorted[place].parent = (int32_t)place;
    }
    free(next);
    free(runs->run);
    runs->run = sorted;
    runs->room = runs->count + 1;
    return 1;
}

/* Marks where a row is dark and adds the stretches of columns that end before it; all columns are
 * followed at once, so that the image need not be turned. */
static int scan_upright(Scan *scan, uint8_t *dark, int64_t y)
{
    int64_t width = scan->width, least = scan->upright_length + GAP + 1;
    if (!extend_columns(scan, scan->darkness + y * width, (uint8_t)(least < 255 ? least : 255),
                        y <= 1 ? 255 : 0, dark))
        return 1;
    for (int64_t x = runs_next(scan->ended, 0, width, 1); x < width; x = runs_next(scan->ended, x + 1, width, 1)) {
        scan->ended[x] = 0;
        if (!add_upright(scan, x, y - GAP)) return 0;
    }
    return 1;
}

/* All stretches of an image. 0 without memory. */
static int scan_rows(Scan *scan)
{
    int64_t width = scan->width;
    scan->memory = calloc((size_t)(6 * width + scan->height + 2), 1);
    if (!scan->memory) return 0;
    /* A byte before each row of marks, which is no mark. */
    uint8_t *marks[2] = {scan->memory + 1, scan->memory + width + 2};
    scan->joined = marks[1] + width;
    scan->grown = scan->joined + width;
    scan->gap = scan->grown + width;
    scan->ended = scan->gap + width;
    scan->column = scan->ended + width;
    for (int64_t y = 0; y < scan->height; y++) {
        uint8_t *dark = marks[y & 1];
        if (!scan_upright(scan, dark, y) || !scan_level(scan, dark, marks[~y & 1], y)) return 0;
    }
    for (int64_t x = 0; x < width; x++)
        if (scan->grown[x] && !add_upright(scan, x, scan->height - scan->gap[x])) return 0;
    return order_columns(&scan->upright_runs, width);
}

/* What a line is, see find_lines. */
typedef struct {
    double thickness, slope, off;
    int64_t room, run_room;
} Straight;

/* The components of runs that are straight thin lines at least `least` px long; longest: the side of
 * the image. stats, run: as of find_lines. How many; -1 without memory. */
static int64_t take_lines(
    Runs *runs, int64_t longest, int64_t least, const Straight *rules, int32_t *stats, int32_t *run)
{
    int64_t count = 0, kept = 0, straight = -1, begin = 0;
    int32_t *number = malloc((size_t)(runs->count + 1) * sizeof(int32_t));
    Component *parts = 0;
    if (number) {
        runs_join(runs);
        parts = runs_components(runs, number, &count);
    }
    /* Of each component how many runs it has, then where the next of them goes; -1: it is no line. */
    int64_t *next = parts ? calloc((size_t)count + 1, sizeof(int64_t)) : 0;
    Run *own = next ? malloc((size_t)(runs->count + 1) * sizeof(Run)) : 0;
    double *middle = own ? malloc((size_t)(4 * longest + 1) * sizeof(double)) : 0;
    if (!middle) goto end;
    for (int64_t i = 0; i < runs->count; i++) next[number[i]]++;
    for (int64_t c = 0; c < count; c++) {
        const Component *part = parts + c;
        int32_t wide = part->x1 - part->x0, *out = stats + 6 * kept;
        int64_t many = next[c];
        next[c] = -1;
        if (wide < least || (double)part->area / wide > rules->thickness) continue;
        if (kept == rules->room || begin + many > rules->run_room) {
            for (c++; c < count; c++) next[c] = -1;
            break;
        }
        int32_t found[6] = {part->x0, part->y0, wide, part->y1 - part->y0, (int32_t)part->area, (int32_t)many};
        memcpy(out, found, sizeof found);
        next[c] = begin;
        begin += many;
        kept++;
    }
    for (int64_t i = 0; i < runs->count; i++)
        if (next[number[i]] >= 0) own[next[number[i]]++] = runs->run[i];
    straight = begin = 0;
    for (int64_t i = 0, at = 0; i < kept; i++) {
        const int32_t *found = stats + 6 * i;
        int64_t many = found[5];
        if (is_straight(own + at, many, found, rules->slope, rules->off, middle)) {
            for (int64_t k = at; k < at + many; k++) {
                int32_t one[4] = {own[k].y, own[k].x0, own[k].x1, (int32_t)straight};
                memcpy(run + 4 * begin++, one, sizeof one);
            }
            memmove(stats + 6 * straight++, found, 6 * sizeof *found);
        }
        at += many;
    }
end:
    free(middle);
    free(own);
    free(next);
    free(parts);
    free(number);
    return straight;
}

/* Thin straight lines along x, and such along y: the components of what is darker than a threshold in
 * unbroken stretches of so many px, where two rows together count as one and gaps of two pixels as none;
 * of those the ones that are long enough and at most so thick on average that are straight. lengths
 * i64[4]: of stretches and of lines, level and upright. Of an upright line x and y are exchanged, left
 * and top with them. stats i32[2, room, 6]: left, top, width, height, area, runs; run i32[2, run_room,
 * 4]: y, x0, x1, line, of all lines in turn. found i64[2]: how many lines, no more than there is room
 * for. 0 without memory. */
int find_lines(
    const uint8_t *darkness, int64_t height, int64_t width, int32_t threshold, const int64_t *lengths,
    const Straight *rules, int32_t *stats, int32_t *run, int64_t *found)
{
    /* Bytes alone, so that they are compared sixteen at once. */
    Scan scan = {.darkness = darkness, .height = height, .width = width, .all = threshold < 0,
                 .level = (uint8_t)(threshold < 0 ? 0 : threshold > 255 ? 255 : threshold),
                 .level_length = lengths[0], .upright_length = lengths[2]};
    int made = scan_rows(&scan);
    if (made) {
        found[0] = take_lines(&scan.level_runs, width, lengths[1], rules, stats, run);
        found[1] = take_lines(&scan.upright_runs, height, lengths[3], rules, stats + 6 * rules->room,
                              run + 4 * rules->run_room);
    }
    free(scan.memory);
    runs_free(&scan.level_runs);
    runs_free(&scan.upright_runs);
    return made && found[0] >= 0 && found[1] >= 0;
}

/* How often each darkness occurs under the runs of lines, i32[count, 4], that are wanted, u8 for each
 * line: adds to counts i64[256]. */
void count_under(
    const uint8_t *darkness, int64_t width, int64_t upright, const int32_t *run, int64_t count,
    const uint8_t *wanted, int64_t *counts)
{
    int64_t down = upright ? 1 : width, along = upright ? width : 1;
    for (int64_t i = 0; i < count; i++, run += 4)
        for (int64_t x = run[1]; x < run[2] && wanted[run[3]]; x++) counts[darkness[run[0] * down + x * along]]++;
}

/* Whether a run of lines, i32[count, 4], is in each of the boxes, i32[boxes, 4]: x0, y0, x1, y1. */
void are_met(const int32_t *run, int64_t count, const int32_t *box, int64_t boxes, uint8_t *met)
{
    for (int64_t b = 0; b < boxes; b++, box += 4) {
        met[b] = 0;
        for (int64_t i = 0; i < count && !met[b]; i++) {
            const int32_t *one = run + 4 * i;
            met[b] = one[0] >= box[1] && one[0] < box[3] && one[1] < box[2] && one[2] > box[0];
        }
    }
}

/* The greatest of each pixel and those beside it, without those that are gone (0 or 1). row: room for
 * width + 2, zeros at its ends. */
WIDE static void widest(
    const uint8_t *restrict own, const uint8_t *restrict gone, int64_t width, uint8_t *restrict row,
    uint8_t *restrict out)
{
    for (int64_t x = 0; x < width; x++) row[x + 1] = own[x] & (uint8_t)(gone[x] - 1);
    for (int64_t x = 0; x < width; x++) {
        uint8_t most = row[x] > row[x + 1] ? row[x] : row[x + 1];
        out[x] = most > row[x + 2] ? most : row[x + 2];
    }
}

WIDE static void raise(uint8_t *restrict to, const uint8_t *restrict row, int64_t width)
{
    for (int64_t x = 0; x < width; x++) to[x] = row[x] > to[x] ? row[x] : to[x];
}

typedef struct {
    int64_t place;
    uint8_t value;
} Change;

/* An image whose rows and columns lie so far apart, [height, width] along the lines in it. */
typedef struct {
    const uint8_t *pixels;
    int64_t height, width, down, along;
} Frame;

/* What becomes of the darkness in the box i32[4] of one line: x0, y0, x1, y1. run i32[count, 4]: of all
 * lines. Adds to the changes, for which there must be room. */
static int erase_line(
    const Frame *page, const int32_t *box, const int32_t *run, int64_t count, const uint8_t *wanted,
    uint8_t usual, int64_t reach, Change *change, int64_t *changes)
{
    int64_t x0 = box[0] > 0 ? box[0] - 1 : 0, x1 = box[2] < page->width ? box[2] + 1 : page->width;
    int64_t y0 = box[1] > 0 ? box[1] - 1 : 0, y1 = box[3] < page->height ? box[3] + 1 : page->height;
    int64_t top = y0 > reach ? y0 - reach : 0, end = y1 + reach < page->height ? y1 + reach : page->height;
    int64_t left = x0 > 0 ? x0 - 1 : 0, right = x1 < page->width ? x1 + 1 : page->width;
    int64_t wide = right - left, high = end - top;
    uint8_t *own = malloc((size_t)((3 * high + 3) * wide + 2));
    if (!own) return 0;
    uint8_t *gone = own + high * wide, *rest = gone + high * wide, *row = rest + high * wide;
    uint8_t *above = row + wide + 2, *below = above + wide;
    memset(gone, 0, (size_t)(high * wide));
    row[0] = row[wide + 1] = 0;
    for (int64_t y = 0; y < high; y++) {
        const uint8_t *from = page->pixels + (y + top) * page->down + left * page->along;
        if (page->along == 1) memcpy(own + y * wide, from, (size_t)wide);
        else for (int64_t x = 0; x < wide; x++) own[y * wide + x] = from[x * page->along];
    }
    for (int64_t i = 0; i < count; i++, run += 4) {
        if (run[0] < top - 1 || run[0] > end || run[2] < left || run[1] > right || !wanted[run[3]]) continue;
        int64_t a = run[1] - 1 - left, b = run[2] + 1 - left;
        a = a > 0 ? a : 0;
        b = b < wide ? b : wide;
        for (int64_t y = run[0] > top ? run[0] - 1 - top : 0; y <= run[0] + 1 - top && y < high; y++)
            for (int64_t x = a; x < b; x++) gone[y * wide + x] = own[y * wide + x] <= usual;
    }
    for (int64_t y = 0; y < high; y++) widest(own + y * wide, gone + y * wide, wide, row, rest + y * wide);
    for (int64_t y = y0 - top; y < y1 - top; y++) {
        memset(above, 0, (size_t)(2 * wide));
        for (int64_t k = y > reach ? y - reach : 0; k <= y; k++) raise(above, rest + k * wide, wide);
        for (int64_t k = y; k <= y + reach && k < high; k++) raise(below, rest + k * wide, wide);
        for (int64_t x = x0 - left; x < x1 - left; x++) {
            int64_t at = y * wide + x;
            if (!gone[at]) continue;
            uint8_t through = above[x] < below[x] ? above[x] : below[x];
            int64_t place = (y + top) * page->down + (x + left) * page->along;
            change[(*changes)++] = (Change){place, through < own[at] ? through : own[at]};
        }
    }
    free(own);
    return 1;
}

/* Takes lines, and a pixel around them, out of the darkness where that is at most `usual`; what is dark
 * both within `reach` px above and below goes through. stats i32[lines, 6], run i32[count, 4]: of
 * find_lines; wanted u8[lines]: which of them. Moves what is changed in counts i64[256]. 0 without
 * memory, the darkness as it was. */
int erase_lines(
    uint8_t *darkness, int64_t height, int64_t width, int64_t upright, const int32_t *stats,
    int64_t lines, const int32_t *run, int64_t count, const uint8_t *wanted, double usual, int64_t reach,
    int64_t *counts)
{
    Frame page = {darkness, height, width, width, 1};
    if (upright) page = (Frame){darkness, width, height, 1, width};
    int64_t room = 1, changes = 0;
    for (int64_t i = 0; i < lines; i++)
        if (wanted[i]) room += (int64_t)(stats[6 * i + 2] + 2) * (stats[6 * i + 3] + 2);
    Change *change = malloc((size_t)room * sizeof(Change));
    uint8_t most = (uint8_t)(usual < 0 ? 0 : usual > 255 ? 255 : usual);
    int made = change != 0;
    for (int64_t i = 0; i < lines && made; i++) {
        const int32_t *own = stats + 6 * i, box[4] = {own[0], own[1], own[0] + own[2], own[1] + own[3]};
        if (wanted[i]) made = erase_line(&page, box, run, count, wanted, most, reach, change, &changes);
    }
    /* What one line leaves is no surroundings for the next: the last word is that of the last line. */
    for (int64_t i = 0; i < changes && made; i++) {
        uint8_t *at = darkness + change[i].place;
        counts[*at]--;
        *at = change[i].value;
        counts[*at]++;
    }
    free(change);
    return made;
}

/* The row that a row beyond the image is the reflection of, about the middle of the outermost one. */
static int64_t reflected(int64_t y, int64_t height)
{
    while (height > 1 && (y < 0 || y >= height)) y = y < 0 ? -y : 2 * height - 2 - y;
    return height > 1 ? y : 0;
}

enum { BLOCK = 16 };

/* Where much around a pixel is faintly dark: more than `most` of the pixels of a square window of an
 * odd width, 255 px at most, the image reflected at its edges. Row by row. */
typedef struct {
    const uint8_t *darkness;
    int64_t height, width, half, most, next; /* next: the row before which there is none */
    uint8_t faintest;
    uint8_t *held;  /* of each column, within the window's rows; beyond both edges there is room */
    int32_t *sums;  /* of blocks of columns */
    uint8_t *grainy;
} Grain;

static int grain_make(Grain *g)
{
    int64_t wide = g->width + 2 * g->half + BLOCK;
    g->sums = malloc((size_t)(wide / BLOCK + 1) * sizeof(int32_t));
    uint8_t *memory = calloc((size_t)(wide + g->width), 1);
    g->grainy = memory;
    g->held = memory ? memory + g->width + g->half : 0;
    return g->sums && memory;
}

static void grain_free(Grain *g)
{
    free(g->sums);
    free(g->grainy);
}

WIDE static void hold(const uint8_t *restrict row, int64_t width, uint8_t faintest, uint8_t *restrict held)
{
    for (int64_t x = 0; x < width; x++) held[x] += row[x] > faintest;
}

WIDE static void slide(
    const uint8_t *restrict next, const uint8_t *restrict last, int64_t width, uint8_t faintest,
    uint8_t *restrict held)
{
    for (int64_t x = 0; x < width; x++)
        held[x] = (uint8_t)(held[x] + (next[x] > faintest) - (last[x] > faintest));
}

static const uint8_t *row_of(const Grain *g, int64_t y)
{
    return g->darkness + reflected(y, g->height) * g->width;
}

WIDE static void add_blocks(const uint8_t *restrict held, int64_t blocks, int32_t *restrict sums)
{
    for (int64_t b = 0; b < blocks; b++) {
        int32_t own = 0;
        for (int k = 0; k < BLOCK; k++) own += held[b * BLOCK + k];
        sums[b] = own;
    }
}

/* Marks, from a column on, whose windows hold more than they may, in one block; the most that one holds. */
static int64_t mark_block(const Grain *g, const uint8_t *held, int64_t from, int64_t window)
{
    int32_t count = 0, greatest = 0;
    for (int64_t k = 0; k < window; k++) count += held[from + k];
    for (int64_t x = from; x < from + BLOCK && x < g->width; x++) {
        g->grainy[x] = count > g->most;
        greatest = count > greatest ? count : greatest;
        count += held[x + window] - held[x];
    }
    return greatest;
}

/* Moves on to row y, from the one before; u8[width], or 0 where no pixel of the row is in a texture. */
static const uint8_t *grain_of(Grain *g, int64_t y)
{
    for (int64_t k = -g->half; k <= g->half && y == 0; k++)
        hold(row_of(g, k), g->width, g->faintest, g->held);
    if (y > 0) slide(row_of(g, y + g->half), row_of(g, y - 1 - g->half), g->width, g->faintest, g->held);
    if (y < g->next) return 0;
    int64_t window = 2 * g->half + 1, blocks = (g->width + 2 * g->half + BLOCK - 1) / BLOCK;
    int64_t within = (window + 2 * BLOCK - 2) / BLOCK, greatest = 0, sum = 0;
    uint8_t *held = g->held - g->half;
    for (int64_t x = 0; x < g->half; x++) {
        held[x] = g->held[reflected(x - g->half, g->width)];
        g->held[g->width + x] = g->held[reflected(g->width + x, g->width)];
    }
    add_blocks(held, blocks, g->sums);
    memset(g->grainy, 0, (size_t)g->width);
    for (int64_t b = 0; b < within - 1 && b < blocks; b++) sum += g->sums[b];
    for (int64_t b = 0; b * BLOCK < g->width; b++) {
        if (b + within - 1 < blocks) sum += g->sums[b + within - 1];
        /* A window that begins in this block holds no more than the blocks that it may reach. */
        int64_t most = sum > g->most ? mark_block(g, held, b * BLOCK, window) : sum;
        greatest = most > greatest ? most : greatest;
        sum -= g->sums[b];
    }
    if (greatest > g->most) return g->grainy;
    /* A row adds no more than the window is wide. */
    g->next = y + 1 + (g->most - greatest) / window;
    return 0;
}

/* As rintf, of what is not negative and below 2^22, without a call. */
static inline float rounded(float value)
{
    return (value + 12582912.0f) - 12582912.0f;
}

/* What a pixel's ink is, u8, by the darkest near it and its own darkness, 0 where its share is not
 * above `weak`; and which darkness is above `strong`. Equal levels have the same row. */
typedef struct {
    const uint8_t *ink[256];
    uint8_t rows[256][256];
    uint16_t strong[256];
} Shares;

WIDE static void shares_of_level(uint8_t *row, float level, float weak)
{
    for (int own = 0; own < 256; own++) {
        float share = (float)own / level, full = share * 255.0f;
        full = full < 255.0f ? full : 255.0f;
        row[own] = (uint8_t)((int32_t)rounded(full) & -(share > weak));
    }
}

/* From which darkness on a pixel's share of a level is above a limit; 256 where none is. */
static uint16_t least_above(float limit, float level)
{
    float near = limit * level;
    int32_t own = near < 255.0f ? (int32_t)near : 255;
    while (own > 0 && (float)own / level > limit) own--;
    while (own < 256 && !((float)own / level > limit)) own++;
    return (uint16_t)own;
}

/* peaks u8[256], or none: the level is the highest. */
static Shares *shares_make(const uint8_t *peaks, float lowest, float highest, float weak, float strong)
{
    Shares *shares = malloc(sizeof(Shares));
    float last = 0.0f;
    for (int v = 0; v < 256 && shares; v++) {
        float level = peaks ? (float)peaks[v] : highest;
        level = level < lowest ? lowest : level;
        level = level > highest ? highest : level;
        if (v > 0 && level == last) {
            shares->ink[v] = shares->ink[v - 1];
            shares->strong[v] = shares->strong[v - 1];
            continue;
        }
        shares_of_level(shares->rows[v], level, weak);
        shares->strong[v] = least_above(strong, level);
        shares->ink[v] = shares->rows[v];
        last = level;
    }
    return shares;
}

/* Where a row is darker than a level: 1, else 0. */
WIDE static void mark_row(const uint8_t *restrict row, int64_t width, uint8_t level, uint8_t *restrict dark)
{
    for (int64_t x = 0; x < width; x++) dark[x] = row[x] > level;
}

/* The strokes of one row; near u8[width]: where its pixels are no paper; top: the darkest near each, or
 * none; spare: room for runs. A run's first pixel in the mask says whether it holds a strong one, until
 * runs are joined. */
static int add_strokes(
    Runs *runs, Runs *spare, const uint8_t *own, const uint8_t *top, uint8_t *near, const Shares *shares,
    int32_t y, int64_t width, uint8_t *ink, uint8_t *mask)
{
    int64_t begin = runs->count;
    spare->count = 0;
    if (!runs_add_row(spare, near, y, 0, width)) return 0;
    for (int64_t i = 0; i < spare->count; i++)
        for (int32_t x = spare->run[i].x0; x < spare->run[i].x1; x++) {
            ink[x] = shares->ink[top ? top[x] : 0][own[x]];
            near[x] = ink[x] > 0;
        }
    if (!runs_add_row(runs, near, y, 0, width)) return 0;
    for (int64_t i = begin; i < runs->count; i++) {
        int32_t x = runs->run[i].x0, end = runs->run[i].x1;
        while (x < end && own[x] < shares->strong[top ? top[x] : 0]) x++;
        mask[runs->run[i].x0] = x < end;
    }
    return 1;
}

/* Writing: pixels whose share of the local level is above `weak`, in components that hold one above
 * `strong`. The level is within lowest .. highest: the peak u8[256] of the darkest near a pixel (u8, or
 * none: the highest), or of 255 where more than `texture` pixels of the window around it, which reaches
 * `half` px, are darker than `faintest`. ink u8: 255 times the share, 0 elsewhere; mask u8 0 or 1. */
int find_strokes(
    const uint8_t *darkness, const uint8_t *darkest, const uint8_t *peaks, int64_t half, int64_t texture,
    int32_t faintest, int64_t height, int64_t width, float lowest, float highest, float weak,
    float strong, uint8_t *ink, uint8_t *mask)
{
    Runs runs = {0}, spare = {0};
    Grain grain = {.darkness = darkness, .height = height, .width = width, .half = half, .most = texture,
                   .faintest = (uint8_t)faintest};
    uint8_t *near = malloc((size_t)(2 * width + 1)), *grained = near + width, *has = 0;
    Shares *shares = shares_make(darkest ? peaks : 0, lowest, highest, weak, strong);
    int failed = !near || !shares || (darkest && !grain_make(&grain));
    /* What is no darker than this is paper whatever the level; shares are taken of the rest alone. */
    float most = weak * lowest - 1.0f;
    uint8_t paper = (uint8_t)(most < 0 ? 0 : most > 254 ? 254 : most);
    for (int64_t y = 0; y < height && !failed; y++) {
        memset(ink + y * width, 0, (size_t)width);
        memset(mask + y * width, 0, (size_t)width);
        const uint8_t *own = darkness + y * width, *top = darkest ? darkest + y * width : 0;
        const uint8_t *grainy = darkest ? grain_of(&grain, y) : 0;
        if (grainy) {
            for (int64_t x = 0; x < width; x++) grained[x] = top[x] | (uint8_t)-grainy[x];
            top = grained;
        }
        mark_row(own, width, paper, near);
        failed = !add_strokes(&runs, &spare, own, top, near, shares, (int32_t)y, width, ink + y * width,
                              mask + y * width);
    }
    if (!failed) {
        runs_join(&runs);
        has = calloc((size_t)runs.count + 1, 1);
        failed = !has;
    }
    for (int64_t i = 0; !failed && i < runs.count; i++) {
        uint8_t *first = mask + (int64_t)runs.run[i].y * width + runs.run[i].x0;
        if (*first) has[runs.run[i].parent] = 1;
        *first = 0;
    }
    for (int64_t i = 0; !failed && i < runs.count; i++) {
        const Run *run = runs.run + i;
        int64_t at = (int64_t)run->y * width + run->x0, length = run->x1 - run->x0;
        if (has[run->parent]) memset(mask + at, 1, (size_t)length);
        else memset(ink + at, 0, (size_t)length);
    }
    free(has);
    free(shares);
    grain_free(&grain);
    free(near);
    runs_free(&runs);
    runs_free(&spare);
    return !failed;
}

/* Components of the nonzero pixels (0 or 1) in OpenCV's order: stats i32[., 6]: left, top, width,
 * height, area, and how many pixels are within a part (0 or 1, or none: 0). Returns how many, room at
 * most are written; -1 without memory. */
int64_t component_stats(
    const uint8_t *pixels, const uint8_t *within, int64_t height, int64_t width, int32_t *stats, int64_t room)
{
    int64_t count = 0;
    Runs runs = {0};
    int made = 1;
    for (int64_t y = 0; y < height && made; y++)
        made = runs_add_row(&runs, pixels + y * width, (int32_t)y, 0, width);
    int32_t *number = made ? malloc((size_t)(runs.count + 1) * sizeof(int32_t)) : 0;
    if (number) runs_join(&runs);
    Component *parts = number ? runs_components(&runs, number, &count) : 0;
    for (int64_t c = 0; parts && c < count && c < room; c++) {
        int32_t *out = stats + 6 * c;
        out[0] = parts[c].x0;
        out[1] = parts[c].y0;
        out[2] = parts[c].x1 - parts[c].x0;
        out[3] = parts[c].y1 - parts[c].y0;
        out[4] = (int32_t)parts[c].area;
        out[5] = 0;
    }
    for (int64_t i = 0; parts && within && i < runs.count; i++) {
        const Run *run = runs.run + i;
        const uint8_t *row = within + run->y * width;
        if (number[i] >= room) continue;
        for (int32_t x = run->x0; x < run->x1; x++) stats[6 * number[i] + 5] += row[x] != 0;
    }
    made = parts != 0;
    free(parts);
    free(number);
    runs_free(&runs);
    return made ? count : -1;
}
