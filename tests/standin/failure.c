#include "failure.h"

GQuark failure_quark(void)
{
    return g_quark_from_static_string("timesten-standin");
}

void failure_set(GError **error, int number, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return;
    va_start(arguments, format);
    *error = g_error_new_valist(TT_FAILURE, number, format, arguments);
    va_end(arguments);
}

int failure_number(const GError *error)
{
    return error->domain == TT_FAILURE ? error->code : TT_FILE;
}
