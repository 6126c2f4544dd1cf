/* Points: what another process, the disk or systemd can see of a process. Between a call's point()
 * and its passed() is the call itself. */
#pragma once

#include <dlfcn.h>

#define STATE   "/var/lib/timesten-upgrade/"
#define RUNTIME "/run/timesten-upgrade/"

#define REAL(name) ((__typeof__(&name))point_real(#name))

extern struct Points {
    int loaded;  /* there is a control file */
    int durable; /* only what is done to files of the state is a point */
    unsigned long seq, call;
} points;

void *point_real(const char *name);

/* Names the point at hand, logs it, and kills or stops the process where it is the chosen one. -1:
 * the call is to fail, errno says with what. */
int point(const char *format, ...) __attribute__((format(printf, 1, 2)));
void point_passed(void);

/* Whether a write is to be cut in half: as a power cut or a full disk leaves it. */
int point_halves(void);
void point_half_done(void);

/* Whether PATH is of the state, or of what lies beside it in /run. */
int files_are_ours(const char *path);

/* Line SEQ was added to the record. */
void point_record(unsigned long seq);
