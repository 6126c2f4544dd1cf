/* The instance that a process belongs to: told by the path of its own executable, as TimesTen up
 * to 11.2 does.
 *
 * What the vendor's binaries have compiled in (release, name, port) stands in
 * HOME/.standin/instance.
 */
#pragma once

#include <sys/types.h>

#include "release.h"

typedef struct {
    char *home;
    char *name;
    char *daemon_home; /* option file, pid file, logs */
    char *pid_file;
    char *options_path;
    Version version;
    char *release; /* banner form of VERSION */
    const Family *family;
    guint16 daemon_port;
    uid_t admin_uid; /* who owns the daemon home */
    char *admin;
} Instance;

/* The instance of the running executable. Prints why and ends the process where there is none:
 * without an instance no command of TimesTen can do anything. */
Instance *instance_self(void);
Instance *instance_at(const char *home, GError **error);
void instance_free(Instance *instance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Instance, instance_free)

/* The value of an option of ttendaemon.options; "" for a bare flag, NULL where absent. The last
 * line wins. */
char *instance_option(const Instance *instance, const char *name);

/* A log of the instance: level is "Err", "Warn" or "Info"; errors go to tterrors.log, all to
 * ttmesg.log. */
void instance_log(const Instance *instance, const char *level, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
