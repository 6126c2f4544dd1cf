#include "common/names.h"

static char *root;

void path_set_root(const char *new_root)
{
    g_free(root);
    root = g_strdup(new_root);
}

static char *under(const char *directory, const char *below)
{
    return g_strconcat(root ? root : "", directory, below ? "/" : "", below ? below : "", NULL);
}

char *path_instances_directory(void)
{
    return under("/etc/timesten-upgrade", "instances.d");
}

char *path_servers_directory(void)
{
    return under("/etc/timesten-upgrade", "servers.d");
}

char *path_facts_directory(void)
{
    return under("/etc/timesten-upgrade", "facts.d");
}

char *path_state(const char *below)
{
    return under("/var/lib/timesten-upgrade", below);
}

char *path_backing(const char *server)
{
    return under("/var/lib/timesten-upgrade/servers", server);
}

char *path_jobs_directory(void)
{
    return path_state("jobs");
}

static char *numbered(const char *directory, guint64 id, const char *file)
{
    g_autofree char *below =
        g_strdup_printf("%" G_GUINT64_FORMAT "%s%s", id, file ? "/" : "", file ? file : "");

    return under(directory, below);
}

char *path_job(guint64 id, const char *file)
{
    return numbered("/var/lib/timesten-upgrade/jobs", id, file);
}

char *path_exports(guint64 id, const char *file)
{
    return numbered("/var/lib/timesten-upgrade/exports", id, file);
}

char *state_directory_exports(guint64 id)
{
    return g_strdup_printf("timesten-upgrade/exports/%" G_GUINT64_FORMAT, id);
}

char *path_runtime(const char *below)
{
    return under("/run/timesten-upgrade", below);
}

char *path_keeper(const char *server, const char *file)
{
    g_autofree char *below = g_strconcat(server, file ? "/" : "", file ? file : "", NULL);

    if (g_strcmp0(file, "control") == 0)
        return under("/run/timesten-upgrade/control", server);
    return under("/run/timesten-upgrade/server", below);
}

char *path_generated(const char *file)
{
    return under("/run/systemd/generator", file);
}

char *path_progress(guint64 id, const char *file)
{
    return numbered("/run/timesten-upgrade/job", id, file);
}

char *unit_instance(const char *instance)
{
    return g_strdup_printf("timesten@%s.service", instance);
}

char *unit_server(const char *server)
{
    return g_strdup_printf("timesten-server@%s.service", server);
}

char *unit_server_socket(const char *server)
{
    return g_strdup_printf("timesten-server@%s.socket", server);
}

char *unit_revive(const char *server)
{
    return g_strdup_printf("timesten-revive@%s.service", server);
}

char *unit_confirm(const char *server)
{
    return g_strdup_printf("timesten-confirm@%s.timer", server);
}

char *unit_job(guint64 id)
{
    return g_strdup_printf("timesten-job@%" G_GUINT64_FORMAT ".service", id);
}

gboolean name_is_valid(const char *name)
{
    gsize length = name ? strlen(name) : 0;

    if (length < 1 || length > 64 || g_ascii_isdigit(name[0]))
        return FALSE;
    return strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_") == length;
}
