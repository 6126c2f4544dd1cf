/* The facts in force: the rows of belief-rows.c, and what the files in facts.d put in their place.
 * A value is judged when it is read, so that whoever asks for it always gets one of its type.
 * Nothing of TimesTen is known here.
 */
#include "timesten/belief.h"
#include "common/error.h"
#include "common/names.h"
#include "common/settings.h"
#include "common/text.h"

#include <string.h>
#include <sys/stat.h>

#define SECTION "Facts"
#define NONE    "none"

const char *const belief_type_nicks[] = { "word", "phrases", "statuses", "number",
                                          "time", "since",   "switch",   NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(belief_type_nicks) == N_BELIEF_TYPES + 1);

const char *const belief_type_meanings[] = {
    [BELIEF_WORD] = "one word without blanks, quotes and ';', or none",
    [BELIEF_PHRASES] = "printed words in any case, | between several, quotes keep blanks; or none",
    [BELIEF_STATUSES] = "exit statuses from 1 to 255 with blanks between, or none",
    [BELIEF_NUMBER] = "a number from 1 to 65535",
    [BELIEF_TIME] = "a time such as 30s or 5min, or infinity",
    [BELIEF_SINCE] = "the first release that has it, or always, or never",
    [BELIEF_SWITCH] = "yes or no",
};
G_STATIC_ASSERT(G_N_ELEMENTS(belief_type_meanings) == N_BELIEF_TYPES);

/* A value that was judged. */
typedef struct {
    char *text;
    char **phrases;
    guint8 statuses[256]; /* 1: is in the list */
    guint64 number;
    Release release; /* parts 0: never */
    char *override;
} Value;

static Value *values[N_BELIEFS];

static void value_free(Value *value)
{
    g_free(value->text);
    g_strfreev(value->phrases);
    g_free(value->override);
    g_free(value);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Value, value_free)

/* --- the types ----------------------------------------------------------------------------------
 */

static gboolean take_word(Value *value)
{
    for (const char *p = value->text; *p; p++)
        if (!g_ascii_isgraph(*p) || strchr("\"';`\\|", *p))
            return FALSE;
    return TRUE;
}

static char *unquote(char *phrase)
{
    gsize length = strlen(g_strstrip(phrase));

    if (length < 2 || phrase[0] != '"' || phrase[length - 1] != '"')
        return g_strdup(phrase);
    return g_strndup(phrase + 1, length - 2);
}

static gboolean take_phrases(Value *value)
{
    g_auto(GStrv) parts = g_strsplit(value->text, "|", -1);
    g_autoptr(GStrvBuilder) phrases = g_strv_builder_new();

    for (guint i = 0; parts[i]; i++) {
        g_autofree char *phrase = unquote(parts[i]);
        g_autofree char *lower = g_ascii_strdown(phrase, -1);

        if (!phrase[0])
            return FALSE;
        g_strv_builder_add(phrases, lower);
    }
    g_strfreev(value->phrases);
    value->phrases = g_strv_builder_end(phrases);
    return TRUE;
}

static gboolean take_statuses(Value *value)
{
    g_auto(GStrv) words = g_strsplit_set(value->text, " \t,", -1);
    guint64 status;

    for (guint i = 0; words[i]; i++) {
        if (!words[i][0])
            continue;
        if (!text_parse_uint64(words[i], 1, 255, &status))
            return FALSE;
        value->statuses[status] = 1;
    }
    return TRUE;
}

static gboolean take_number(Value *value)
{
    return text_parse_uint64(value->text, 1, G_MAXUINT16, &value->number);
}

static gboolean take_time(Value *value)
{
    return text_parse_timespan(value->text, &value->number) && value->number > 0;
}

static gboolean take_since(Value *value)
{
    if (g_str_equal(value->text, "never"))
        return TRUE;
    if (g_str_equal(value->text, "always")) {
        value->release.parts = 1;
        return TRUE;
    }
    return release_parse(value->text, &value->release, NULL);
}

static gboolean take_switch(Value *value)
{
    value->number = g_str_equal(value->text, "yes");
    return value->number || g_str_equal(value->text, "no");
}

static const struct {
    gboolean (*take)(Value *value);
    gboolean may_be_none;
} types[] = {
    [BELIEF_WORD] = { take_word, TRUE },         [BELIEF_PHRASES] = { take_phrases, TRUE },
    [BELIEF_STATUSES] = { take_statuses, TRUE }, [BELIEF_NUMBER] = { take_number, FALSE },
    [BELIEF_TIME] = { take_time, FALSE },        [BELIEF_SINCE] = { take_since, FALSE },
    [BELIEF_SWITCH] = { take_switch, FALSE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(types) == N_BELIEF_TYPES);

/* NULL where the text is no value of the row's type. */
static Value *value_new(BeliefId id, const char *text, const char *override)
{
    g_autoptr(Value) value = g_new0(Value, 1);
    BeliefType type = beliefs[id].type;

    value->text = g_strdup(text);
    value->phrases = g_new0(char *, 1);
    value->override = g_strdup(override);
    if (!text[0] || (g_str_equal(text, NONE) ? !types[type].may_be_none || beliefs[id].needed
                                             : !types[type].take(value)))
        return NULL;
    return g_steal_pointer(&value);
}

/* The row's own value until a file was read that has another one. */
static const Value *value_of(BeliefId id)
{
    if (!values[id])
        values[id] = value_new(id, beliefs[id].value, NULL);
    g_assert(values[id]);
    return values[id];
}

/* --- what is asked ------------------------------------------------------------------------------
 */

const char *belief_value(BeliefId id)
{
    return value_of(id)->text;
}

const char *belief_override(BeliefId id)
{
    return value_of(id)->override;
}

const char *belief_word(BeliefId id)
{
    const char *text = value_of(id)->text;

    return g_str_equal(text, NONE) ? NULL : text;
}

char **belief_phrases(BeliefId id)
{
    return value_of(id)->phrases;
}

gboolean belief_is_said(BeliefId id, const char *text)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);

    for (char **phrase = value_of(id)->phrases; *phrase; phrase++)
        if (strstr(lower, *phrase))
            return TRUE;
    return FALSE;
}

const char *belief_behind(BeliefId id, const char *line)
{
    for (char **phrase = value_of(id)->phrases; *phrase; phrase++) {
        gsize length = strlen(*phrase);

        if (g_ascii_strncasecmp(line, *phrase, length) == 0)
            return line + length;
    }
    return NULL;
}

gboolean belief_has_status(BeliefId id, int status)
{
    return status > 0 && status < 256 && value_of(id)->statuses[status];
}

guint64 belief_number(BeliefId id)
{
    return value_of(id)->number;
}

gboolean belief_holds_since(BeliefId id, const Release *release)
{
    const Release *first = &value_of(id)->release;

    return first->parts > 0 && release_compare(release, first) >= 0;
}

gboolean belief_is_so(BeliefId id)
{
    return value_of(id)->number != 0;
}

/* --- facts.d ------------------------------------------------------------------------------------
 */

static void add_problem(GStrvBuilder *problems, const GError *error)
{
    g_strv_builder_add(problems, error->message);
}

static SettingsKey *known_keys(void)
{
    SettingsKey *keys = g_new0(SettingsKey, N_BELIEFS + 1);

    for (guint i = 0; i < N_BELIEFS; i++)
        keys[i] = (SettingsKey){ SECTION, beliefs[i].name };
    return keys;
}

/* What root alone can read would hold for the worker and not for the administrator's helper. */
static gboolean is_for_all(const char *path, GError **error)
{
    struct stat found;

    if (stat(path, &found) < 0 || (found.st_mode & S_IROTH))
        return TRUE;
    return tu_error_set(error, TU_ERROR_INVALID_CONFIGURATION,
                        "%s:0: not everybody may read it, and TimesTen's administrators need the "
                        "facts, too. Run chmod o+r %s",
                        path, path);
}

/* All of a file or, with an error, nothing. */
static gboolean load_file(const char *path, const SettingsKey *keys, GError **error)
{
    g_autoptr(Settings) settings =
        is_for_all(path, error) ? settings_load(path, keys, error) : NULL;
    Value *fresh[N_BELIEFS] = { 0 };
    gboolean good = settings != NULL;

    for (guint i = 0; good && i < N_BELIEFS; i++) {
        const Belief *row = &beliefs[i];
        guint line = settings_line(settings, SECTION, row->name);
        const char *text = settings_get(settings, SECTION, row->name);
        g_autofree char *place = NULL;

        if (line == 0)
            continue;
        place = g_strdup_printf("%s:%u", path, line);
        if (belief_override(i))
            good = settings_complain(settings, SECTION, row->name, error,
                                     "%s= is set in %s already. Remove one of the two", row->name,
                                     belief_override(i));
        else if (!(fresh[i] = value_new(i, text ? text : "", place)))
            good = settings_complain(settings, SECTION, row->name, error,
                                     "%s=%s is no value of this fact. Write %s, or take the line "
                                     "away for what is believed without it: %s",
                                     row->name, text ? text : "", belief_type_meanings[row->type],
                                     row->value);
    }
    for (guint i = 0; i < N_BELIEFS; i++) {
        if (good && fresh[i]) {
            g_clear_pointer(&values[i], value_free);
            values[i] = g_steal_pointer(&fresh[i]);
        }
        g_clear_pointer(&fresh[i], value_free);
    }
    return good;
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the directory's files, sorted, so that everybody reads the same ones first. */
static GPtrArray *file_names(const char *directory, GStrvBuilder *problems)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) local = NULL, error = NULL;
    g_autoptr(GDir) stream = g_dir_open(directory, 0, &local);
    const char *name;

    if (!stream && !g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        tu_error_set(&error, TU_ERROR_INVALID_CONFIGURATION,
                     "%s:0: the directory cannot be read (%s). Let everybody read it, because "
                     "TimesTen's administrators need the facts, too",
                     directory, local->message);
        add_problem(problems, error);
    }
    while (stream && (name = g_dir_read_name(stream)))
        if (g_str_has_suffix(name, ".conf") && name[0] != '.')
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_text);
    return names;
}

char **belief_load(void)
{
    g_autofree char *directory = path_facts_directory();
    g_autofree SettingsKey *keys = known_keys();
    g_autoptr(GStrvBuilder) problems = g_strv_builder_new();
    g_autoptr(GPtrArray) names = file_names(directory, problems);

    for (guint i = 0; i < N_BELIEFS; i++)
        g_clear_pointer(&values[i], value_free);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);
        g_autoptr(GError) error = NULL;

        if (!load_file(path, keys, &error))
            add_problem(problems, error);
    }
    return g_strv_builder_end(problems);
}
