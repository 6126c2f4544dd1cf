#include "port/saved.h"
#include "port/heir.h"
#include "port/line.h"
#include "port/socket.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <stddef.h>
#include <unistd.h>

#define SAVED_LIMIT 4096

#define FIELD(key, type, member)                                                                   \
    {                                                                                              \
        key, type, offsetof(Saved, member)                                                         \
    }

static const LineField fields[] = {
    FIELD("state", LINE_STATE, state),
    FIELD("backend", LINE_WORD, backend),
    FIELD("since", LINE_UINT64, since),
    FIELD("deadline", LINE_UINT64, deadline),
    FIELD("drain-end", LINE_UINT64, drain_end),
    FIELD("stopped", LINE_UINT, stopped),
    { NULL },
};

gboolean saved_is_held(const Saved *saved)
{
    return saved->state == KEEPER_HOLD || saved->state == KEEPER_DRAIN;
}

Saved *saved_copy(const Saved *saved)
{
    Saved *copy = g_new(Saved, 1);

    *copy = *saved;
    copy->backend = g_strdup(saved->backend);
    return copy;
}

void saved_free(Saved *saved)
{
    if (!saved)
        return;
    g_free(saved->backend);
    g_free(saved);
}

gboolean saved_store(const char *server, const Saved *saved, GError **error)
{
    g_autofree char *path = path_keeper(server, "state");
    g_autofree char *line = line_format(fields, saved);
    g_autofree char *text = g_strconcat(line, "\n", NULL);

    return file_replace(path, text, -1, 0644, error);
}

/* What the keeper itself can never have written. */
static gboolean makes_sense(const Saved *saved, GError **error)
{
    const char *problem = NULL;
    Address address;

    if (saved->backend &&
        (heir_is(saved->backend) ? !heir_check(saved->backend, error)
                                 : !address_parse(saved->backend, &address, error)))
        return FALSE;
    if (saved->state == KEEPER_OPEN && !saved->backend)
        problem = "it is open, but to no backend";
    else if (saved_is_held(saved) != (saved->deadline > 0))
        problem = "it is held without a deadline, or has one without being held";
    else if ((saved->state == KEEPER_DRAIN) != (saved->drain_end > 0))
        problem = "it drains without an end, or has one without draining";
    if (problem)
        g_set_error_literal(error, TU_ERROR, TU_ERROR_FAILED, problem);
    return !problem;
}

Saved *saved_load(const char *server, gboolean *ret_missing, GError **error)
{
    g_autofree char *path = path_keeper(server, "state");
    g_autofree char *text = file_read(path, SAVED_LIMIT, ret_missing, error);
    g_autoptr(Saved) saved = g_new0(Saved, 1);
    g_autoptr(GError) problem = NULL;

    if (!text)
        return NULL;
    if (line_parse(text, fields, saved, &problem) && makes_sense(saved, &problem))
        return g_steal_pointer(&saved);
    g_set_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED, "%s makes no sense: %s", path,
                problem->message);
    return NULL;
}

void saved_remove(const char *server)
{
    g_autofree char *path = path_keeper(server, "state");

    unlink(path);
}
