/* file_pages.h - the pages of one file that are its own (vfs/file_pages.c). */
#ifndef UNIKIT_FILE_PAGES_H
#define UNIKIT_FILE_PAGES_H

#include "tree.h"

/* All zero and nobody's: stands for a hole that hides a page of the image. */
extern const uint8_t zero_page[PAGE_SIZE];

/* A zeroed page for a file or its table; NULL: the files have their share, or there is no memory. */
void *pages_charge(struct pages *);
void pages_discharge(struct pages *, void *page);
/* The page at an index, NULL: none. */
void *pages_find(const struct pages *, uint64_t index);
/* The slot for a page, made with the tables above it; NULL: no memory. */
void **pages_slot(struct pages *, uint64_t index);
/* Lets go of the pages first..last. */
void pages_clear(struct pages *, uint64_t first, uint64_t last);
/* The first page at or after `index` that holds data; false: none. */
bool pages_next(const struct pages *, uint64_t index, uint64_t *found);

#endif
