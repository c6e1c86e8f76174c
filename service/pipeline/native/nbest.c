/* The n best strings of an acyclic graph, see graph.n_best: the same search, compiled. */
#include "nbest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t node, trail;
    double penalty;
} Entry;

typedef struct {
    double estimate;
    int64_t depth, tick, first, count; /* entries of a front; count -1: a whole path, */
    int32_t final, trail;              /* its final and its last trail */
} Item;

typedef struct {
    int32_t arc, before;
} Trail;

typedef struct {
    void *data;
    int64_t count, room;
    size_t size;
} Pool;

static void *pool_add(Pool *pool)
{
    if (pool->count == pool->room) {
        int64_t room = pool->room ? 2 * pool->room : 256;
        void *more = realloc(pool->data, (size_t)room * pool->size);
        if (!more) return 0;
        pool->data = more;
        pool->room = room;
    }
    return (char *)pool->data + (size_t)pool->count++ * pool->size;
}

static int earlier(const Item *a, const Item *b)
{
    if (a->estimate != b->estimate) return a->estimate < b->estimate;
    if (a->depth != b->depth) return a->depth < b->depth;
    return a->tick < b->tick;
}

static int heap_push(Pool *heap, Item item)
{
    if (!pool_add(heap)) return 0;
    Item *items = heap->data;
    int64_t i = heap->count - 1;
    while (i > 0 && earlier(&item, items + (i - 1) / 2)) {
        items[i] = items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    items[i] = item;
    return 1;
}

static Item heap_pop(Pool *heap)
{
    Item *items = heap->data, top = items[0], last = items[--heap->count];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && earlier(items + child + 1, items + child)) child++;
        if (!earlier(items + child, &last)) break;
        items[i] = items[child];
        i = child;
    }
    if (heap->count) items[i] = last;
    return top;
}

/* The lowest penalty from each node to the end, f64[nodes]; arcs lead to higher nodes. */
int best_completions(const Graph *g, double *rest)
{
    int32_t *first = calloc((size_t)(g->nodes + 1 + g->arcs), sizeof(int32_t));
    if (!first) return 0;
    int32_t *sorted = first + g->nodes + 1;
    for (int64_t a = 0; a < g->arcs; a++) first[g->src[a] + 1]++;
    for (int64_t n = 0; n < g->nodes; n++) first[n + 1] += first[n];
    for (int64_t a = 0; a < g->arcs; a++) sorted[first[g->src[a]]++] = (int32_t)a;
    for (int64_t n = g->nodes; n > 0; n--) first[n] = first[n - 1];
    first[0] = 0;
    for (int64_t n = 0; n < g->nodes; n++) rest[n] = INFINITY;
    for (int64_t f = 0; f < g->finals; f++) rest[g->final[f]] = g->final_penalty[f];
    for (int64_t n = g->nodes - 1; n >= 0; n--)
        for (int32_t i = first[n]; i < first[n + 1]; i++) {
            double onward = g->penalty[sorted[i]] + rest[g->dst[sorted[i]]];
            rest[n] = onward < rest[n] ? onward : rest[n];
        }
    free(first);
    return 1;
}

typedef struct {
    const Graph *g;
    int32_t *first, *leaving, *end; /* arcs by the node they leave; index of a final, or -1 */
    int32_t *seen, *waiting, *stamp, *next, *head, *tail, *met;
    int32_t *memory;
    int32_t now;
    Pool entries, trails, heap, steps;
    int64_t tick;
} Search;

typedef struct {
    int32_t label, node, arc, trail;
    double penalty;
} Step;

static int32_t add_trail(Search *s, int32_t arc, int32_t before)
{
    Trail *trail = pool_add(&s->trails);
    if (!trail) return -2;
    *trail = (Trail){arc, before};
    return (int32_t)(s->trails.count - 1);
}

/* Adds to the front, the last of the entries, what silent arcs lead to; lower nodes first. */
static int close_front(Search *s, int64_t first)
{
    const Graph *g = s->g;
    Entry *entries = s->entries.data;
    int64_t waiting = 0;
    s->now++;
    for (int64_t i = first; i < s->entries.count; i++) {
        s->stamp[entries[i].node] = s->now;
        s->seen[entries[i].node] = (int32_t)(i - first);
        s->waiting[waiting++] = entries[i].node;
    }
    while (waiting) {
        int64_t least = 0;
        for (int64_t i = 1; i < waiting; i++) least = s->waiting[i] < s->waiting[least] ? i : least;
        int32_t node = s->waiting[least];
        s->waiting[least] = s->waiting[--waiting];
        Entry from = ((Entry *)s->entries.data)[first + s->seen[node]];
        for (int32_t i = s->first[node]; i < s->first[node + 1]; i++) {
            int32_t arc = s->leaving[i], dst = g->dst[arc];
            if (!g->silent[g->label[arc]]) continue;
            double total = from.penalty + g->penalty[arc];
            if (s->stamp[dst] != s->now) {
                s->stamp[dst] = s->now;
                s->seen[dst] = (int32_t)(s->entries.count - first);
                s->waiting[waiting++] = dst;
                Entry *entry = pool_add(&s->entries);
                if (!entry) return 0;
                *entry = (Entry){dst, -1, INFINITY};
            } else if (!(total < ((Entry *)s->entries.data)[first + s->seen[dst]].penalty)) {
                continue;
            }
            int32_t trail = add_trail(s, arc, from.trail);
            if (trail == -2) return 0;
            Entry *to = (Entry *)s->entries.data + first + s->seen[dst];
            to->penalty = total;
            to->trail = trail;
        }
    }
    return 1;
}

static int push_ending(Search *s, int64_t first, int64_t depth)
{
    const Entry *entries = s->entries.data;
    double best = INFINITY;
    Item item = {0, depth, 0, 0, -1, -1, -1};
    for (int64_t i = first; i < s->entries.count; i++) {
        int32_t end = s->end[entries[i].node];
        if (end < 0) continue;
        double total = entries[i].penalty + s->g->final_penalty[end];
        if (total < best) {
            best = total;
            item.final = end;
            item.trail = entries[i].trail;
        }
    }
    if (item.final < 0) return 1;
    item.estimate = best;
    item.tick = s->tick++;
    return heap_push(&s->heap, item);
}

/* Pushes what each label leads the front to, labels in the order in which they are met. */
static int push_steps(Search *s, int64_t first, int64_t depth)
{
    const Graph *g = s->g;
    const Entry *entries = s->entries.data;
    int64_t end = s->entries.count, met = 0;
    s->steps.count = 0;
    for (int64_t i = first; i < end; i++)
        for (int32_t k = s->first[entries[i].node]; k < s->first[entries[i].node + 1]; k++) {
            int32_t arc = s->leaving[k], label = g->label[arc];
            if (g->silent[label]) continue;
            Step *step = pool_add(&s->steps);
            if (!step) return 0;
            *step = (Step){label, g->dst[arc], arc, entries[i].trail,
                           entries[i].penalty + g->penalty[arc]};
        }
    int32_t *next = realloc(s->next, (size_t)(s->steps.count + 1) * sizeof(int32_t));
    if (!next) return 0;
    s->next = next;
    const Step *steps = s->steps.data;
    for (int64_t i = 0; i < s->steps.count; i++) {
        int32_t label = steps[i].label;
        next[i] = -1;
        if (s->head[label] < 0) {
            s->head[label] = (int32_t)i;
            s->met[met++] = label;
        } else {
            next[s->tail[label]] = (int32_t)i;
        }
        s->tail[label] = (int32_t)i;
    }
    for (int64_t m = 0; m < met; m++) {
        int32_t label = s->met[m];
        Item item = {INFINITY, depth - 1, 0, s->entries.count, 0, -1, -1};
        s->now++;
        for (int32_t i = s->head[label]; i >= 0; i = next[i]) {
            int32_t node = steps[i].node;
            if (s->stamp[node] != s->now) {
                s->stamp[node] = s->now;
                s->seen[node] = (int32_t)(s->entries.count - item.first);
                Entry *entry = pool_add(&s->entries);
                if (!entry) return 0;
                *entry = (Entry){node, -1, INFINITY};
            } else if (!(steps[i].penalty < ((Entry *)s->entries.data)[item.first + s->seen[node]].penalty)) {
                continue;
            }
            int32_t trail = add_trail(s, steps[i].arc, steps[i].trail);
            if (trail == -2) return 0;
            Entry *to = (Entry *)s->entries.data + item.first + s->seen[node];
            to->penalty = steps[i].penalty;
            to->trail = trail;
        }
        s->head[label] = -1;
        item.count = s->entries.count - item.first;
        const Entry *own = (const Entry *)s->entries.data + item.first;
        for (int64_t i = 0; i < item.count; i++) {
            double estimate = own[i].penalty + g->rest[own[i].node];
            item.estimate = estimate < item.estimate ? estimate : item.estimate;
        }
        item.tick = s->tick++;
        if (!heap_push(&s->heap, item)) return 0;
    }
    return 1;
}

static int prepare(Search *s, const Graph *g)
{
    int64_t size = (g->nodes + 1) + g->arcs + 4 * g->nodes + 3 * g->labels;
    memset(s, 0, sizeof(*s));
    s->g = g;
    s->entries.size = sizeof(Entry);
    s->trails.size = sizeof(Trail);
    s->heap.size = sizeof(Item);
    s->steps.size = sizeof(Step);
    int32_t *next = s->memory = calloc((size_t)size, sizeof(int32_t));
    if (!next) return 0;
#define TAKE(name, count) s->name = next; next += (count)
    TAKE(first, g->nodes + 1); TAKE(leaving, g->arcs);
    TAKE(end, g->nodes); TAKE(seen, g->nodes); TAKE(waiting, g->nodes); TAKE(stamp, g->nodes);
    TAKE(head, g->labels); TAKE(tail, g->labels); TAKE(met, g->labels);
#undef TAKE
    for (int64_t n = 0; n < g->nodes; n++) s->end[n] = -1;
    for (int64_t k = 0; k < g->labels; k++) s->head[k] = -1;
    for (int64_t f = 0; f < g->finals; f++) s->end[g->final[f]] = (int32_t)f;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t a = 0; a < g->arcs; a++) {
            if (!(g->penalty[a] < INFINITY && g->rest[g->dst[a]] < INFINITY)) continue;
            if (pass == 0) s->first[g->src[a] + 1]++;
            else s->leaving[s->first[g->src[a]]++] = (int32_t)a;
        }
        if (pass == 0) for (int64_t n = 0; n < g->nodes; n++) s->first[n + 1] += s->first[n];
    }
    for (int64_t n = g->nodes; n > 0; n--) s->first[n] = s->first[n - 1];
    s->first[0] = 0;
    return 1;
}

/* Up to n paths of at most a penalty: penalty f64[n], final i32[n], length i32[n], arcs i32[n, nodes].
 * Returns how many; -1 without memory. */
int64_t n_best(
    const Graph *g, int64_t start, int64_t n, double bound, double *penalty, int32_t *final,
    int32_t *length, int32_t *arcs)
{
    Search search, *s = &search;
    int64_t found = 0;
    int failed = !prepare(s, g);
    if (!failed && n > 0 && g->rest[start] < INFINITY) {
        Entry *entry = pool_add(&s->entries);
        failed = !entry;
        if (entry) *entry = (Entry){(int32_t)start, -1, 0.0};
        failed = failed || !heap_push(&s->heap, (Item){g->rest[start], 0, s->tick++, 0, 1, -1, -1});
    }
    while (!failed && s->heap.count && found < n) {
        Item item = heap_pop(&s->heap);
        if (item.estimate > bound) break;
        if (item.count < 0) {
            const Trail *trails = s->trails.data;
            int32_t steps = 0, *out = arcs + found * g->nodes;
            for (int32_t t = item.trail; t >= 0; t = trails[t].before) steps++;
            length[found] = steps;
            for (int32_t t = item.trail; t >= 0; t = trails[t].before) out[--steps] = trails[t].arc;
            penalty[found] = item.estimate;
            final[found++] = item.final;
            continue;
        }
        int64_t first = s->entries.count;
        for (int64_t i = 0; i < item.count && !failed; i++) {
            Entry *entry = pool_add(&s->entries);
            failed = !entry;
            if (entry) *entry = ((Entry *)s->entries.data)[item.first + i];
        }
        failed = failed || !close_front(s, first) || !push_ending(s, first, item.depth)
            || !push_steps(s, first, item.depth);
    }
    free(s->memory);
    free(s->next);
    free(s->entries.data);
    free(s->trails.data);
    free(s->heap.data);
    free(s->steps.data);
    return failed ? -1 : found;
}
