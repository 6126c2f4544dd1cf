/* timestensubd, one per loaded data store: brings it into memory, keeps it there, writes it out at
 * the end. Orders come on standard input, a socket to the main daemon. Nobody else starts it.
 */
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "fault.h"
#include "instance.h"
#include "replica.h"
#include "store.h"
#include "wire.h"

static void refuse(Wire *orders, const GError *error)
{
    g_autofree char *number = g_strdup_printf("%d", failure_number(error));
    g_autofree char *line = message_line("error", "number", number, "text", error->message, NULL);

    wire_send(orders, line);
}

static sqlite3 *load(const Instance *instance, const Message *order, GError **error)
{
    const char *path = message_get(order, "path");
    const char *log_dir = message_get(order, "logdir");
    gboolean recover = message_number(order, "recover") != 0;
    double megabytes = (double)store_size(path) / (1 << 20);
    double pause = tune_get(instance->home, "load-seconds", 0.05) +
                   tune_get(instance->home, "load-seconds-per-mb", 0.002) * megabytes +
                   (recover ? tune_get(instance->home, "recovery-seconds", 0.3) : 0);

    if (!store_exists(path)) {
        if (message_number(order, "create") == 0) {
            failure_set(error, TT_NO_STORE,
                        "Data store %s does not exist; AutoCreate=0 does not create it", path);
            return NULL;
        }
        if (!store_create(path, log_dir && *log_dir ? log_dir : NULL, instance->release, error))
            return NULL;
    }
    if (recover)
        instance_log(instance, "Warn", "recovering data store %s", path);
    if (message_number(order, "attach") == 0) /* else it is in memory already */
        g_usleep((gulong)(pause * G_USEC_PER_SEC));
    return store_open(path, &instance->version, error);
}

int timestensubd_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    g_autoptr(Wire) orders = wire_new(dup(STDIN_FILENO));
    g_autoptr(GError) error = NULL;
    g_autoptr(sqlite3) database = NULL;
    g_autoptr(Message) order = NULL;
    g_autofree char *line = wire_receive(orders, -1);
    g_autofree char *end = NULL;

    if (!line)
        return 1;
    /* The main daemon says when: a group-wide SIGTERM must not take the store away under its users.
     */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    order = message_parse(line);
    if (!message_get(order, "path"))
        return 1;
    fault_begin(instance->home, "timestensubd", argv);
    if (fault_get("fail"))
        failure_set(&error, TT_NO_CHECKPOINT, "No readable checkpoint files. OS error: 'Success'");
    else
        database = load(instance, order, &error);
    if (!database || store_lock(message_get(order, "path"), &error) < 0) {
        instance_log(instance, "Err", "cannot load %s: %d: %s", message_get(order, "path"),
                     failure_number(error), error->message);
        refuse(orders, error);
        return 1;
    }
    wire_send(orders, "ready");
    end = wire_receive(orders, -1);
    replica_trim_files(database, message_get(order, "path"), TRUE);
    sqlite3_exec(database, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    store_sync(message_get(order, "path"));
    return 0;
}
