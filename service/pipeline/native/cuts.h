/* What one over-segmented line is made with; see cuts.c for what each function does. */
#ifndef CUTS_H
#define CUTS_H

#include <stdint.h>

void least_ink(
    const float *ink, int64_t height, int64_t width, float lateral, float *total, int8_t *step);
void trace(const int8_t *step, int64_t width, int64_t row, int64_t column, int32_t *path);
int cut_paths(
    const int8_t *down, const int8_t *up, int64_t height, int64_t width, const int32_t *seed_row,
    const int32_t *seed_column, int64_t seeds, int32_t *paths, int64_t *count);
int64_t minima(const float *total, int64_t count, float level_step, double prominence, int32_t *found);
int64_t choose_cuts(
    const int64_t *order, int64_t count, const float *crossed, const int64_t *before,
    const double *middle, double is_free, double clear, double gap, double piece, int64_t most,
    int64_t *kept);
int cut_places(
    const float *ink, int64_t height, int64_t width, float level, const int32_t *paths, int64_t count,
    int64_t *before, double *middle);
int pieces(const int32_t *paths, int64_t count, int64_t height, int64_t width, int16_t *piece);
void piece_boxes(
    const int16_t *piece, const uint8_t *solid, int64_t height, int64_t width, int64_t count,
    int32_t *boxes);
void crossings(
    const int16_t *piece, const uint8_t *solid, int64_t height, int64_t width, int64_t *found);
int mend(const uint8_t *solid, int64_t height, int64_t width, double smallest, int16_t *piece);
int free_points(
    const int32_t *labels, const int32_t *stats, const double *middle, const int32_t *chosen,
    int64_t count, const uint8_t *solid, int64_t height, int64_t width, int64_t most, int16_t *piece);
void rises(const int32_t *boxes, int64_t count, double reach, double height, double *found);

#endif
