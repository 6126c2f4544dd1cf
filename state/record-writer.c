/* Appending to a record. A line counts only when it is synced; whatever fails half-way leaves the
 * file as it was, so that the next line never follows a torn one. Only the worker of the job calls
 * this. */
#include "state/record-line.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct RecordWriter {
    char *path;
    int fd;
    gboolean read_only; /* so far; asked again with each line */
    gsize length;       /* bytes that are whole lines */
    GPtrArray *lines;   /* RecordLine */
    guint deferred;     /* so many of the last ones are not in the file yet */
    gboolean dirty;     /* behind LENGTH may be half a line */
};

static gboolean is_finished(const RecordWriter *writer)
{
    const RecordLine *last =
        writer->lines->len > 0 ? g_ptr_array_index(writer->lines, writer->lines->len - 1) : NULL;

    return last && last->event == RECORD_FINISH;
}

static gboolean read_exactly(int fd, GString *text)
{
    gsize done = 0;

    while (done < text->len) {
        ssize_t count = pread(fd, text->str + done, text->len - done, done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return FALSE;
        if (count == 0)
            break;
        done += count;
    }
    g_string_truncate(text, done);
    return TRUE;
}

/* Takes over what is in the file: counts it, and cuts a torn line off. */
static gboolean take_over(RecordWriter *writer, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct stat file;
    RecordScan scan;

    if (fstat(writer->fd, &file) < 0)
        return tu_error_errno(error, errno, "Cannot look at %s", writer->path);
    if (!S_ISREG(file.st_mode) || file.st_size > RECORD_LIMIT) {
        g_set_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED,
                    "%s is no file of less than %d bytes, as each record of a job is", writer->path,
                    RECORD_LIMIT);
        return FALSE;
    }
    g_string_set_size(text, file.st_size);
    if (!read_exactly(writer->fd, text))
        return tu_error_errno(error, errno, "Cannot read %s", writer->path);
    scan = record_scan(text->str, text->len);
    writer->lines = scan.lines;
    if (scan.damaged != 0) {
        g_set_error(
            error, TU_ERROR, TU_ERROR_RECORD_DAMAGED,
            "%s is damaged in line %u, so the job cannot be carried on. See with \"ttctl status\" "
            "which instance serves, and move the job's directory away",
            writer->path, scan.damaged);
        return FALSE;
    }
    writer->length = scan.good;
    writer->dirty = scan.torn;
    return TRUE;
}

/* What a file system says that can be read and not written: now, or not ever again. */
static gboolean is_unwritable(int problem)
{
    return problem == EROFS || problem == EIO || problem == ENOSPC || problem == EDQUOT;
}

/* Cuts off what lies behind the last whole line. */
static gboolean clean(RecordWriter *writer, GError **error)
{
    if (!writer->dirty)
        return TRUE;
    if (ftruncate(writer->fd, writer->length) < 0 || fdatasync(writer->fd) < 0)
        return tu_error_errno(error, errno, "Cannot cut a torn line off %s", writer->path);
    writer->dirty = FALSE;
    return TRUE;
}

#define HOW (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Instead of a descriptor that can only read: one that can write, once that is possible. */
static gboolean reopen(RecordWriter *writer, GError **error)
{
    int fd = open(writer->path, O_RDWR | HOW);

    if (fd < 0)
        return tu_error_errno(error, errno, "Cannot write the record %s", writer->path);
    close(writer->fd); /* and with it goes the lock */
    writer->fd = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return tu_error_errno(error, errno, "Cannot lock the record %s", writer->path);
    return TRUE;
}

static gboolean make_writable(RecordWriter *writer, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(writer->path);

    if (!writer->read_only)
        return TRUE;
    if ((fcntl(writer->fd, F_GETFL) & O_ACCMODE) == O_RDONLY && !reopen(writer, error))
        return FALSE;
    if (!clean(writer, error) || !directory_sync(directory, error))
        return FALSE;
    writer->read_only = FALSE;
    return TRUE;
}

RecordWriter *record_open(guint64 id, GError **error)
{
    g_autoptr(RecordWriter) writer = g_new0(RecordWriter, 1);
    g_autoptr(GError) problem = NULL;

    writer->path = path_job(id, "record");
    writer->fd = open(writer->path, O_RDWR | O_CREAT | HOW, 0600);
    if (writer->fd < 0 && is_unwritable(errno)) {
        int unwritable = errno;

        writer->fd = open(writer->path, O_RDONLY | HOW);
        if (writer->fd < 0 && errno == ENOENT) /* the job is there, its record was to begin */
            errno = unwritable;
    }
    if (writer->fd < 0 && errno == ENOENT) {
        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB, "There is no job %" G_GUINT64_FORMAT,
                    id);
        return NULL;
    }
    if (writer->fd < 0) {
        tu_error_errno(error, errno, "Cannot open %s", writer->path);
        return NULL;
    }
    /* Two writers would number their lines alike. The lock ends with the process. */
    if (flock(writer->fd, LOCK_EX | LOCK_NB) < 0) {
        g_set_error(
            error, TU_ERROR, TU_ERROR_BUSY,
            "%s is being written by another process (%s). Only timesten-job@%" G_GUINT64_FORMAT
            ".service may do that",
            writer->path, g_strerror(errno), id);
        return NULL;
    }
    if (!take_over(writer, error))
        return NULL;
    /* Always, because a power cut may have come between the file's creation and its sync. */
    writer->read_only = TRUE;
    if (!make_writable(writer, &problem))
        g_message("%s; it is only read for now", problem->message);
    return g_steal_pointer(&writer);
}

void record_close(RecordWriter *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    g_clear_pointer(&writer->lines, g_ptr_array_unref);
    g_free(writer->path);
    g_free(writer);
}

/* errno of the first thing that failed, or 0. */
static int write_synced(RecordWriter *writer, const char *text, gsize length)
{
    gsize done = 0;

    while (done < length) {
        ssize_t count = pwrite(writer->fd, text + done, length - done, writer->length + done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        done += count;
    }
    return fdatasync(writer->fd) < 0 ? errno : 0;
}

/* Appends a line to the file and syncs it. */
static gboolean write_line(RecordWriter *writer, const RecordLine *line, GError **error)
{
    g_autofree char *text =
        record_line_format(line->seq, line->usec, line->event, line->step, line->values, error);
    gsize length = text ? strlen(text) : 0;
    int problem;

    if (!text || !make_writable(writer, error) || !clean(writer, error))
        return FALSE;
    if (writer->length + length > RECORD_LIMIT) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "%s is full: it may have %d bytes",
                    writer->path, RECORD_LIMIT);
        return FALSE;
    }
    problem = write_synced(writer, text, length);
    if (problem != 0) {
        g_autoptr(GError) ignored = NULL;

        /* After a failed sync nobody knows what is on the disk, so the line goes in any case. Where
         * even that fails, the next append tries again before it writes. */
        writer->dirty = TRUE;
        clean(writer, &ignored);
        return tu_error_errno(error, problem, "Cannot write the record %s", writer->path);
    }
    writer->length += length;
    return TRUE;
}

gboolean record_flush(RecordWriter *writer, GError **error)
{
    while (writer->deferred > 0) {
        if (!write_line(writer,
                        g_ptr_array_index(writer->lines, writer->lines->len - writer->deferred),
                        error))
            return FALSE;
        writer->deferred--;
    }
    return TRUE;
}

gboolean record_has_deferred(const RecordWriter *writer)
{
    return writer->deferred > 0;
}

const GPtrArray *record_lines(const RecordWriter *writer)
{
    return writer->lines;
}

void record_defer(RecordWriter *writer, RecordEvent event, const char *step, GHashTable *values)
{
    g_ptr_array_add(writer->lines, record_line_new(writer->lines->len + 1, g_get_real_time(), event,
                                                   step, values));
    writer->deferred++;
}

gboolean record_append_table(RecordWriter *writer, RecordEvent event, const char *step,
                             GHashTable *values, GError **error)
{
    if (is_finished(writer) && event != RECORD_RETRY) {
        g_set_error(error, TU_ERROR, TU_ERROR_TOO_LATE,
                    "%s is finished; nothing can be added to it", writer->path);
        return FALSE;
    }
    if (!record_flush(writer, error))
        return FALSE;
    record_defer(writer, event, step, values);
    if (record_flush(writer, error))
        return TRUE;
    writer->deferred = 0;
    g_ptr_array_remove_index(writer->lines, writer->lines->len - 1);
    return FALSE;
}

gboolean record_append(RecordWriter *writer, RecordEvent event, const char *step, GError **error,
                       ...)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    const char *key;
    va_list args;

    va_start(args, error);
    while ((key = va_arg(args, const char *))) {
        const char *value = va_arg(args, const char *);

        g_hash_table_replace(values, (gpointer)key, (gpointer)value);
    }
    va_end(args);
    return record_append_table(writer, event, step, values, error);
}
