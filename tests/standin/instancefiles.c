#include "instancefiles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

/* Whoever calls it need not set TIMESTEN_HOME: the vendor's unit starts ttDaemonAdmin from here. */
#define WRAPPER "#!/bin/sh\nexec {home}/bin/ttenv {home}/install/bin/${0##*/} \"$@\"\n"

static const char *const directories[] = { "bin",   "conf",    "diag",     "info",
                                           "plsql", "startup", ".standin", NULL };

static const struct {
    const char *path;
    mode_t mode;
    const char *text;
} files[] = {
    { "conf/timesten.conf", 0600,
      "# TimesTen instance configuration\n"
      "instance_name={name}\n"
      "daemon_port={daemonport}\n"
      "server_port={serverport}\n"
      "admin_user={admin}\n"
      "admin_uid={uid}\n"
      "hostname={host}\n"
      "instance_guid={guid}\n"
      "timesten_release={release}\n"
      "verbose=1\n"
      "{tns}" },
    { "conf/sys.odbc.ini", 0644,
      "# TimesTen data sources of instance {name}\n\n[ODBC Data Sources]\n" },
    { "conf/sys.ttconnect.ini", 0644, "# TimesTen client names of instance {name}\n" },
    { "bin/ttenv.sh", 0755,
      "TIMESTEN_HOME={home}\n"
      "PATH={home}/bin:{home}/install/bin:$PATH\n"
      "LD_LIBRARY_PATH={home}/install/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n"
      "export TIMESTEN_HOME PATH LD_LIBRARY_PATH\n" },
    { "bin/ttenv", 0755, "#!/bin/sh\n. {home}/bin/ttenv.sh\nexec \"$@\"\n" },
    { "bin/ttDaemonAdmin", 0755, WRAPPER },
    { "bin/ttInstanceModify", 0755, WRAPPER },
    { "bin/setuproot", 0755, WRAPPER },
    { "startup/tt_{name}", 0755,
      "#!/bin/sh\n"
      "# Start and stop the TimesTen instance {name}\n"
      "case \"$1\" in\n"
      "start) su {admin} -c \"{home}/bin/ttDaemonAdmin -start -force\" ;;\n"
      "stop) su {admin} -c \"{home}/bin/ttDaemonAdmin -stop\" ;;\n"
      "*) echo \"Usage: $0 {start|stop}\" >&2; exit 1 ;;\n"
      "esac\n" },
    { ".standin/fired", 0666, "" }, /* whoever runs a command may be hit by a fault */
};

/* What is not public of the vendor's is G: PIDFile, ExecStop, After, the order. */
static const char unit[] = "[Unit]\n"
                           "Description=TimesTen Service\n"
                           "After=network.target\n"
                           "\n"
                           "[Service]\n"
                           "Type=forking\n"
                           "User={admin}\n"
                           "PIDFile={home}/info/timestend.pid\n"
                           "ExecStart={home}/bin/ttDaemonAdmin -start -force -systemd\n"
                           "ExecStop={home}/bin/ttDaemonAdmin -stop -systemd\n"
                           "# Service Limit Settings\n"
                           "LimitNOFILE=65536\n"
                           "LimitMEMLOCK=infinity\n"
                           "TasksMax=65536\n"
                           "\n"
                           "[Install]\n"
                           "WantedBy=multi-user.target\n";

static gboolean write_file(const char *path, mode_t mode, const char *text, GError **error)
{
    if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, (int)mode, error))
        return FALSE;
    if (chmod(path, mode) == 0)
        return TRUE;
    failure_set(error, TT_FILE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static char *fill_in(const NewInstance *instance, const char *text)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *guid = g_ascii_strup(uuid, -1);
    g_autofree char *tns =
        instance->tns_admin ? g_strdup_printf("tns_admin=%s\n", instance->tns_admin) : g_strdup("");

    return wording(text, "home", instance->home, "name", instance->name, "admin", instance->admin,
                   "uid", instance->uid, "daemonport", instance->daemon_port, "serverport",
                   instance->server_port, "host", g_get_host_name(), "guid", guid, "release",
                   instance->software->release, "tns", tns, NULL);
}

static gboolean make_directory(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0755) == 0)
        return TRUE;
    failure_set(error, TT_FILE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

gboolean instance_link(const char *home, const char *installation, GError **error)
{
    g_autofree char *path = g_build_filename(home, "install", NULL);
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);

    unlink(fresh);
    if (symlink(installation, fresh) == 0 && rename(fresh, path) == 0)
        return TRUE;
    failure_set(error, TT_FILE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

gboolean instance_files_create(const NewInstance *instance, GError **error)
{
    if (!make_directory(instance->home, error))
        return FALSE;
    for (guint i = 0; directories[i]; i++) {
        g_autofree char *path = g_build_filename(instance->home, directories[i], NULL);

        if (!make_directory(path, error))
            return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *name = fill_in(instance, files[i].path);
        g_autofree char *path = g_build_filename(instance->home, name, NULL);
        g_autofree char *text = fill_in(instance, files[i].text);

        if (!write_file(path, files[i].mode, text, error))
            return FALSE;
    }
    return instance_link(instance->home, instance->software->installation, error);
}

char *instance_unit_path(const Instance *instance)
{
    g_autofree char *name = g_strdup_printf("tt_%s.service", instance->name);

    return g_build_filename(instance->home, "startup", name, NULL);
}

gboolean instance_unit_write(const Instance *instance, GError **error)
{
    g_autofree char *path = instance_unit_path(instance);
    g_autofree char *text = wording(unit, "home", instance->home, "admin", instance->admin, NULL);

    return write_file(path, 0644, text, error);
}

void instance_unit_remove(const Instance *instance)
{
    g_autofree char *path = instance_unit_path(instance);

    unlink(path);
}
