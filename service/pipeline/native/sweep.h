/* A lattice against a grammar automaton: what the sweeps share. Sizes and shapes as in sweep.py. */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdint.h>

/* labels: K, SPACE last; label_penalty f64[segments, K - 1]; a segment of -1 is SPACE. */
typedef struct {
    int64_t nodes, arcs, segments, labels, states, moves, classes, finals, rubbish;
    const int32_t *src, *dst, *segment;
    const double *penalty, *label_penalty;
    const int32_t *state_class;
    const double *class_penalty;
    const int32_t *from, *to;
    const double *move_penalty, *rubbish_penalty;
    const int32_t *final;
    const double *final_penalty;
    const double *label_weight, *label_least; /* see summed.c, or none */
} Problem;

/* States ordered by class, so that one number serves a run of neighbours; and sorted indices.
 *
 * place[state] is a state's position, run[c] .. run[c + 1] the positions of class c - 1 (run 0: the
 * start, which nothing enters). into / out_of: moves by the position they lead to / leave, `*_first`
 * where those of a position begin, `*_other` the position at the other end. arriving / leaving: arcs
 * by destination / source. */
typedef struct {
    int32_t *memory;
    int32_t *order, *place, *run;
    int32_t *into_first, *into, *into_other;
    int32_t *out_first, *out_of, *out_other;
    int32_t *arriving_first, *arriving;
    int32_t *leaving_first, *leaving;
    int32_t *member_first, *member; /* labels of each class */
} Plan;

/* f64[segments + 1, classes]: the lowest penalty of reading each segment as a symbol of a class, to be
 * freed; 0 without memory. */
double *lowest_read(const Problem *p, const Plan *plan);
int lowest_both(const Problem *p, const Plan *plan, const double *read, double *ahead, double *rest);

int plan_make(const Problem *p, Plan *plan);
void plan_free(Plan *plan);

#endif
