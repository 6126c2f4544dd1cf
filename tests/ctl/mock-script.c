#include "mock.h"

char *mock_path(Mock *mock, const char *name)
{
    return g_build_filename(mock->directory, name, NULL);
}

guint64 script_number(Mock *mock, const char *key, guint64 otherwise)
{
    g_autofree char *text = g_key_file_get_string(mock->script, "Mock", key, NULL);

    return text ? g_ascii_strtoull(text, NULL, 10) : otherwise;
}

char *script_word(Mock *mock, const char *key)
{
    char *word = g_key_file_get_string(mock->script, "Mock", key, NULL);

    return word ? word : g_strdup("");
}

void note_call(Mock *mock, sd_bus_message *call, const char *format, ...)
{
    g_autofree char *file = mock_path(mock, "calls");
    FILE *calls = fopen(file, "a");
    va_list arguments;

    va_start(arguments, format);
    vfprintf(calls, format, arguments);
    va_end(arguments);
    fprintf(calls, " interactive=%d\n", sd_bus_message_get_allow_interactive_authorization(call));
    fclose(calls);
}

void store_time(Mock *mock, const char *name, guint64 usec)
{
    g_autofree char *file = mock_path(mock, name);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, usec);

    g_file_set_contents(file, text, -1, NULL);
}

guint64 load_time(Mock *mock, const char *name)
{
    g_autofree char *file = mock_path(mock, name);
    g_autofree char *text = NULL;

    return g_file_get_contents(file, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

int script_refuse(Mock *mock, const char *key, sd_bus_error *error)
{
    g_autofree char *name = script_word(mock, key);

    return *name ? sd_bus_error_setf(error, name, "Refused by %s in the script", key) : 0;
}

char *words_of_options(sd_bus_message *call)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *key, *type, *word;
    guint64 big;
    guint32 small;
    int flag;
    char **words = NULL;

    sd_bus_message_enter_container(call, 'a', "{sv}");
    while (sd_bus_message_enter_container(call, 'e', "sv") > 0) {
        sd_bus_message_read(call, "s", &key);
        sd_bus_message_peek_type(call, NULL, &type);
        if (*type == 's' && sd_bus_message_read(call, "v", "s", &word) >= 0)
            g_string_append_printf(text, " %s=%s", key, word);
        else if (*type == 't' && sd_bus_message_read(call, "v", "t", &big) >= 0)
            g_string_append_printf(text, " %s=%" G_GUINT64_FORMAT, key, big);
        else if (*type == 'u' && sd_bus_message_read(call, "v", "u", &small) >= 0)
            g_string_append_printf(text, " %s=%u", key, small);
        else if (*type == 'b' && sd_bus_message_read(call, "v", "b", &flag) >= 0)
            g_string_append_printf(text, " %s=%s", key, flag ? "yes" : "no");
        else if (*type == 'a' && sd_bus_message_enter_container(call, 'v', "as") >= 0) {
            sd_bus_message_read_strv(call, &words);
            g_autofree char *list = g_strjoinv(",", words);

            g_string_append_printf(text, " %s=%s", key, list);
            sd_bus_message_exit_container(call);
        }
        sd_bus_message_exit_container(call);
    }
    sd_bus_message_exit_container(call);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
