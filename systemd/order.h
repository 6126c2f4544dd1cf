/* The words between the worker and utility-runner, over a seqpacket socket: one order, one answer,
 * and again. libc only. */
#pragma once

#include <stdint.h>

#define ORDER_LIMIT (128 * 1024) /* bytes of one order; a longer one is refused */
#define ORDER_MARK  0x72656472   /* what is no order is not obeyed */

/* Behind it, each ended by a zero byte: the words of the command, the first an absolute path; then
 * NAME=VALUE. With it comes the descriptor that the program prints to. */
typedef struct {
    uint32_t mark;
    uint32_t words;
    uint32_t variables;
    uint32_t reserved;
    uint64_t limit_usec; /* UINT64_MAX: none */
} OrderHead;

typedef struct {
    int32_t status;      /* as wait(2) tells it */
    int32_t problem;     /* errno; not 0: the program could not be started */
    uint64_t timed_out;  /* 1: it was killed at its limit */
    uint64_t began_usec; /* of CLOCK_MONOTONIC */
    uint64_t ended_usec;
} OrderEnd;
