/* The summed penalty of the strings that mean one amount, see spelling.py: the same automaton of
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

/* Whether a state fits at a place, and the one label that may enter it there, -1 for any. */
static int fits(const Problem *p, const Grammar *g, const Amount *a, int64_t s, int64_t place, int32_t *label)
{
    int64_t written = a->count - 2, done = place < written ? place : written;
    uint64_t after = written - done < 64 ? g->majors_after[s] >> (written - done) : 0;
    *label = -1;
    if (s == 0) return place == 0;
    if (!(place == 0 ? after : after & 1) || done > 63
        || !(g->majors_before[s] >> done)) return 0;
    if (place == 0 && !g->only_zeros[s]) return 0;
    int64_t left = a->count - place;
    uint64_t cents = (uint64_t)1 << (left < 2 ? left : 2);
    if (place <= written) cents |= (uint64_t)(a->whole != 0);
    if (!(g->cents_after[s] & cents)) return 0;
    if (g->role[s] == g->major) {
        if (place > written) return 0;
        *label = place == 0 ? (int32_t)g->zero : a->digit[place - 1];
    } else if (g->role[s] == g->cents) {
        if (place <= written) return 0;
        *label = a->digit[place - 1];
    }
    return *label < 0 || p->class_penalty[p->state_class[s] * p->labels + *label] < INFINITY;
}

/* The summed penalty, +infinity where nothing spells the amount; 0 where memory is short. */
int spelled_total(const Problem *p, const Grammar *g, const Amount *a, double *total)
{
    int64_t places = a->count + 1, pairs = p->states * places, kept = 0, narrow = 0, moves = 0;
    int64_t ends = 0, written = a->count - 2, most_moves = p->moves * (places + 1);
    int64_t most_classes = p->classes * (p->labels + 1);
    int32_t *ints = malloc(
        (size_t)(2 * pairs + p->classes * p->labels + pairs + 2 * most_moves + 2 * p->finals + p->arcs)
        * sizeof(int32_t));
    double *reals = malloc((size_t)(pairs + most_moves + 2 * p->finals) * sizeof(double));
    double *classes = malloc((size_t)(most_classes * p->labels + 1) * sizeof(double));
    int made = ints && reals && classes;
    if (made) {
        int32_t *number = ints, *label = number + pairs, *narrowed = label + pairs;
        int32_t *state_class = narrowed + p->classes * p->labels, *from = state_class + pairs;
        int32_t *to = from + most_moves, *final = to + most_moves, *field = final + 2 * p->finals;
        double *rubbish = reals, *move = rubbish + pairs, *final_penalty = move + most_moves;
        memset(field, 0, (size_t)p->arcs * sizeof(int32_t));
        memset(narrowed, -1, (size_t)(p->classes * p->labels) * sizeof(int32_t));
        memcpy(classes, p->class_penalty, (size_t)(p->classes * p->labels) * sizeof(double));
        for (int64_t s = 0; s < p->states; s++)
            for (int64_t place = 0; place < places; place++) {
                int64_t pair = s * places + place;
                number[pair] = -1;
                if (!fits(p, g, a, s, place, label + pair)) continue;
                int32_t own = p->state_class[s], one = label[pair];
                if (one >= 0) {
                    int32_t *known = narrowed + own * p->labels + one;
                    if (*known < 0) {
                        double *row = classes + (p->classes + narrow) * p->labels;
                        for (int64_t k = 0; k < p->labels; k++) row[k] = INFINITY;
                        row[one] = p->class_penalty[own * p->labels + one];
                        *known = (int32_t)(p->classes + narrow++);
                    }
                    own = *known;
                }
                state_class[kept] = own;
                rubbish[kept] = p->rubbish_penalty[s];
                number[pair] = (int32_t)kept++;
            }
        for (int64_t t = 0; t < p->moves; t++) {
            const int32_t *src = number + p->from[t] * places, *dst = number + p->to[t] * places;
            uint8_t role = g->role[p->to[t]];
            int major = role == g->major, cents = role == g->cents;
            for (int64_t place = 0; place < places; place++) {
                if (src[place] < 0) continue;
                int stays = cents ? 0 : !major || place == 0;
                for (int64_t on = 0; on < 2; on++) {
                    int allowed = on ? (major || cents) && place + 1 < places : stays;
                    if (!allowed || dst[place + on] < 0) continue;
                    from[moves] = src[place];
                    to[moves] = dst[place + on];
                    move[moves++] = p->move_penalty[t];
                }
            }
        }
        for (int64_t f = 0; f < p->finals; f++) {
            if (a->sign && (a->sign < 0) != (g->negative[f] != 0)) continue;
            for (int64_t way = 0; way < 2; way++) {
                int32_t end = number[p->final[f] * places + written + 2 * way];
                if (end < 0 || (way == 0 && !a->whole)) continue;
                final[ends] = end;
                final_penalty[ends++] = p->final_penalty[f];
            }
        }
        Problem spelled = *p;
        spelled.states = kept;
        spelled.moves = moves;
        spelled.classes = p->classes + narrow;
        spelled.finals = ends;
        spelled.state_class = state_class;
        spelled.class_penalty = classes;
        spelled.from = from;
        spelled.to = to;
        spelled.move_penalty = move;
        spelled.rubbish_penalty = rubbish;
        spelled.final = final;
        spelled.final_penalty = final_penalty;
        double found[2];
        made = summed_totals(&spelled, field, 1, found);
        *total = found[0];
    }
    free(ints);
    free(reals);
    free(classes);
    return made;
}
