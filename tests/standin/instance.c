#include "instance.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"

static char *user_name(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);

    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (unsigned)uid);
}

Instance *instance_at(const char *home, GError **error)
{
    g_autofree char *path = g_build_filename(home, ".standin", "instance", NULL);
    g_autofree char *text = NULL;
    g_autofree char *keyed = NULL;
    g_autofree char *release = NULL;
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autoptr(Instance) instance = g_new0(Instance, 1);
    struct stat status;

    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    keyed = g_strconcat("[instance]\n", text, NULL);
    if (!g_key_file_load_from_data(record, keyed, (gsize)-1, G_KEY_FILE_NONE, error))
        return NULL;
    release = g_key_file_get_string(record, "instance", "release", error);
    if (!release)
        return NULL;
    instance->family =
        version_parse(release, &instance->version) ? family_find(&instance->version) : NULL;
    if (!instance->family) {
        failure_set(error, TT_ENGINE, "%s: release %s is not one of the stand-in's", path, release);
        return NULL;
    }
    instance->home = g_strdup(home);
    instance->name = g_key_file_get_string(record, "instance", "name", NULL);
    instance->daemon_port = (guint16)g_key_file_get_integer(record, "instance", "port", NULL);
    instance->release = version_text(&instance->version);
    instance->daemon_home = g_build_filename(home, "info", NULL);
    instance->pid_file = g_build_filename(instance->daemon_home, "timestend.pid", NULL);
    instance->options_path = g_build_filename(instance->daemon_home, "ttendaemon.options", NULL);
    if (stat(instance->daemon_home, &status) < 0) {
        failure_set(error, TT_FILE, "%s: %s", instance->daemon_home, g_strerror(errno));
        return NULL;
    }
    instance->admin_uid = status.st_uid;
    instance->admin = user_name(status.st_uid);
    return g_steal_pointer(&instance);
}

Instance *instance_self(void)
{
    g_autofree char *executable = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *bin = executable ? g_path_get_dirname(executable) : NULL;
    g_autofree char *home = bin ? g_path_get_dirname(bin) : NULL;
    g_autoptr(GError) error = NULL;
    Instance *instance = home ? instance_at(home, &error) : NULL;

    if (!instance) {
        fprintf(stderr, "%s: not part of a TimesTen instance: %s\n", g_get_prgname(),
                error ? error->message : "cannot tell my own path");
        exit(1);
    }
    return instance;
}

void instance_free(Instance *instance)
{
    if (!instance)
        return;
    g_free(instance->home);
    g_free(instance->name);
    g_free(instance->daemon_home);
    g_free(instance->pid_file);
    g_free(instance->options_path);
    g_free(instance->release);
    g_free(instance->admin);
    g_free(instance);
}

char *instance_option(const Instance *instance, const char *name)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    char *value = NULL;

    if (!g_file_get_contents(instance->options_path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit_set(g_strstrip(lines[i]), " \t", 2);

        if (!words[0] || *words[0] == '#' || g_ascii_strcasecmp(words[0], name) != 0)
            continue;
        g_free(value);
        value = g_strdup(words[1] ? g_strstrip(words[1]) : "");
    }
    return value;
}

static void append_line(const Instance *instance, const char *option, const char *fallback,
                        const char *line)
{
    g_autofree char *name = instance_option(instance, option);
    g_autofree char *path = NULL;
    int fd;

    if (!name || !*name) {
        g_free(name);
        name = g_strdup(fallback);
    }
    path = g_path_is_absolute(name) ? g_strdup(name)
                                    : g_build_filename(instance->daemon_home, name, NULL);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return; /* a full or foreign log stops nothing */
    if (write(fd, line, strlen(line)) < 0)
        g_debug("log: %s", g_strerror(errno));
    close(fd);
}

void instance_log(const Instance *instance, const char *level, const char *format, ...)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *when = g_date_time_format(now, "%H:%M:%S.%f");
    g_autofree char *day = g_date_time_format(now, "%Y-%m-%d");
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    line = g_strdup_printf("%s %.11s %-4s: %-4s: %5d: %s\n", day, when, level,
                           strcmp(g_get_prgname(), "ttcserver") == 0 ? "SRV" : "", (int)getpid(),
                           text);
    append_line(instance, "-supportlog", "ttmesg.log", line);
    if (strcmp(level, "Info") != 0)
        append_line(instance, "-userlog", "tterrors.log", line);
}
