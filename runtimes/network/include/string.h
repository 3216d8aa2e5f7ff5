/* string.h - for lwIP's sources: the kernel has these functions (memory/string.c). */
#ifndef UNIKIT_LWIP_STRING_H
#define UNIKIT_LWIP_STRING_H
#include "kernel.h"
#endif
