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
    for (guint i = 0; instance->family->notes[i]; i++) {
        g_autofree char *note =
            wording(instance->family->notes[i], "admin", instance->admin, "home", instance->home,
                    "group", instance->group, "daemonhome", instance->daemon_home, NULL);

        printf("  %s\n", note);
    }
}

typedef struct {
    const char *name;
    char *value;
} Attribute;

static void add(GArray *attributes, const char *name, char *value)
{
    const Attribute row = { name, value };

    g_array_append_val(attributes, row);
}

/* The parts of the number have names of their own in each era (facts 3.3). */
static void add_parts(GArray *attributes, const Instance *instance)
{
    static const char *const old[] = { "major", "minor", "patch", "reldot4", "reldot5" };
    static const char *const new[] = { "major1", "major2", "patchset", "patch", "reserved" };
    const guint *part = instance->version.part;

    for (guint i = 0; i < 5; i++)
        add(attributes, instance->family->new_attributes ? new[i] : old[i],
            g_strdup_printf("%u", part[i]));
    if (!instance->family->new_attributes)
        return;
    add(attributes, "major3", g_strdup_printf("%u", part[2]));
    add(attributes, "portpatch", g_strdup_printf("%u", part[4]));
}

static char *short_version(const Instance *instance)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < instance->family->major_parts; i++)
        g_string_append_printf(text, "%u", instance->version.part[i]);
    return g_string_free(text, FALSE);
}

static void add_build(GArray *attributes, const Instance *instance)
{
    g_autoptr(GDateTime) built = g_date_time_new_from_iso8601(instance->family->built, NULL);

    add(attributes, "buildtstamp",
        g_strdup_printf("%" G_GINT64_FORMAT, built ? g_date_time_to_unix(built) : 0));
    add(attributes, "buildtime", g_strdup(instance->family->built));
}

static GArray *attributes_of(const Instance *instance)
{
    const guint *part = instance->version.part;
    gboolean new = instance->family->new_attributes;
    GArray *attributes = g_array_new(FALSE, FALSE, sizeof(Attribute));

    add(attributes, "patched", g_strdup("no"));
    if (new)
        add(attributes, "config_found", g_strdup("yes"));
    add(attributes, "product", g_strdup("TimesTen"));
    add_parts(attributes, instance);
    add(attributes, "version", g_strdup(instance->release));
    add(attributes, "shortversion", short_version(instance));
    if (!new)
        add(attributes, "numversion",
            g_strdup_printf("%02u%02u%02u%02u%02u", part[0], part[1], part[2], part[3], part[4]));
    add(attributes, "bits", g_strdup("64"));
    add(attributes, "os", g_strdup("Linux/x86_64"));
    add_build(attributes, instance);
    add(attributes, "clientonly", g_strdup("no"));
    add(attributes, "instance", g_strdup(instance->name));
    add(attributes, "effective_port", g_strdup_printf("%u", instance->daemon_port));
    add(attributes, "orig_port", g_strdup_printf("%u", instance->daemon_port));
    add(attributes, "instance_admin", g_strdup(instance->admin));
    add(attributes, "effective_insthome", g_strdup(instance->home));
    add(attributes, "orig_insthome", g_strdup(instance->home));
    add(attributes, "effective_daemonhome", g_strdup(instance->daemon_home));
    add(attributes, "orig_daemonhome", g_strdup(instance->daemon_home));
    if (instance->family->users)
        add(attributes, "group_name", g_strdup(instance->group));
    else
        add(attributes, "access_control", g_strdup("no"));
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
