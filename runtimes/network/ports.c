/* ports.c - local ports: random ones for sockets that did not ask (RFC 6056), and who stands in whose way. */
#include "entropy.h"
#include "inet.h"
#include "report.h"

/* Linux's default net.ipv4.ip_local_port_range */
#define FIRST_PORT 32768
#define LAST_PORT  60999

uint16_t port_random(const struct inet_socket *s, const ip_addr_t *address,
                     bool (*taken)(const struct inet_socket *, const ip_addr_t *, uint16_t))
{
    const unsigned count = LAST_PORT - FIRST_PORT + 1;
    unsigned first = (unsigned)(random_u64() % count);
    for (unsigned i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(FIRST_PORT + (first + i) % count);
        if (!taken(s, address, port))
            return port;
    }
    return 0;
}

/* lwIP's IPADDR_TYPE_ANY is a dual-stack `::`, which overlaps with everything. */
bool addresses_overlap(const ip_addr_t *a, const ip_addr_t *b)
{
    if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b))
        return true;
    if (IP_GET_TYPE(a) != IP_GET_TYPE(b))
        return false;
    return ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp_zoneless(a, b);
}

void port_announce(uint16_t port, const char *protocol)
{
    static struct {
        uint16_t port;
        char protocol;
    } told[128];
    static unsigned count PER_BOOT;
    for (unsigned i = 0; i < count; i++)
        if (told[i].port == port && told[i].protocol == protocol[0])
            return;
    if (count == array_size(told))
        return;
    told[count].port = port;
    told[count++].protocol = protocol[0];
    report_begin("listen");
    report_number("port", port);
    report_string("proto", protocol, strlen(protocol));
    report_end();
}
