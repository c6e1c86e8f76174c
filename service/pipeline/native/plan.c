#include "sweep.h"

#include <math.h>
#include <stdlib.h>

/* Indices 0 .. count sorted by key (0 .. keys), stable; first[k] is where those of key k begin. */
static void sort_by(const int32_t *key, int64_t count, int64_t keys, int32_t *first, int32_t *sorted)
{
    for (int64_t k = 0; k <= keys; k++) first[k] = 0;
    for (int64_t i = 0; i < count; i++) first[key[i] + 1]++;
    for (int64_t k = 0; k < keys; k++) first[k + 1] += first[k];
    for (int64_t i = 0; i < count; i++) sorted[first[key[i]]++] = (int32_t)i;
    for (int64_t k = keys; k > 0; k--) first[k] = first[k - 1];
    first[0] = 0;
}

Layout *layout_make(const Problem *p)
{
    int64_t s = p->states, t = p->moves, c = p->classes, labels = p->labels;
    int64_t size = 2 * s + (c + 2) + 2 * (s + 1 + 2 * t) + (c + 1) + c * labels + (s > t ? s : t);
    Layout *layout = calloc(1, sizeof(Layout));
    if (!layout) return 0;
    int32_t *next = layout->memory = calloc((size_t)size, sizeof(int32_t));
    double *real = layout->weights = calloc((size_t)(t + 2 * s + c * labels + 1), sizeof(double));
    if (!next || !real) { layout_free(layout); return 0; }
#define TAKE(name, count) layout->name = next; next += (count)
    TAKE(order, s); TAKE(place, s); TAKE(run, c + 2);
    TAKE(into_first, s + 1); TAKE(into, t); TAKE(into_other, t);
    TAKE(out_first, s + 1); TAKE(out_of, t); TAKE(out_other, t);
    TAKE(member_first, c + 1); TAKE(member, c * labels);
#undef TAKE
    layout->out = real;
    layout->rubbish = layout->out + t;
    layout->final = layout->rubbish + s;
    layout->weight = layout->final + s;
    int32_t *key = next;
    for (int64_t i = 0; i < s; i++) key[i] = p->state_class[i] + 1;
    sort_by(key, s, c + 1, layout->run, layout->order);
    for (int64_t i = 0; i < s; i++) layout->place[layout->order[i]] = (int32_t)i;
    for (int64_t i = 0; i < t; i++) key[i] = layout->place[p->to[i]];
    sort_by(key, t, s, layout->into_first, layout->into);
    for (int64_t i = 0; i < t; i++) layout->into_other[i] = layout->place[p->from[layout->into[i]]];
    for (int64_t i = 0; i < t; i++) key[i] = layout->place[p->from[i]];
    sort_by(key, t, s, layout->out_first, layout->out_of);
    for (int64_t i = 0; i < t; i++) layout->out_other[i] = layout->place[p->to[layout->out_of[i]]];
    int32_t members = 0;
    for (int64_t g = 0; g < c; g++) {
        layout->member_first[g] = members;
        for (int64_t k = 0; k < labels; k++) {
            double penalty = p->class_penalty[g * labels + k];
            if (!(penalty < INFINITY)) continue;
            layout->member[members++] = (int32_t)k;
            layout->weight[g * labels + k] = exp(-penalty);
        }
    }
    layout->member_first[c] = members;
    for (int64_t i = 0; i < t; i++) layout->out[i] = exp(-p->move_penalty[layout->out_of[i]]);
    for (int64_t i = 0; i < s; i++) layout->rubbish[i] = exp(-p->rubbish_penalty[layout->order[i]]);
    for (int64_t f = 0; f < p->finals; f++)
        layout->final[layout->place[p->final[f]]] = exp(-p->final_penalty[f]);
    return layout;
}

void layout_free(Layout *layout)
{
    if (!layout) return;
    free(layout->memory);
    free(layout->weights);
    free(layout);
}

int plan_make(const Problem *p, Plan *plan)
{
    int64_t a = p->arcs, n = p->nodes;
    int32_t *next = plan->memory = calloc((size_t)(2 * (n + 1 + a)), sizeof(int32_t));
    if (!next) return 0;
    plan->arriving_first = next;
    plan->arriving = plan->arriving_first + n + 1;
    plan->leaving_first = plan->arriving + a;
    plan->leaving = plan->leaving_first + n + 1;
    sort_by(p->dst, a, n, plan->arriving_first, plan->arriving);
    sort_by(p->src, a, n, plan->leaving_first, plan->leaving);
    return 1;
}

void plan_free(Plan *plan)
{
    free(plan->memory);
}
