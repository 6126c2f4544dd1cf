#include "port/silence.h"
#include "port/socket.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#define CALL_AFTER_USEC (2 * USEC_PER_SEC)
#define CALL_EVERY_USEC (10 * USEC_PER_SEC)

struct Silence {
    char *path;
    guint64 waiting; /* clients wait since then; 0: none */
    guint64 called;  /* CLOCK_BOOTTIME µs; 0: not in this silence */
};

Silence *silence_new(const char *server)
{
    Silence *silence = g_new0(Silence, 1);

    silence->path = path_keeper(server, "silent");
    return silence;
}

void silence_free(Silence *silence)
{
    if (!silence)
        return;
    g_free(silence->path);
    g_free(silence);
}

void silence_lasts(Silence *silence, guint64 lasted)
{
    guint64 now = boottime_now();
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", lasted);
    g_autoptr(GError) error = NULL;

    if (lasted < CALL_AFTER_USEC) {
        silence->called = 0;
        return;
    }
    if (silence->called && now - silence->called < CALL_EVERY_USEC)
        return;
    silence->called = now;
    if (!file_replace(silence->path, text, -1, 0644, &error))
        g_warning("Nobody is told that the backend is silent: %s", error->message);
}

guint64 silence_of_queue(Silence *silence, guint held)
{
    guint64 now = boottime_now();

    if (held == 0)
        silence->waiting = 0;
    else if (silence->waiting == 0)
        silence->waiting = now;
    return silence->waiting ? now - silence->waiting : 0;
}
