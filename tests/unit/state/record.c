/* What a record must survive: power cuts at any byte, full disks, damage, two writers. */
#include "common/error.h"
#include "common/names.h"
#include "state/record.h"
#include "tests/unit/state/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES 5

/* A record of LINES lines, closed; its text comes back. */
static char *make_record(guint64 id, gsize *ret_length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = record_open(id, &error);
    g_autofree char *path = path_job(id, "record");
    char *text;

    g_assert_no_error(error);
    g_assert_true(record_append(writer, RECORD_PLAN, "export", &error, "description",
                                "Save \"all\" tables,\nback\\slash, umlaut ä", NULL));
    g_assert_true(record_append(writer, RECORD_START, "-", &error, "boot", "b1", NULL));
    g_assert_true(record_append(writer, RECORD_BEGIN, "export", &error, NULL));
    g_assert_true(
        record_append(writer, RECORD_NOTE, "export", &error, "rows", "12", "empty", "", NULL));
    g_assert_true(record_append(writer, RECORD_END, "export", &error, "file", "/x/y z", NULL));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &text, ret_length, NULL));
    return text;
}

static void put(guint64 id, const char *text, gsize length)
{
    g_autofree char *path = path_job(id, "record");

    g_assert_true(g_file_set_contents(path, text, length, NULL));
}

static guint count(guint64 id, gboolean *ret_damaged)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lines = record_read(id, ret_damaged, &error);

    g_assert_no_error(error);
    return lines->len;
}

static gsize size_of(guint64 id)
{
    g_autofree char *path = path_job(id, "record");
    struct stat file;

    g_assert_cmpint(stat(path, &file), ==, 0);
    return file.st_size;
}

/* Where the last line begins. */
static gsize last_line(const char *text, gsize length)
{
    gsize start = length - 1;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    return start;
}

static void what_is_written_is_read(void)
{
    scratch_begin();
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);
    g_autoptr(GPtrArray) lines = record_read(id, NULL, NULL);
    const RecordLine *first = g_ptr_array_index(lines, 0), *note = g_ptr_array_index(lines, 3);

    g_assert_cmpuint(lines->len, ==, LINES);
    g_assert_cmpuint(first->seq, ==, 1);
    g_assert_cmpuint(note->seq, ==, 4);
    g_assert_cmpint(first->event, ==, RECORD_PLAN);
    g_assert_cmpint(note->event, ==, RECORD_NOTE);
    g_assert_cmpstr(first->step, ==, "export");
    g_assert_cmpstr(g_hash_table_lookup(first->values, "description"), ==,
                    "Save \"all\" tables,\nback\\slash, umlaut ä");
    g_assert_cmpstr(g_hash_table_lookup(note->values, "empty"), ==, "");
    g_assert_cmpstr(g_hash_table_lookup(note->values, "rows"), ==, "12");
    g_assert_cmpint(ABS((gint64)first->usec - g_get_real_time()), <, 60 * G_USEC_PER_SEC);
}

static void a_job_without_a_record_has_no_lines(void)
{
    gboolean damaged = TRUE;

    scratch_begin();
    g_assert_cmpuint(count(scratch_job(), &damaged), ==, 0);
    g_assert_false(damaged);
    g_assert_cmpuint(count(4711, &damaged), ==, 0);
}

/* However much of the last line reached the disk: it never counts, and the next line takes its
 * place. */
static void a_line_torn_at_any_byte_is_dropped(void)
{
    scratch_begin();
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);

    for (gsize cut = last_line(text, length); cut < length; cut++) {
        g_autoptr(GError) error = NULL;
        gboolean damaged = TRUE;

        put(id, text, cut);
        g_assert_cmpuint(count(id, &damaged), ==, LINES - 1);
        g_assert_false(damaged);

        g_autoptr(RecordWriter) writer = record_open(id, &error);

        g_assert_no_error(error);
        g_assert_cmpuint(size_of(id), ==, last_line(text, length));
        g_assert_true(record_append(writer, RECORD_FAIL, "export", &error, "message", "m", NULL));
        g_assert_cmpuint(count(id, &damaged), ==, LINES);
        g_assert_false(damaged);
    }
}

/* Blocks of a last line that never came are zero, in any order. */
static void a_last_line_with_holes_is_dropped(void)
{
    scratch_begin();
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);
    const gsize start = last_line(text, length);

    for (gsize from = start; from < length; from++)
        for (gsize to = from + 1; to <= length; to++) {
            g_autofree char *holes = g_memdup2(text, length);
            gboolean damaged = TRUE;

            memset(holes + from, 0, to - from);
            put(id, holes, length);
            g_assert_cmpuint(count(id, &damaged), ==, LINES - 1);
            g_assert_false(damaged);
        }
}

/* Damage before the end was no power cut: what came before is read, and nothing may be added. */
static void damage_at_any_byte_of_an_earlier_line_is_told(void)
{
    scratch_begin();
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);
    const gsize last = last_line(text, length);
    guint line = 0;

    for (gsize at = 0; at < last; at++) {
        g_autofree char *broken = g_memdup2(text, length);
        g_autoptr(GError) error = NULL;
        g_autoptr(RecordWriter) writer = NULL;
        g_autofree char *after = NULL, *path = path_job(id, "record");
        gboolean damaged = FALSE;
        gsize size;

        broken[at] ^= 1;
        put(id, broken, length);
        g_assert_cmpuint(count(id, &damaged), ==, line);
        g_assert_true(damaged);
        writer = record_open(id, &error);
        g_assert_null(writer);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
        g_assert_true(g_file_get_contents(path, &after, &size, NULL));
        g_assert_cmpmem(broken, length, after, size);
        line += text[at] == '\n';
    }
    g_assert_cmpuint(line, ==, LINES - 1);
}

static void a_line_that_is_missing_or_doubled_is_damage(void)
{
    scratch_begin();
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);
    const gsize last = last_line(text, length), before = last_line(text, last);
    g_autofree char *doubled = g_strconcat(text, text + last, NULL);
    g_autofree char *missing = g_strdup_printf("%.*s%s", (int)before, text, text + last);
    gboolean damaged = FALSE;

    put(id, doubled, strlen(doubled));
    g_assert_cmpuint(count(id, &damaged), ==, LINES);
    g_assert_true(damaged);
    damaged = FALSE;
    put(id, missing, strlen(missing));
    g_assert_cmpuint(count(id, &damaged), ==, LINES - 2);
    g_assert_true(damaged);
}

static void record_of(const char *what, gsize length, guint *ret_lines)
{
    gboolean damaged;
    guint64 id = scratch_job();

    put(id, what, length);
    *ret_lines = count(id, &damaged);
}

static void garbage_is_no_line(void)
{
    guint lines;

    scratch_begin();
    record_of("\n", 1, &lines);
    g_assert_cmpuint(lines, ==, 0);
    record_of("\0\0\0\0\n\n", 6, &lines);
    g_assert_cmpuint(lines, ==, 0);
    record_of("0123456789abcdef 1 1 note -\n", 28, &lines);
    g_assert_cmpuint(lines, ==, 0);
    record_of("0123456789abcdef \n0123456789abcdef", 34, &lines);
    g_assert_cmpuint(lines, ==, 0);
}

/* A disk that is full in the middle of a line: an error, nothing of it stays, and when there is
 * room again the record goes on. In a child, because the limit cannot be taken back everywhere. */
static void full_disk(void)
{
    g_autoptr(GError) error = NULL;
    guint64 id = scratch_job();
    gsize length;
    g_autofree char *text G_GNUC_UNUSED = make_record(id, &length);
    g_autoptr(RecordWriter) writer = record_open(id, &error);
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    g_assert_no_error(error);
    for (gsize room = 0; room < 60; room++) {
        gboolean damaged = TRUE;

        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        limit.rlim_cur = length + room;
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        g_assert_false(record_append(writer, RECORD_NOTE, "-", &error, "long",
                                     "a line of more than sixty bytes in any case", NULL));
        g_assert_error(error, TU_ERROR, TU_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "Cannot write the record"));
        g_assert_cmpuint(size_of(id), ==, length);
        g_assert_cmpuint(count(id, &damaged), ==, LINES);
        g_assert_false(damaged);
        g_clear_error(&error);
    }
    limit.rlim_cur = limit.rlim_max;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    g_assert_true(record_append(writer, RECORD_END, "export", &error, NULL));
    g_assert_cmpuint(count(id, NULL), ==, LINES + 1);
}

static void a_full_disk_poisons_nothing(void)
{
    int status;
    pid_t child;

    scratch_begin();
    child = fork();
    if (child == 0) {
        full_disk();
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void a_second_writer_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) first = NULL, second = NULL;
    guint64 id;

    scratch_begin();
    id = scratch_job();
    first = record_open(id, &error);
    g_assert_no_error(error);
    second = record_open(id, &error);
    g_assert_null(second);
    g_assert_error(error, TU_ERROR, TU_ERROR_BUSY);
}

static void nothing_follows_the_end(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = NULL;
    guint64 id;

    scratch_begin();
    id = scratch_job();
    writer = record_open(id, &error);
    g_assert_true(record_append(writer, RECORD_FINISH, "-", &error, "result", "done", NULL));
    g_assert_false(record_append(writer, RECORD_NOTE, "-", &error, NULL));
    g_assert_error(error, TU_ERROR, TU_ERROR_TOO_LATE);
    g_clear_error(&error);
    g_clear_pointer(&writer, record_close);
    writer = record_open(id, &error);
    g_assert_no_error(error);
    g_assert_false(record_append(writer, RECORD_NOTE, "-", &error, NULL));
    g_assert_error(error, TU_ERROR, TU_ERROR_TOO_LATE);
}

static void what_cannot_be_read_back_is_not_written(void)
{
    static const char *const bad[] = { "", "a b", "a=b", "a\"b", "a\\b", "a\nb", "ä", NULL };
    g_autofree char *huge = g_strnfill(100 * 1024, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    const RecordLine *line;
    guint64 id;

    scratch_begin();
    id = scratch_job();
    writer = record_open(id, &error);
    for (guint i = 0; bad[i]; i++) {
        g_assert_false(record_append(writer, RECORD_NOTE, bad[i], &error, NULL));
        g_clear_error(&error);
        g_assert_false(record_append(writer, RECORD_NOTE, "-", &error, bad[i], "value", NULL));
        g_clear_error(&error);
    }
    g_assert_false(record_append(writer, RECORD_NOTE, "-", &error, "rows", huge, NULL));
    g_clear_error(&error);
    /* Prose is cut, and bytes that are no UTF-8 are replaced: a failure must always be recordable.
     */
    g_assert_true(
        record_append(writer, RECORD_FAIL, "-", &error, "message", huge, "raw", "a\377b", NULL));
    lines = record_read(id, NULL, NULL);
    g_assert_cmpuint(lines->len, ==, 1);
    line = g_ptr_array_index(lines, 0);
    g_assert_cmpuint(strlen(g_hash_table_lookup(line->values, "message")), <, 9000);
    g_assert_true(g_str_has_suffix(g_hash_table_lookup(line->values, "message"), "…"));
    g_assert_true(g_utf8_validate(g_hash_table_lookup(line->values, "raw"), -1, NULL));
}

static void a_record_of_a_job_that_is_not_there_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = NULL;

    scratch_begin();
    writer = record_open(99, &error);
    g_assert_null(writer);
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB);
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit = { bytes, RLIM_INFINITY };

    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static void what_cannot_be_written_waits_and_keeps_its_place(void)
{
    const char *const steps[] = { "export", "import", "verify", "commit" };
    g_autoptr(GPtrArray) lines = NULL;
    g_autoptr(RecordSummary) summary = NULL;
    guint64 id;

    scratch_begin();
    id = scratch_job();
    {
        g_autoptr(GError) error = NULL;
        g_autoptr(RecordWriter) writer = record_open(id, &error);

        g_assert_true(record_append(writer, RECORD_BEGIN, steps[0], &error, NULL));
        set_file_limit(size_of(id));
        g_assert_false(record_append(writer, RECORD_BEGIN, steps[1], &error, NULL));
        g_assert_nonnull(error);
        g_clear_error(&error);
        g_assert_cmpuint(record_lines(writer)->len, ==, 1);
        record_defer(writer, RECORD_BEGIN, steps[1], NULL);
        record_defer(writer, RECORD_BEGIN, steps[2], NULL);
        summary = record_fold(record_lines(writer));
        g_assert_nonnull(record_find_step(summary, steps[2]));
        g_assert_false(record_flush(writer, NULL));
        g_assert_true(record_has_deferred(writer));
        g_assert_cmpuint(count(id, NULL), ==, 1);
        set_file_limit(RLIM_INFINITY);
        g_assert_true(record_append(writer, RECORD_BEGIN, steps[3], &error, NULL));
        g_assert_false(record_has_deferred(writer));
    }
    lines = record_read(id, NULL, NULL);
    g_assert_cmpuint(lines->len, ==, G_N_ELEMENTS(steps));
    for (guint i = 0; i < lines->len; i++)
        g_assert_cmpstr(((RecordLine *)lines->pdata[i])->step, ==, steps[i]);
    scratch_end();
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/what-is-written-is-read", what_is_written_is_read);
    g_test_add_func("/record/a-job-without-a-record-has-no-lines",
                    a_job_without_a_record_has_no_lines);
    g_test_add_func("/record/a-line-torn-at-any-byte-is-dropped",
                    a_line_torn_at_any_byte_is_dropped);
    g_test_add_func("/record/a-last-line-with-holes-is-dropped", a_last_line_with_holes_is_dropped);
    g_test_add_func("/record/damage-at-any-byte-of-an-earlier-line-is-told",
                    damage_at_any_byte_of_an_earlier_line_is_told);
    g_test_add_func("/record/a-line-that-is-missing-or-doubled-is-damage",
                    a_line_that_is_missing_or_doubled_is_damage);
    g_test_add_func("/record/garbage-is-no-line", garbage_is_no_line);
    g_test_add_func("/record/a-full-disk-poisons-nothing", a_full_disk_poisons_nothing);
    g_test_add_func("/record/a-second-writer-is-refused", a_second_writer_is_refused);
    g_test_add_func("/record/nothing-follows-the-end", nothing_follows_the_end);
    g_test_add_func("/record/what-cannot-be-written-waits-and-keeps-its-place",
                    what_cannot_be_written_waits_and_keeps_its_place);
    g_test_add_func("/record/what-cannot-be-read-back-is-not-written",
                    what_cannot_be_read_back_is_not_written);
    g_test_add_func("/record/a-record-of-a-job-that-is-not-there-is-refused",
                    a_record_of_a_job_that_is_not_there_is_refused);
    status = g_test_run();
    scratch_end();
    return status;
}
