/* Names and places that more than one part of the house must agree on. */
#pragma once

#include <glib.h>

#define TU_BUS_NAME      "org.timesten.Upgrade1"
#define TU_ROOT_PATH     "/org/timesten/Upgrade1"
#define TU_INSTANCE_PATH TU_ROOT_PATH "/instance"
#define TU_SERVER_PATH   TU_ROOT_PATH "/server"
#define TU_JOB_PATH      TU_ROOT_PATH "/job"

#define TU_MANAGER_INTERFACE  "org.timesten.Upgrade1.Manager"
#define TU_INSTANCE_INTERFACE "org.timesten.Upgrade1.Instance"
#define TU_SERVER_INTERFACE   "org.timesten.Upgrade1.Server"
#define TU_JOB_INTERFACE      "org.timesten.Upgrade1.Job"

#define TU_SLICE "timesten.slice"

/* Marks that timesten-generator leaves in its directory, which systemd empties before each run: that
 * it came to its end, and that something was not there that a mount may still bring. */
#define GENERATOR_RAN  "timesten-upgrade.ran"
#define GENERATOR_LATE "timesten-upgrade.late"

/* Places. All are absolute; path_set_root() puts another directory in front of every one of them, for
 * the generator's tests and for unit tests only. The returned strings are the caller's. */
void path_set_root(const char *root);
char *path_instances_directory(void);           /* /etc/timesten-upgrade/instances.d */
char *path_servers_directory(void);             /* /etc/timesten-upgrade/servers.d */
char *path_facts_directory(void);               /* /etc/timesten-upgrade/facts.d */
char *path_state(const char *below);            /* /var/lib/timesten-upgrade/BELOW */
char *path_backing(const char *server);         /* /var/lib/timesten-upgrade/servers/SERVER */
char *path_jobs_directory(void);                /* /var/lib/timesten-upgrade/jobs */
char *path_job(guint64 id, const char *file);   /* …/jobs/ID[/FILE]; file may be NULL */
char *path_exports(guint64 id, const char *file); /* …/exports/ID[/FILE], of job ID */
char *state_directory_exports(guint64 id);      /* the same as StateDirectory= has it */
char *path_runtime(const char *below);          /* /run/timesten-upgrade/BELOW */
/* /run/timesten-upgrade/server/SERVER[/FILE], which is the keeper's own directory. "control" alone lies elsewhere, as
 * /run/timesten-upgrade/control/SERVER: systemd makes that node as root, while the keeper's directory comes and goes
 * with the keeper and belongs to its user. */
char *path_keeper(const char *server, const char *file);
char *path_generated(const char *file); /* /run/systemd/generator/FILE */
char *path_progress(guint64 id, const char *file); /* /run/timesten-upgrade/job/ID[/FILE] */

/* Unit names. Instance and server names need no escaping, because name_is_valid() allows none that
 * would. The returned strings are the caller's. */
char *unit_instance(const char *instance);      /* timesten@INSTANCE.service */
char *unit_server(const char *server);          /* timesten-server@SERVER.service */
char *unit_server_socket(const char *server);   /* timesten-server@SERVER.socket */
char *unit_revive(const char *server);          /* timesten-revive@SERVER.service */
char *unit_confirm(const char *server);         /* timesten-confirm@SERVER.timer */
char *unit_job(guint64 id);                     /* timesten-job@ID.service */

/* Whether a string may name an instance or a server: 1 to 64 of [A-Za-z0-9_], the first not a digit.
 * TimesTen's instance names have the same alphabet; '-', '.' and '@' stay out, because they mean
 * something in unit names and in file names. */
gboolean name_is_valid(const char *name);
