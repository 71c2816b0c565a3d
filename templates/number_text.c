/* Rows of a table as text, every number with the fewest digits that read back to it, as Python prints it.
 *
 * The digits: Giulietti (2020), The Schubfach way to render doubles; among the shortest the closest is taken, of
 * two the even one. Powers of ten come from the caller: ceil(10^k 2^(127 - floor(log2 10^k))), k from -292 to 324.
 */
#include <stdint.h>
#include <string.h>

typedef uint64_t U;
typedef unsigned __int128 W;

enum { LOWEST = -292 };

static inline U odd(const U *g, U c) {
    W x = (W)g[1] * c, y = (W)g[0] * c + (U)(x >> 64);
    return (U)(y >> 64) | ((U)y > 1);
}

static inline int64_t floor_log2_pow10(int64_t e) { return (e * 1741647) >> 19; }

/* The digits of a positive finite number: *digits 10^(result). */
static inline int64_t shortest(U bits, const U *powers, U *digits) {
    U fraction = bits & 0xFFFFFFFFFFFFFULL;
    int64_t biased = (int64_t)(bits >> 52) & 0x7FF, q;
    U c;
    if (biased) {
        c = fraction | 0x10000000000000ULL;
        q = biased - 1075;
        if (q <= 0 && q > -53 && !(c & (((U)1 << -q) - 1))) {
            *digits = c >> -q;
            return 0;
        }
    } else {
        c = fraction;
        q = -1074;
    }
    int closer = fraction == 0 && biased > 1;
    U even = !(c & 1), low = 4 * c - 2 + (U)closer, middle = 4 * c, high = 4 * c + 2;
    int64_t k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
    int64_t h = q + floor_log2_pow10(-k) + 1;
    const U *g = powers + 2 * (-k - LOWEST);
    U vl = odd(g, low << h), v = odd(g, middle << h), vr = odd(g, high << h);
    U lower = vl + !even, upper = vr - !even, s = v / 4;
    if (s >= 10) {
        U t = s / 10;
        int under = lower <= 40 * t, over = 40 * t + 40 <= upper;
        if (under != over) {
            *digits = t + (U)over;
            return k + 1;
        }
    }
    int under = lower <= 4 * s, over = 4 * s + 4 <= upper;
    if (under != over) {
        *digits = s + (U)over;
        return k;
    }
    U half = 4 * s + 2;
    *digits = s + (v > half || (v == half && (s & 1)));
    return k;
}

/* A number as Python's repr has it, nothing for what is not finite; the end of it. */
static inline char *number(char *out, double x, const U *powers) {
    U bits, d;
    memcpy(&bits, &x, 8);
    if (((bits >> 52) & 0x7FF) == 0x7FF) return out;
    if (bits >> 63) *out++ = '-';
    bits &= 0x7FFFFFFFFFFFFFFFULL;
    if (!bits) {
        memcpy(out, "0.0", 3);
        return out + 3;
    }
    int64_t e = shortest(bits, powers, &d);
    char text[20];
    int n = 0;
    while (d % 10 == 0) {
        d /= 10;
        e++;
    }
    for (; d; d /= 10) text[19 - n++] = (char)('0' + d % 10);
    const char *first = text + 20 - n;
    int64_t point = e + n; /* x = 0.first... 10^point */
    if (point > 16 || point <= -4) {
        int64_t shown = point - 1;
        *out++ = *first;
        if (n > 1) {
            *out++ = '.';
            memcpy(out, first + 1, (size_t)(n - 1));
            out += n - 1;
        }
        *out++ = 'e';
        *out++ = shown < 0 ? '-' : '+';
        if (shown < 0) shown = -shown;
        if (shown >= 100) *out++ = (char)('0' + shown / 100);
        *out++ = (char)('0' + shown / 10 % 10);
        *out++ = (char)('0' + shown % 10);
    } else if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        for (; point < 0; point++) *out++ = '0';
        memcpy(out, first, (size_t)n);
        out += n;
    } else if (point >= n) {
        memcpy(out, first, (size_t)n);
        out += n;
        for (; point > n; point--) *out++ = '0';
        *out++ = '.';
        *out++ = '0';
    } else {
        memcpy(out, first, (size_t)point);
        out += point;
        *out++ = '.';
        memcpy(out, first + point, (size_t)(n - point));
        out += n - point;
    }
    return out;
}

/* People x times rows: lead of the person, time, values; gives the number of bytes. Starts of the texts in
 * lead_at and time_at, one more than there are of them. */
int64_t pbpkc_rows(const char *leads, const int64_t *lead_at, const char *times, const int64_t *time_at,
                   const double *values, int64_t people, int64_t moments, int64_t columns, const U *powers,
                   char *begin) {
    char *out = begin;
    for (int64_t b = 0; b < people; b++)
        for (int64_t t = 0; t < moments; t++) {
            size_t size = (size_t)(lead_at[b + 1] - lead_at[b]);
            memcpy(out, leads + lead_at[b], size);
            out += size;
            size = (size_t)(time_at[t + 1] - time_at[t]);
            memcpy(out, times + time_at[t], size);
            out += size;
            for (int64_t k = 0; k < columns; k++) {
                *out++ = ',';
                out = number(out, *values++, powers);
            }
            *out++ = '\n';
        }
    return out - begin;
}
