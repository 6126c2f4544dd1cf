/* instance-helper: looks at one instance and edits its option file, as its administrator.
 *
 * Runs in a transient unit or an ExecStartPre=, so that neither daemon nor worker needs access to
 * another user's files. Changes nothing but the option file's lines that it was told to.
 */
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/options.h"
#include "timesten/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT (1024 * 1024) /* bytes of an option file */

typedef struct {
    char *release;
    char *server_port; /* as given; NULL: leave */
    char *backwards_compat;
    char *if_port;
    guint16 port;
    gboolean compat;
} Options;

static gboolean invalid(GError **error, const char *option, const char *value, const char *remedy)
{
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "--%s=%s: %s", option, value, remedy);
    return FALSE;
}

static gboolean check_options(Options *options, GError **error)
{
    guint64 port;
    g_auto(GStrv) ports = options->if_port ? g_strsplit(options->if_port, ",", -1) : NULL;

    if (options->server_port) {
        if (!text_parse_uint64(options->server_port, 0, 65535, &port))
            return invalid(error, "server-port", options->server_port,
                           "give a port, or 0 for no server");
        options->port = port;
    }
    for (guint i = 0; ports && ports[i]; i++)
        if (!text_parse_uint64(ports[i], 0, 65535, &port))
            return invalid(error, "if-port", options->if_port, "give ports with commas between");
    if (options->backwards_compat) {
        options->compat = g_str_equal(options->backwards_compat, "yes");
        if (!options->compat && !g_str_equal(options->backwards_compat, "no"))
            return invalid(error, "backwards-compat", options->backwards_compat, "give yes or no");
    }
    return TRUE;
}

static gboolean port_is_listed(const char *list, guint16 port)
{
    g_auto(GStrv) ports = g_strsplit(list, ",", -1);
    guint64 number;

    for (guint i = 0; ports[i]; i++)
        if (text_parse_uint64(ports[i], 0, 65535, &number) && number == port)
            return TRUE;
    return FALSE;
}

static void say_change(GString *said, const char *what, const char *old, const char *new)
{
    g_string_append_printf(said, "%s %s -> %s\n", what, old, new);
}

static char *port_text(guint16 port)
{
    return port ? g_strdup_printf("%u", port) : g_strdup("none");
}

/* Makes the changes in memory and writes what they are to SAID. */
static gboolean edit(OptionsFile *file, const Options *options, GString *said, GError **error)
{
    guint16 old = options_server_port(file);
    gboolean compat = options_backwards_compat(file);

    if (options->server_port && options->port != old &&
        (!options->if_port || port_is_listed(options->if_port, old))) {
        g_autofree char *from = port_text(old), *to = port_text(options->port);

        options_set_server_port(file, options->port);
        say_change(said, "server-port", from, to);
    }
    if (options->backwards_compat && options->compat != compat) {
        if (!options_set_backwards_compat(file, options->compat, error))
            return FALSE;
        say_change(said, "backwards-compat", compat ? "yes" : "no", options->compat ? "yes" : "no");
    }
    return TRUE;
}

/* Replaces a file by CONTENT with the mode and the owner that it has. After TRUE the content
 * survives a power cut, after FALSE the old file is untouched. */
static gboolean replace(const char *path, const char *content, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *temporary = g_build_filename(directory, ".#options-XXXXXX", NULL);
    struct stat status, fresh;
    gsize length = strlen(content);
    int fd, problem = 0;

    if (stat(path, &status) < 0)
        return tu_error_errno(error, errno, "Cannot look at %s", path);
    if ((fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600)) < 0)
        return tu_error_errno(error, errno, "Cannot write to %s; give the administrator the right",
                              directory);
    for (ssize_t count; problem == 0 && length > 0; content += count, length -= count)
        if ((count = write(fd, content, length)) < 0) {
            problem = errno == EINTR ? 0 : errno;
            count = 0;
        }
    if (problem == 0 && fstat(fd, &fresh) < 0)
        problem = errno;
    if (problem == 0 && (status.st_uid != fresh.st_uid || status.st_gid != fresh.st_gid) &&
        fchown(fd, status.st_uid, status.st_gid) < 0)
        problem = errno;
    if (problem == 0 && fchmod(fd, status.st_mode & 07777) < 0)
        problem = errno;
    if (problem == 0 && fsync(fd) < 0)
        problem = errno;
    if (close(fd) < 0 && problem == 0)
        problem = errno;
    if (problem == 0 && rename(temporary, path) < 0)
        problem = errno;
    if (problem != 0) {
        unlink(temporary);
        return tu_error_errno(error, problem,
                              "Cannot replace %s, whose owner has user id %u and group id %u; make "
                              "the instance administrator its owner",
                              path, status.st_uid, status.st_gid);
    }
    return directory_sync(directory, error);
}

static char *options_path(const char *home, const Options *options, EraKind *ret_kind,
                          GError **error)
{
    g_autoptr(InstanceFacts) facts = probe_files(home, options->release, error);
    char *real;

    if (!facts)
        return NULL;
    /* A link stays a link: what it leads to is replaced. */
    if (!(real = realpath(facts->options_path, NULL))) {
        tu_error_errno(error, errno, "Cannot find %s", facts->options_path);
        return NULL;
    }
    *ret_kind = release_era(&facts->release)->kind;
    return real;
}

static gboolean run_set(const char *home, const Options *options, GError **error)
{
    EraKind kind;
    g_autofree char *path = options_path(home, options, &kind, error);
    g_autofree char *directory = path ? g_path_get_dirname(path) : NULL;
    g_autofree char *text = NULL, *edited = NULL;
    g_autoptr(OptionsFile) file = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    int lock;
    gboolean good;

    if (!path)
        return FALSE;
    /* Two of us on one file must not lose each other's line. The lock ends with the process. */
    lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return tu_error_errno(error, errno, "Cannot lock %s", directory);
    if (!(text = file_read(path, FILE_LIMIT, NULL, error)))
        return FALSE;
    file = options_parse(text, kind);
    if (!edit(file, options, said, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }
    edited = options_text(file);
    good = said->len == 0 || replace(path, edited, error);
    if (good)
        fputs(said->str, stdout);
    close(lock);
    return good;
}

static gboolean run_probe(const char *home, const Options *options, GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_probe(home, options->release, error);
    g_autofree char *text = facts ? facts_format(facts) : NULL;

    if (text)
        fputs(text, stdout);
    return text != NULL;
}

static const struct {
    const char *name;
    gboolean (*run)(const char *home, const Options *options, GError **error);
    gboolean edits;
} verbs[] = {
    { "probe", run_probe, FALSE },
    { "set", run_set, TRUE },
};

static int usage(const char *problem)
{
    fprintf(stderr,
            "error: %s. Usage: instance-helper probe HOME [--release=R] | instance-helper set HOME "
            "[--release=R] [--server-port=N|0] [--backwards-compat=yes|no] [--if-port=A,B,...]\n",
            problem);
    return 2;
}

static void options_clear(Options *options)
{
    g_free(options->release);
    g_free(options->server_port);
    g_free(options->backwards_compat);
    g_free(options->if_port);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

int main(int argc, char **argv)
{
    g_auto(Options) options = { 0 };
    const GOptionEntry entries[] = {
        { "release", 0, 0, G_OPTION_ARG_STRING, &options.release, NULL, NULL },
        { "server-port", 0, 0, G_OPTION_ARG_STRING, &options.server_port, NULL, NULL },
        { "backwards-compat", 0, 0, G_OPTION_ARG_STRING, &options.backwards_compat, NULL, NULL },
        { "if-port", 0, 0, G_OPTION_ARG_STRING, &options.if_port, NULL, NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !check_options(&options, &error))
        return usage(error->message);
    if (argc != 3)
        return usage("give a verb and the instance's home");
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (!g_str_equal(verbs[i].name, argv[1]))
            continue;
        if (!verbs[i].edits && (options.server_port || options.backwards_compat || options.if_port))
            return usage("this verb takes no option but --release");
        if (verbs[i].run(argv[2], &options, &error) && fflush(stdout) == 0)
            return 0;
        fprintf(stderr, "error: %s\n", error ? error->message : g_strerror(errno));
        return 1;
    }
    return usage("unknown verb");
}
