/* The summed penalties of the strings that mean given amounts, see spelling.py: the same automaton of
 * pairs (state, digits written so far), without arrays in between. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int summed_totals(const Problem *p, const int32_t *field, int64_t fields, double *totals);

/* What a grammar says of its states and finals beside its automaton; roles as in amount.Role. */
typedef struct {
    const uint8_t *role;
    const uint64_t *majors_before, *majors_after, *cents_after;
    const uint8_t *only_zeros, *negative;
    int64_t major, cents, zero; /* two roles, and the label of 0 */
} Grammar;

/* The digits of an amount as labels, those of the cents last; sign: 0 for either. */
typedef struct {
    const int32_t *digit;
    int64_t count, whole, sign;
} Amount;

enum { MOST_DIGITS = 62 };

/* The label that alone may enter a state at a place, -1 for any of its class. */
static int32_t label_at(const Grammar *g, const Amount *a, int64_t s, int64_t place)
{
    if (g->role[s] == g->cents) return a->digit[place - 1];
    if (g->role[s] != g->major) return -1;
    return place == 0 ? (int32_t)g->zero : a->digit[place - 1];
}

/* The places at which a state lies on a path to the end, a bit each, lowest first. */
static uint64_t places_of(const Problem *p, const Grammar *g, const Amount *a, int64_t s)
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
    if (g->role[s] != g->major && g->role[s] != g->cents) return found;
    for (uint64_t rest = found; rest; rest &= rest - 1) {
        int64_t place = __builtin_ctzll(rest);
        int64_t at = p->state_class[s] * p->labels + label_at(g, a, s, place);
        if (!(p->class_penalty[at] < INFINITY)) found &= ~((uint64_t)1 << place);
    }
    return found;
}

/* An automaton as it grows; number: of each pair, by state and place. */
typedef struct {
    int64_t kept, classes, moves, ends;
    uint64_t *places;
    int32_t *number, *narrowed, *state_class, *from, *to, *final, *field;
    double *rubbish, *move, *final_penalty, *class_penalty;
} Spelling;

/* The class of a state at a place: one of its own for the one label that may enter, once. */
static int32_t class_of(const Problem *p, Spelling *m, int64_t s, int32_t label)
{
    int64_t group = p->state_class[s];
    if (group < 0) return -1;
    int32_t *known = m->narrowed + group * (p->labels + 1) + (label < 0 ? p->labels : label);
    if (*known < 0) {
        const double *own = p->class_penalty + group * p->labels;
        double *row = m->class_penalty + m->classes * p->labels;
        for (int64_t k = 0; k < p->labels; k++) row[k] = label < 0 || k == label ? own[k] : INFINITY;
        *known = (int32_t)m->classes++;
    }
    return *known;
}

static void spell(const Problem *p, const Grammar *g, const Amount *a, Spelling *m)
{
    int64_t size = a->count + 1, written = a->count - 2;
    m->kept = m->classes = m->moves = m->ends = 0;
    memset(m->narrowed, -1, (size_t)(p->classes * (p->labels + 1)) * sizeof(int32_t));
    for (int64_t s = 0; s < p->states; s++) {
        m->places[s] = places_of(p, g, a, s);
        for (uint64_t rest = m->places[s]; rest; rest &= rest - 1) {
            int64_t place = __builtin_ctzll(rest);
            m->state_class[m->kept] = s ? class_of(p, m, s, label_at(g, a, s, place)) : p->state_class[s];
            m->rubbish[m->kept] = p->rubbish_penalty[s];
            m->number[s * size + place] = (int32_t)m->kept++;
        }
    }
    for (int64_t t = 0; t < p->moves; t++) {
        const int32_t *src = m->number + p->from[t] * size, *dst = m->number + p->to[t] * size;
        uint64_t before = m->places[p->from[t]], after = m->places[p->to[t]];
        int major = g->role[p->to[t]] == g->major, digit = major || g->role[p->to[t]] == g->cents;
        uint64_t stays = before & after & (major ? 1 : digit ? 0 : ~(uint64_t)0);
        uint64_t advances = digit ? before & after >> 1 : 0;
        for (uint64_t rest = stays | advances; rest; rest &= rest - 1) {
            int64_t place = __builtin_ctzll(rest);
            for (int64_t on = 0; on < 2; on++) {
                if (!((on ? advances : stays) >> place & 1)) continue;
                m->from[m->moves] = src[place];
                m->to[m->moves] = dst[place + on];
                m->move[m->moves++] = p->move_penalty[t];
            }
        }
    }
    for (int64_t f = 0; f < p->finals; f++) {
        if (a->sign && (a->sign < 0) != (g->negative[f] != 0)) continue;
        for (int64_t way = a->whole ? 0 : 1; way < 2; way++) {
            int64_t place = written + 2 * way;
            if (!(m->places[p->final[f]] >> place & 1)) continue;
            m->final[m->ends] = m->number[p->final[f] * size + place];
            m->final_penalty[m->ends++] = p->final_penalty[f];
        }
    }
}

/* The summed penalty of each of so many amounts, +infinity where nothing spells it; 0 where memory is
 * short. */
int spelled_totals(const Problem *p, const Grammar *g, const Amount *amounts, int64_t count, double *totals)
{
    int64_t places = 0, classes = p->classes * (p->labels + 1);
    for (int64_t i = 0; i < count; i++)
        places = amounts[i].count + 1 > places ? amounts[i].count + 1 : places;
    int64_t pairs = p->states * places, moves = p->moves * (places + 1);
    int32_t *ints = malloc((size_t)(2 * pairs + classes + 2 * moves + 2 * p->finals + p->arcs)
                           * sizeof(int32_t));
    double *reals = malloc((size_t)(pairs + moves + 2 * p->finals + classes * p->labels + 1)
                           * sizeof(double));
    uint64_t *masks = malloc((size_t)(p->states + 1) * sizeof(uint64_t));
    int made = ints && reals && masks;
    if (made) memset(ints, 0, (size_t)(p->arcs) * sizeof(int32_t));
    for (int64_t i = 0; i < count && made; i++) {
        totals[i] = INFINITY;
        if (amounts[i].count > MOST_DIGITS) continue;
        Spelling m = {.places = masks, .field = ints};
        m.number = ints + p->arcs;
        m.state_class = m.number + pairs;
        m.narrowed = m.state_class + pairs;
        m.from = m.narrowed + classes;
        m.to = m.from + moves;
        m.final = m.to + moves;
        m.rubbish = reals;
        m.move = m.rubbish + pairs;
        m.final_penalty = m.move + moves;
        m.class_penalty = m.final_penalty + 2 * p->finals;
        spell(p, g, amounts + i, &m);
        Problem spelled = *p;
        spelled.states = m.kept;
        spelled.moves = m.moves;
        spelled.classes = m.classes;
        spelled.finals = m.ends;
        spelled.state_class = m.state_class;
        spelled.class_penalty = m.class_penalty;
        spelled.from = m.from;
        spelled.to = m.to;
        spelled.move_penalty = m.move;
        spelled.rubbish_penalty = m.rubbish;
        spelled.final = m.final;
        spelled.final_penalty = m.final_penalty;
        double found[2];
        made = summed_totals(&spelled, m.field, 1, found);
        totals[i] = found[0];
    }
    free(ints);
    free(reals);
    free(masks);
    return made;
}
