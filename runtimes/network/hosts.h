/* hosts.h - /etc/hosts (network/hosts.c). */
#ifndef UNIKIT_NETWORK_HOSTS_H
#define UNIKIT_NETWORK_HOSTS_H

#include "lwip/ip_addr.h"

/* The machine has this address now; NULL, or the one of nobody: none yet. */
void hosts_changed(const ip_addr_t *address);

#endif
