#include "tests/unit/systemd/pid1.h"

#include <sys/socket.h>

static sd_bus *start(Pid1 *pid1, int fd, sd_bus_message_handler_t handler, void *data)
{
    const sd_id128_t id = SD_ID128_MAKE(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    sd_bus *bus = NULL;

    g_assert_cmpint(sd_bus_new(&bus), >=, 0);
    g_assert_cmpint(sd_bus_set_fd(bus, fd, fd), >=, 0);
    if (handler) {
        g_assert_cmpint(sd_bus_set_server(bus, TRUE, id), >=, 0);
        g_assert_cmpint(sd_bus_add_filter(bus, NULL, handler, data), >=, 0);
    }
    g_assert_cmpint(sd_bus_start(bus), >=, 0);
    g_assert_cmpint(sd_bus_attach_event(bus, pid1->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
    return bus;
}

void pid1_connect(Pid1 *pid1, sd_bus_message_handler_t handler, void *data)
{
    int ends[2];

    g_assert_cmpint(sd_event_new(&pid1->event), >=, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), ==,
                    0);
    pid1->ours = start(pid1, ends[0], NULL, NULL);
    pid1->theirs = start(pid1, ends[1], handler, data);
}

void pid1_clear(Pid1 *pid1)
{
    sd_bus_close_unref(pid1->ours);
    sd_bus_close_unref(pid1->theirs);
    sd_event_unref(pid1->event);
}
