/* Servers that were taken under management while they ran: in this boot their port is not systemd's
 * but lies with the keeper, beside the server that opened it.
 *
 * That is remembered by a mark in /run, so that a reboot forgets it and systemd's socket opens the
 * port. The worker marks; the generator reads; the socket unit's stop takes the mark away.
 */
#pragma once

#include "state/request.h"

char *adoption_mark_path(const char *server); /* g_free() */
gboolean adoption_is_marked(const char *server);
gboolean adoption_mark(const char *server, GError **error);
gboolean adoption_unmark(const char *server, GError **error);

/* The public port that the options name; 0 none. */
guint16 adoption_port(GVariant *options);

/* The configuration file that a job of kind "adopt" writes, out of its options listen, databases
 * and mode; g_free(). INVALID_OPTION where one of them cannot stand in a file. */
char *adoption_configuration(const JobRequest *request, GError **error);
