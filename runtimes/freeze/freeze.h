/* freeze.h - between the parts of freeze/. */
#ifndef UNIKIT_FREEZE_FREEZE_H
#define UNIKIT_FREEZE_FREEZE_H

#include "kernel.h"

/* Is there anything that cannot be frozen? Each is told with a `refused` event. */
bool freeze_refused(void);
/* Threads that wait in a library whose path has this in it, or the one of this number, are no reason: others
 * are started after a fork. */
void freeze_forget(const char *part, size_t length);
/* Those threads end, as they are not there in the child of a fork. */
void freeze_end_forgotten(void);

#endif
