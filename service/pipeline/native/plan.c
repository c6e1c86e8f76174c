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

int plan_make(const Problem *p, Plan *plan)
{
    int64_t s = p->states, t = p->moves, a = p->arcs, n = p->nodes, c = p->classes;
    int64_t size = 2 * s + (c + 2) + 2 * (s + 1 + 2 * t) + 2 * (n + 1 + a) + (c + 1)
        + c * p->labels + (s > t ? s : t);
    int32_t *next = plan->memory = calloc((size_t)size, sizeof(int32_t));
    if (!next) return 0;
#define TAKE(name, count) plan->name = next; next += (count)
    TAKE(order, s); TAKE(place, s); TAKE(run, c + 2);
    TAKE(into_first, s + 1); TAKE(into, t); TAKE(into_other, t);
    TAKE(out_first, s + 1); TAKE(out_of, t); TAKE(out_other, t);
    TAKE(arriving_first, n + 1); TAKE(arriving, a);
    TAKE(leaving_first, n + 1); TAKE(leaving, a);
    TAKE(member_first, c + 1); TAKE(member, c * p->labels);
#undef TAKE
    int32_t *key = next;
    for (int64_t i = 0; i < s; i++) key[i] = p->state_class[i] + 1;
    sort_by(key, s, c + 1, plan->run, plan->order);
    for (int64_t i = 0; i < s; i++) plan->place[plan->order[i]] = (int32_t)i;
    for (int64_t i = 0; i < t; i++) key[i] = plan->place[p->to[i]];
    sort_by(key, t, s, plan->into_first, plan->into);
    for (int64_t i = 0; i < t; i++) plan->into_other[i] = plan->place[p->from[plan->into[i]]];
    for (int64_t i = 0; i < t; i++) key[i] = plan->place[p->from[i]];
    sort_by(key, t, s, plan->out_first, plan->out_of);
    for (int64_t i = 0; i < t; i++) plan->out_other[i] = plan->place[p->to[plan->out_of[i]]];
    sort_by(p->dst, a, n, plan->arriving_first, plan->arriving);
    sort_by(p->src, a, n, plan->leaving_first, plan->leaving);
    int32_t members = 0;
    for (int64_t g = 0; g < c; g++) {
        plan->member_first[g] = members;
        for (int64_t k = 0; k < p->labels; k++)
            if (p->class_penalty[g * p->labels + k] < INFINITY) plan->member[members++] = (int32_t)k;
    }
    plan->member_first[c] = members;
    return 1;
}

void plan_free(Plan *plan)
{
    free(plan->memory);
}
