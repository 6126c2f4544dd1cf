/* Output of TimesTen's utilities by era, as the documents and logs show it. */
#pragma once

#include <glib.h>

/* The text of a sample; g_free(). */
static inline char *sample(const char *name)
{
    g_autofree char *path = g_build_filename(SAMPLES, name, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}
