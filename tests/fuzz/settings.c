#include "common/settings.h"
#include "common/text.h"
#include "fuzz.h"

static const SettingsKey known[] = {
    { "Server", "Listen" },
    { "Server", "DrainSec" },
    { "Instance", "Home" },
    { NULL, NULL },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size), *line = text_one_line(text, 80);
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_parse(text, "a.conf", known, &error);
    guint64 usec;

    g_assert_cmpint(settings != NULL, ==, error == NULL);
    g_assert_true(!error || g_str_has_prefix(error->message, "a.conf:"));
    for (guint i = 0; settings && known[i].section; i++) {
        const char *value = settings_get(settings, known[i].section, known[i].key);

        g_assert_true(!value || value[0]);
        text_parse_timespan(value, &usec);
    }
    text_parse_timespan(text, &usec);
    g_assert_true(g_utf8_validate(line, -1, NULL));
    g_assert_null(strchr(line, '\n'));
    return 0;
}
