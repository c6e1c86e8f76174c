/* Connected components from runs: unbroken stretches of pixels in a row. */
#ifndef RUNS_H
#define RUNS_H

#include <stdint.h>

typedef struct {
    int32_t y, x0, x1, parent; /* x1: one past the last */
} Run;

typedef struct {
    Run *run;
    int64_t count, room;
} Runs;

int runs_add(Runs *runs, int32_t y, int32_t x0, int32_t x1);
/* Joins runs that touch in 8 directions; runs must be in order of y, then x. */
void runs_join(Runs *runs);
int32_t runs_root(Run *run, int32_t i);
void runs_free(Runs *runs);

/* left, top, width, height, area, and the sums of x and y. */
typedef struct {
    int32_t x0, y0, x1, y1;
    int64_t area, sum_x, sum_y, place;
} Component;

/* The components of joined runs in OpenCV's order, that of their first block of 2 x 2 pixels.
 * number i32[count]: of each run, its component. Returns them (to be freed), 0 without memory. */
Component *runs_components(Runs *runs, int32_t *number, int64_t *count);

#endif
