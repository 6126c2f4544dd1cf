#include "ctl/report.h"
#include "ctl/json.h"
#include "common/error.h"
#include "common/text.h"

/* Only where the service cannot know it: its own messages have their remedy. */
static const struct {
    TuError code;
    const char *hint;
} hints[] = {
    { TU_ERROR_BUSY, "The running job: ttctl jobs. Follow it with: ttctl job ID --follow" },
    { TU_ERROR_CHECKS_FAILED,
      "Each failed check with its remedy: ttctl check SERVER TARGET, or the "
      "same command with --dry-run" },
    { TU_ERROR_INVALID_CONFIGURATION, "Correct the file, then: ttctl reload" },
    { TU_ERROR_UTILITY_FAILED,
      "All that the job's utilities printed: journalctl -u timesten-job@ID" },
    { TU_ERROR_RECORD_DAMAGED, "What to do then: man 7 timesten-upgrade, section TROUBLE" },
    { TU_ERROR_NOT_AUTHORIZED,
      "Do it as root, or let a polkit rule allow it: man timesten-upgraded, section ACCESS" },
};

const char *report_hint(int code)
{
    for (guint i = 0; i < G_N_ELEMENTS(hints); i++)
        if ((int)hints[i].code == code)
            return hints[i].hint;
    return NULL;
}

int report_usage(const GError *error)
{
    g_autofree char *message = text_one_line(error->message, 400); /* it repeats what was typed */

    fprintf(stderr, "ttctl: %s\nTry: ttctl --help\n", message);
    return EXIT_USAGE;
}

int report_error(const Options *options, const GError *error)
{
    int code = error->domain == TU_ERROR ? error->code : TU_ERROR_FAILED;
    const TuErrorRow *row = tu_error_row(code);
    const char *hint = report_hint(code);
    g_autofree char *message = text_one_line(error->message, 4000);

    fprintf(stderr, "ttctl: %s\n", message);
    if (hint && !options->quiet)
        fprintf(stderr, "%s\n", hint);
    if (options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_new(options->output == OUTPUT_JSON_PRETTY);

        json_object_begin(json, NULL);
        json_uint(json, "version", JSON_VERSION);
        json_object_begin(json, "error");
        json_string(json, "name", row->bus_name);
        json_string(json, "message", message);
        json_uint(json, "exit_status", row->exit_status);
        json_end(json);
        json_end(json);
        json_print(json, stdout);
    }
    return row->exit_status;
}
