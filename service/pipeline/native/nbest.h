/* A plain graph as the search for its best strings takes it, see graph.Graph. */
#ifndef NBEST_H
#define NBEST_H

#include <stdint.h>

typedef struct {
    int64_t nodes, arcs, finals, labels;
    const int32_t *src, *dst, *label, *final;
    const double *penalty, *final_penalty, *rest;
    const uint8_t *silent; /* [labels] */
} Graph;

int best_completions(const Graph *g, double *rest);
int64_t n_best(
    const Graph *g, int64_t start, int64_t n, double bound, double *penalty, int32_t *final, int32_t *length,
    int32_t *arcs);

#endif
