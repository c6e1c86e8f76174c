/* How sharp the profile of points is along lines of a slope, see skew.py. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sum of squares, f64[slopes], of the profile of points projected along lines of each slope, in bins
 * of 1 / scale px. 0 without memory. */
int profile_energies(
    const float *x, const float *y, const float *weight, int64_t count, const float *slopes,
    int64_t slope_count, float scale, double *found)
{
    float *place = malloc((size_t)(count + 1) * sizeof(float));
    double *profile = 0;
    int64_t room = 0;
    for (int64_t s = 0; s < slope_count && place; s++) {
        float least = 0.0f, most = 0.0f;
        double sum = 0.0;
        for (int64_t i = 0; i < count; i++) {
            place[i] = (y[i] - slopes[s] * x[i]) * scale;
            if (i == 0 || place[i] < least) least = place[i];
            if (i == 0 || place[i] > most) most = place[i];
        }
        int64_t bins = (int64_t)(most - least) + 1;
        if (bins > room) {
            free(profile);
            profile = malloc((size_t)bins * sizeof(double));
            if (!profile) { free(place); return 0; }
            room = bins;
        }
        memset(profile, 0, (size_t)bins * sizeof(double));
        for (int64_t i = 0; i < count; i++) profile[(int64_t)(place[i] - least)] += weight[i];
        for (int64_t k = 0; k < bins; k++) sum += profile[k] * profile[k];
        found[s] = sum;
    }
    free(profile);
    int made = place != 0;
    free(place);
    return made;
}
