#include "systemd/log.h"
#include "common/text.h"

#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#define LINE_LIMIT 300

static char *message_of(sd_journal *journal)
{
    const char *data;
    gsize length;
    g_autofree char *text = NULL;

    if (sd_journal_get_data(journal, "MESSAGE", (const void **)&data, &length) < 0 || length < 8)
        return NULL;
    text = g_strndup(data + strlen("MESSAGE="), length - strlen("MESSAGE="));
    return text_one_line(text, LINE_LIMIT);
}

char *log_last_line(const char *unit)
{
    g_autofree char *match = g_strconcat("_SYSTEMD_UNIT=", unit, NULL);
    char boot_match[sizeof "_BOOT_ID=" + SD_ID128_STRING_MAX] = "_BOOT_ID=";
    sd_journal *journal = NULL;
    sd_id128_t boot;
    char *line = NULL;

    if (sd_id128_get_boot(&boot) < 0 ||
        sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0)
        return NULL;
    sd_id128_to_string(boot, boot_match + strlen("_BOOT_ID="));
    if (sd_journal_add_match(journal, match, 0) >= 0 &&
        sd_journal_add_match(journal, boot_match, 0) >= 0 && sd_journal_seek_tail(journal) >= 0 &&
        sd_journal_previous(journal) > 0)
        line = message_of(journal);
    sd_journal_close(journal);
    return line;
}
