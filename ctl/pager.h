/* Long output goes through a pager where somebody reads it on a terminal. */
#pragma once

#include "ctl/options.h"

typedef struct Pager Pager;

/* From here on stdout is the pager; NULL where none is wanted or to be had. */
Pager *pager_open(const Options *options);
/* Ends the output and waits until the reader leaves. NULL allowed. */
void pager_close(Pager *pager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pager, pager_close)
