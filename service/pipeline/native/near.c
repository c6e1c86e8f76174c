/* What of the interpretation graph lies near its best path, as a plain graph, and its best strings;
 * see search.best. Arcs are in the order in which search describes them. */
#include "nbest.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t src, dst, label, arc, move;
    double penalty;
} Arc;

typedef struct {
    const Problem *p;
    Plan plan;
    double *read, *ahead, *rest; /* rows in the order of the layout */
    int32_t *number;             /* [nodes, states]: node of the graph, -1 for none */
    int32_t *cut, *state;        /* [count] */
    int64_t count, arcs, room, ends;
    Arc *arc;
    int32_t *end, *end_of;       /* [ends]: nodes, and finals of the automaton */
} Near;

void near_free(Near *n)
{
    if (!n) return;
    plan_free(&n->plan);
    free(n->read);
    free(n->ahead);
    free(n->number);
    free(n->arc);
    free(n);
}

/* To be freed with near_free; 0 without memory. The problem must outlive it. */
Near *near_make(const Problem *p)
{
    Near *n = calloc(1, sizeof(Near));
    if (!n) return 0;
    n->p = p;
    int64_t grid = p->nodes * p->states;
    if (!plan_make(p, &n->plan)) { free(n); return 0; }
    n->read = lowest_read(p);
    n->ahead = malloc((size_t)(2 * grid) * sizeof(double));
    n->number = malloc((size_t)(3 * grid + 2 * p->finals + 1) * sizeof(int32_t));
    if (!n->read || !n->ahead || !n->number) { near_free(n); return 0; }
    n->rest = n->ahead + grid;
    n->cut = n->number + grid;
    n->state = n->cut + grid;
    n->end = n->state + grid;
    n->end_of = n->end + p->finals;
    if (!lowest_both(p, &n->plan, n->read, n->ahead, n->rest)) { near_free(n); return 0; }
    return n;
}

/* The penalty of the best path, +infinity where there is none. */
double near_best(const Near *n)
{
    return n->rest[n->p->layout->place[0]];
}

static int add(Near *n, Arc arc)
{
    if (n->arcs == n->room) {
        int64_t room = n->room ? 2 * n->room : 1024;
        Arc *more = realloc(n->arc, (size_t)room * sizeof(Arc));
        if (!more) return 0;
        n->arc = more;
        n->room = room;
    }
    n->arc[n->arcs++] = arc;
    return 1;
}

static double label_of(const Problem *p, int32_t segment, int64_t k)
{
    int space = k == p->labels - 1;
    if (segment < 0) return space ? 0.0 : INFINITY;
    return space ? INFINITY : p->label_penalty[segment * (p->labels - 1) + k];
}

/* Arcs that take a segment for stray ink. */
static int add_strays(Near *n, int64_t node, double bound)
{
    const Problem *p = n->p;
    int64_t cut = n->cut[node], state = n->state[node], at = p->layout->place[state];
    for (int32_t i = n->plan.leaving_first[cut]; i < n->plan.leaving_first[cut + 1]; i++) {
        int32_t arc = n->plan.leaving[i];
        double penalty = p->penalty[arc] + label_of(p, p->segment[arc], p->rubbish)
            + p->rubbish_penalty[state];
        double total = n->ahead[cut * p->states + at] + penalty;
        total += n->rest[p->dst[arc] * p->states + at];
        if (!(total <= bound && total < INFINITY)) continue;
        Arc one = {(int32_t)node, n->number[p->dst[arc] * p->states + state], (int32_t)p->rubbish,
                   arc, -1, penalty};
        if (!add(n, one)) return 0;
    }
    return 1;
}

/* Arcs that read a symbol. */
static int add_reads(Near *n, int64_t node, double bound)
{
    const Problem *p = n->p;
    int64_t cut = n->cut[node], state = n->state[node];
    int64_t own = p->layout->place[state];
    double before = n->ahead[cut * p->states + own];
    for (int32_t m = p->layout->out_first[own]; m < p->layout->out_first[own + 1]; m++) {
        int32_t move = p->layout->out_of[m], entered = p->to[move], group = p->state_class[entered];
        int64_t at = p->layout->place[entered];
        if (group < 0) continue;
        for (int32_t i = n->plan.leaving_first[cut]; i < n->plan.leaving_first[cut + 1]; i++) {
            int32_t arc = n->plan.leaving[i], segment = p->segment[arc];
            int64_t row = segment < 0 ? p->segments : segment;
            double around = before + n->rest[p->dst[arc] * p->states + at];
            double base = p->penalty[arc] + p->move_penalty[move];
            double total = around + base + n->read[row * p->classes + group];
            if (!(total <= bound && total < INFINITY)) continue;
            for (int32_t k = p->layout->member_first[group]; k < p->layout->member_first[group + 1]; k++) {
                int32_t label = p->layout->member[k];
                double penalty = p->class_penalty[group * p->labels + label]
                    + label_of(p, segment, label) + base;
                if (!(penalty + around <= bound && penalty < INFINITY)) continue;
                double whole = before + penalty;
                whole += n->rest[p->dst[arc] * p->states + at];
                if (!(whole <= bound)) continue;
                Arc one = {(int32_t)node, n->number[p->dst[arc] * p->states + entered], label, arc,
                           move, penalty};
                if (!add(n, one)) return 0;
            }
        }
    }
    return 1;
}

/* Builds the graph of what lies on paths of at most a penalty; 0 without memory. */
int near_within(Near *n, double bound)
{
    const Problem *p = n->p;
    bound += 1e-9 * (1.0 + fabs(near_best(n))); /* a sum differs in its last bits with its order */
    n->count = n->arcs = n->ends = 0;
    for (int64_t cut = 0; cut < p->nodes; cut++)
        for (int64_t s = 0; s < p->states; s++) {
            int64_t at = cut * p->states + p->layout->place[s];
            double through = n->ahead[at] + n->rest[at];
            int32_t *number = n->number + cut * p->states + s;
            *number = -1;
            if (!(through <= bound && through < INFINITY)) continue;
            n->cut[n->count] = (int32_t)cut;
            n->state[n->count] = (int32_t)s;
            *number = (int32_t)n->count++;
        }
    for (int64_t i = 0; i < n->count; i++)
        if (!add_strays(n, i, bound)) return 0;
    for (int64_t i = 0; i < n->count; i++)
        if (!add_reads(n, i, bound)) return 0;
    for (int64_t f = 0; f < p->finals; f++) {
        int32_t node = n->number[(p->nodes - 1) * p->states + p->final[f]];
        if (node < 0) continue;
        n->end[n->ends] = node;
        n->end_of[n->ends++] = (int32_t)f;
    }
    return 1;
}

/* The `wanted` best strings of at most a penalty that end in finals of one kind (kind[final] == own; own -1: in any), and
 * differ in the labels that count. counts u8[states]: 0 the label read on the way into a state does
 * not count, 1 it does, 2 it does and is another than the same label elsewhere; none: all but stray
 * ink count. Per string its penalty, the final, its length, and rows of `longest` arcs of the lattice,
 * moves (-1 for stray ink) and labels. How many; -1 without memory. */
int64_t near_strings(
    const Near *n, const uint8_t *kind, int64_t own, const uint8_t *counts, int64_t wanted,
    double bound, int64_t longest, double *penalty, int32_t *final, int32_t *length, int32_t *arcs, int32_t *moves,
    int32_t *labels)
{
    const Problem *p = n->p;
    int64_t found = -1, most = 2 * p->labels + 1, ends = 0;
    int32_t *ints = malloc((size_t)(3 * n->arcs + n->ends * 2 + wanted * n->count + 1) * sizeof(int32_t));
    double *reals = malloc((size_t)(n->arcs + n->ends + n->count + 1) * sizeof(double));
    uint8_t *silent = calloc((size_t)most, 1);
    if (ints && reals && silent && n->count) {
        int32_t *src = ints, *dst = src + n->arcs, *label = dst + n->arcs, *end = label + n->arcs;
        int32_t *end_of = end + n->ends, *path = end_of + n->ends;
        double *cost = reals, *end_cost = cost + n->arcs, *rest = end_cost + n->ends;
        for (int64_t a = 0; a < n->arcs; a++) {
            const Arc *arc = n->arc + a;
            src[a] = arc->src;
            dst[a] = arc->dst;
            cost[a] = arc->penalty;
            int way = !counts ? 1 : arc->move < 0 ? 0 : counts[p->to[arc->move]];
            label[a] = way == 0 ? (int32_t)(2 * p->labels)
                : arc->label + (way == 2 ? (int32_t)p->labels : 0);
        }
        silent[counts ? 2 * p->labels : p->rubbish] = 1;
        for (int64_t e = 0; e < n->ends; e++) {
            if (own >= 0 && kind[n->end_of[e]] != own) continue;
            end[ends] = n->end[e];
            end_of[ends] = n->end_of[e];
            end_cost[ends++] = p->final_penalty[n->end_of[e]];
        }
        Graph graph = {n->count, n->arcs, ends, most, src, dst, label, end, cost, end_cost, rest, silent};
        if (ends == n->ends)
            for (int64_t i = 0; i < n->count; i++)
                rest[i] = n->rest[n->cut[i] * p->states + p->layout->place[n->state[i]]];
        if (ends == n->ends || best_completions(&graph, rest))
            found = ends ? n_best(&graph, 0, wanted, bound, penalty, final, length, path) : 0;
        for (int64_t i = 0; i < found; i++) {
            final[i] = end_of[final[i]];
            for (int32_t k = 0; k < length[i] && k < longest; k++) {
                const Arc *arc = n->arc + path[i * n->count + k];
                arcs[i * longest + k] = arc->arc;
                moves[i * longest + k] = arc->move;
                labels[i * longest + k] = arc->label;
            }
        }
    } else if (ints && reals && silent) {
        found = 0;
    }
    free(ints);
    free(reals);
    free(silent);
    return found;
}
