/* What ttVersion printed, in either form: the lines of -m (from 7.0) or the banner (facts 3.3). */
#pragma once

#include "timesten/release.h"

typedef struct {
    Release release;
    gboolean keys;  /* it was the form of -m */
    guint bits;     /* 0 unknown */
    guint16 port;   /* of the main daemon; 0 unknown, as with a client-only instance */
    char *instance; /* NULL unknown, as are all below */
    char *admin;
    char *daemon_home;
} Version;

/* NULL where no release could be made out. */
Version *version_parse(const char *output);
void version_free(Version *version);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Version, version_free)
