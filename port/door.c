#include "port/door.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

/* Only the packet that begins a connect (SYN without ACK, in byte 13 of the TCP header): whose
 * handshake has begun is let in, and sockets that are accepted meanwhile inherit the filter without
 * harm. */
void door_close(int listener)
{
    static struct sock_filter first_packets[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),          BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    const struct sock_fprog program = { G_N_ELEMENTS(first_packets), first_packets };

    if (setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        g_warning("Cannot keep new clients from the server that has the socket: %s",
                  g_strerror(errno));
}

void door_open(int listener)
{
    const int none = 0;

    setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

gboolean door_is_closed(int listener)
{
    socklen_t count = 0; /* of instructions; 0 asks for their number */

    return getsockopt(listener, SOL_SOCKET, SO_GET_FILTER, NULL, &count) == 0 && count > 0;
}
