/* extable.h - instructions that may fault, and where to go on then. */
#ifndef UNIKIT_EXTABLE_H
#define UNIKIT_EXTABLE_H

#include "component.h"

struct extable_record {
    uintptr_t fault, fixup;
};
TABLE(unikit_extable, struct extable_record);

/* In an asm statement: a fault at the label `from` goes on at `to` (both strings). */
#define EXTABLE(from, to)                                                                                    \
    ".pushsection unikit_extable, \"a\"\n\t.balign 8\n\t.quad " from ", " to "\n\t.popsection\n\t"

#endif
