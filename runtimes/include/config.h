/* config.h - the boot configuration: docs/architecture.md has the grammar and the keys. (boot/config.c) */
#ifndef UNIKIT_CONFIG_H
#define UNIKIT_CONFIG_H

#include "kernel.h"

/* The last value of a key, percent-decoded, command line before file; NULL: not given. */
const char *config_get(const char *key);
/* The i-th value of a repeatable key over both sources (file first); NULL: no more. */
const char *config_each(const char *key, size_t i);
/* The same over the command line alone. */
const char *config_each_override(const char *key, size_t i);
/* Adds a source: text of tokens; `override` for the command line. The text is copied; the kernel
 * heap must work. */
void config_add(const char *text, size_t length, bool override);
/* A frozen image has another command line than when it was frozen. Values that were handed out stay. */
void config_forget_overrides(void);

#endif
