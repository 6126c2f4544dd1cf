/* Text of a record, both ways. Nothing here touches a file. A line that does not fit its checksum,
 * its sequence or its grammar is never guessed at. */
#include "state/record-line.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/nick.h"
#include "common/text.h"

#include <string.h>

#define NAME_LIMIT  200
#define VALUE_LIMIT (64 * 1024)
#define PROSE_LIMIT (8 * 1024)

static NickTable event_nicks = {
    [RECORD_PLAN] = "plan",     [RECORD_START] = "start",
    [RECORD_BEGIN] = "begin",   [RECORD_END] = "end",
    [RECORD_FAIL] = "fail",     [RECORD_UNDO] = "undo",
    [RECORD_UNDONE] = "undone", [RECORD_UNDO_FAILED] = "undo-failed",
    [RECORD_NOTE] = "note",     [RECORD_FINISH] = "finish",
    [RECORD_RETRY] = "retry",   [N_RECORD_EVENTS] = NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(event_nicks) == N_RECORD_EVENTS + 1);

static gboolean is_name(const char *text)
{
    gsize length = text ? strlen(text) : 0;

    if (length == 0 || length > NAME_LIMIT)
        return FALSE;
    for (; *text; text++)
        if (!g_ascii_isgraph(*text) || strchr("=\"\\", *text))
            return FALSE;
    return TRUE;
}

static gboolean is_prose(const char *key)
{
    return g_str_equal(key, "message") || g_str_equal(key, "description") ||
           g_str_equal(key, "detail");
}

/* Escaped and quoted. What a utility printed may be no UTF-8, and readers put values on the bus. */
static gboolean append_value(GString *line, const char *key, const char *value, GError **error)
{
    g_autofree char *valid = g_utf8_make_valid(value ? value : "", -1);
    g_autofree char *escaped = NULL;
    gsize length = strlen(valid);

    if (length > PROSE_LIMIT && is_prose(key)) {
        g_autofree char *whole = g_steal_pointer(&valid);
        const char *end = g_utf8_find_prev_char(whole, whole + PROSE_LIMIT);

        valid = g_strdup_printf("%.*s…", (int)(end - whole), whole);
    } else if (length > VALUE_LIMIT) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "Cannot record %s=: it has %zu bytes, no more than %d are kept", key, length,
                    VALUE_LIMIT);
        return FALSE;
    }
    escaped = g_strescape(valid, NULL);
    g_string_append_printf(line, " %s=\"%s\"", key, escaped);
    return TRUE;
}

char *record_line_format(guint64 seq, guint64 usec, RecordEvent event, const char *step,
                         GHashTable *values, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GList) keys = values ? g_hash_table_get_keys(values) : NULL;
    g_autofree char *sum = NULL;

    if (!is_name(step)) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot record a step named \"%s\"",
                    step ? step : "");
        return NULL;
    }
    g_string_append_printf(line, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s", seq, usec,
                           nick_of(event_nicks, event), step);
    keys = g_list_sort(keys, (GCompareFunc)strcmp);
    for (GList *key = keys; key; key = key->next) {
        if (!is_name(key->data)) {
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot record a key named \"%s\"",
                        (char *)key->data);
            return NULL;
        }
        if (!append_value(line, key->data, g_hash_table_lookup(values, key->data), error))
            return NULL;
    }
    sum = seal_sum(line->str, line->len);
    g_string_prepend_c(line, ' ');
    g_string_prepend(line, sum);
    g_string_append_c(line, '\n');
    return g_string_free(g_steal_pointer(&line), FALSE);
}

static void line_free(RecordLine *line)
{
    g_free(line->step);
    g_clear_pointer(&line->values, g_hash_table_unref);
    g_free(line);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecordLine, line_free)

RecordLine *record_line_new(guint64 seq, guint64 usec, RecordEvent event, const char *step,
                            GHashTable *values)
{
    RecordLine *line = g_new0(RecordLine, 1);
    GHashTableIter iter;
    gpointer key, value;

    *line = (RecordLine){
        .seq = seq,
        .usec = usec,
        .event = event,
        .step = g_strdup(step),
        .values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
    };
    if (values)
        g_hash_table_iter_init(&iter, values);
    while (values && g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_replace(line->values, g_strdup(key), g_strdup(value ? value : ""));
    return line;
}

/* Cuts the word up to the next blank (or the end) out of *text and moves behind it; NULL: none is
 * left. */
static char *take_word(char **text)
{
    char *word = *text;
    char *blank;

    if (!word || !*word)
        return NULL;
    blank = strchr(word, ' ');
    if (blank)
        *blank = '\0';
    *text = blank ? blank + 1 : NULL;
    return word;
}

/* KEY="escaped"… from TEXT on; NULL: no values. */
static gboolean take_values(char *text, GHashTable *values)
{
    while (text) {
        char *equals = strchr(text, '=');
        char *end;

        if (!equals || equals[1] != '"')
            return FALSE;
        *equals = '\0';
        for (end = equals + 2; *end && *end != '"'; end++)
            if (*end == '\\' && end[1])
                end++;
        if (*end != '"' || (end[1] && end[1] != ' ') || !is_name(text))
            return FALSE;
        *end = '\0';
        g_hash_table_replace(values, g_strdup(text), g_strcompress(equals + 2));
        text = end[1] ? end + 2 : NULL;
    }
    return TRUE;
}

/* TEXT has no newline. NULL: not a line that stands for itself. */
static RecordLine *line_parse(const char *text, gsize length)
{
    g_autoptr(RecordLine) line = g_new0(RecordLine, 1);
    g_autofree char *copy = NULL, *sum = NULL;
    char *rest, *event;
    int number;

    if (length < SEAL_LENGTH + 1 || text[SEAL_LENGTH] != ' ' || memchr(text, '\0', length))
        return NULL;
    sum = seal_sum(text + SEAL_LENGTH + 1, length - SEAL_LENGTH - 1);
    if (memcmp(text, sum, SEAL_LENGTH) != 0)
        return NULL;
    rest = copy = g_strndup(text + SEAL_LENGTH + 1, length - SEAL_LENGTH - 1);
    line->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!text_parse_uint64(take_word(&rest), 1, G_MAXUINT64, &line->seq) ||
        !text_parse_uint64(take_word(&rest), 0, G_MAXUINT64, &line->usec) ||
        !(event = take_word(&rest)) || !nick_parse(event_nicks, event, &number) ||
        !(line->step = g_strdup(take_word(&rest))) || !take_values(rest, line->values))
        return NULL;
    line->event = number;
    return g_steal_pointer(&line);
}

/* Whether the end of a broken line is a whole line of its own: then it was not torn, but lost the
 * newline of the line before, which had been synced. */
static gboolean hides_line(const char *text, gsize length)
{
    for (gsize at = 1; at + SEAL_LENGTH < length; at++) {
        g_autoptr(RecordLine) line = NULL;

        if (text[at + SEAL_LENGTH] == ' ')
            line = line_parse(text + at, length - at);
        if (line)
            return TRUE;
    }
    return FALSE;
}

RecordScan record_scan(const char *text, gsize length)
{
    RecordScan scan = { .lines = g_ptr_array_new_with_free_func((GDestroyNotify)line_free) };

    while (scan.good < length) {
        const char *start = text + scan.good;
        const char *newline = memchr(start, '\n', length - scan.good);
        g_autoptr(RecordLine) line = newline ? line_parse(start, newline - start) : NULL;

        if (line && line->seq == scan.lines->len + 1) {
            g_ptr_array_add(scan.lines, g_steal_pointer(&line));
            scan.good += newline + 1 - start;
            continue;
        }
        /* Each line is synced before the next is written, so only the very last can be torn. A last
         * line whose checksum fits and whose number does not was never torn: somebody edited the
         * file. */
        if (!newline)
            scan.torn = TRUE;
        else if (newline + 1 == text + length && !line && !hides_line(start, newline - start))
            scan.torn = TRUE;
        else
            scan.damaged = scan.lines->len + 1;
        break;
    }
    return scan;
}
