/* exec-arguments: becomes the program whose words stand in ARGUMENT_0, ARGUMENT_1 and so on.
 *
 * For transient units with words that systemd cannot keep in a command line (transient.c). Prints
 * nothing, unless there is no such program; then it ends as systemd itself would have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_LIMIT 4096
#define STATUS_EXEC 203 /* systemd.exec(5): EXIT_EXEC */

int main(void)
{
    static char *words[WORDS_LIMIT + 1];
    char name[32];
    int count = 0;

    for (char *word;; count++) {
        snprintf(name, sizeof name, "ARGUMENT_%d", count);
        word = getenv(name);
        if (!word)
            break;
        if (count >= WORDS_LIMIT) /* only counted, for the message */
            continue;
        words[count] = strdup(word);
        if (!words[count])
            return STATUS_EXEC;
        unsetenv(name); /* the program is to be as if nobody had been in between */
    }
    /* A command without its last words would do something else than what was asked. */
    if (count > WORDS_LIMIT) {
        fprintf(stderr,
                "error: exec-arguments was given a command of %d words and carries %d at most. "
                "Divide it into several commands of fewer words\n",
                count, WORDS_LIMIT);
        return STATUS_EXEC;
    }
    if (count == 0) {
        fprintf(
            stderr,
            "error: exec-arguments needs the words of a command in ARGUMENT_0, ARGUMENT_1, ...\n");
        return STATUS_EXEC;
    }
    execv(words[0], words);
    fprintf(stderr, "error: cannot execute %s: %s\n", words[0], strerror(errno));
    return STATUS_EXEC;
}
