/* ttVersion: the banner of the release and, from 7.0 on, name=value lines (facts 3.3). */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "arguments.h"

static const char usage[] = "Usage:\n"
                            "  ttVersion [-m] [attribute …]\n"
                            "  ttVersion {-h | -help | -?} | {-V | -version}\n";
static const char usage_banner_only[] = "Usage:\n"
                                        "  ttVersion [-h | -help | -?]\n";

static const Option options[] = { { "-m", 0, .since = FAMILY_70 }, { NULL } };

static void print_banner(const Instance *instance)
{
    printf("TimesTen Release %s (64 bit Linux/x86_64) (%s:%u)%s%s\n", instance->release,
           instance->name, instance->daemon_port, instance->family->date_on_next_line ? "\n" : " ",
           instance->family->built);
    printf("  Instance admin: %s\n", instance->admin);
    printf("  Instance home directory: %s\n", instance->home);
    printf("  Daemon home directory: %s\n", instance->daemon_home);
    if (instance->family->machine_version)
        puts("  Access control disabled.");
}

typedef struct {
    const char *name;
    char *value;
} Attribute;

static GArray *attributes_of(const Instance *instance)
{
    const guint *part = instance->version.part;
    g_autoptr(GDateTime) built = g_date_time_new_from_iso8601(instance->family->built, NULL);
    char *stamp = g_strdup_printf("%" G_GINT64_FORMAT, built ? g_date_time_to_unix(built) : 0);
    char *port = g_strdup_printf("%u", instance->daemon_port);
    const Attribute rows[] = {
        { "patched", g_strdup("no") },
        { "product", g_strdup("TimesTen") },
        { "major", g_strdup_printf("%u", part[0]) },
        { "minor", g_strdup_printf("%u", part[1]) },
        { "patch", g_strdup_printf("%u", part[2]) },
        { "reldot4", g_strdup_printf("%u", part[3]) },
        { "reldot5", g_strdup_printf("%u", part[4]) },
        { "version", g_strdup(instance->release) },
        { "shortversion", g_strdup_printf("%u%u", part[0], part[1]) },
        { "numversion",
          g_strdup_printf("%02u%02u%02u%02u%02u", part[0], part[1], part[2], part[3], part[4]) },
        { "bits", g_strdup("64") },
        { "os", g_strdup("Linux/x86_64") },
        { "buildtstamp", stamp },
        { "buildtime", g_strdup(instance->family->built) },
        { "clientonly", g_strdup("no") },
        { "instance", g_strdup(instance->name) },
        { "effective_port", port },
        { "orig_port", g_strdup(port) },
        { "instance_admin", g_strdup(instance->admin) },
        { "effective_insthome", g_strdup(instance->home) },
        { "orig_insthome", g_strdup(instance->home) },
        { "effective_daemonhome", g_strdup(instance->daemon_home) },
        { "orig_daemonhome", g_strdup(instance->daemon_home) },
        { "access_control", g_strdup("no") },
    };
    GArray *attributes = g_array_new(FALSE, FALSE, sizeof(Attribute));

    g_array_append_vals(attributes, rows, G_N_ELEMENTS(rows));
    return attributes;
}

static int print_attribute(const GArray *attributes, const char *name)
{
    for (guint i = 0; i < attributes->len; i++) {
        const Attribute *row = &g_array_index(attributes, Attribute, i);

        if (g_ascii_strcasecmp(row->name, name) == 0) {
            puts(row->value);
            return 0;
        }
    }
    fprintf(stderr, "ttVersion: unknown attribute: %s\n", name);
    return 1;
}

int ttversion_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const Arguments *arguments = arguments_read(
        instance, argv, options, instance->family->machine_version ? usage : usage_banner_only, 1);
    g_autoptr(GArray) attributes = attributes_of(instance);
    int status = 0;

    if (arguments->words->len > 0 && !instance->family->machine_version)
        arguments_usage(usage_banner_only, 1);
    for (guint i = 0; i < arguments->words->len; i++)
        status |= print_attribute(attributes, arguments->words->pdata[i]);
    if (arguments->words->len > 0)
        return status;
    if (!arguments_value(arguments, "-m")) {
        print_banner(instance);
        return 0;
    }
    for (guint i = 0; i < attributes->len; i++)
        printf("%s=%s\n", g_array_index(attributes, Attribute, i).name,
               g_array_index(attributes, Attribute, i).value);
    return 0;
}
