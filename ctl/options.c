#include "ctl/options.h"
#include "common/error.h"
#include "common/text.h"

#include <getopt.h>
#include <unistd.h>

typedef enum { VALUE_NONE, VALUE_REQUIRED, VALUE_OPTIONAL } ValueRule;

typedef struct OptionRow OptionRow;
struct OptionRow {
    const char *name;
    char letter; /* 0: none */
    ValueRule rule;
    const char *placeholder;
    const char *help;
    OptionGroup group;
    gboolean (*take)(Options *options, GVariantDict *job, const OptionRow *row, const char *value,
                     GError **error);
    gsize flag;      /* offset of a gboolean, for take_flag() */
    const char *key; /* in the a{sv}, for the job's options */
};

static gboolean wrong_value(const OptionRow *row, const char *value, const char *wanted,
                            GError **error)
{
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "--%s=%s: %s", row->name, value, wanted);
    return FALSE;
}

static gboolean take_flag(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    G_STRUCT_MEMBER(gboolean, options, row->flag) = TRUE;
    return TRUE;
}

static gboolean take_host(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    if (!*value)
        return wrong_value(row, value, "a name is needed", error);
    if (options->transport != TRANSPORT_LOCAL) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "Only one --host or --machine can be talked to at a time");
        return FALSE;
    }
    options->transport = row->letter == 'H' ? TRANSPORT_HOST : TRANSPORT_MACHINE;
    options->host = value;
    return TRUE;
}

static gboolean take_json(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    if (!value)
        options->output = isatty(STDOUT_FILENO) ? OUTPUT_JSON_PRETTY : OUTPUT_JSON_SHORT;
    else if (g_str_equal(value, "pretty"))
        options->output = OUTPUT_JSON_PRETTY;
    else if (g_str_equal(value, "short"))
        options->output = OUTPUT_JSON_SHORT;
    else
        return wrong_value(row, value, "use pretty or short", error);
    return TRUE;
}

static gboolean take_limit(Options *options, GVariantDict *job, const OptionRow *row,
                           const char *value, GError **error)
{
    options->limit = value;
    return TRUE;
}

static gboolean take_instance(Options *options, GVariantDict *job, const OptionRow *row,
                              const char *value, GError **error)
{
    options->instance = value;
    return TRUE;
}

static gboolean take_scratch(Options *options, GVariantDict *job, const OptionRow *row,
                             const char *value, GError **error)
{
    options->scratch = value;
    return TRUE;
}

static gboolean is_word(const char *text)
{
    return *text && g_utf8_validate(text, -1, NULL);
}

static gboolean take_word(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    if (!is_word(value))
        return wrong_value(row, value, "a word is needed", error);
    g_variant_dict_insert(job, row->key, "s", value);
    return TRUE;
}

static gboolean take_span(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    guint64 usec;

    if (!text_parse_timespan(value, &usec))
        return wrong_value(row, value, "write a time as 90, 90s, 2min or infinity", error);
    g_variant_dict_insert(job, row->key, "t", usec);
    return TRUE;
}

static gboolean take_count(Options *options, GVariantDict *job, const OptionRow *row,
                           const char *value, GError **error)
{
    guint64 count;

    if (!text_parse_uint64(value, 1, G_MAXUINT32, &count))
        return wrong_value(row, value, "a number from 1 on is needed", error);
    g_variant_dict_insert(job, row->key, "u", (guint32)count);
    return TRUE;
}

static gboolean take_yes(Options *options, GVariantDict *job, const OptionRow *row,
                         const char *value, GError **error)
{
    g_variant_dict_insert(job, row->key, "b", TRUE);
    return TRUE;
}

static gboolean take_list(Options *options, GVariantDict *job, const OptionRow *row,
                          const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);

    for (guint i = 0; i == 0 || words[i]; i++)
        if (!words[i] || !is_word(words[i]))
            return wrong_value(row, value, "names with commas between are needed", error);
    g_variant_dict_insert(job, row->key, "^as", words);
    return TRUE;
}

static gboolean take_exports(Options *options, GVariantDict *job, const OptionRow *row,
                             const char *value, GError **error)
{
    guint64 id;

    if (value && !text_parse_uint64(value, 1, G_MAXUINT64, &id))
        return wrong_value(row, value, "the number of a job is needed", error);
    if (value)
        g_variant_dict_insert(job, "job", "t", id);
    g_variant_dict_insert(job, row->key, "b", TRUE);
    return TRUE;
}

#define FLAG(member) G_STRUCT_OFFSET(Options, member)

static const OptionRow rows[] = {
    { "help", 'h', VALUE_NONE, NULL, "Show this help", GROUP_ALL, take_flag, FLAG(help) },
    { "version", 0, VALUE_NONE, NULL, "Show the version", GROUP_ALL, take_flag, FLAG(version) },
    { "host", 'H', VALUE_REQUIRED, "[USER@]HOST", "Talk to the service on another host, over ssh",
      GROUP_ALL, take_host },
    { "machine", 'M', VALUE_REQUIRED, "CONTAINER", "Talk to the service in a local container",
      GROUP_ALL, take_host },
    { "json", 0, VALUE_OPTIONAL, "pretty|short", "Print JSON", GROUP_ALL, take_json },
    { "no-pager", 0, VALUE_NONE, NULL, "Do not pipe output into a pager", GROUP_ALL, take_flag,
      FLAG(no_pager) },
    { "no-ask-password", 0, VALUE_NONE, NULL, "Do not ask for passwords, fail instead", GROUP_ALL,
      take_flag, FLAG(no_ask_password) },
    { "quiet", 'q', VALUE_NONE, NULL, "Print errors and asked-for data only", GROUP_ALL, take_flag,
      FLAG(quiet) },
    { "method", 0, VALUE_REQUIRED, "METHOD", "How the data moves: auto, in-place, online, offline", GROUP_MOVE,
      take_word, 0, "method" },
    { "peer", 0, VALUE_REQUIRED, "HOST[:PORT]", "Replicates with it and serves meanwhile (upgrade)",
      GROUP_MOVE, take_word, 0, "peer" },
    { "hold-limit", 0, VALUE_REQUIRED, "TIME", "How long connects may be made to wait", GROUP_HOLD,
      take_span, 0, "hold-limit-usec" },
    { "outage-limit", 0, VALUE_REQUIRED, "TIME", "Undo when the server is away for longer",
      GROUP_JOB, take_span, 0, "outage-limit-usec" },
    { "drain", 0, VALUE_REQUIRED, "TIME", "How long open sessions may go on", GROUP_HOLD, take_span,
      0, "drain-usec" },
    { "parallel", 0, VALUE_REQUIRED, "N", "How many databases to move at a time", GROUP_MOVE,
      take_count, 0, "parallel" },
    { "confirm-within", 0, VALUE_REQUIRED, "TIME",
      "Go back by itself unless it is confirmed by then", GROUP_MOVE, take_span, 0,
      "confirm-within" },
    { "no-wait", 0, VALUE_NONE, NULL, "Return when the job has begun", GROUP_WAIT, take_flag,
      FLAG(no_wait) },
    { "allow-data-loss", 0, VALUE_NONE, NULL, "Lose what was written since the switch (rollback)",
      GROUP_ROLLBACK, take_yes, 0, "allow-data-loss" },
    { "backwards-compat-off", 0, VALUE_NONE, NULL,
      "Let clients that need the option no longer connect (confirm)", GROUP_COMPAT, take_yes, 0,
      "backwards-compat-off" },
    { "databases", 0, VALUE_REQUIRED, "A,B", "Destroy these (clean), or manage these (adopt)",
      GROUP_DATABASES, take_list, 0, "databases" },
    { "exports", 0, VALUE_OPTIONAL, "JOB", "Remove export files, of one job or of all (clean)",
      GROUP_CLEAN, take_exports, 0, "exports" },
    { "instance", 0, VALUE_REQUIRED, "INSTANCE", "Whose server it is (adopt)", GROUP_ADOPT,
      take_instance },
    { "listen", 0, VALUE_REQUIRED, "ADDRESS", "Where it listens, if not as its file says (adopt)",
      GROUP_ADOPT, take_word, 0, "listen" },
    { "mode", 0, VALUE_REQUIRED, "MODE", "How it is reached later: relay, inherit (adopt)",
      GROUP_ADOPT, take_word, 0, "mode" },
    { "scratch", 0, VALUE_REQUIRED, "DSN", "Try more on a database made for it (probe)", GROUP_PROBE,
      take_scratch },
    { "dry-run", 0, VALUE_NONE, NULL, "Show what would be done, and change nothing", GROUP_CONFIRM,
      take_flag, FLAG(dry_run) },
    { "yes", 'y', VALUE_NONE, NULL, "Do not ask for confirmation", GROUP_CONFIRM, take_flag,
      FLAG(yes) },
    { "list", 0, VALUE_NONE, NULL, "Show which checks there are, and run none (check)", GROUP_CHECK,
      take_flag, FLAG(list) },
    { "fix", 0, VALUE_NONE, NULL, "Repair what can be repaired safely, then check (check)",
      GROUP_CHECK, take_flag, FLAG(fix) },
    { "only", 0, VALUE_REQUIRED, "ID,ID", "Run these checks alone (check)", GROUP_CHECK, take_list,
      0, "only" },
    { "skip", 0, VALUE_REQUIRED, "ID,ID", "Leave these checks out, if no row depends on them",
      GROUP_SKIP, take_list, 0, "skip" },
    { "follow", 'f', VALUE_NONE, NULL, "Follow the job to its end (job)", GROUP_FOLLOW, take_flag,
      FLAG(follow) },
    { "limit", 0, VALUE_REQUIRED, "TIME", "How long to hold at most, 60s if not given (hold)",
      GROUP_LIMIT, take_limit },
};

/* getopt wants tables of its own shape; value 256 + N means row N. */
static void fill_getopt(struct option *ret_long, GString *ret_short)
{
    static const int rules[] = {
        [VALUE_NONE] = no_argument,
        [VALUE_REQUIRED] = required_argument,
        [VALUE_OPTIONAL] = optional_argument,
    };

    g_string_append_c(ret_short, ':');
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        ret_long[i] = (struct option){ rows[i].name, rules[rows[i].rule], NULL, 256 + i };
        if (rows[i].letter) {
            g_string_append_c(ret_short, rows[i].letter);
            if (rows[i].rule == VALUE_REQUIRED)
                g_string_append_c(ret_short, ':');
        }
    }
    ret_long[G_N_ELEMENTS(rows)] = (struct option){};
}

static const OptionRow *find_row(int found)
{
    if (found >= 256)
        return &rows[found - 256];
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].letter && rows[i].letter == found)
            return &rows[i];
    return NULL;
}

static void note_group(Options *options, const OptionRow *row)
{
    options->groups |= row->group;
    for (guint i = 0; i < G_N_ELEMENTS(options->last); i++)
        if (row->group & (1u << i))
            options->last[i] = row->name;
}

Options *options_parse(int argc, char **argv, char ***ret_words, GError **error)
{
    g_autoptr(Options) options = g_new0(Options, 1);
    g_autoptr(GString) letters = g_string_new(NULL);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    struct option names[G_N_ELEMENTS(rows) + 1];
    g_auto(GVariantDict) job = G_VARIANT_DICT_INIT(NULL);
    int found;

    fill_getopt(names, letters);
    optind = 0; /* glibc: begin anew, so that tests may parse twice */
    while ((found = getopt_long(argc, argv, letters->str, names, NULL)) != -1) {
        const OptionRow *row = find_row(found);

        if (found == '?' || found == ':' || !row) {
            const char *word = argv[MAX(optind - 1, 1)];

            g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                        found == ':' ? "%s needs a value"
                                     : "%s is not an option of ttctl, or has a "
                                       "value that it does not take",
                        word);
            return NULL;
        }
        if (!row->take(options, &job, row, optarg, error))
            return NULL;
        note_group(options, row);
    }
    for (int i = optind; i < argc; i++)
        g_ptr_array_add(words, argv[i]);
    g_ptr_array_add(words, NULL);
    options->job = g_variant_ref_sink(g_variant_dict_end(&job));
    *ret_words = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
    return g_steal_pointer(&options);
}

void options_free(Options *options)
{
    if (options->job)
        g_variant_unref(options->job);
    g_free(options);
}

gboolean options_suit(const Options *options, const char *verb, guint groups, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(options->last); i++)
        if (options->groups & ~groups & (1u << i)) {
            g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "--%s does not go with %s",
                        options->last[i], verb);
            return FALSE;
        }
    return TRUE;
}

void options_print(FILE *file)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const OptionRow *row = &rows[i];
        const char *value = row->placeholder ? row->placeholder : "";
        g_autofree char *letter = row->letter ? g_strdup_printf("-%c", row->letter) : g_strdup("");
        g_autofree char *name =
            g_strdup_printf("--%s%s%s%s", row->name, row->rule == VALUE_OPTIONAL ? "[" : "",
                            row->placeholder ? "=" : "", value);

        fprintf(file, "  %2s %s%s%*s%s\n", letter, name, row->rule == VALUE_OPTIONAL ? "]" : "",
                (int)MAX(1, 26 - (int)strlen(name) - (row->rule == VALUE_OPTIONAL)), "", row->help);
    }
}
