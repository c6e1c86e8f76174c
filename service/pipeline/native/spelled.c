/* The summed penalties of the strings that mean given amounts, see spelling.py: the automaton of pairs
 * (state, digits written so far). Amounts with as many digits share one, which is made once; a class of
 * it holds a class of the grammar and, where a digit is written, which one of the amount's it is. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a grammar says of its states and finals beside its automaton; roles as in amount.Role. */
typedef struct {
    const uint8_t *role;
    const uint64_t *majors_before, *majors_after, *cents_after;
    const uint8_t *only_zeros, *negative;
    int64_t major, cents, zero; /* two roles, and the label of 0 */
} Grammar;

/* How an amount is written: its digits, two of cents among them; whether these may be left out; its
 * sign, 0 for either. */
typedef struct {
    int64_t count, whole, sign;
} Form;

/* The automaton of all amounts of a form. group, digit i32[classes]: of a class the grammar's, and the
 * place in the amount of the digit that it is, -1 for any symbol of the class, -2 for a leading zero. */
typedef struct {
    Problem problem;
    Layout *layout;
    int32_t *ints;
    double *reals;
    int32_t *group, *digit;
    int32_t zero;
} Spelling;

enum { MOST_DIGITS = 62, ANY = -1, LEADING_ZERO = -2 };

/* Which digit alone may enter a state at a place, as in Spelling. */
static int32_t digit_at(const Grammar *g, int64_t s, int64_t place)
{
    if (g->role[s] == g->cents) return (int32_t)place - 1;
    if (g->role[s] != g->major) return ANY;
    return place == 0 ? LEADING_ZERO : (int32_t)place - 1;
}

/* The places at which a state lies on a path to the end, a bit each, lowest first. */
static uint64_t places_of(const Grammar *g, const Form *a, int64_t s)
{
    int64_t written = a->count - 2;
    uint64_t after = g->majors_after[s], before = g->majors_before[s], cents = g->cents_after[s];
    uint64_t found = 0;
    if (s == 0) return 1;
    if (g->role[s] != g->cents && (cents & (a->whole ? 5 : 4))) {
        /* Zeros may still come before the first digit, so that more may follow than are left. */
        if (g->only_zeros[s] && before && after >> written) found = 1;
        for (int64_t place = 1; place <= written; place++)
            if ((after >> (written - place) & 1) && before >> place) found |= (uint64_t)1 << place;
    }
    if (g->role[s] != g->major && (after & 1) && before >> written)
        for (int64_t left = 0; left < 2; left++)
            if (cents >> left & 1) found |= (uint64_t)1 << (a->count - left);
    return found;
}

void spelling_free(Spelling *m)
{
    if (!m) return;
    layout_free(m->layout);
    free(m->ints);
    free(m->reals);
    free(m);
}

/* To be freed with spelling_free, 0 without memory; p: of the grammar, whatever its lattice. It must
 * outlive this. */
Spelling *spelling_make(const Problem *p, const Grammar *g, const Form *a)
{
    int64_t size = a->count + 1, written = a->count - 2, pairs = p->states * size;
    int64_t moves = p->moves * (size + 1), ends = 2 * p->finals, classes = p->classes * (size + 2);
    Spelling *m = calloc(1, sizeof(Spelling));
    if (!m) return 0;
    int32_t *number = malloc((size_t)(pairs + classes) * sizeof(int32_t)), *known = number + pairs;
    uint64_t *places = malloc((size_t)(p->states + 1) * sizeof(uint64_t));
    m->ints = malloc((size_t)(pairs + 2 * moves + ends + 2 * classes + 1) * sizeof(int32_t));
    m->reals = malloc((size_t)(pairs + moves + ends + classes * p->labels + 1) * sizeof(double));
    if (!number || !places || !m->ints || !m->reals) {
        free(number);
        free(places);
        spelling_free(m);
        return 0;
    }
    Problem *q = &m->problem;
    *q = *p;
    int32_t *state_class = m->ints, *from = state_class + pairs, *to = from + moves;
    int32_t *final = to + moves;
    double *rubbish = m->reals, *move = rubbish + pairs, *final_penalty = move + moves;
    double *class_penalty = final_penalty + ends;
    m->group = final + ends;
    m->digit = m->group + classes;
    m->zero = (int32_t)g->zero;
    q->states = q->moves = q->classes = q->finals = 0;
    memset(known, -1, (size_t)classes * sizeof(int32_t));
    for (int64_t s = 0; s < p->states; s++) {
        places[s] = places_of(g, a, s);
        for (uint64_t rest = places[s]; rest; rest &= rest - 1) {
            int64_t place = __builtin_ctzll(rest), group = p->state_class[s];
            int32_t digit = s ? digit_at(g, s, place) : ANY;
            int32_t *own = known + group * (size + 2) + digit + 2;
            if (group >= 0 && *own < 0) {
                *own = (int32_t)q->classes;
                m->group[q->classes] = (int32_t)group;
                m->digit[q->classes] = digit;
                memcpy(class_penalty + q->classes++ * p->labels, p->class_penalty + group * p->labels,
                       (size_t)p->labels * sizeof(double));
            }
            state_class[q->states] = group < 0 ? -1 : *own;
            rubbish[q->states] = p->rubbish_penalty[s];
            number[s * size + place] = (int32_t)q->states++;
        }
    }
    for (int64_t t = 0; t < p->moves; t++) {
        const int32_t *src = number + p->from[t] * size, *dst = number + p->to[t] * size;
        uint64_t before = places[p->from[t]], after = places[p->to[t]];
        int major = g->role[p->to[t]] == g->major, digit = major || g->role[p->to[t]] == g->cents;
        uint64_t stays = before & after & (major ? 1 : digit ? 0 : ~(uint64_t)0);
        uint64_t advances = digit ? before & after >> 1 : 0;
        for (uint64_t rest = stays | advances; rest; rest &= rest - 1) {
            int64_t place = __builtin_ctzll(rest);
            for (int64_t on = 0; on < 2; on++) {
                if (!((on ? advances : stays) >> place & 1)) continue;
                from[q->moves] = src[place];
                to[q->moves] = dst[place + on];
                move[q->moves++] = p->move_penalty[t];
            }
        }
    }
    for (int64_t f = 0; f < p->finals; f++) {
        if (a->sign && (a->sign < 0) != (g->negative[f] != 0)) continue;
        for (int64_t way = a->whole ? 0 : 1; way < 2; way++) {
            int64_t place = written + 2 * way;
            if (!(places[p->final[f]] >> place & 1)) continue;
            final[q->finals] = number[p->final[f] * size + place];
            final_penalty[q->finals++] = p->final_penalty[f];
        }
    }
    free(number);
    free(places);
    q->state_class = state_class;
    q->class_penalty = class_penalty;
    q->from = from;
    q->to = to;
    q->move_penalty = move;
    q->rubbish_penalty = rubbish;
    q->final = final;
    q->final_penalty = final_penalty;
    q->layout = m->layout = layout_make(q);
    if (!m->layout) { spelling_free(m); return 0; }
    return m;
}

/* The weights of reading each segment as a symbol of a class of a form's automaton, for one amount;
 * any: of the grammar's classes. */
static void narrow(
    const Spelling *m, const Problem *p, const int32_t *digits, const double *any, double *read)
{
    const double *label = p->label_weight;
    int64_t classes = m->problem.classes, labels = p->labels;
    for (int64_t row = 0; row <= p->segments; row++, label += labels, any += p->classes, read += classes)
        for (int64_t c = 0; c < classes; c++) {
            int32_t digit = m->digit[c], k = digit < 0 ? m->zero : digits[digit];
            const double *weight = p->layout->weight + m->group[c] * labels;
            read[c] = digit == ANY ? any[m->group[c]] : label[k] * weight[k];
        }
}

/* The summed penalty of each of so many amounts, +infinity where nothing spells it; 0 where memory is
 * short. spellings: of the form of each, see `spelling_make`, or 0 where none has it; digits: the labels
 * of its digits, those of the cents last. */
int spelled_totals(
    const Problem *p, const Spelling *const *spellings, const int32_t *const *digits, int64_t count,
    double *totals)
{
    int64_t rows = p->segments + 1, classes = 0;
    for (int64_t i = 0; i < count; i++)
        if (spellings[i] && spellings[i]->problem.classes > classes)
            classes = spellings[i]->problem.classes;
    double *any = malloc((size_t)(rows * (p->classes + classes)) * sizeof(double));
    int32_t *field = calloc((size_t)(p->arcs + 1), sizeof(int32_t));
    Plan plan;
    if (!any || !field || !plan_make(p, &plan)) {
        free(any);
        free(field);
        return 0;
    }
    double *read = any + rows * p->classes;
    read_weights(p, any);
    int made = 1;
    for (int64_t i = 0; i < count && made; i++) {
        totals[i] = INFINITY;
        const Spelling *m = spellings[i];
        if (!m) continue;
        narrow(m, p, digits[i], any, read);
        /* The form's automaton over this lattice. */
        Problem spelled = m->problem;
        spelled.nodes = p->nodes;
        spelled.arcs = p->arcs;
        spelled.segments = p->segments;
        spelled.rubbish = p->rubbish;
        spelled.src = p->src;
        spelled.dst = p->dst;
        spelled.segment = p->segment;
        spelled.penalty = p->penalty;
        spelled.label_penalty = p->label_penalty;
        spelled.label_weight = p->label_weight;
        spelled.label_least = p->label_least;
        double found[2];
        made = summed_with(&spelled, &plan, read, field, 1, found);
        totals[i] = found[0];
    }
    plan_free(&plan);
    free(any);
    free(field);
    return made;
}
