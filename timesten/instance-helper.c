/* instance-helper: looks at one instance, tries the facts on it, edits its option file, and adds a DSN
 * for a copy to its sys.odbc.ini or takes that away, as its administrator.
 *
 * Runs in a transient unit or an ExecStartPre=, so that neither daemon nor worker needs access to
 * another user's files. Changes nothing but the lines that it was told to.
 */
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/belief.h"
#include "timesten/odbc.h"
#include "timesten/options.h"
#include "timesten/probe.h"
#include "timesten/trial.h"

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
    char *dsn;        /* to add or to remove */
    char *like;       /* whose attributes it gets */
    char *data_store; /* and where it lies; its directory is made, and removed when empty */
    char *odbc;       /* the file with the DSNs, as an earlier probe told */
    char *scratch;    /* a DSN whose database may be made and destroyed */
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

/* Two of us on one file must not lose each other's line. The lock ends with the process. */
static gboolean lock_directory_of(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (lock >= 0 && flock(lock, LOCK_EX) == 0) ||
           tu_error_errno(error, errno, "Cannot lock %s", directory);
}

static gboolean run_set(const char *home, const Options *options, GError **error)
{
    EraKind kind;
    g_autofree char *path = options_path(home, options, &kind, error);
    g_autofree char *text = NULL, *edited = NULL;
    g_autoptr(OptionsFile) file = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    gboolean good;

    if (!path || !lock_directory_of(path, error) ||
        !(text = file_read(path, FILE_LIMIT, NULL, error)))
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
    return good;
}

/* --- the DSN of a copy -------------------------------------------------------------------------
 */

static char *odbc_path(const char *home, const Options *options, GError **error)
{
    g_autoptr(InstanceFacts) facts = probe_files(home, options->release, error);
    char *real;

    if (!facts)
        return NULL;
    if (!(real = realpath(facts->odbc_path, NULL)))
        tu_error_errno(error, errno, "Cannot find %s", facts->odbc_path);
    return real;
}

static gboolean run_add_dsn(const char *home, const Options *options, GError **error)
{
    g_autofree char *path = odbc_path(home, options, error);
    g_autofree char *directory = g_path_get_dirname(options->data_store);
    g_autofree char *text = NULL, *edited = NULL;

    if (!path || !lock_directory_of(path, error) ||
        !(text = file_read(path, FILE_LIMIT, NULL, error)))
        return FALSE;
    edited = odbc_add(text, options->dsn, options->like, options->data_store);
    if (!edited)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "%s has no section [%s]. Add it", path,
                            options->like);
    if (mkdir(directory, 0750) < 0 && errno != EEXIST)
        return tu_error_errno(error, errno, "Cannot make %s for the copy", directory);
    if (g_str_equal(text, edited))
        return TRUE;
    printf("dsn %s added to %s\n", options->dsn, path);
    return replace(path, edited, error);
}

static gboolean run_remove_dsn(const char *home, const Options *options, GError **error)
{
    g_autofree char *path = odbc_path(home, options, error);
    g_autofree char *text = NULL, *edited = NULL, *directory = NULL;
    g_autoptr(GPtrArray) dsns = NULL;
    const Dsn *dsn;

    if (!path || !lock_directory_of(path, error) ||
        !(text = file_read(path, FILE_LIMIT, NULL, error)))
        return FALSE;
    dsns = odbc_parse(text);
    dsn = odbc_find(dsns, options->dsn);
    if (!dsn)
        return TRUE;
    if (dsn->data_store) { /* while the DSN is there, another attempt finds the directory */
        directory = g_path_get_dirname(dsn->data_store);
        rmdir(directory);
    }
    edited = odbc_remove(text, options->dsn);
    printf("dsn %s removed from %s\n", options->dsn, path);
    return replace(path, edited, error);
}

static gboolean run_probe(const char *home, const Options *options, GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_probe(home, options->release, error);
    g_autofree char *text = facts ? facts_format(facts) : NULL;

    if (text)
        fputs(text, stdout);
    return text != NULL;
}

/* What of a probe may change within a job, without asking ttVersion once more. */
static gboolean run_databases(const char *home, const Options *options, GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_new();
    g_autofree char *text = NULL;

    facts->home = g_strdup(home);
    facts->odbc_path = g_strdup(options->odbc);
    if (!facts_probe_databases(facts, error))
        return FALSE;
    text = facts_format_databases(facts);
    fputs(text, stdout);
    return TRUE;
}

static gboolean run_try(const char *home, const Options *options, GError **error)
{
    Trial *trials = trials_run(home, options->release, options->scratch, error);
    g_autoptr(GVariant) list = trials ? g_variant_ref_sink(trials_variant(trials)) : NULL;
    g_autofree char *text = list ? g_variant_print(list, TRUE) : NULL;

    trials_free(trials);
    if (text)
        puts(text);
    return text != NULL;
}

static const struct {
    const char *name;
    gboolean (*run)(const char *home, const Options *options, GError **error);
    gboolean edits; /* the option file */
    gboolean needs_dsn, needs_copy, needs_odbc;
    gboolean tries; /* may be given a scratch database */
} verbs[] = {
    { "probe", run_probe },
    { "try", run_try, .tries = TRUE },
    { "databases", run_databases, .needs_odbc = TRUE },
    { "set", run_set, .edits = TRUE },
    { "add-dsn", run_add_dsn, .needs_dsn = TRUE, .needs_copy = TRUE },
    { "remove-dsn", run_remove_dsn, .needs_dsn = TRUE },
};

/* What would end a line or a section is no part of a name. */
static gboolean is_name(const char *text)
{
    return text && text[0] && !strpbrk(text, "[]\n\r=;");
}

static gboolean is_path(const char *text)
{
    return text && text[0] == '/' && !strpbrk(text, "\n\r");
}

static int usage(const char *problem)
{
    fprintf(stderr,
            "error: %s. Usage: instance-helper probe HOME [--release=R] | instance-helper "
            "try HOME [--release=R] [--scratch=DSN] | instance-helper databases HOME --odbc=FILE | instance-helper set HOME [--release=R] "
            "[--server-port=N|0] [--backwards-compat=yes|no] [--if-port=A,B,...] | "
            "instance-helper add-dsn HOME --dsn=NEW --like=DSN --data-store=PATH | instance-helper "
            "remove-dsn HOME --dsn=NEW\n",
            problem);
    return 2;
}

static void options_clear(Options *options)
{
    g_free(options->release);
    g_free(options->server_port);
    g_free(options->backwards_compat);
    g_free(options->if_port);
    g_free(options->dsn);
    g_free(options->like);
    g_free(options->data_store);
    g_free(options->odbc);
    g_free(options->scratch);
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
        { "dsn", 0, 0, G_OPTION_ARG_STRING, &options.dsn, NULL, NULL },
        { "like", 0, 0, G_OPTION_ARG_STRING, &options.like, NULL, NULL },
        { "data-store", 0, 0, G_OPTION_ARG_STRING, &options.data_store, NULL, NULL },
        { "odbc", 0, 0, G_OPTION_ARG_STRING, &options.odbc, NULL, NULL },
        { "scratch", 0, 0, G_OPTION_ARG_STRING, &options.scratch, NULL, NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    /* Daemon and checks tell what is wrong with the files; here it would spoil what is read. */
    g_strfreev(belief_load());
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !check_options(&options, &error))
        return usage(error->message);
    if (argc != 3)
        return usage("give a verb and the instance's home");
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (!g_str_equal(verbs[i].name, argv[1]))
            continue;
        if ((!verbs[i].edits &&
             (options.server_port || options.backwards_compat || options.if_port)) ||
            (!verbs[i].needs_dsn && options.dsn) || (!verbs[i].needs_odbc && options.odbc) ||
            (!verbs[i].tries && options.scratch) ||
            (!verbs[i].needs_copy && (options.like || options.data_store)))
            return usage("this verb takes no such option");
        if ((verbs[i].needs_dsn && !is_name(options.dsn)) ||
            (verbs[i].needs_copy && (!is_name(options.like) || !is_path(options.data_store))))
            return usage("name the DSN, the one that it is like, and an absolute path");
        if (verbs[i].needs_odbc && !is_path(options.odbc))
            return usage("name the file with the DSNs by its absolute path");
        if (verbs[i].run(argv[2], &options, &error) && fflush(stdout) == 0)
            return 0;
        fprintf(stderr, "error: %s\n", error ? error->message : g_strerror(errno));
        return 1;
    }
    return usage("unknown verb");
}
