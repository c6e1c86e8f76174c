/* How large the characters of a line are, see doubts.line_of. */
#include <stdint.h>
#include <stdlib.h>

/* A number as the boxes have it: what single precision makes of two such numbers it makes of the
 * exact sum or product as well. */
static double rounded(double value, int64_t single)
{
    return single ? (double)(float)value : value;
}

static void sort(double *values, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        double one = values[i];
        int64_t k = i;
        for (; k > 0 && values[k - 1] > one; k--) values[k] = values[k - 1];
        values[k] = one;
    }
}

/* Linear between neighbours, as numpy has it; of sorted values. */
static double percentile_of(const double *values, int64_t count, double percent, int64_t single)
{
    double place = percent / 100 * (double)(count - 1);
    int64_t below = (int64_t)place, above = below + 1 < count ? below + 1 : count - 1;
    double low = values[below], high = values[above], part = place - (double)below;
    double step = rounded(high - low, single);
    if (part >= 0.5)
        return rounded(high - rounded(step * rounded(1.0 - part, single), single), single);
    return rounded(low + rounded(step * rounded(part, single), single), single);
}

/* Sorts the values. */
static double median_of(double *values, int64_t count, int64_t single)
{
    sort(values, count);
    return rounded(values[(count - 1) / 2] + values[count / 2], single) / 2.0;
}

/* The height of the characters of a line, and its top and bottom: f64[3]. boxes [count, 4], one at
 * least: f32 where they are single, else f64. 0 without memory. */
int line_of(const void *boxes, int64_t single, int64_t count, double *line)
{
    double *height = malloc((size_t)(4 * count) * sizeof(double)), *sorted = height + count;
    double *top = sorted + count, *bottom = top + count;
    if (!height) return 0;
    for (int64_t i = 0; i < count; i++) {
        top[i] = single ? ((const float *)boxes)[4 * i + 1] : ((const double *)boxes)[4 * i + 1];
        bottom[i] = single ? ((const float *)boxes)[4 * i + 3] : ((const double *)boxes)[4 * i + 3];
        sorted[i] = height[i] = rounded(bottom[i] - top[i], single);
    }
    sort(sorted, count);
    line[0] = percentile_of(sorted, count, 80.0, single);
    double least = rounded(0.6 * line[0], single);
    int64_t tall = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!(height[i] > least)) continue;
        top[tall] = top[i];
        bottom[tall++] = bottom[i];
    }
    line[1] = tall ? median_of(top, tall, single) : 0.0;
    line[2] = tall ? median_of(bottom, tall, single) : 0.0;
    free(height);
    return 1;
}
