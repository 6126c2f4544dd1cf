/* The environment variables TIMESTEN_PORT_KEEPERS and TIMESTEN_PORT_NAME. They are copied at the
 * start, because servers write their titles over their environment. What cannot be understood is
 * left out: the bind() then fails by itself, since systemd has the port. */
#include "port/shim/shim.h"

#include <stdlib.h>
#include <string.h>

#define PORTS_LIMIT 16
#define NAME_LIMIT  65

static Port ports[PORTS_LIMIT];
static int n_ports;
static char own_name[NAME_LIMIT];

/* PORT=PATH, up to END. */
static void read_one(const char *text, const char *end)
{
    Port *port = &ports[n_ports];
    unsigned long number = 0;
    const char *p = text;
    size_t length;

    for (; p < end && *p >= '0' && *p <= '9' && number <= 65535; p++)
        number = number * 10 + (unsigned long)(*p - '0');
    if (p == text || number < 1 || number > 65535 || p == end || *p != '=' ||
        n_ports == PORTS_LIMIT)
        return;
    p++;
    length = (size_t)(end - p);
    if (*p != '/' || length >= sizeof port->path)
        return;
    memcpy(port->path, p, length);
    port->path[length] = '\0';
    port->port = htons((uint16_t)number);
    n_ports++;
}

void config_read(void)
{
    const char *text = getenv("TIMESTEN_PORT_KEEPERS");
    const char *name = getenv("TIMESTEN_PORT_NAME");

    if (name && strlen(name) < NAME_LIMIT && !strpbrk(name, " \n"))
        strcpy(own_name, name);
    while (text && *text) {
        const char *end = strchrnul(text, ',');

        read_one(text, end);
        text = *end ? end + 1 : end;
    }
}

const Port *config_find(in_port_t port)
{
    for (int i = 0; i < n_ports; i++)
        if (ports[i].port == port)
            return &ports[i];
    return NULL;
}

const char *config_name(void)
{
    return own_name;
}
