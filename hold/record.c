#include "hold/record.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT 65536

#define REQUEST_TYPE "(tas)"
#define STATUS_TYPE  "(btttuuas)"

char *hold_unit(const char *service)
{
    return g_strdup_printf("timesten-hold@%s.service", service);
}

char *hold_queue_unit(const char *socket)
{
    return g_strdup_printf("timesten-queue@%s.service", socket);
}

gboolean hold_is_ours(const char *unit)
{
    return g_str_has_prefix(unit, "timesten-hold@") || g_str_has_prefix(unit, "timesten-queue@");
}

static char *below(const char *directory, const char *unit, const char *file)
{
    g_autofree char *name = g_build_filename(directory, unit, file, NULL);

    return path_runtime(name);
}

static gboolean write_text(const char *path, GVariant *value, GError **error)
{
    g_autoptr(GVariant) kept = g_variant_ref_sink(value);
    g_autofree char *text = g_variant_print(kept, TRUE);

    return file_replace(path, text, -1, 0644, error);
}

static GVariant *read_text(const char *path, const char *type, GError **error)
{
    g_autofree char *text = file_read(path, FILE_LIMIT, NULL, error);

    return text ? g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, error) : NULL;
}

/* --- the request ------------------------------------------------------------------------------ */

void hold_request_free(HoldRequest *request)
{
    if (!request)
        return;
    g_strfreev(request->sockets);
    g_free(request);
}

gboolean hold_request_write(const char *service, const HoldRequest *request, GError **error)
{
    g_autofree char *directory = path_runtime("hold");
    g_autofree char *path = below("hold", service, NULL);

    if (g_mkdir_with_parents(directory, 0755) < 0)
        return tu_error_errno(error, errno, "Cannot make %s", directory);
    return write_text(path, g_variant_new("(t^as)", request->deadline, request->sockets), error);
}

HoldRequest *hold_request_read(const char *service, GError **error)
{
    g_autofree char *path = below("hold", service, NULL);
    g_autoptr(GVariant) value = read_text(path, REQUEST_TYPE, error);
    HoldRequest *request;

    if (!value)
        return NULL;
    request = g_new0(HoldRequest, 1);
    g_variant_get(value, "(t^as)", &request->deadline, &request->sockets);
    return request;
}

/* --- the status ------------------------------------------------------------------------------- */

void hold_status_free(HoldStatus *status)
{
    if (!status)
        return;
    g_free(status->service);
    g_strfreev(status->sockets);
    g_free(status);
}

char *hold_status_directory(const char *service)
{
    return below("held", service, NULL);
}

gboolean hold_status_write(const HoldStatus *status, GError **error)
{
    g_autofree char *path = below("held", status->service, "status");

    return write_text(path,
                      g_variant_new("(btttuu^as)", status->held, status->since, status->deadline,
                                    status->request, status->waiting, status->limit,
                                    status->sockets),
                      error);
}

HoldStatus *hold_status_read(const char *service)
{
    g_autofree char *path = below("held", service, "status");
    g_autoptr(GVariant) value = read_text(path, STATUS_TYPE, NULL);
    HoldStatus *status;

    if (!value)
        return NULL;
    status = g_new0(HoldStatus, 1);
    status->service = g_strdup(service);
    g_variant_get(value, "(btttuu^as)", &status->held, &status->since, &status->deadline,
                  &status->request, &status->waiting, &status->limit, &status->sockets);
    return status;
}

static int by_service(gconstpointer a, gconstpointer b)
{
    return strcmp((*(HoldStatus *const *)a)->service, (*(HoldStatus *const *)b)->service);
}

GPtrArray *hold_status_list(void)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)hold_status_free);
    g_autofree char *path = path_runtime("held");
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory && (name = g_dir_read_name(directory))) {
        HoldStatus *status = hold_status_read(name);

        if (status)
            g_ptr_array_add(list, status);
    }
    g_ptr_array_sort(list, by_service);
    return list;
}

/* --- the queues ------------------------------------------------------------------------------- */

gboolean hold_inodes_write(const char *socket, const GArray *inodes, GError **error)
{
    g_autofree char *path = below("queue", socket, "inodes");

    return write_text(path,
                      g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, inodes->data, inodes->len,
                                                sizeof(guint64)),
                      error);
}

GArray *hold_inodes_read(const char *socket)
{
    g_autofree char *path = below("queue", socket, "inodes");
    g_autoptr(GVariant) value = read_text(path, "at", NULL);
    GArray *inodes = g_array_new(FALSE, FALSE, sizeof(guint64));
    gsize count = 0;
    gconstpointer data = value ? g_variant_get_fixed_array(value, &count, sizeof(guint64)) : NULL;

    if (count > 0)
        g_array_append_vals(inodes, data, count);
    return inodes;
}
