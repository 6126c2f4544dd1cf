#include "port/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

gboolean parcel_send(int fd, const char *line, const GArray *descriptors)
{
    const gsize length = strlen(line);
    const gsize size = descriptors ? descriptors->len * sizeof(int) : 0;
    g_autofree struct cmsghdr *rights = g_malloc0(CMSG_SPACE(size));
    struct iovec text = { (char *)line, length };
    struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };

    if (size > 0) {
        message.msg_control = rights;
        message.msg_controllen = CMSG_SPACE(size);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(rights), descriptors->data, size);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (gssize)length;
}

gssize parcel_receive(int fd, char *buffer, gsize size, GArray *into)
{
    g_autofree char *rights = g_malloc0(CMSG_SPACE(PARCEL_LIMIT * sizeof(int)));
    struct iovec text = { buffer, size };
    struct msghdr message = { .msg_iov = &text,
                              .msg_iovlen = 1,
                              .msg_control = rights,
                              .msg_controllen = CMSG_SPACE(PARCEL_LIMIT * sizeof(int)) };
    gssize count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (count < 0)
        return count;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item))
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS)
            g_array_append_vals(into, CMSG_DATA(item),
                                (item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    return count;
}

void parcel_drop(GArray *descriptors)
{
    for (guint i = 0; i < descriptors->len; i++)
        close(g_array_index(descriptors, int, i));
    g_array_set_size(descriptors, 0);
}
