#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

static char *group_name(gid_t gid)
{
    const struct group *entry = getgrgid(gid);

    return entry ? g_strdup(entry->gr_name) : g_strdup_printf("%u", (unsigned)gid);
}

/* Where files are, below HOME, and how the option file is written (facts 2.1 to 2.3). */
typedef struct {
    const char *programs, *options_file, *odbc, *logs;
    const char *separators; /* between an option and its value; the first one is written */
    const char *names[N_OPTIONS];
} Layout;

static const Layout layouts[] = {
    [SELECTED_BY_PATH] = { "bin",
                           "info/ttendaemon.options",
                           "info/sys.odbc.ini",
                           "info",
                           " \t",
                           { [OPTION_SERVER_PORT] = "-server",
                             [OPTION_WEB_PORT] = "-webserver",
                             [OPTION_COMPAT] = "-insecure-backwards-compat",
                             [OPTION_USER_LOG] = "-userlog",
                             [OPTION_SUPPORT_LOG] = "-supportlog" } },
    [SELECTED_BY_ENVIRONMENT] = { "install/bin",
                                  "conf/timesten.conf",
                                  "conf/sys.odbc.ini",
                                  "diag",
                                  "=",
                                  { [OPTION_SERVER_PORT] = "server_port",
                                    [OPTION_DAEMON_PORT] = "daemon_port",
                                    [OPTION_INSTANCE_NAME] = "instance_name",
                                    [OPTION_RELEASE] = "timesten_release",
                                    [OPTION_SYSTEMD] = "systemd" } },
};

static const Layout *layout_of(const Instance *instance)
{
    return &layouts[instance->family->selection];
}

char *instance_compiled_in(const char *top, const char *name)
{
    g_autofree char *path = g_build_filename(top, ".standin", "instance", NULL);
    g_autofree char *text = NULL;
    g_autofree char *keyed = NULL;
    g_autoptr(GKeyFile) record = g_key_file_new();

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    keyed = g_strconcat("[instance]\n", text, NULL);
    g_key_file_load_from_data(record, keyed, (gsize)-1, G_KEY_FILE_NONE, NULL);
    return g_key_file_get_string(record, "instance", name, NULL);
}

/* The directory with the programs of an instance, without links. NULL: there is none. */
static char *find_installation(const char *home)
{
    g_autofree char *conf = g_build_filename(home, "conf", "timesten.conf", NULL);
    g_autofree char *link = g_build_filename(home, "install", NULL);
    char *real;
    char *copy;

    if (!g_file_test(conf, G_FILE_TEST_EXISTS))
        return g_strdup(home);
    real = realpath(link, NULL);
    copy = g_strdup(real);
    free(real);
    return copy;
}

static gboolean find_release(Instance *instance, GError **error)
{
    g_autofree char *overhead =
        instance->installation ? instance_compiled_in(instance->installation, "overhead") : NULL;
    g_autofree char *release =
        instance->installation ? instance_compiled_in(instance->installation, "release") : NULL;

    instance->family = release && version_parse(release, &instance->version)
                           ? family_find(&instance->version)
                           : NULL;
    if (!instance->family) {
        failure_set(error, TT_ENGINE, "%s: no instance of a release that the stand-in has%s%s",
                    instance->home, release ? ": " : "", release ? release : "");
        return FALSE;
    }
    instance->release = version_text(&instance->version);
    instance->overhead_mb = overhead ? (guint)g_ascii_strtoull(overhead, NULL, 10) : 8;
    return TRUE;
}

/* Name and port: compiled in, or written in timesten.conf. */
static void find_identity(Instance *instance)
{
    g_autofree char *port = NULL;

    if (instance->family->selection == SELECTED_BY_PATH) {
        instance->name = instance_compiled_in(instance->home, "name");
        port = instance_compiled_in(instance->home, "port");
    } else {
        instance->name = instance_option(instance, OPTION_INSTANCE_NAME);
        port = instance_option(instance, OPTION_DAEMON_PORT);
    }
    if (!instance->name)
        instance->name = g_path_get_basename(instance->home);
    instance->daemon_port =
        port ? (guint16)g_ascii_strtoull(port, NULL, 10) : instance->family->daemon_port;
}

Instance *instance_at(const char *home, GError **error)
{
    g_autoptr(Instance) instance = g_new0(Instance, 1);
    const Layout *layout;
    struct stat status;

    instance->home = g_strdup(home);
    instance->installation = find_installation(home);
    if (!find_release(instance, error))
        return NULL;
    layout = layout_of(instance);
    instance->programs = g_build_filename(home, layout->programs, NULL);
    instance->daemon_home = g_build_filename(home, "info", NULL);
    instance->log_home = g_build_filename(home, layout->logs, NULL);
    instance->pid_file = g_build_filename(instance->daemon_home, "timestend.pid", NULL);
    instance->options_path = g_build_filename(home, layout->options_file, NULL);
    instance->odbc_path = g_build_filename(home, layout->odbc, NULL);
    find_identity(instance);
    if (stat(instance->daemon_home, &status) < 0) {
        failure_set(error, TT_FILE, "%s: %s", instance->daemon_home, g_strerror(errno));
        return NULL;
    }
    instance->admin_uid = status.st_uid;
    instance->admin = user_name(status.st_uid);
    instance->group = group_name(status.st_gid);
    return g_steal_pointer(&instance);
}

char *instance_own_top(void)
{
    g_autofree char *executable = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *bin = executable ? g_path_get_dirname(executable) : NULL;

    return bin ? g_path_get_dirname(bin) : NULL;
}

/* The instance that the environment names, if it uses the software in TOP. */
static Instance *instance_of_environment(const char *top, GError **error)
{
    const char *home = g_getenv("TIMESTEN_HOME");
    g_autoptr(Instance) instance = NULL;

    if (!home || !*home) {
        failure_set(error, TT_ENGINE,
                    "the environment variable TIMESTEN_HOME is not set; source bin/ttenv.sh of the "
                    "instance or run bin/ttenv");
        return NULL;
    }
    instance = instance_at(home, error);
    if (instance && strcmp(instance->installation, top) != 0) {
        failure_set(error, TT_ENGINE, "TIMESTEN_HOME %s is an instance of the installation %s",
                    home, instance->installation);
        return NULL;
    }
    return g_steal_pointer(&instance);
}

static Instance *find_self(GError **error)
{
    g_autofree char *top = instance_own_top();
    g_autofree char *release = top ? instance_compiled_in(top, "release") : NULL;
    const Family *family = NULL;
    Version version;

    if (release && version_parse(release, &version))
        family = family_find(&version);
    if (family && family->selection == SELECTED_BY_ENVIRONMENT)
        return instance_of_environment(top, error);
    return instance_at(top ? top : "/", error);
}

Instance *instance_self(void)
{
    g_autoptr(GError) error = NULL;
    Instance *instance = find_self(&error);

    if (!instance) {
        fprintf(stderr, "%s: not part of a TimesTen instance: %s\n", g_get_prgname(),
                error->message);
        exit(1);
    }
    return instance;
}

Instance *instance_software(void)
{
    Instance *instance = g_new0(Instance, 1);
    g_autoptr(GError) error = NULL;

    instance->installation = instance_own_top();
    instance->home = g_strdup(instance->installation);
    if (!find_release(instance, &error)) {
        fprintf(stderr, "%s: not part of a TimesTen installation: %s\n", g_get_prgname(),
                error->message);
        exit(1);
    }
    return instance;
}

void instance_free(Instance *instance)
{
    if (!instance)
        return;
    g_free(instance->home);
    g_free(instance->installation);
    g_free(instance->programs);
    g_free(instance->name);
    g_free(instance->daemon_home);
    g_free(instance->log_home);
    g_free(instance->pid_file);
    g_free(instance->options_path);
    g_free(instance->odbc_path);
    g_free(instance->release);
    g_free(instance->admin);
    g_free(instance->group);
    g_free(instance);
}

const char *instance_option_name(const Instance *instance, OptionId id)
{
    return layout_of(instance)->names[id];
}

/* Whether LINE is the option's, and its value where RET_VALUE is not NULL. */
static gboolean is_option(const Layout *layout, OptionId id, const char *line, char **ret_value)
{
    g_autofree char *plain = g_strstrip(g_strdup(line));
    g_auto(GStrv) words = g_strsplit_set(plain, layout->separators, 2);

    if (!layout->names[id] || !words[0] || *words[0] == '#' ||
        g_ascii_strcasecmp(g_strstrip(words[0]), layout->names[id]) != 0)
        return FALSE;
    if (ret_value) {
        g_free(*ret_value);
        *ret_value = g_strdup(words[1] ? g_strstrip(words[1]) : "");
    }
    return TRUE;
}

char *instance_option(const Instance *instance, OptionId id)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    char *value = NULL;

    if (!g_file_get_contents(instance->options_path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        is_option(layout_of(instance), id, lines[i], &value);
    return value;
}

gboolean instance_is_under_systemd(const Instance *instance)
{
    g_autofree char *value = instance_option(instance, OPTION_SYSTEMD);

    return g_strcmp0(value, "1") == 0;
}

gboolean instance_set_option(const Instance *instance, OptionId id, const char *value,
                             GError **error)
{
    const Layout *layout = layout_of(instance);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GString) edited = g_string_new(NULL);

    if (!g_file_get_contents(instance->options_path, &text, NULL, error))
        return FALSE;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (!is_option(layout, id, lines[i], NULL) && (lines[i][0] || lines[i + 1]))
            g_string_append_printf(edited, "%s\n", lines[i]);
    }
    if (value)
        g_string_append_printf(edited, "%s%c%s\n", layout->names[id], layout->separators[0], value);
    return g_file_set_contents_full(instance->options_path, edited->str, -1,
                                    G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static void append_line(const Instance *instance, OptionId option, const char *fallback,
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
                                    : g_build_filename(instance->log_home, name, NULL);
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
    append_line(instance, OPTION_SUPPORT_LOG, "ttmesg.log", line);
    if (strcmp(level, "Info") != 0)
        append_line(instance, OPTION_USER_LOG, "tterrors.log", line);
}
