/* The instance that a process belongs to, and where its files are: told by the path of its own
 * executable up to 11.2, by TIMESTEN_HOME from 18.1 on.
 *
 * What the vendor's binaries have compiled in (release; up to 11.2 name and port) stands in
 * .standin/instance beside them.
 */
#pragma once

#include <sys/types.h>

#include "release.h"

/* Options that both kinds of option file have under names of their own. */
typedef enum {
    OPTION_SERVER_PORT,
    OPTION_WEB_PORT,
    OPTION_COMPAT, /* -insecure-backwards-compat */
    OPTION_USER_LOG,
    OPTION_SUPPORT_LOG,
    OPTION_DAEMON_PORT, /* these are in timesten.conf only */
    OPTION_INSTANCE_NAME,
    OPTION_RELEASE,
    OPTION_SYSTEMD, /* G: systemd=1 */
    N_OPTIONS,
} OptionId;

typedef struct {
    char *home;
    char *installation; /* the software: home itself, or what home/install leads to */
    char *programs;     /* directory of the executables, by way of home */
    char *name;
    char *daemon_home; /* state, pid file */
    char *log_home;
    char *pid_file;
    char *options_path;
    char *odbc_path;
    Version version;
    char *release; /* banner form of VERSION */
    const Family *family;
    guint16 daemon_port;
    guint overhead_mb; /* what this patch adds to a database's shared segment */
    uid_t admin_uid;   /* who owns the daemon home */
    char *admin;
    char *group;
} Instance;

/* The instance of the running executable. Prints why and ends the process where there is none:
 * without an instance no command of TimesTen can do anything. */
Instance *instance_self(void);
/* The installation of the running executable as an instance without name or files of its own, for
 * commands that need none. */
Instance *instance_software(void);
Instance *instance_at(const char *home, GError **error);
void instance_free(Instance *instance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Instance, instance_free)

/* The directory above the executable's: HOME, or the installation. NULL: it cannot be told. */
char *instance_own_top(void);
/* The release that the software in a directory is of, and more of what is compiled into it;
 * g_free(). NULL: none. */
char *instance_compiled_in(const char *top, const char *name);

/* The value of an option of the option file; "" for a bare flag, NULL where absent or where the era
 * has no such option. The last line wins. */
char *instance_option(const Instance *instance, OptionId id);
/* How the era writes an option; NULL: it has none. */
const char *instance_option_name(const Instance *instance, OptionId id);
/* systemd alone starts and stops it. */
gboolean instance_is_under_systemd(const Instance *instance);
/* Replaces or adds the line of an option, or removes it (VALUE NULL). */
gboolean instance_set_option(const Instance *instance, OptionId id, const char *value,
                             GError **error);

/* A log of the instance: level is "Err", "Warn" or "Info"; errors go to tterrors.log, all to
 * ttmesg.log. */
void instance_log(const Instance *instance, const char *level, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
