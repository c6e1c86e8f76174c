/* One zone brought to a level line of one size, see segment.normalise_line. */
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The least share of the line's size that tells where its middle is. */
static const double WHOLE = 0.5;
/* Stripes are so many halves of their height wide, and no further apart than so many of it. */
enum { STRIPE_WIDTH = 3, STRIPE_GAP = 2, FEWEST_STRIPES = 8 };
/* So many times a dot or stripe is at least in the height of what there is, a usual one, and at most the
 * deviation of their middles; so many ninths of its box it fills; joined, parts are so much taller. */
enum { DOT = 3, USUAL_DOT = 5, SPREAD = 6, FEWEST_DOTS = 16, FILLED = 5, JOINED = 2 };
/* So many stars, alike in height and nearly square, fill a line whose figures, so many at least, are
 * so much taller. */
enum { FEWEST_STARS = 4, FEWEST_FIGURES = 2 };
/* At most so many parts are so many times as tall as a line's characters, of which so many at least are
 * alike and most are narrow: thin ones, sides of a box, and taller ones before them all, signs. */
enum { MOST_OUTSIZED = 4, FEWEST_ALIKE = 3 };
static const double OUTSIZED = 1.6, ALIKE = 0.7, NARROW = 0.85, THIN = 0.35, SIGN = 1.9, SIGN_ENDS = 0.3;
static const double STAR_ALIKE = 0.2, STAR_NARROW = 0.7, STAR_WIDE = 1.4, TALLER = 1.25;

/* Sums as numpy adds them up: in eight strands, blocks of 128 in pairs. */
double summed(const double *values, int64_t count)
{
    if (count > 128) {
        int64_t half = count / 2 - count / 2 % 8;
        return summed(values, half) + summed(values + half, count - half);
    }
    double sum = 0.0;
    int64_t i = 0;
    if (count >= 8) {
        double strand[8];
        memcpy(strand, values, sizeof strand);
        for (i = 8; i + 8 <= count; i += 8)
            for (int k = 0; k < 8; k++) strand[k] += values[i + k];
        sum = ((strand[0] + strand[1]) + (strand[2] + strand[3]))
            + ((strand[4] + strand[5]) + (strand[6] + strand[7]));
    }
    for (; i < count; i++) sum += values[i];
    return sum;
}

typedef struct {
    double value, weight;
} Weighted;

static int by_value(const void *a, const void *b)
{
    double one = ((const Weighted *)a)->value, other = ((const Weighted *)b)->value;
    return one < other ? -1 : one > other;
}

/* The first value, in order, that with all lower ones has the share of the weight. */
static double quantile(Weighted *items, int64_t count, double share, int scaled)
{
    double total = 0.0, sum = 0.0;
    qsort(items, (size_t)count, sizeof(Weighted), by_value);
    for (int64_t i = 0; i < count; i++) total += items[i].weight;
    for (int64_t i = 0; i < count; i++) {
        sum += items[i].weight;
        if (scaled ? sum / total >= share : sum >= total * share) return items[i].value;
    }
    return items[count - 1].value;
}

static double weighted_mean(const double *values, const double *weights, int64_t count, double *scratch)
{
    for (int64_t i = 0; i < count; i++) scratch[i] = values[i] * weights[i];
    return summed(scratch, count) / summed(weights, count);
}

/* How far apart the stripes are that protectors print characters in; 0 where there are none. A frame is
 * wide as well, but too high for one. */
static int64_t striped(const Component *parts, int64_t count)
{
    int64_t flat = 0, sum = 0, all = 0, low = 0, top = parts[0].y0, bottom = parts[0].y1;
    for (int64_t i = 1; i < count; i++) {
        top = parts[i].y0 < top ? parts[i].y0 : top;
        bottom = parts[i].y1 > bottom ? parts[i].y1 : bottom;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t wide = parts[i].x1 - parts[i].x0, high = parts[i].y1 - parts[i].y0;
        all += parts[i].area;
        if (DOT * high > bottom - top) continue;
        sum += high;
        low++;
        if (2 * wide >= STRIPE_WIDTH * high) flat += parts[i].area;
    }
    return low >= FEWEST_STRIPES && 5 * flat >= 3 * all ? STRIPE_GAP * sum / low : 0;
}

/* How high small full components are on average, no larger than a third of all they cover is high, and
 * mostly a fifth, as a printer's pins leave them; 0 where too little is of such, or all in one row:
 * stars. */
static int64_t dotted(const Component *parts, int64_t count)
{
    int64_t dots = 0, small = 0, sum = 0, all = 0, top = parts[0].y0, bottom = parts[0].y1;
    double middles = 0.0, squares = 0.0;
    for (int64_t i = 1; i < count; i++) {
        top = parts[i].y0 < top ? parts[i].y0 : top;
        bottom = parts[i].y1 > bottom ? parts[i].y1 : bottom;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t wide = parts[i].x1 - parts[i].x0, high = parts[i].y1 - parts[i].y0;
        all += parts[i].area;
        if (DOT * (wide > high ? wide : high) > bottom - top) continue;
        if (9 * parts[i].area < FILLED * wide * high) continue;
        double middle = 0.5 * (double)(parts[i].y0 + parts[i].y1);
        small += parts[i].area;
        sum += high;
        middles += middle;
        squares += middle * middle;
        dots++;
    }
    if (dots < FEWEST_DOTS || 5 * small < 2 * all || USUAL_DOT * sum > (bottom - top) * dots) return 0;
    double mean = middles / (double)dots, variance = squares / (double)dots - mean * mean;
    double extent = (double)(bottom - top);
    return SPREAD * SPREAD * variance >= extent * extent ? sum / dots : 0;
}

/* The height that half of the components' ink reaches. */
static double usual_height(const Component *parts, int64_t count, Weighted *items)
{
    for (int64_t i = 0; i < count; i++)
        items[i] = (Weighted){(double)(parts[i].y1 - parts[i].y0), (double)parts[i].area};
    return quantile(items, count, 0.5, 0);
}

/* The size of a line's figures where what has the usual size are stars beside them. */
static double beside_stars(const Component *parts, int64_t count, double size, Weighted *items)
{
    int64_t stars = 0, figures = 0;
    for (int64_t i = 0; i < count; i++) {
        double high = (double)(parts[i].y1 - parts[i].y0), wide = (double)(parts[i].x1 - parts[i].x0);
        if (high >= TALLER * size) items[figures++] = (Weighted){high, (double)parts[i].area};
        else if (fabs(high - size) <= STAR_ALIKE * size && wide >= STAR_NARROW * high
                 && wide <= STAR_WIDE * high) stars++;
    }
    if (stars < FEWEST_STARS || figures < FEWEST_FIGURES) return size;
    return quantile(items, figures, 0.5, 0);
}

/* Fill what is between two pixels of a row or column no further apart than `reach`: `lines` of
 * them, their first pixels `apart` from each other, `length` pixels each, `step` apart. */
static void join(
    uint8_t *solid, int64_t lines, int64_t apart, int64_t length, int64_t step, int64_t reach)
{
    for (int64_t line = 0; line < lines; line++) {
        uint8_t *own = solid + line * apart;
        for (int64_t at = 0, last = -1; at < length; at++) {
            if (!own[at * step]) continue;
            if (last >= 0 && at - last - 1 <= reach)
                for (int64_t k = last + 1; k < at; k++) own[k * step] = 1;
            last = at;
        }
    }
}

/* The components once the parts of strokes that are printed in stripes or by pins are joined, where
 * that makes characters of them: reach int64[2], how far apart they are across and down, in px, is
 * set then. Takes parts; 0 without memory. */
static Component *joined(
    uint8_t *solid, int64_t height, int64_t width, Component *parts, int64_t *count, int64_t *reach)
{
    int64_t stripes = striped(parts, *count), dots = stripes ? 0 : dotted(parts, *count);
    if (!stripes && !dots) return parts;
    int64_t across = dots, down = stripes ? stripes : dots, found = 0;
    join(solid, width, 1, height, width, down);
    join(solid, height, width, width, 1, across);
    Weighted *items = malloc((size_t)*count * sizeof(Weighted));
    Component *others = items ? label_components(solid, height, width, width, 0, &found) : 0;
    Component *kept = others ? parts : 0;
    if (others && usual_height(others, found, items) >= JOINED * usual_height(parts, *count, items)) {
        kept = others;
        *count = found;
        reach[0] = across;
        reach[1] = down;
    }
    if (kept != parts) free(parts);
    if (kept != others) free(others);
    free(items);
    return kept;
}

/* Takes out what is so much taller than the characters that it would be taken for the line's size: the
 * side of a box, a sign before them. Returns how many components are left. */
static int64_t without_outsized(Component *parts, int64_t count, Weighted *items)
{
    for (int64_t i = 0; i < count; i++)
        items[i] = (Weighted){(double)(parts[i].y1 - parts[i].y0), (double)i};
    qsort(items, (size_t)count, sizeof(Weighted), by_value);
    for (int64_t most = 1; most <= MOST_OUTSIZED && most + FEWEST_ALIKE <= count; most++) {
        int64_t left = count - most, alike = 0, narrow = 0, out = 0;
        double size = items[left - 1].value, first = INFINITY;
        if (items[left].value < OUTSIZED * size) continue;
        for (int64_t i = left - 1; i >= 0 && items[i].value >= ALIKE * size; i--) {
            const Component *part = parts + (int64_t)items[i].weight;
            first = part->x0 < first ? (double)part->x0 : first;
            narrow += (double)(part->x1 - part->x0) <= NARROW * items[i].value;
            alike++;
        }
        if (alike < FEWEST_ALIKE || 2 * narrow <= alike) continue;
        for (int64_t i = left; i < count; i++) {
            const Component *part = parts + (int64_t)items[i].weight;
            out += (double)(part->x1 - part->x0) <= THIN * items[i].value
                || (items[i].value >= SIGN * size && (double)part->x1 <= first + SIGN_ENDS * size);
        }
        if (out < most) continue;
        int64_t kept = 0;
        for (int64_t i = 0; i < count; i++)
            if ((double)(parts[i].y1 - parts[i].y0) < items[left].value) parts[kept++] = parts[i];
        return kept;
    }
    return count;
}

/* Where the line of a zone runs: found f64[3], its size in px, its slope and its level at x = 0;
 * reach int64[2], see joined. ink u8[height, width], rows `stride` apart. Returns the number of
 * components, -1 without memory. */
int64_t line_frame(
    const uint8_t *ink, int64_t height, int64_t width, int64_t stride, double *found, int64_t *reach)
{
    reach[0] = reach[1] = 0;
    uint8_t *solid = malloc((size_t)(height * width + 1));
    if (!solid) return -1;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) solid[y * width + x] = ink[y * stride + x] > 0;
    int64_t count = 0, tall = 0;
    Component *parts = label_components(solid, height, width, width, 0, &count);
    if (parts && count) parts = joined(solid, height, width, parts, &count, reach);
    free(solid);
    if (!parts || count == 0) { free(parts); return parts ? 0 : -1; }
    double *reals = malloc((size_t)(4 * count) * sizeof(double));
    Weighted *items = malloc((size_t)count * sizeof(Weighted));
    if (!reals || !items) { free(parts); free(reals); free(items); return -1; }
    double *x = reals, *y = x + count, *weight = y + count, *scratch = weight + count;
    count = without_outsized(parts, count, items);
    for (int64_t i = 0; i < count; i++) {
        double own = parts[i].y1 - parts[i].y0;
        items[i] = (Weighted){own, own};
    }
    double least = 0.45 * quantile(items, count, 0.95, 1), low, high;
    for (int64_t i = 0; i < count; i++) {
        const Component *part = parts + i;
        double own = part->y1 - part->y0;
        if (own < least) continue;
        x[tall] = (double)part->sum_x / (double)part->area;
        y[tall] = part->y0 + own / 2;
        weight[tall] = (double)part->area;
        scratch[tall] = own;
        items[tall] = (Weighted){own, (double)part->area};
        tall++;
    }
    double usual = quantile(items, tall, 0.5, 0), slope = 0.0;
    double size = beside_stars(parts, count, usual, items);
    /* Stars would lift the middle of the line, and points fall out of it. */
    double lowest = size > usual ? size / TALLER : WHOLE * size;
    int64_t whole = 0;
    low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < tall; i++) {
        if (scratch[i] < lowest) continue;
        x[whole] = x[i], y[whole] = y[i], weight[whole] = weight[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        whole++;
    }
    tall = whole;
    double level = weighted_mean(y, weight, tall, scratch);
    if (tall >= 4 && high - low >= 3 * size) {
        double mean = weighted_mean(x, weight, tall, scratch);
        for (int64_t i = 0; i < tall; i++) y[i] = (x[i] - mean) * (y[i] - level);
        slope = weighted_mean(y, weight, tall, scratch);
        for (int64_t i = 0; i < tall; i++) y[i] = (x[i] - mean) * (x[i] - mean);
        double spread = weighted_mean(y, weight, tall, scratch);
        slope /= spread > 1.0 ? spread : 1.0;
        slope = slope < -0.15 ? -0.15 : slope > 0.15 ? 0.15 : slope;
        level -= slope * mean;
    }
    found[0] = size;
    found[1] = slope;
    found[2] = level;
    free(parts);
    free(reals);
    free(items);
    return count;
}

/* What is of other lines, see segment.normalise_line; lengths in px of the line. */
typedef struct {
    double centre, size, slope, top, bottom, edge; /* top, bottom: of the zone, at x = 0 */
    double bar_width, bar_height, bar_lean, bar_cover, bar_tall;
    int64_t solid;
} Neighbours;

/* Whether a component is beyond the line, or begins at the zone's edge and ends before the line. */
static int beyond(const Component *part, const Neighbours *rules)
{
    double x = 0.5 * (part->x0 + part->x1), reach = 0.5 * (part->x1 - part->x0) * fabs(rules->slope);
    double high = (part->y0 - rules->centre) / rules->size;
    double low = high + (part->y1 - part->y0) / rules->size;
    reach += rules->edge;
    return high > 0.62 || low < -0.62
        || (high > 0.40 && part->y1 >= rules->bottom - rules->slope * x - reach)
        || (low < -0.30 && part->y0 <= rules->top - rules->slope * x + reach);
}

/* Whether component c is a long level stroke beneath others that are taller. */
static int is_bar(
    const Component *parts, int64_t c, const int32_t *labels, int64_t width, const Neighbours *rules)
{
    const Component *part = parts + c;
    int64_t wide = part->x1 - part->x0, high = part->y1 - part->y0, covered = 0;
    if (wide < rules->bar_width * rules->size || high > rules->bar_height * rules->size
        || high > rules->bar_lean * (double)wide)
        return 0;
    for (int64_t x = part->x0; x < part->x1; x++) {
        int above = 0;
        for (int64_t y = 0; y < part->y1 && labels[y * width + x] != c + 1; y++) {
            int32_t other = labels[y * width + x];
            above |= other && parts[other - 1].y1 - parts[other - 1].y0 >= rules->bar_tall * rules->size;
        }
        covered += above;
    }
    return (double)covered >= rules->bar_cover * (double)wide;
}

/* Erases from a line what is of other lines, and strokes beneath characters with what stands below
 * them. 0 without memory. */
int erase_neighbours(uint8_t *line, int64_t height, int64_t width, const Neighbours *rules)
{
    uint8_t *solid = malloc((size_t)(height * width + 1));
    int32_t *labels = malloc((size_t)(height * width + 1) * sizeof(int32_t));
    int64_t count = 0;
    Component *parts = 0;
    if (solid && labels) {
        for (int64_t i = 0; i < height * width; i++) solid[i] = line[i] > rules->solid;
        parts = label_components(solid, height, width, width, labels, &count);
    }
    uint8_t *gone = parts ? calloc((size_t)(height * width + count + 1), 1) : 0;
    uint8_t *foreign = gone ? gone + height * width : 0;
    for (int64_t c = 0; gone && c < count; c++) {
        foreign[c] |= beyond(parts + c, rules);
        if (!is_bar(parts, c, labels, width, rules)) continue;
        foreign[c] = 1;
        for (int64_t k = 0; k < count; k++) {
            double x = 0.5 * (parts[k].x0 + parts[k].x1);
            foreign[k] |= parts[k].y0 >= parts[c].y0 && x >= parts[c].x0 && x < parts[c].x1;
        }
    }
    for (int64_t c = 0; gone && c < count; c++) {
        const Component *part = parts + c;
        if (!foreign[c]) continue;
        for (int64_t y = part->y0; y < part->y1; y++)
            for (int64_t x = part->x0; x < part->x1; x++) {
                if (labels[y * width + x] != c + 1) continue;
                gone[y * width + x] = 1;
                for (int64_t ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ny++)
                    for (int64_t nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; nx++)
                        if (!solid[ny * width + nx]) gone[ny * width + nx] = 1;
            }
    }
    for (int64_t i = 0; gone && i < height * width; i++)
        if (gone[i]) line[i] = 0;
    int made = gone != 0;
    free(solid);
    free(labels);
    free(parts);
    free(gone);
    return made;
}
