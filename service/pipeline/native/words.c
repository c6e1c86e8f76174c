/* Marks of ink chained into words, see textline.py. */
#include "places.h"
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LEAST_HEIGHT = 0.0035, MOST_HEIGHT = 0.35, MOST_WIDTH = 0.5;
static const double WORD_GAP = 0.45, WORD_OVERLAP = 0.35, ALIKE = 0.4, ACCENT_GAP = 0.25;
static const double FRAME_INK = 0.3, FRAMED = 0.3;
/* In heights of a zone: where marks right of it begin, how far they reach, and how far above it. */
static const double CENTS_BEFORE = 0.1, CENTS_AFTER = 0.5, CENTS_REACH = 2.0, CENTS_ABOVE = 0.3;
static const float RUN_GAP = 4.0f, RUN_OVERLAP = 0.5f, RUN_ALIKE = 0.28f, FAR = 1e6f;

void order_by(const int32_t *value, int64_t count, int32_t *order, int32_t *scratch)
{
    for (int64_t i = 0; i < count; i++) order[i] = (int32_t)i;
    for (int64_t run = 1; run < count; run *= 2) {
        for (int64_t low = 0; low < count; low += 2 * run) {
            int64_t middle = low + run < count ? low + run : count;
            int64_t high = low + 2 * run < count ? low + 2 * run : count, i = low, j = middle;
            for (int64_t k = low; k < high; k++)
                scratch[k] = i < middle && (j >= high || value[order[i]] <= value[order[j]])
                    ? order[i++] : order[j++];
        }
        memcpy(order, scratch, (size_t)count * sizeof(int32_t));
    }
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Whether a component may be writing; page: what is too large for it is none. */
static int is_mark(const Component *part, int64_t height, int64_t width, int page)
{
    double wide = part->x1 - part->x0, high = part->y1 - part->y0, area = (double)part->area;
    double least = page ? larger(2.0, LEAST_HEIGHT * (double)width) : 2.0, w = (double)width;
    if (larger(wide, high) < least || area < larger(3.0, least)) return 0;
    if (!page) return 1;
    if (high > larger(MOST_HEIGHT * (double)height, 20) || wide > larger(MOST_WIDTH * w, 20)) return 0;
    /* A corner of a frame, a large box with next to nothing in it, and what is left of a rule. */
    double share = wide > 0.25 * w ? 0.12 : 0.05, thin = wide < high ? wide : high;
    if (area < share * wide * high && thin > 0.05 * w) return 0;
    if (wide > 6 * high && wide > 0.06 * w) return 0;
    if (wide < 0.09 * high && high > 0.025 * w) return 0;
    return !(wide < 0.22 * high && high > 0.03 * w && area > 0.8 * wide * high);
}

/* Whether a component is what was left of a frame: others, two at least, stand well within its box. */
static int is_frame(const Component *parts, const int32_t *own, int64_t kept, const Component *part)
{
    double wide = part->x1 - part->x0, high = part->y1 - part->y0;
    int within = 0;
    if (!((double)part->area < FRAME_INK * wide * high)) return 0;
    for (int64_t i = 0; i < kept && within < 2; i++) {
        const Component *one = parts + own[i];
        within += one->x0 > part->x0 && one->y0 > part->y0 && one->x1 < part->x1 && one->y1 < part->y1
            && one->y1 - one->y0 >= FRAMED * high;
    }
    return within == 2;
}

/* The marks of a mask u8[height, width] 0 or 1, from left to right, the `most` tallest: boxes
 * i32[most, 4], area i32[most]. How many; -1 without memory. */
int64_t find_marks(
    const uint8_t *mask, int64_t height, int64_t width, int64_t page, int64_t most, int32_t *boxes,
    int32_t *area)
{
    int64_t count = 0, kept = 0;
    Component *parts = label_components(mask, height, width, width, 0, &count);
    int32_t *memory = parts ? malloc((size_t)(4 * count + 1) * sizeof(int32_t)) : 0;
    if (!memory) { free(parts); return -1; }
    int32_t *own = memory, *value = own + count, *order = value + count, *scratch = order + count;
    for (int64_t c = 0; c < count; c++)
        if (is_mark(parts + c, height, width, page != 0)) own[kept++] = (int32_t)c;
    if (page) {
        int64_t left = 0;
        for (int64_t i = 0; i < kept; i++)
            if (!is_frame(parts, own, kept, parts + own[i])) order[left++] = own[i];
        kept = left;
        memcpy(own, order, (size_t)kept * sizeof(int32_t));
    }
    if (kept > most) {
        for (int64_t i = 0; i < kept; i++) value[i] = parts[own[i]].y0 - parts[own[i]].y1;
        order_by(value, kept, order, scratch);
        for (int64_t i = 0; i < most; i++) scratch[i] = own[order[i]];
        kept = most;
        memcpy(own, scratch, (size_t)kept * sizeof(int32_t));
    }
    for (int64_t i = 0; i < kept; i++) value[i] = parts[own[i]].x0;
    order_by(value, kept, order, scratch);
    for (int64_t i = 0; i < kept; i++) {
        const Component *part = parts + own[order[i]];
        int32_t *box = boxes + 4 * i;
        box[0] = part->x0; box[1] = part->y0; box[2] = part->x1; box[3] = part->y1;
        area[i] = (int32_t)part->area;
    }
    free(parts);
    free(memory);
    return kept;
}

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Whether two marks are neighbours in a word: near, on a line, and of like height. */
static int same_word(const int32_t *a, const int32_t *b)
{
    if (b[1] >= a[3] || b[3] <= a[1]) return 0; /* most of a page */
    double high_a = a[3] - a[1], high_b = b[3] - b[1];
    double lower = high_a < high_b ? high_a : high_b, taller = larger(high_a, high_b);
    double overlap = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    /* A much smaller mark (point, comma, dash, piece of a broken stroke) has to be nearer. */
    double near = lower >= ALIKE * taller ? WORD_GAP * lower : ACCENT_GAP * taller;
    return b[0] - a[2] <= near && overlap >= WORD_OVERLAP * lower;
}

/* Words.before, after, gap_left and gap_right. */
static void find_neighbours(Words *words)
{
    int64_t count = words->count;
    float most = 0.0f;
    for (int64_t j = 0; j < count; j++) {
        words->gap_left[j] = words->gap_right[j] = FAR;
        words->before[j] = words->after[j] = -1;
        if (j == 0 || (float)words->box[4 * j + 2] > most) most = (float)words->box[4 * j + 2];
    }
    for (int64_t i = 0; i < count; i++) {
        const int32_t *a = words->box + 4 * i;
        float high = (float)(a[3] - a[1]), nearest = FAR;
        for (int64_t j = 0; j < count; j++) {
            const int32_t *b = words->box + 4 * j;
            if (b[0] <= a[0] || b[2] <= a[2] || b[1] >= a[3] || b[3] <= a[1]) continue;
            float other = (float)(b[3] - b[1]), gap = (float)(b[0] - a[2]);
            float lower = high < other ? high : other, taller = high > other ? high : other;
            float overlap = (float)((a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]));
            if (!(gap > -0.4f * lower) || !(overlap >= 0.3f * lower)) continue;
            if (high >= 0.3f * other && gap < words->gap_left[j]) {
                words->gap_left[j] = gap;
                words->before[j] = (int32_t)i;
            }
            /* An isolated speck or dash does not end a line, nor does it bound one. */
            if (!(other >= 0.3f * high)) continue;
            if (gap < words->gap_right[i]) words->gap_right[i] = gap;
            /* Raised cents share less of the line, but are smaller and near. */
            int raised = other < 0.8f * high && gap < taller;
            /* A comma is passed over: by its tail it shares less of the line with what follows it. */
            if (other < 0.5f * high && 2 * b[1] > a[1] + a[3]) continue;
            if ((overlap >= RUN_OVERLAP * lower || raised) && lower >= RUN_ALIKE * taller
                && gap <= RUN_GAP * taller && gap < nearest) {
                nearest = gap;
                words->after[i] = (int32_t)j;
            }
        }
    }
    for (int64_t i = 0; i < count; i++) {
        const int32_t *a = words->box + 4 * i;
        float high = (float)(a[3] - a[1]), edge = most - (float)a[2] + 2 * high;
        float right = words->gap_right[i], left = words->gap_left[i];
        right = right > 0 ? right : 0;
        left = left > 0 ? left : 0;
        words->gap_right[i] = right < edge ? right : edge;
        words->gap_left[i] = left < (float)a[0] ? left : (float)a[0];
    }
}

/* Chains marks, sorted by x0, into at most `most` words, from left to right; number i32[marks]: the
 * word of each mark, -1 for none. The words' arrays have room for all. 0 without memory. */
int find_words(
    const int32_t *boxes, const int32_t *area, int64_t marks, int64_t page_width, int64_t most,
    Words *words, int32_t *number)
{
    double reach = WORD_GAP * 0.12 * (double)page_width;
    int32_t *memory = malloc((size_t)(11 * marks + 1) * sizeof(int32_t));
    double *sums = calloc((size_t)(SUMS * marks + 1), sizeof(double));
    if (!memory || !sums) { free(memory); free(sums); return 0; }
    int32_t *parent = memory, *own = parent + marks, *box = own + marks, *value = box + 4 * marks;
    int32_t *order = value + marks, *scratch = order + marks, *end = scratch + marks;
    int64_t count = 0;
    for (int64_t i = 0; i < marks; i++) parent[i] = (int32_t)i;
    for (int64_t i = 0; i < marks; i++)
        for (int64_t j = i + 1; j < marks && boxes[4 * j] <= boxes[4 * i + 2] + reach; j++) {
            if (!same_word(boxes + 4 * i, boxes + 4 * j)) continue;
            int32_t one = root_of(parent, (int32_t)i), other = root_of(parent, (int32_t)j);
            if (one < other) parent[other] = one;
            else parent[one] = other;
        }
    for (int64_t i = 0; i < marks; i++) {
        int32_t root = root_of(parent, (int32_t)i);
        const int32_t *mark = boxes + 4 * i;
        if (root == i) {
            own[i] = (int32_t)count;
            memcpy(box + 4 * count, mark, 4 * sizeof *mark);
            end[2 * count] = end[2 * count + 1] = (int32_t)i;
            count++;
        }
        own[i] = own[root];
        int32_t *all = box + 4 * own[i];
        if (mark[0] < all[0]) all[0] = mark[0];
        if (mark[1] < all[1]) all[1] = mark[1];
        if (mark[2] > all[2]) all[2] = mark[2];
        if (mark[3] > all[3]) all[3] = mark[3];
        end[2 * own[i] + 1] = (int32_t)i;
    }
    for (int64_t i = 0; i < marks; i++) {
        const int32_t *mark = boxes + 4 * i, *all = box + 4 * own[i];
        double high = mark[3] - mark[1], *sum = sums + SUMS * own[i];
        sum[6] += area[i];
        if (!(high >= 0.45 * (all[3] - all[1]))) continue;
        sum[0] += 1.0;
        sum[1] += high;
        sum[2] += high * high;
        sum[3] += mark[2] - mark[0];
        sum[4] += mark[3];
        sum[5] += (double)mark[3] * mark[3];
    }
    int64_t kept = count < most ? count : most;
    for (int64_t w = 0; w < count; w++) value[w] = box[4 * w + 1] - box[4 * w + 3];
    order_by(value, count, order, scratch);
    for (int64_t w = 0; w < count; w++) parent[w] = -1;
    for (int64_t w = 0; w < kept; w++) parent[order[w]] = 0;
    int64_t next = 0;
    for (int64_t w = 0; w < count; w++)
        if (parent[w] == 0) { scratch[next] = (int32_t)w; value[next++] = box[4 * w]; }
    int32_t *chosen = malloc((size_t)(2 * kept + 1) * sizeof(int32_t));
    if (!chosen) { free(memory); free(sums); return 0; }
    memcpy(chosen, scratch, (size_t)kept * sizeof(int32_t));
    order_by(value, kept, order, scratch);
    words->count = kept;
    for (int64_t i = 0; i < kept; i++) {
        int32_t w = chosen[order[i]];
        parent[w] = (int32_t)i;
        memcpy(words->box + 4 * i, box + 4 * w, 4 * sizeof(int32_t));
        memcpy(words->end + 2 * i, end + 2 * w, 2 * sizeof(int32_t));
        for (int k = 0; k < SUMS; k++) words->sums[SUMS * i + k] = (float)sums[SUMS * w + k];
    }
    for (int64_t i = 0; i < marks; i++) number[i] = parent[own[i]];
    find_neighbours(words);
    free(chosen);
    free(memory);
    free(sums);
    return 1;
}

/* Widens the box of a run, i32[4], by the small marks that belong to it: points, commas and dashes
 * beside the digits and pieces of broken strokes over or under them, but not words in small print.
 * word i32[marks]: of each mark, -1 for none. 0 without memory. */
int widen(const int32_t *boxes, const int32_t *word, int64_t marks, int32_t *run)
{
    double core = run[3] - run[1];
    int32_t *crowd = calloc((size_t)marks + 1, sizeof(int32_t));
    if (!crowd) return 0;
    for (int64_t i = 0; i < marks; i++)
        if (word[i] >= 0 && word[i] < marks) crowd[word[i]]++;
    for (int pass = 0; pass < 2; pass++) {
        int32_t box[4];
        int taken = 0;
        memcpy(box, run, sizeof box);
        for (int64_t i = 0; i < marks; i++) {
            const int32_t *mark = boxes + 4 * i;
            double x0 = mark[0], y0 = mark[1], x1 = mark[2], y1 = mark[3], centre = (x0 + x1) / 2;
            if (y1 - y0 > 0.6 * core || x1 - x0 > 1.8 * core) continue;
            if (word[i] >= 0 && word[i] < marks && crowd[word[i]] > 3) continue;
            if (y0 < run[1] - 0.25 * core || y1 > run[3] + 0.35 * core) continue;
            int within = centre > run[0] && centre < run[2];
            int beside = x1 > run[0] - 0.6 * core && x0 < run[2] + 0.6 * core
                && y1 > run[1] + 0.2 * core && y0 < run[3];
            if (!within && !beside) continue;
            taken = 1;
            if (mark[0] < box[0]) box[0] = mark[0];
            if (mark[1] < box[1]) box[1] = mark[1];
            if (mark[2] > box[2]) box[2] = mark[2];
            if (mark[3] > box[3]) box[3] = mark[3];
        }
        memcpy(run, box, sizeof box);
        if (!taken) break;
    }
    free(crowd);
    return 1;
}

/* The marks inside a zone, i32[4], or just right of it, where what is high enough may be its cents;
 * none where no mark is inside. near i32[marks, 4]. How many. */
int64_t near_zone(const int32_t *boxes, int64_t marks, const int32_t *zone, int32_t *near)
{
    double high = zone[3] - zone[1];
    int64_t count = 0;
    int held = 0;
    for (int64_t i = 0; i < marks; i++, boxes += 4) {
        int32_t x = boxes[0] + boxes[2], y = boxes[1] + boxes[3];
        int inside = x >= 2 * zone[0] && x < 2 * zone[2] && y >= 2 * zone[1] && y < 2 * zone[3];
        /* What the zone holds is enough where the cents are in it already. */
        int beyond = boxes[0] >= zone[2] - CENTS_BEFORE * high && boxes[0] < zone[2] + CENTS_AFTER * high
            && boxes[2] < zone[2] + CENTS_REACH * high && y > 2 * (zone[1] - CENTS_ABOVE * high)
            && boxes[3] < zone[3];
        held |= inside;
        if (inside || beyond) memcpy(near + 4 * count++, boxes, 4 * sizeof *boxes);
    }
    return held ? count : 0;
}
