/* The sweeps in the semiring of summed probabilities (forward), and their gradient.
 *
 * Rows hold exp(-penalty) relative to a penalty of their own, so that an arc costs a multiplication
 * and no exponential. What is 700 behind the best of its row, e^-700 of the sum, is lost. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

/* What exceeds it is as good as lost, and must not become infinite. */
#define LARGEST 690.0

typedef struct {
    const Problem *p;
    const Layout *layout;
    const Plan *plan;
    double *memory;
    const double *read;      /* [segments + 1, classes] */
    double *own_read, *stray; /* [segments + 1] */
    double *ahead, *stepped, *kept, *ahead_scale; /* [nodes, states] three times, [nodes] */
    double *rest, *entered, *rest_scale;
    double *scratch; /* [2, states] */
} Sums;

static int64_t row_of(const Problem *p, int64_t arc)
{
    return p->segment[arc] < 0 ? p->segments : p->segment[arc];
}

int label_weights(const double *penalty, int64_t rows, int64_t labels, double *label, double *least)
{
    int numbers = 1;
    for (int64_t row = 0; row < rows; row++, penalty += labels - 1, label += labels) {
        double low = INFINITY;
        for (int64_t k = 0; k < labels - 1; k++) {
            low = penalty[k] < low ? penalty[k] : low;
            numbers &= penalty[k] == penalty[k];
        }
        least[row] = low;
        for (int64_t k = 0; k < labels - 1; k++)
            label[k] = low < INFINITY ? exp(low - penalty[k]) : 0.0;
        label[labels - 1] = 0.0;
    }
    for (int64_t k = 0; k < labels; k++) label[k] = 0.0;
    label[labels - 1] = 1.0;
    least[rows] = 0.0;
    return numbers;
}

void read_weights(const Problem *p, double *read)
{
    const Layout *layout = p->layout;
    const double *label = p->label_weight;
    int64_t labels = p->labels;
    for (int64_t row = 0; row <= p->segments; row++, label += labels)
        for (int64_t c = 0; c < p->classes; c++) {
            double sum = 0.0;
            const double *weight = layout->weight + c * labels;
            for (int32_t i = layout->member_first[c]; i < layout->member_first[c + 1]; i++)
                sum += label[layout->member[i]] * weight[layout->member[i]];
            read[row * p->classes + c] = sum;
        }
}

static void sums_free(Sums *m)
{
    free(m->memory);
}

/* read: as in summed_with. */
static int sums_make(Sums *m, const Problem *p, const Plan *plan, const double *read, int backward)
{
    int64_t rows = p->segments + 1, states = p->states, grid = p->nodes * states;
    int64_t size = rows * (p->classes + 1) + 2 * states
        + (2 * grid + p->nodes) * (backward ? 2 : 1) + grid;
    m->p = p;
    m->plan = plan;
    m->layout = p->layout;
    double *next = m->memory = malloc((size_t)size * sizeof(double));
    if (!next) return 0;
#define TAKE(name, count) m->name = next; next += (count)
    TAKE(own_read, rows * p->classes); TAKE(stray, rows);
    TAKE(scratch, 2 * states);
    TAKE(ahead, grid); TAKE(stepped, grid); TAKE(kept, grid); TAKE(ahead_scale, p->nodes);
    if (backward) { TAKE(rest, grid); TAKE(entered, grid); TAKE(rest_scale, p->nodes); }
#undef TAKE
    m->read = read ? read : m->own_read;
    if (!read) read_weights(p, m->own_read);
    for (int64_t row = 0; row < rows; row++)
        m->stray[row] = p->label_weight[row * p->labels + p->rubbish];
    return 1;
}

/* What one arc brings to its end, times a factor, added to a row. */
static void bring(const Sums *m, int64_t arc, double factor, double *restrict to)
{
    const Problem *p = m->p;
    int64_t states = p->states, row = row_of(p, arc);
    const double *restrict kept = m->kept + (int64_t)p->src[arc] * states;
    const double *restrict stepped = m->stepped + (int64_t)p->src[arc] * states;
    const double *read = m->read + row * p->classes;
    const int32_t *run = m->layout->run;
    double stray = m->stray[row] * factor;
    if (stray != 0.0) for (int64_t s = 0; s < states; s++) to[s] += kept[s] * stray;
    for (int64_t c = 0; c < p->classes; c++) {
        double reading = read[c] * factor;
        if (reading == 0.0) continue;
        for (int32_t s = run[c + 1]; s < run[c + 2]; s++) to[s] += stepped[s] * reading;
    }
}

/* In eight strands: one would wait for each comparison. */
static double greatest(const double *row, int64_t count)
{
    double strand[8] = {0.0}, most = 0.0;
    int64_t s = 0;
    for (; s + 8 <= count; s += 8)
        for (int k = 0; k < 8; k++) strand[k] = row[s + k] > strand[k] ? row[s + k] : strand[k];
    for (; s < count; s++) most = row[s] > most ? row[s] : most;
    for (int k = 0; k < 8; k++) most = strand[k] > most ? strand[k] : most;
    return most;
}

/* Adds up one row, given a scale; where nothing is left of what there was, with a better scale. */
static void gather(Sums *m, int64_t node, double scale)
{
    const Problem *p = m->p;
    int64_t states = p->states;
    double *to = m->ahead + node * states;
    const int32_t *first = m->plan->arriving_first + node;
    double most = 0.0;
    for (int again = 0; again < 2; again++) {
        for (int64_t s = 0; s < states; s++) to[s] = 0.0;
        for (int32_t i = first[0]; i < first[1]; i++) {
            int32_t arc = m->plan->arriving[i];
            double behind = m->ahead_scale[p->src[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
            if (behind < INFINITY) bring(m, arc, exp(scale - behind), to);
        }
        most = greatest(to, states);
        if (again || most > 1e-200) break;
        double best = INFINITY;
        for (int32_t i = first[0]; i < first[1]; i++) {
            int32_t arc = m->plan->arriving[i];
            double behind = m->ahead_scale[p->src[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
            if (behind == INFINITY) continue;
            for (int64_t s = 0; s < states; s++) m->scratch[s] = 0.0;
            bring(m, arc, 1.0, m->scratch);
            double high = greatest(m->scratch, states);
            if (high > 0.0 && behind - log(high) < best) best = behind - log(high);
        }
        if (best == INFINITY) break;
        scale = best;
    }
    m->ahead_scale[node] = most > 0.0 ? scale - log(most) : INFINITY;
    double share = 1.0 / most;
    if (most > 0.0) for (int64_t s = 0; s < states; s++) to[s] *= share;
}

static void forward(Sums *m, int64_t nodes)
{
    const Problem *p = m->p;
    int64_t states = p->states;
    for (int64_t node = 0; node < nodes; node++) {
        double *ahead = m->ahead + node * states, *stepped = m->stepped + node * states;
        double *kept = m->kept + node * states, scale = INFINITY;
        for (int32_t i = m->plan->arriving_first[node]; i < m->plan->arriving_first[node + 1]; i++) {
            int32_t arc = m->plan->arriving[i];
            double behind = m->ahead_scale[p->src[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
            scale = behind < scale ? behind : scale;
        }
        if (node == 0) {
            for (int64_t s = 0; s < states; s++) ahead[s] = 0.0;
            ahead[m->layout->place[0]] = 1.0;
            m->ahead_scale[0] = 0.0;
        } else if (scale < INFINITY) {
            gather(m, node, scale);
        } else {
            for (int64_t s = 0; s < states; s++) ahead[s] = 0.0;
            m->ahead_scale[node] = INFINITY;
        }
        for (int64_t s = 0; s < states; s++) stepped[s] = kept[s] = 0.0;
        if (m->ahead_scale[node] == INFINITY) continue;
        /* Few states are reached: from those on, not back from all. */
        for (int64_t s = 0; s < states; s++) {
            double own = ahead[s];
            if (own == 0.0) continue;
            kept[s] = own * m->layout->rubbish[s];
            for (int32_t i = m->layout->out_first[s]; i < m->layout->out_first[s + 1]; i++)
                stepped[m->layout->out_other[i]] += own * m->layout->out[i];
        }
    }
}

/* What an arc to the last node brings to the finals. */
static double ending(const Sums *m, int64_t arc)
{
    const Problem *p = m->p;
    int64_t from = (int64_t)p->src[arc] * p->states, row = row_of(p, arc);
    double sum = 0.0;
    for (int64_t f = 0; f < p->finals; f++) {
        int32_t state = p->final[f], group = p->state_class[state];
        int64_t at = m->layout->place[state];
        double read = group < 0 ? 0.0 : m->stepped[from + at] * m->read[row * p->classes + group];
        sum += (m->kept[from + at] * m->stray[row] + read) * m->layout->final[at];
    }
    return sum;
}

int summed_with(
    const Problem *p, const Plan *plan, const double *read, const int32_t *field, int64_t fields,
    double *totals)
{
    Sums sums, *m = &sums;
    if (!sums_make(m, p, plan, read, 0)) return 0;
    int64_t last = p->nodes - 1;
    forward(m, last);
    double *scales = totals + fields;
    for (int64_t f = 0; f < fields; f++) totals[f] = scales[f] = INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = m->plan->arriving_first[last]; i < m->plan->arriving_first[last + 1]; i++) {
            int32_t arc = m->plan->arriving[i];
            double behind = m->ahead_scale[p->src[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
            if (behind == INFINITY) continue;
            double sum = ending(m, arc);
            if (sum == 0.0) continue;
            double penalty = behind - log(sum), *total = totals + field[arc];
            if (pass == 0) { if (penalty < scales[field[arc]]) scales[field[arc]] = penalty; }
            else *total = (*total == INFINITY ? 0.0 : *total) + exp(scales[field[arc]] - penalty);
        }
    for (int64_t f = 0; f < fields; f++)
        if (totals[f] < INFINITY) totals[f] = scales[f] - log(totals[f]);
    sums_free(m);
    return 1;
}

/* The same of a lattice and automaton alone. */
int summed_totals(const Problem *p, const int32_t *field, int64_t fields, double *totals)
{
    Plan plan;
    if (!plan_make(p, &plan)) return 0;
    int made = summed_with(p, &plan, 0, field, fields, totals);
    plan_free(&plan);
    return made;
}

/* Adds what one arc leads on to: to[0 .. states] where a symbol is read, strays where it is not. */
static void lead(const Sums *m, int64_t arc, double factor, double *to, double *strays)
{
    const Problem *p = m->p;
    int64_t states = p->states, row = row_of(p, arc);
    const double *rest = m->rest + (int64_t)p->dst[arc] * states;
    const double *read = m->read + row * p->classes;
    const int32_t *run = m->layout->run;
    double stray = m->stray[row] * factor;
    for (int64_t s = 0; s < states; s++) strays[s] += rest[s] * stray;
    for (int64_t c = 0; c < p->classes; c++) {
        double reading = read[c] * factor;
        for (int32_t s = run[c + 1]; s < run[c + 2]; s++) to[s] += rest[s] * reading;
    }
}

static void backward(Sums *m)
{
    const Problem *p = m->p;
    int64_t states = p->states;
    double *strays = m->scratch;
    for (int64_t node = p->nodes - 1; node >= 0; node--) {
        double *rest = m->rest + node * states, *entered = m->entered + node * states;
        const int32_t *first = m->plan->leaving_first + node;
        for (int64_t s = 0; s < states; s++) rest[s] = entered[s] = 0.0;
        double scale = INFINITY, most = 0.0;
        if (node == p->nodes - 1) {
            for (int64_t s = 0; s < states; s++) rest[s] = m->layout->final[s];
            scale = 0.0;
            most = greatest(rest, states);
        } else {
            for (int32_t i = first[0]; i < first[1]; i++) {
                int32_t arc = m->plan->leaving[i];
                double behind = m->rest_scale[p->dst[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
                scale = behind < scale ? behind : scale;
            }
        }
        for (int again = 0; node < p->nodes - 1 && scale < INFINITY && again < 2; again++) {
            for (int64_t s = 0; s < states; s++) strays[s] = entered[s] = 0.0;
            for (int32_t i = first[0]; i < first[1]; i++) {
                int32_t arc = m->plan->leaving[i];
                double behind = m->rest_scale[p->dst[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
                if (behind < INFINITY) lead(m, arc, exp(scale - behind), entered, strays);
            }
            for (int64_t s = 0; s < states; s++) {
                double sum = strays[s] * m->layout->rubbish[s];
                for (int32_t i = m->layout->out_first[s]; i < m->layout->out_first[s + 1]; i++)
                    sum += entered[m->layout->out_other[i]] * m->layout->out[i];
                rest[s] = sum;
            }
            most = greatest(rest, states);
            if (again || most > 1e-200) break;
            double best = INFINITY;
            for (int32_t i = first[0]; i < first[1]; i++) {
                int32_t arc = m->plan->leaving[i];
                double behind = m->rest_scale[p->dst[arc]] + p->penalty[arc] + p->label_least[row_of(p, arc)];
                if (behind == INFINITY) continue;
                for (int64_t s = 0; s < states; s++) strays[s] = entered[s] = 0.0;
                lead(m, arc, 1.0, entered, strays);
                double high = greatest(entered, states), other = greatest(strays, states);
                high = other > high ? other : high;
                if (high > 0.0 && behind - log(high) < best) best = behind - log(high);
            }
            if (best == INFINITY) break;
            scale = best;
        }
        m->rest_scale[node] = most > 0.0 ? scale - log(most) : INFINITY;
        if (most > 0.0)
            for (int64_t s = 0; s < states; s++) { rest[s] /= most; entered[s] /= most; }
    }
}

/* How often the paths use each piece, weighted, see sweep.Expected; all outputs begin as zeros.
 * Returns 1, and 0 where memory is short; *total is +infinity where there is no path. */
int summed_expected(
    const Problem *p, double *total, double *labels, double *arcs, double *moves, double *classes,
    double *strays, double *finals)
{
    Plan plan;
    if (!plan_make(p, &plan)) return 0;
    Sums sums, *m = &sums;
    if (!sums_make(m, p, &plan, 0, 1)) { plan_free(&plan); return 0; }
    forward(m, p->nodes);
    backward(m);
    int64_t states = p->states, last = p->nodes - 1, width = p->labels - 1;
    double whole = 0.0;
    const double *end = m->ahead + last * states;
    for (int64_t s = 0; s < states; s++) whole += end[s] * m->layout->final[s];
    *total = whole > 0.0 ? m->ahead_scale[last] - log(whole) : INFINITY;
    double *count = calloc((size_t)((p->segments + 1) * p->classes), sizeof(double));
    if (!count || *total == INFINITY) {
        int made = count != 0;
        free(count);
        sums_free(m);
        plan_free(&plan);
        return made;
    }
    for (int64_t arc = 0; arc < p->arcs; arc++) {
        int64_t row = row_of(p, arc);
        const double *ahead = m->ahead + (int64_t)p->src[arc] * states;
        const double *stepped = m->stepped + (int64_t)p->src[arc] * states;
        const double *rest = m->rest + (int64_t)p->dst[arc] * states;
        double through = m->ahead_scale[p->src[arc]] + m->rest_scale[p->dst[arc]]
            + p->penalty[arc] + p->label_least[row];
        if (through == INFINITY) continue;
        double factor = exp(fmin(*total - through, LARGEST)), stray = m->stray[row] * factor, unread = 0.0;
        for (int64_t s = 0; s < states; s++) {
            double one = ahead[s] * m->layout->rubbish[s] * rest[s] * stray;
            unread += one;
            strays[m->layout->order[s]] += one;
        }
        if (p->segment[arc] >= 0) labels[row * width + p->rubbish] += unread;
        double used = unread;
        for (int64_t c = 0; c < p->classes; c++) {
            double sum = 0.0;
            for (int32_t s = m->layout->run[c + 1]; s < m->layout->run[c + 2]; s++)
                sum += stepped[s] * rest[s];
            sum *= factor * m->read[row * p->classes + c];
            count[row * p->classes + c] += sum;
            used += sum;
        }
        arcs[arc] = used;
    }
    for (int64_t row = 0; row <= p->segments; row++)
        for (int64_t c = 0; c < p->classes; c++) {
            double share = count[row * p->classes + c];
            if (share == 0.0) continue;
            share /= m->read[row * p->classes + c];
            for (int32_t i = m->layout->member_first[c]; i < m->layout->member_first[c + 1]; i++) {
                int32_t k = m->layout->member[i];
                double one = share * p->label_weight[row * p->labels + k] * m->layout->weight[c * p->labels + k];
                if (k < width && row < p->segments) labels[row * width + k] += one;
                classes[c * p->labels + k] += one;
            }
        }
    for (int64_t node = 0; node < last; node++) {
        /* entered is relative to the scale of rest at the same cut. */
        double through = m->ahead_scale[node] + m->rest_scale[node];
        if (through == INFINITY) continue;
        double factor = exp(fmin(*total - through, LARGEST));
        const double *ahead = m->ahead + node * states, *entered = m->entered + node * states;
        for (int64_t s = 0; s < states; s++)
            for (int32_t i = m->layout->out_first[s]; i < m->layout->out_first[s + 1]; i++)
                moves[m->layout->out_of[i]] +=
                    factor * ahead[s] * m->layout->out[i] * entered[m->layout->out_other[i]];
    }
    for (int64_t f = 0; f < p->finals; f++)
        finals[f] = end[m->layout->place[p->final[f]]] * exp(-p->final_penalty[f]) / whole;
    free(count);
    sums_free(m);
    plan_free(&plan);
    return 1;
}
