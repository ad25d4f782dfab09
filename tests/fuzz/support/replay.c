/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzzing target without a fuzzer, once for each file on the command line. Each file is an input that
 * once found a fault. The compiler need not have libFuzzer. Prints the number of inputs that it has run. A
 * fault ends the process.
 */
#include "bytes.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_INPUT = 1 << 20 };

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(LONGEST_INPUT);
    if (!file || !data)
        err(1, "%s", path);
    size_t size = fread(data, 1, LONGEST_INPUT, file);
    fclose(file);
    /* The buffer gets the exact length of the input, and a sanitizer reports any access beyond
     * this length. */
    uint8_t *exact = realloc(data, size ? size : 1);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    printf("%d inputs\n", argc - 1);
    return 0;
}
