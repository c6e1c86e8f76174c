/* Runs of words and what makes them look like a courtesy amount, see field_features.py. */
#include "places.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 43, TEXT_WORDS = 32 };

static const double RUN_WIDTH = 0.55, TEXT_GAP = 1.5;
static const float CENTS = 3.2f, NEXT = 1.5f;

/* Horizontal and upright rules and the boxes they make. */
typedef struct {
    int64_t level, upright, boxes;
    int32_t rule[4 * MOST_RULES], side[4 * MOST_RULES], box[4 * MOST_BOXES];
} Ruling;

typedef struct {
    int32_t first, last, box[4], words;
    float sums[SUMS], widest, lead;
} Chain;

static int32_t lesser(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t greater(int32_t a, int32_t b) { return a > b ? a : b; }
static float least(float a, float b) { return a < b ? a : b; }
static float most(float a, float b) { return a > b ? a : b; }
static float clip(float value, float low, float high) { return most(low, least(value, high)); }

static void unite(int32_t *box, const int32_t *other)
{
    box[0] = lesser(box[0], other[0]);
    box[1] = lesser(box[1], other[1]);
    box[2] = greater(box[2], other[2]);
    box[3] = greater(box[3], other[3]);
}

/* Whether an upright rule near x spans most of y0 .. y1. */
static int has_side(const Ruling *r, int32_t x, int32_t y0, int32_t y1, double slack)
{
    for (int64_t k = 0; k < r->upright; k++) {
        const int32_t *side = r->side + 4 * k;
        if (fabs((side[0] + side[2]) / 2.0 - x) > slack) continue;
        if (lesser(side[3], y1) - greater(side[1], y0) >= 0.6 * (y1 - y0)) return 1;
    }
    return 0;
}

/* Boxes: pairs of level rules whose ends agree, or that a side joins; the lowest first. */
static int find_boxes(Ruling *r, int64_t page_width, int64_t page_height)
{
    int64_t pairs = r->level * r->level, found = 0;
    int32_t *memory = malloc((size_t)(7 * pairs + 1) * sizeof(int32_t));
    if (!memory) return 0;
    int32_t *box = memory, *value = box + 4 * pairs, *order = value + pairs, *scratch = order + pairs;
    for (int64_t a = 0; a < r->level && r->level > 1; a++)
        for (int64_t b = 0; b < r->level; b++) {
            const int32_t *top = r->rule + 4 * a, *bottom = r->rule + 4 * b;
            int32_t y0 = top[3], y1 = bottom[1], high = y1 - y0;
            int32_t x0 = greater(top[0], bottom[0]), x1 = lesser(top[2], bottom[2]), wide = x1 - x0;
            int32_t longest = greater(top[2] - top[0], bottom[2] - bottom[0]);
            if (!(high > 0.012 * (double)page_width && high < 0.2 * (double)page_height)) continue;
            if (!(wide > 1.2 * high && wide < 0.6 * (double)page_width && wide > 0.6 * longest)) continue;
            double slack = 0.25 * high > 3 ? 0.25 * high : 3;
            int aligned = abs(top[0] - bottom[0]) <= slack && abs(top[2] - bottom[2]) <= slack;
            if (!aligned && !has_side(r, x0, y0, y1, slack) && !has_side(r, x1, y0, y1, slack)) continue;
            int32_t own[4] = {x0, y0, x1, y1};
            value[found] = high;
            memcpy(box + 4 * found++, own, sizeof own);
        }
    /* Where rules stack, the pair that is nearest makes the box. */
    order_by(value, found, order, scratch);
    r->boxes = found < MOST_BOXES ? found : MOST_BOXES;
    for (int64_t k = 0; k < r->boxes; k++) memcpy(r->box + 4 * k, box + 4 * order[k], 4 * sizeof *box);
    free(memory);
    return 1;
}

/* The longest rules, i32[count, 5] as in InkImage.rules, told by direction, and their boxes. */
static int find_ruling(Ruling *r, const int32_t *rules, int64_t count, int64_t page_width, int64_t page_height)
{
    int32_t *memory = malloc((size_t)(3 * count + 1) * sizeof(int32_t));
    if (!memory) return 0;
    int32_t *value = memory, *order = value + count, *scratch = order + count;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *rule = rules + 5 * i;
        value[i] = -greater(rule[2] - rule[0], rule[3] - rule[1]);
    }
    order_by(value, count, order, scratch);
    r->level = r->upright = r->boxes = 0;
    for (int64_t i = 0; i < count && i < MOST_RULES; i++) {
        const int32_t *rule = rules + 5 * order[i];
        int32_t *own = rule[4] == 0 ? r->rule + 4 * r->level++ : r->side + 4 * r->upright++;
        memcpy(own, rule, 4 * sizeof *rule);
    }
    free(memory);
    return find_boxes(r, page_width, page_height);
}

static int is_inside(const int32_t *word, const int32_t *box)
{
    double x = (word[0] + word[2]) / 2.0, y = (word[1] + word[3]) / 2.0;
    return x >= box[0] && y >= box[1] && x < box[2] && y < box[3];
}

/* Every chain of words that follow one another, no wider than about half the page, those of one word
 * first; then per box of rules that holds several words all of them. How many. */
static int64_t find_chains(const Words *words, const Ruling *r, int64_t page_width, Chain *chain)
{
    int64_t count = words->count, begin = 0, end = count;
    for (int64_t w = 0; w < count; w++) {
        chain[w] = (Chain){.first = (int32_t)w, .last = (int32_t)w, .words = 1};
        memcpy(chain[w].box, words->box + 4 * w, sizeof chain[w].box);
        memcpy(chain[w].sums, words->sums + SUMS * w, sizeof chain[w].sums);
    }
    for (int more = 1; more < MOST_IN_RUN && begin < end; more++) {
        int64_t next = end;
        for (int64_t i = begin; i < end; i++) {
            int32_t following = words->after[chain[i].last];
            if (following < 0) continue;
            const int32_t *box = words->box + 4 * following;
            Chain one = chain[i];
            float gap = (float)greater(box[0] - one.box[2], 0);
            if (one.first == one.last) one.lead = gap;
            one.widest = most(one.widest, gap);
            unite(one.box, box);
            for (int k = 0; k < SUMS; k++) one.sums[k] += words->sums[SUMS * following + k];
            one.last = following;
            one.words++;
            if (one.box[2] - one.box[0] <= RUN_WIDTH * (double)page_width) chain[next++] = one;
        }
        begin = end;
        end = next;
    }
    for (int64_t b = 0; b < r->boxes; b++) {
        Chain one = {.first = -1};
        int32_t right = 0;
        for (int64_t w = 0; w < count; w++) {
            const int32_t *box = words->box + 4 * w;
            if (!is_inside(box, r->box + 4 * b)) continue;
            if (one.words == 0) {
                one.first = (int32_t)w;
                memcpy(one.box, box, sizeof one.box);
                memcpy(one.sums, words->sums + SUMS * w, sizeof one.sums);
                right = box[2];
            } else {
                float gap = (float)greater(box[0] - right, 0);
                if (one.words == 1) one.lead = gap;
                one.widest = most(one.widest, gap);
                unite(one.box, box);
                for (int k = 0; k < SUMS; k++) one.sums[k] += words->sums[SUMS * w + k];
                right = greater(right, box[2]);
            }
            one.last = (int32_t)w;
            one.words++;
        }
        if (one.words >= 2 && one.words <= MOST_IN_RUN) chain[end++] = one;
    }
    return end;
}

static float spread(float count, float total, float squared)
{
    float mean = total / count;
    return sqrtf(most(squared / count - mean * mean, 0.0f));
}

/* The box that a run stands in, -1 for none; the share of the run inside, and its width over it. */
static int64_t box_around(const Ruling *r, const int32_t *run, float core, float *boxed, float *filled)
{
    int64_t best = 0;
    float slack = 0.3f * core, wide = (float)(run[2] - run[0]), high = (float)(run[3] - run[1]);
    *boxed = -1.0f;
    for (int64_t b = 0; b < r->boxes; b++) {
        const int32_t *box = r->box + 4 * b;
        float across = least((float)run[2], (float)box[2]) - most((float)run[0], (float)box[0]);
        float down = least((float)run[3], (float)box[3] + slack) - most((float)run[1], (float)box[1] - slack);
        float inside = clip(across / wide, 0, 1) * clip(down / high, 0, 1);
        if (!((float)(box[3] - box[1]) < 4 * core && (float)(box[2] - box[0]) < 8 * wide)) inside = 0;
        if (inside > *boxed) { *boxed = inside; best = b; }
    }
    *filled = 0.0f;
    if (!(*boxed > 0)) { *boxed = 0.0f; return -1; }
    *filled = least(wide / (float)(r->box[4 * best + 2] - r->box[4 * best]), 1.5f);
    return best;
}

/* Whether a run stands on a ruled line, and log2 of the line's length over the run's. */
static void rule_under(const Ruling *r, const int32_t *run, float core, float *ruled, float *longer)
{
    int64_t best = -1;
    float wide = (float)(run[2] - run[0]);
    *ruled = -1.0f;
    *longer = 0.0f;
    for (int64_t k = 0; k < r->level; k++) {
        const int32_t *rule = r->rule + 4 * k;
        float shared = least((float)run[2], (float)rule[2]) - most((float)run[0], (float)rule[0]);
        float below = ((float)rule[1] + (float)rule[3]) / 2 - (float)run[3];
        int near = below > -0.5f * core && below < 0.7f * core;
        float share = near ? clip(shared / wide, 0, 1) : 0.0f;
        if (share > *ruled) { *ruled = share; best = k; }
    }
    if (best < 0) { *ruled = 0.0f; return; }
    if (!(*ruled > 0.3f)) return;
    float length = (float)(r->rule[4 * best + 2] - r->rule[4 * best]);
    *longer = clip(log2f(most(length / wide, 0.25f)), -2, 4);
}

/* Upright rules in a run per character; whether the only one cuts off cents; whether one follows. */
static void dividers(const Ruling *r, const int32_t *run, float core, float *found)
{
    int64_t count = 0;
    int last = 0, follows = 0;
    double left = run[0], right = run[2];
    for (int64_t k = 0; k < r->upright; k++) {
        const int32_t *side = r->side + 4 * k;
        double x = (side[0] + side[2]) / 2.0;
        if (!(lesser(side[3], run[3]) - greater(side[1], run[1]) > 0.5 * (run[3] - run[1]))) continue;
        follows |= x > right - 0.2f * core && x < right + NEXT * core;
        if (!(x > left + 0.3f * core && x < right - 0.3f * core)) continue;
        count++;
        last |= x > right - CENTS * core && x < right - 0.5f * core;
    }
    double characters = (right - left) / core;
    double share = (double)count / (characters > 1.0 ? characters : 1.0);
    found[0] = (float)(share < 1.0 ? share : 1.0);
    found[1] = (float)(last && count == 1);
    found[2] = (float)follows;
}

typedef struct {
    const Words *words;
    const Ruling *ruling;
    const float *signs; /* [words, 2] */
    float *held;        /* ink of the words in each box */
    double width, height, typical;
} Page;

/* How far the text goes on beyond a word, px, from word to word where their gap is that of a text; end:
 * the side of their boxes that looks that way, 0 or 2. */
static float led(const Words *words, int32_t start, int end)
{
    const int32_t *following = end ? words->after : words->before;
    const float *gap = end ? words->gap_right : words->gap_left;
    int32_t last = start;
    for (int step = 0; step < TEXT_WORDS; step++) {
        const int32_t *box = words->box + 4 * last;
        if (following[last] < 0 || !(gap[last] < TEXT_GAP * (box[3] - box[1]))) break;
        last = following[last];
    }
    return (float)abs(words->box[4 * last + end] - words->box[4 * start + end]);
}

/* The features of one run, in the order of field_features.FEATURES. */
static void describe(const Page *page, const Chain *run, float *out)
{
    const Words *words = page->words;
    float sum[SUMS];
    for (int k = 0; k < SUMS; k++) sum[k] = most(run->sums[k], 1e-3f);
    const int32_t *box = run->box;
    float core = sum[1] / sum[0], w = (float)page->width;
    float right = (float)box[2] / w, left = (float)box[0] / w;
    float level = ((float)box[1] + (float)box[3]) / (float)(2 * page->height);
    double found[FEATURES];
    int n = 0;
    found[n++] = 1.0;
    found[n++] = right;
    found[n++] = right * right;
    found[n++] = most(0.5f - left, 0);
    for (int step = 0; step < 6; step++)
        found[n++] = most(1 - fabsf(level * 6 - ((float)step + 0.5f)), 0);
    double wide = log((box[2] - box[0]) / (0.16 * page->width));
    float tall = logf(core / (float)(0.028 * page->width)), marks = logf(sum[0] / 6);
    found[n++] = wide;
    found[n++] = wide * wide;
    found[n++] = tall;
    found[n++] = tall * tall;
    found[n++] = marks;
    found[n++] = marks * marks;
    found[n++] = logf(most(core / (float)(page->typical > 1.0 ? page->typical : 1.0), 0.2f));
    float narrow = logf(sum[3] / sum[1] / 0.65f);
    double stacked = (box[3] - box[1]) / (double)core;
    found[n++] = spread(sum[0], sum[1], sum[2]) / core;
    found[n++] = least(spread(sum[0], sum[4], sum[5]) / core, 2.0f);
    found[n++] = narrow;
    found[n++] = narrow * narrow;
    found[n++] = log(stacked > 1.0 ? stacked : 1.0);
    found[n++] = logf(sum[6] / (sum[1] * core * 0.22f));
    float before_gap = words->gap_left[run->first];
    float gap_left = before_gap / core, gap_right = words->gap_right[run->last] / core;
    found[n++] = least(gap_left, 6.0f) / 6;
    found[n++] = least(gap_right, 6.0f) / 6;
    found[n++] = most(1 - gap_left / 1.2f, 0);
    found[n++] = most(1 - gap_right / 1.2f, 0);
    found[n++] = least(run->widest / core, 4.0f) / 4;
    found[n++] = least(run->lead / core, 4.0f) / 4;
    found[n++] = logf((float)run->words);
    found[n++] = log1pf(led(words, run->first, 0) / core) / 3;
    found[n++] = log1pf(led(words, run->last, 2) / core) / 3;
    int32_t before = words->before[run->first];
    int near = before >= 0 && before_gap < 4 * core;
    found[n++] = page->signs[2 * run->first];
    found[n++] = near ? page->signs[2 * before + 1] : 0.0f;
    double small = 0.0;
    if (near) small = 1 - (words->box[4 * before + 3] - words->box[4 * before + 1]) / (double)core;
    found[n++] = small < -1 ? -1 : small > 1 ? 1 : small;
    float boxed, filled, ruled, longer, divided[3];
    int64_t own = box_around(page->ruling, box, core, &boxed, &filled);
    rule_under(page->ruling, box, core, &ruled, &longer);
    dividers(page->ruling, box, core, divided);
    found[n++] = boxed;
    found[n++] = filled;
    found[n++] = own >= 0 ? least(run->sums[6] / most(page->held[own], 1), 1.2f) : 0.0f;
    found[n++] = divided[0];
    found[n++] = divided[1];
    found[n++] = words->gap_right[run->last] < 3 * core ? divided[2] : 0.0f;
    found[n++] = ruled;
    found[n++] = longer;
    for (int k = 0; k < FEATURES; k++) out[k] = (float)(found[k] < -9 ? -9 : found[k] > 9 ? 9 : found[k]);
}

/* A run's box with the currency sign that adjoins on the left, if any. A run that begins with a sign
 * of its own takes no second one, such as a form's printed one. */
static void with_sign(const Page *page, const int32_t *marks, const Chain *run, int32_t *box)
{
    const Words *words = page->words;
    int32_t before = words->before[run->first];
    memcpy(box, run->box, sizeof run->box);
    if (before < 0) return;
    const int32_t *sign = marks + 4 * words->end[2 * before + 1];
    double high = run->box[3] - run->box[1];
    if (page->signs[2 * before + 1] > 0.6f && page->signs[2 * run->first] <= 0.6f
        && words->gap_left[run->first] < 1.2 * high && sign[3] - sign[1] < 1.45 * high)
        unite(box, sign);
}

static double median_height(const Words *words, int32_t *scratch)
{
    int64_t count = words->count;
    int32_t *order = scratch + count;
    for (int64_t w = 0; w < count; w++) scratch[w] = words->box[4 * w + 3] - words->box[4 * w + 1];
    order_by(scratch, count, order, order + count);
    return (scratch[order[(count - 1) / 2]] + scratch[order[count / 2]]) / 2.0;
}

/* All runs of words of a page: boxes i32[., 4], a currency sign taken in, and features f32[., 43], with
 * room for MOST_IN_RUN words + MOST_BOXES of them. marks i32[., 4]; rules i32[., 5]; signs f32[words,
 * 2]. How many; -1 without memory. */
int64_t find_places(
    const int32_t *marks, const Words *words, const int32_t *rules, int64_t rule_count,
    const float *signs, int64_t page_width, int64_t page_height, int32_t *boxes, float *features)
{
    Ruling *ruling = malloc(sizeof(Ruling));
    Chain *chain = malloc((size_t)(MOST_IN_RUN * words->count + MOST_BOXES) * sizeof(Chain));
    int32_t *scratch = malloc((size_t)(3 * words->count + 1) * sizeof(int32_t));
    float held[MOST_BOXES];
    int64_t count = -1;
    if (ruling && chain && scratch && find_ruling(ruling, rules, rule_count, page_width, page_height)) {
        for (int64_t b = 0; b < ruling->boxes; b++) {
            held[b] = 0.0f;
            for (int64_t w = 0; w < words->count; w++)
                if (is_inside(words->box + 4 * w, ruling->box + 4 * b)) held[b] += words->sums[SUMS * w + 6];
        }
        Page page = {words, ruling, signs, held, (double)page_width, (double)page_height,
                     median_height(words, scratch)};
        count = find_chains(words, ruling, page_width, chain);
        for (int64_t i = 0; i < count; i++) {
            describe(&page, chain + i, features + FEATURES * i);
            with_sign(&page, marks, chain + i, boxes + 4 * i);
        }
    }
    free(ruling);
    free(chain);
    free(scratch);
    return count;
}
