/* seals.h - F_ADD_SEALS and F_GET_SEALS of memfd_create(2) (vfs/memfd.c). */
#ifndef UNIKIT_SEALS_H
#define UNIKIT_SEALS_H

#include "file.h"

long seals_fcntl(struct file *, int command, unsigned seals) WEAK;

#endif
