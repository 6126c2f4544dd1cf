#include "ctl/verbs.h"
#include "common/error.h"
#include "common/text.h"

static int help_run(Session *session, char **arguments, GError **error)
{
    verbs_print_help(stdout);
    return 0;
}

static const Verb rows[] = {
    { "list", 0, 0, "", "Show servers and instances", 0, TRUE, list_run },
    { "status", 0, 1, "[SERVER]", "Show how servers do, or everything about one", 0, TRUE,
      status_run },
    { "check", 0, 2, "[SERVER TARGET]", "Tell what would stand in the way of an upgrade",
      GROUP_MOVE | GROUP_JOB | GROUP_HOLD | GROUP_SKIP | GROUP_CHECK | GROUP_CONFIRM,
      TRUE, check_run },
    { "plan", 2, 2, "SERVER TARGET", "Show the steps of an upgrade without doing any",
      GROUP_MOVE | GROUP_JOB | GROUP_HOLD | GROUP_SKIP, TRUE, plan_run },
    { "upgrade", 2, 2, "SERVER TARGET", "Upgrade a server to the instance TARGET",
      GROUP_MOVE | GROUP_JOB | GROUP_HOLD | GROUP_WAIT | GROUP_SKIP, TRUE, upgrade_run },
    { "rollback", 1, 1, "SERVER", "Let a server go back to the instance before",
      GROUP_JOB | GROUP_HOLD | GROUP_WAIT | GROUP_CONFIRM | GROUP_ROLLBACK | GROUP_SKIP, TRUE, rollback_run },
    { "confirm", 1, 1, "SERVER", "Keep the new release; from then on going back loses rows",
      GROUP_HOLD | GROUP_WAIT | GROUP_CONFIRM | GROUP_COMPAT, TRUE, confirm_run },
    { "clean", 1, 1, "SERVER", "Remove named databases and exports that upgrades left",
      GROUP_WAIT | GROUP_CONFIRM | GROUP_CLEAN | GROUP_DATABASES, TRUE, clean_run },
    { "adopt", 1, 1, "NAME", "Take a server that runs under management, as it runs",
      GROUP_WAIT | GROUP_CONFIRM | GROUP_ADOPT | GROUP_DATABASES, TRUE, adopt_run },
    { "jobs", 0, 0, "", "Show the jobs, finished ones too", 0, TRUE, jobs_run },
    { "job", 1, 1, "ID", "Show one job with its steps", GROUP_FOLLOW, TRUE, job_run },
    { "cancel", 1, 1, "ID", "Cancel a job; what it did is undone", 0, TRUE, cancel_run },
    { "retry", 1, 1, "ID", "Go on with a job that needs attention", GROUP_WAIT, TRUE, retry_run },
    { "facts", 0, 1, "[NAME]", "Show what is taken for granted of TimesTen, and which files say otherwise",
      0, TRUE, facts_run },
    { "probe", 1, 1, "INSTANCE", "Try on an instance what is taken for granted of TimesTen", GROUP_PROBE,
      TRUE, probe_run },
    { "hold", 1, 2, "SERVER [LIMIT]", "Let new connects wait instead of being served; any UNIT.socket, too", GROUP_LIMIT,
      TRUE, hold_run },
    { "resume", 1, 1, "SERVER", "Serve held connects again", 0, TRUE, resume_run },
    { "reload", 0, 0, "", "Read the configuration again", 0, TRUE, reload_run },
    { "help", 0, 0, "", "Show this help", 0, FALSE, help_run },
};

/* Words are repeated on the terminal, which must not take them for orders. */
static gboolean check_words(char **words, GError **error)
{
    for (; *words; words++) {
        g_autofree char *valid = g_utf8_make_valid(*words, -1);
        g_autofree char *shown = text_one_line(valid, strlen(valid));

        if (!g_str_equal(shown, valid)) {
            g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                        "\"%s\" is no name, no number and no time", shown);
            return FALSE;
        }
    }
    return TRUE;
}

const Verb *verb_find(char **words, GError **error)
{
    guint count = g_strv_length(words);

    if (count == 0) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "No verb was given");
        return NULL;
    }
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Verb *verb = &rows[i];

        if (!g_str_equal(verb->name, words[0]))
            continue;
        if (count - 1 < verb->min || count - 1 > verb->max ||
            (verb->min == 0 && verb->max == 2 && count - 1 == 1)) {
            g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                        "Usage: ttctl [OPTIONS...] %s%s%s", verb->name, *verb->usage ? " " : "",
                        verb->usage);
            return NULL;
        }
        return check_words(words + 1, error) ? verb : NULL;
    }
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "%s is not a verb of ttctl", words[0]);
    return NULL;
}

void verbs_print_help(FILE *file)
{
    fputs("ttctl [OPTIONS...] VERB [ARGUMENTS...]\n\n"
          "Upgrade TimesTen Servers while their port stays open.\n\n"
          "Verbs:\n",
          file);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *call = g_strjoin(" ", rows[i].name, rows[i].usage, NULL);

        fprintf(file, "  %-24s%s\n", call, rows[i].help);
    }
    fputs("\nOptions:\n", file);
    options_print(file);
    fputs("\nSee ttctl(1) for details and timesten-upgrade(7) for what an upgrade does.\n", file);
}
