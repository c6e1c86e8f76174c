/* A lattice against a grammar automaton: what the sweeps share. Sizes and shapes as in sweep.py. */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdint.h>

/* An automaton laid out for the sweeps, once for all lattices: states ordered by class, so that one
 * number serves a run of neighbours, and its penalties as weights.
 *
 * place[state] is a state's position, run[c] .. run[c + 1] the positions of class c - 1 (run 0: the
 * start, which nothing enters). into / out_of: moves by the position they lead to / leave, `*_first`
 * where those of a position begin, `*_other` the position at the other end. member: labels of each
 * class. out, rubbish and final f64: exp(-penalty) of moves in the order of out_of, and of positions;
 * weight f64[classes, labels]: of labels in classes. */
typedef struct {
    int32_t *memory;
    double *weights;
    int32_t *order, *place, *run;
    int32_t *into_first, *into, *into_other;
    int32_t *out_first, *out_of, *out_other;
    int32_t *member_first, *member;
    double *out, *rubbish, *final, *weight;
} Layout;

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
    const double *label_weight, *label_least; /* see `label_weights` */
    const Layout *layout;                     /* of the automaton */
} Problem;

/* A lattice's arcs by destination / source. */
typedef struct {
    int32_t *memory;
    int32_t *arriving_first, *arriving;
    int32_t *leaving_first, *leaving;
} Plan;

/* f64[segments + 1, classes]: the lowest penalty of reading each segment as a symbol of a class, to be
 * freed; 0 without memory. */
double *lowest_read(const Problem *p);
int lowest_both(const Problem *p, const Plan *plan, const double *read, double *ahead, double *rest);

/* Of a problem's automaton, whatever its lattice; to be freed with layout_free, 0 without memory. */
Layout *layout_make(const Problem *p);
void layout_free(Layout *layout);

int plan_make(const Problem *p, Plan *plan);
void plan_free(Plan *plan);

/* The summed penalty of everything, f64[fields], told by the field of the arc that reaches the end,
 * and room for as many more. field i32[arcs] below fields. read f64[segments + 1, classes]: weights
 * of reading each segment as a symbol of a class, or none: those of the layout. 0 without memory. */
int summed_with(
    const Problem *p, const Plan *plan, const double *read, const int32_t *field, int64_t fields,
    double *totals);
/* The penalties of labels, f64[rows, labels - 1], as weights: exp(least - penalty), f64[rows + 1, labels]
 * with a column and a last row for SPACE, and the least penalty of each row, f64[rows + 1]. 0 where one
 * is not a number. */
int label_weights(const double *penalty, int64_t rows, int64_t labels, double *label, double *least);
/* f64[segments + 1, classes]: the weight of reading each segment as a symbol of a class, relative to
 * its likeliest label. */
void read_weights(const Problem *p, double *read);

#endif
