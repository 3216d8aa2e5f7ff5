/* dhcp.c - how an interface gets its addresses: the boot configuration's key `ip` (docs/architecture.md).
 *
 *   dhcp                               ask (default); IPv6 by router advertisements
 *   none                               the interface stays down
 *   ADDRESS/PREFIX[,GATEWAY[,DNS...]]  fixed IPv4 or IPv6 address
 *
 * Booting does not wait for an answer: listening works at once. The first call that needs an address
 * (connect, send) and the first look at the resolver's configuration wait until there is one, at most until a
 * deadline. */
#include "config.h"
#include "hosts.h"
#include "inet.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"

#define CONFIGURE_DEADLINE (10ULL * 1000000000)

static unsigned waiting PER_BOOT; /* interfaces that have no address yet */
static uint64_t deadline;
static struct wait_queue configured = {LIST_INIT(configured.waiters)};

/* The image's /etc/resolv.conf leads here, unless the application brought its own (resolv.conf(5)). Whoever
 * looks before the network has answered waits: a resolver that finds no server would ask this machine. */
static void show_resolver(struct text_sink *out)
{
    char printed[64];
    network_wait_configured();
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (ip_addr_isany(server))
            continue;
        address_print(printed, sizeof(printed), server);
        text_put(out, "nameserver %s\n", printed);
    }
}

TEXT_FILE(net_pnp) = {.path = "/proc/net/pnp", .show = show_resolver};

static void done(struct netif *netif)
{
    const ip_addr_t *address = netif_ip_addr4(netif);
    if (ip_addr_isany(address))
        return;
    hosts_changed(address);
    if (waiting) {
        char printed[64];
        address_print(printed, sizeof(printed), address);
        log_line("network: address %s", printed);
        waiting--;
        wake_all(&configured, 0);
    }
}

/* ADDRESS/PREFIX into address and prefix length; the rest of the text, or NULL. */
static const char *parse_address(const char *text, ip_addr_t *address, unsigned *prefix)
{
    char part[64];
    size_t n = 0;
    while (text[n] && text[n] != ',' && text[n] != '/' && n < sizeof(part) - 1)
        part[n] = text[n], n++;
    part[n] = 0;
    if (!ipaddr_aton(part, address))
        return NULL;
    text += n;
    *prefix = IP_IS_V6(address) ? 64 : 24;
    if (*text == '/') {
        unsigned bits = 0;
        const char *digits = ++text;
        while (*text >= '0' && *text <= '9' && bits <= 128)
            bits = bits * 10 + (unsigned)(*text++ - '0');
        if (text == digits || bits > (IP_IS_V6(address) ? 128 : 32))
            return NULL;
        *prefix = bits;
    }
    if (*text == ',')
        return text + 1;
    return *text ? NULL : text;
}

static bool fixed(struct netif *netif, const char *text)
{
    ip_addr_t address, gateway = {0}, server;
    unsigned prefix, ignored;
    text = parse_address(text, &address, &prefix);
    if (!text || ip_addr_isany(&address))
        return false;
    if (*text && !(text = parse_address(text, &gateway, &ignored)))
        return false;
    for (u8_t i = 0; *text && i < DNS_MAX_SERVERS; i++) {
        if (!(text = parse_address(text, &server, &ignored)))
            return false;
        dns_setserver(i, &server);
    }
    if (IP_IS_V6(&address)) {
        s8_t index;
        ip6_addr_assign_zone(ip_2_ip6(&address), IP6_UNICAST, netif);
        if (netif_add_ip6_address(netif, ip_2_ip6(&address), &index) != ERR_OK)
            return false;
        netif_ip6_addr_set_state(netif, index, IP6_ADDR_PREFERRED);
        return true;
    }
    ip4_addr_t mask = {prefix ? lwip_htonl(0xffffffffu << (32 - prefix)) : 0};
    netif_set_addr(netif, ip_2_ip4(&address), &mask, ip_2_ip4(&gateway));
    return true;
}

void dhcp_begin(struct netif *netif)
{
    const char *ip = config_get("ip");
    if (ip && strcmp(ip, "none") == 0) {
        hosts_changed(NULL);
        return;
    }
    netif_set_up(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    if (ip && strcmp(ip, "dhcp") != 0) {
        if (!fixed(netif, ip))
            boot_error("bad-address",
                       "The boot configuration's ip=%s is not an address. Write dhcp, none or "
                       "ADDRESS/PREFIX[,GATEWAY[,DNS]], for example ip=10.0.2.15/24,10.0.2.2,10.0.2.3.",
                       ip);
        hosts_changed(netif_ip_addr4(netif));
        return;
    }
    hosts_changed(NULL);
    waiting++;
    deadline = clock_now() + CONFIGURE_DEADLINE;
    netif_set_status_callback(netif, done);
    if (dhcp_start(netif) != ERR_OK)
        log_line("network: DHCP does not start");
}

bool dhcp_pending(void)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        const struct dhcp *dhcp = netif_dhcp_data(netif);
        if (dhcp && dhcp->request_timeout)
            return true;
    }
    return false;
}

int network_wait_configured(void)
{
    if (likely(!waiting))
        return 0;
    network_settle();
    int result = wait_for(&configured, 0, deadline, !waiting);
    if (result == -ETIMEDOUT) {
        log_line("network: no answer to DHCP");
        waiting = 0; /* the next call need not wait: what it asks for will fail or not by itself */
        return 0;
    }
    return result;
}
