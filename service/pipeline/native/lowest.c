/* The sweeps in the semiring of lowest penalties (Viterbi). */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

/* f64[segments + 1, classes]: the lowest penalty of reading each segment as a symbol of a class. */
double *lowest_read(const Problem *p)
{
    const Layout *layout = p->layout;
    int64_t rows = p->segments + 1, width = p->labels - 1;
    double *read = malloc((size_t)(rows * p->classes) * sizeof(double));
    if (!read) return 0;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < p->classes; c++) {
            double least = INFINITY;
            for (int32_t m = layout->member_first[c]; m < layout->member_first[c + 1]; m++) {
                int32_t k = layout->member[m];
                double label = row == p->segments ? (k == width ? 0.0 : INFINITY)
                    : k == width ? INFINITY : p->label_penalty[row * width + k];
                double sum = label + p->class_penalty[c * p->labels + k];
                if (sum < least) least = sum;
            }
            read[row * p->classes + c] = least;
        }
    return read;
}

static double stray_of(const Problem *p, int64_t segment)
{
    return segment < 0 ? INFINITY : p->label_penalty[segment * (p->labels - 1) + p->rubbish];
}

static int64_t row_of(const Problem *p, int64_t segment)
{
    return segment < 0 ? p->segments : segment;
}

/* Rows in the order of the layout: ahead f64[nodes, states], and stepped and kept beside it; spare
 * f64[moves + states]. */
static void ahead_rows(
    const Problem *p, const Plan *plan, const double *read, double *ahead, double *stepped, double *kept,
    double *spare)
{
    const Layout *layout = p->layout;
    int64_t states = p->states;
    double *move = spare, *rubbish = spare + p->moves;
    for (int64_t i = 0; i < p->moves; i++) move[i] = p->move_penalty[layout->into[i]];
    for (int64_t s = 0; s < states; s++) rubbish[s] = p->rubbish_penalty[layout->order[s]];
    for (int64_t node = 0; node < p->nodes; node++) {
        double *restrict to = ahead + node * states;
        for (int64_t s = 0; s < states; s++) to[s] = INFINITY;
        if (node == 0) to[layout->place[0]] = 0.0;
        for (int32_t i = plan->arriving_first[node]; i < plan->arriving_first[node + 1]; i++) {
            int32_t arc = plan->arriving[i];
            const double *restrict step = stepped + (int64_t)p->src[arc] * states;
            const double *restrict keep = kept + (int64_t)p->src[arc] * states;
            const double *cost = read + row_of(p, p->segment[arc]) * p->classes;
            double stray = stray_of(p, p->segment[arc]) + p->penalty[arc];
            for (int64_t s = 0; stray < INFINITY && s < layout->run[1]; s++) {
                double total = keep[s] + stray;
                to[s] = total < to[s] ? total : to[s];
            }
            for (int64_t c = 0; c < p->classes; c++) {
                double reading = cost[c] + p->penalty[arc];
                /* Nothing but a space is read between symbols, and that is no stray ink. */
                if (reading == INFINITY && stray == INFINITY) continue;
                for (int32_t s = layout->run[c + 1]; s < layout->run[c + 2]; s++) {
                    double one = step[s] + reading, other = keep[s] + stray;
                    double total = one < other ? one : other;
                    to[s] = total < to[s] ? total : to[s];
                }
            }
        }
        for (int64_t s = 0; s < states; s++) {
            double least = INFINITY;
            for (int32_t i = layout->into_first[s]; i < layout->into_first[s + 1]; i++) {
                double total = to[layout->into_other[i]] + move[i];
                least = total < least ? total : least;
            }
            stepped[node * states + s] = least;
            kept[node * states + s] = to[s] + rubbish[s];
        }
    }
}

/* Rows in the order of the layout: rest f64[nodes, states] and entered beside it; spare
 * f64[moves + 2 states]. */
static void rest_rows(
    const Problem *p, const Plan *plan, const double *read, double *rest, double *entered, double *spare)
{
    const Layout *layout = p->layout;
    int64_t states = p->states, nodes = p->nodes;
    double *move = spare, *rubbish = move + p->moves, *restrict unread = rubbish + states;
    for (int64_t i = 0; i < p->moves; i++) move[i] = p->move_penalty[layout->out_of[i]];
    for (int64_t s = 0; s < states; s++) rubbish[s] = p->rubbish_penalty[layout->order[s]];
    for (int64_t node = nodes - 1; node >= 0; node--) {
        double *restrict from = rest + node * states, *restrict enter = entered + node * states;
        for (int64_t s = 0; s < states; s++) from[s] = enter[s] = unread[s] = INFINITY;
        if (node == nodes - 1)
            for (int64_t f = 0; f < p->finals; f++)
                from[layout->place[p->final[f]]] = p->final_penalty[f];
        if (plan->leaving_first[node] == plan->leaving_first[node + 1]) continue;
        for (int32_t i = plan->leaving_first[node]; i < plan->leaving_first[node + 1]; i++) {
            int32_t arc = plan->leaving[i];
            const double *restrict onward = rest + (int64_t)p->dst[arc] * states;
            const double *cost = read + row_of(p, p->segment[arc]) * p->classes;
            double stray = stray_of(p, p->segment[arc]) + p->penalty[arc];
            for (int64_t s = 0; stray < INFINITY && s < states; s++) {
                double total = onward[s] + stray;
                unread[s] = total < unread[s] ? total : unread[s];
            }
            for (int64_t c = 0; c < p->classes; c++) {
                double reading = cost[c] + p->penalty[arc];
                if (reading == INFINITY) continue;
                for (int32_t s = layout->run[c + 1]; s < layout->run[c + 2]; s++) {
                    double total = onward[s] + reading;
                    enter[s] = total < enter[s] ? total : enter[s];
                }
            }
        }
        for (int64_t s = 0; s < states; s++) {
            double least = unread[s] + rubbish[s];
            for (int32_t i = layout->out_first[s]; i < layout->out_first[s + 1]; i++) {
                double total = enter[layout->out_other[i]] + move[i];
                least = total < least ? total : least;
            }
            from[s] = least;
        }
    }
}

static void reorder(const Problem *p, const double *rows, double *out)
{
    const int32_t *order = p->layout->order;
    for (int64_t node = 0; node < p->nodes; node++)
        for (int64_t s = 0; s < p->states; s++)
            out[node * p->states + order[s]] = rows[node * p->states + s];
}

/* Rows f64[nodes, states], see Sweep.forward; 0 where memory is short. */
int lowest_forward(const Problem *p, double *ahead_out, double *stepped_out)
{
    Plan plan;
    int64_t grid = p->nodes * p->states;
    if (!plan_make(p, &plan)) return 0;
    double *read = lowest_read(p);
    double *rows = malloc((size_t)(3 * grid + p->moves + p->states) * sizeof(double));
    if (read && rows) {
        ahead_rows(p, &plan, read, rows, rows + grid, rows + 2 * grid, rows + 3 * grid);
        reorder(p, rows, ahead_out);
        reorder(p, rows + grid, stepped_out);
    }
    int made = read && rows;
    free(read);
    free(rows);
    plan_free(&plan);
    return made;
}

/* Rows f64[nodes, states], see Sweep.backward; 0 where memory is short. */
int lowest_backward(const Problem *p, double *rest_out, double *entered_out)
{
    Plan plan;
    int64_t grid = p->nodes * p->states;
    if (!plan_make(p, &plan)) return 0;
    double *read = lowest_read(p);
    double *rows = malloc((size_t)(2 * grid + p->moves + 2 * p->states) * sizeof(double));
    if (read && rows) {
        rest_rows(p, &plan, read, rows, rows + grid, rows + 2 * grid);
        reorder(p, rows, rest_out);
        reorder(p, rows + grid, entered_out);
    }
    int made = read && rows;
    free(read);
    free(rows);
    plan_free(&plan);
    return made;
}

/* Both at once, f64[nodes, states] each in the order of the layout; 0 where memory is short. */
int lowest_both(const Problem *p, const Plan *plan, const double *read, double *ahead, double *rest)
{
    int64_t grid = p->nodes * p->states;
    double *spare = malloc((size_t)(2 * grid + p->moves + 2 * p->states) * sizeof(double));
    if (!spare) return 0;
    ahead_rows(p, plan, read, ahead, spare, spare + grid, spare + 2 * grid);
    rest_rows(p, plan, read, rest, spare, spare + 2 * grid);
    free(spare);
    return 1;
}
