/* ttShmSize: how large the shared memory segment of a database will be (facts 4.2). */
#include "commands.h"

#include <stdio.h>

#include "arguments.h"

static const char usage[] = "Usage:\n"
                            "  ttShmSize {-connStr <connection_string> | <DSN>}\n"
                            "  ttShmSize {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-connStr", 1 }, { NULL } };

int ttshmsize_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = arguments_database(arguments, usage, 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_find(instance, database, FALSE, &error);

    if (!target) {
        print_failure(instance, error);
        return 1;
    }
    printf("The required shared memory size is %" G_GUINT64_FORMAT " bytes.\n",
           (guint64)(target->segment_mb + instance->overhead_mb) << 20);
    return 0;
}
