/* Levels of grey that split or rank the pixels of an image, see levels.py. */
#include <float.h>
#include <stdint.h>
#include <string.h>

enum { VALUES = 256 };

/* Whether all bytes of a word are the same. */
static inline int are_alike(uint64_t word)
{
    return word == (word >> 8 | word << 56);
}

/* How often each value occurs in an image whose rows and columns are `down` and `along` bytes apart,
 * i64[256]. */
void histogram(
    const uint8_t *values, int64_t height, int64_t width, int64_t down, int64_t along, int64_t *found)
{
    uint32_t part[4][VALUES] = {{0}};
    for (int64_t y = 0; y < height; y++, values += down) {
        int64_t i = 0;
        for (; along == 1 && i + 32 <= width; i += 32) { /* most of a page is paper */
            uint64_t many[4];
            memcpy(many, values + i, 32);
            if (are_alike(many[0]) && !((many[0] ^ many[1]) | (many[0] ^ many[2]) | (many[0] ^ many[3]))) {
                part[0][values[i]] += 32;
                continue;
            }
            for (int64_t k = i; k < i + 32; k += 8) {
                if (are_alike(many[(k - i) / 8])) part[0][values[k]] += 8;
                else for (int64_t x = k; x < k + 8; x++) part[x & 3][values[x]]++;
            }
        }
        for (; i < width; i++) part[i & 3][values[i * along]]++;
    }
    for (int v = 0; v < VALUES; v++)
        found[v] = (int64_t)part[0][v] + part[1][v] + part[2][v] + part[3][v];
}

/* The value of which `place` others are before it in order. */
static int value_at(const int64_t *counts, int64_t place)
{
    int64_t ends = 0;
    for (int v = 0; v < VALUES; v++) {
        ends += counts[v];
        if (ends > place) return v;
    }
    return VALUES - 1;
}

/* A percentile, linear between neighbours, of values that occur so often, i64[256], from one on. */
double percentile_of_counts(const int64_t *counts, int64_t from, double percent)
{
    int64_t own[VALUES], total = 0;
    for (int v = 0; v < VALUES; v++) total += own[v] = v < from ? 0 : counts[v];
    double place = percent / 100 * (double)(total - 1);
    int64_t before = (int64_t)place;
    int below = value_at(own, before);
    if (place >= (double)(total - 1)) return below;
    int above = value_at(own, before + 1);
    return below + (above - below) * (place - (double)before);
}

/* A percentile of the pixels of an image, see histogram. */
double percentile(
    const uint8_t *values, int64_t height, int64_t width, int64_t down, int64_t along, double percent)
{
    int64_t counts[VALUES];
    histogram(values, height, width, down, along, counts);
    return percentile_of_counts(counts, 0, percent);
}

/* Otsu's threshold of a histogram, i64[256], as OpenCV finds it: which parts the values best. */
int64_t otsu(const int64_t *counts)
{
    double total = 0.0, below[VALUES], first[VALUES], best = -1.0, share = 0.0, sum = 0.0;
    int64_t found = 0;
    for (int v = 0; v < VALUES; v++) total += (double)counts[v];
    for (int v = 0; v < VALUES; v++) {
        double own = (double)counts[v] / total;
        below[v] = share += own;
        first[v] = sum += own * v;
    }
    for (int v = 0; v < VALUES; v++) {
        double rest = 1 - below[v];
        if (!((below[v] < rest ? below[v] : rest) >= FLT_EPSILON)) continue;
        double low = first[v] / below[v], high = (sum - first[v]) / rest;
        double apart = below[v] * rest * ((low - high) * (low - high));
        if (apart > best) { best = apart; found = v; }
    }
    return found;
}
