/* Runs a fuzz target over every file of the directories that are named, so that the corpus is a
 * normal test wherever no fuzzer can be had. An empty corpus is a failure: it would test nothing.
 */
#include "fuzz.h"

#include <stdio.h>

static guint run_directory(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;
    guint inputs = 0;

    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_autofree char *content = NULL;
        gsize length;

        if (!g_file_get_contents(file, &content, &length, NULL))
            continue;
        /* Said before, because a target that fails ends the program. */
        printf("# %s\n", file);
        fflush(stdout);
        LLVMFuzzerTestOneInput((const uint8_t *)content, length);
        inputs++;
    }
    return inputs;
}

int main(int argc, char **argv)
{
    guint inputs = 0;

    for (int i = 1; i < argc; i++)
        inputs += run_directory(argv[i]);
    printf("# tally: kind=fuzz runs=%u done=%u\n", inputs, inputs);
    printf("%s 1 all of %u inputs are survived\n1..1\n", inputs ? "ok" : "not ok", inputs);
    return inputs ? 0 : 1;
}
