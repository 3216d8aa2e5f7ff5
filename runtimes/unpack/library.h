/* library.h - included before the sources of the decoders' libraries: here they allocate nothing. */
#ifndef UNIKIT_UNPACK_LIBRARY_H
#define UNIKIT_UNPACK_LIBRARY_H

#include <stdlib.h>
#include <string.h>

#define malloc(size)        ((void)(size), (void *)0)
#define calloc(count, size) ((void)(count), (void)(size), (void *)0)
#define free(block)         ((void)(block))

#endif
