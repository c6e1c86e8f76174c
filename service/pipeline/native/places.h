/* The text-line structure of a page as arrays, see textline.py; boxes are x0, y0, x1, y1. */
#ifndef PLACES_H
#define PLACES_H

#include <stdint.h>

enum { MOST_IN_RUN = 24, SUMS = 7, MOST_BOXES = 60, MOST_RULES = 150 };

/* Of each word: box, sums over its marks (textline.Words.sums), its first and last mark, the word
 * before it and the one that follows, -1 for none, and the gaps to the nearest ink, px. */
typedef struct {
    int64_t count;
    int32_t *box, *end, *before, *after;
    float *sums, *gap_left, *gap_right;
} Words;

/* Order of count values, the lowest first, stable. scratch: i32[count]. */
void order_by(const int32_t *value, int64_t count, int32_t *order, int32_t *scratch);

#endif
