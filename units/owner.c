#include "units/owner.h"
#include "state/adoption.h"

void owner_append_socket(GString *text, const char *server, const char *address)
{
    g_autofree char *mark = adoption_mark_path(server);

    if (adoption_is_marked(server))
        g_string_append_printf(text,
                               "# Until the next boot the keeper has the port itself: the server "
                               "that opened it was adopted.\n"
                               "ExecStopPost=-/bin/rm -f %s\n",
                               mark);
    else
        g_string_append_printf(text, "ListenStream=%s\n", address);
}

void owner_append_keeper(GString *text, const char *server, const char *backing)
{
    if (adoption_is_marked(server))
        g_string_append(text, "[Unit]\n"
                              "# A stop would close the port, which is nobody else's in this boot. "
                              "The instance runs, under\n"
                              "# this unit or not.\n"
                              "RefuseManualStop=yes\n\n"
                              "[Service]\n"
                              "Environment=TIMESTEN_ADOPTED=yes\n");
    else
        g_string_append_printf(text,
                               "[Unit]\n"
                               "# Not After=: the keeper must be there to end a hold while the "
                               "instance is still starting.\n"
                               "Wants=%s\n\n"
                               "[Service]\n",
                               backing);
}
