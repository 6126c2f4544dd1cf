#include "arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "fault.h"

void arguments_usage(const char *usage, int failure)
{
    fputs(usage, failure == 0 ? stdout : stderr);
    exit(failure);
}

static gboolean same_name(const char *word, const char *name)
{
    return strlen(name) == 2 ? strcmp(word, name) == 0 : g_ascii_strcasecmp(word, name) == 0;
}

static gboolean in_release(const Option *option, FamilyId family)
{
    return family >= option->since && (option->until == 0 || family <= option->until);
}

static gboolean is_number(const char *word)
{
    return word && *word && strspn(word, "0123456789") == strlen(word);
}

static const Option *find_option(const Instance *instance, const Option *options, const char *word)
{
    for (; options->name; options++) {
        gboolean attached = options->attached && g_str_has_prefix(word, options->name) &&
                            is_number(word + strlen(options->name));

        if ((attached || same_name(word, options->name)) &&
            in_release(options, instance->family->id))
            return options;
    }
    return NULL;
}

static void answer_general(const Instance *instance, const char *word, const char *usage)
{
    if (g_ascii_strcasecmp(word, "-help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "-?") == 0)
        arguments_usage(usage, 0);
    if (strcmp(word, "-V") == 0 || g_ascii_strcasecmp(word, "-version") == 0) {
        printf("TimesTen Release %s\n", instance->release);
        exit(0);
    }
}

Arguments *arguments_read(const Instance *instance, char **argv, const Option *options,
                          const char *usage, int failure)
{
    Arguments *arguments = g_new0(Arguments, 1);

    setvbuf(stdout, NULL, _IOLBF, 0);
    fault_begin(instance->home, g_get_prgname(), argv);
    arguments->instance = instance;
    arguments->given = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    arguments->words = g_ptr_array_new_null_terminated(4, g_free, TRUE);
    for (guint i = 1; argv[i]; i++) {
        const Option *option;
        const char *value;

        if (*argv[i] != '-') {
            g_ptr_array_add(arguments->words, g_strdup(argv[i]));
            continue;
        }
        answer_general(instance, argv[i], usage);
        option = find_option(instance, options, argv[i]);
        if (!option || (option->values > 0 && !argv[i + 1])) {
            fprintf(stderr, "%s: %s option: %s\n", g_get_prgname(),
                    option ? "no value for" : "unknown", argv[i]);
            arguments_usage(usage, failure);
        }
        if (option->values > 0 ||
            (option->spaced && strcmp(argv[i], option->name) == 0 && is_number(argv[i + 1])))
            value = argv[++i];
        else
            value = argv[i] + strlen(option->name);
        g_hash_table_replace(arguments->given, (char *)option->name, g_strdup(value));
    }
    return arguments;
}

const char *arguments_value(const Arguments *arguments, const char *name)
{
    return g_hash_table_lookup(arguments->given, name);
}

char *arguments_database(Arguments *arguments, const char *usage, int failure)
{
    const char *connection = arguments_value(arguments, "-connStr");

    if (connection)
        return g_strdup(connection);
    if (arguments->words->len == 0)
        arguments_usage(usage, failure);
    return g_ptr_array_steal_index(arguments->words, 0);
}

const char *usage_of(const Instance *instance, const Usage *rows)
{
    while (rows->until != 0 && instance->family->id > rows->until)
        rows++;
    return rows->text;
}

void print_failure(const Instance *instance, const GError *error)
{
    g_autofree char *driver = wording(instance->family->driver, "release", instance->release, NULL);

    if (error->domain == TT_FAILURE && error->code == TT_NO_DSN)
        fprintf(stderr, "*** [TimesTen][ODBC Driver Manager] IM002: %s\n", error->message);
    else
        fprintf(stderr, "*** [TimesTen][%s][TimesTen]TT%04d: %s\n", driver, failure_number(error),
                error->message);
}
