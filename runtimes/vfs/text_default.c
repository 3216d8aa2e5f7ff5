/* vfs/text_default.c - writing into a generated text file, for an image without any: nothing reads it. */
#include "file.h"

WEAK void text_put(struct text_sink *sink, const char *format, ...)
{
    (void)sink;
    (void)format;
}
