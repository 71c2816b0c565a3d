/* Runs a kernel on a batch that lies in a file: for processors and checkers into which Python loads nothing.
 *
 * driver               prints what pbpkc_sizes tells
 * driver IN OUT        solves; IN holds the fields of the batch, OUT gets its arrays as they are then
 *
 * Each field of the batch has eight bytes. In the file stands before each how many bytes its array has, -1 where
 * the field is a number and no array; behind the last, the first subject and the one after the last. Each array
 * has memory of its own and exactly its size, so that a checker of addresses sees a read or write beside it.
 */
#include "kernel.c"

#include <stdio.h>
#include <stdlib.h>

static void get(void *to, size_t bytes, FILE *from) {
    if (bytes && fread(to, 1, bytes, from) != bytes) exit(3);
}

int main(int count, char **words) {
    if (count < 3) {
        int64_t sizes[8];
        pbpkc_sizes(sizes);
        for (int i = 0; i < 8; i++) printf("%lld\n", (long long)sizes[i]);
        return 0;
    }
    enum { FIELDS = sizeof(Batch) / 8 };
    union {
        Batch batch;
        int64_t number;
        void *array[FIELDS];
    } b;
    int64_t bytes[FIELDS], range[2];
    FILE *in = fopen(words[1], "rb"), *out;
    if (!in) return 2;
    for (int i = 0; i < FIELDS; i++) {
        get(&bytes[i], 8, in);
        b.array[i] = bytes[i] > 0 ? malloc((size_t)bytes[i]) : 0;
        if (bytes[i] < 0) get(&b.array[i], 8, in);
        else get(b.array[i], (size_t)bytes[i], in);
    }
    get(range, sizeof range, in);
    fclose(in);
    pbpkc_solve(&b.batch, range[0], range[1]);
    out = fopen(words[2], "wb");
    if (!out) return 2;
    for (int i = 0; i < FIELDS; i++)
        if (bytes[i] > 0) {
            if (fwrite(b.array[i], 1, (size_t)bytes[i], out) != (size_t)bytes[i]) return 4;
            free(b.array[i]);
        }
    return fclose(out) ? 4 : 0;
}
