/* stdlib.h - for lwIP's sources, which include it for malloc() and atoi(): memory comes from kmalloc()
 * (lwipopts.h), interface names are not parsed. */
#ifndef UNIKIT_LWIP_STDLIB_H
#define UNIKIT_LWIP_STDLIB_H
#include "kernel.h"
#define atoi network_atoi
int network_atoi(const char *text); /* network/interface.c */
#endif
