/* freeze.h - between the parts of freeze/. */
#ifndef UNIKIT_FREEZE_FREEZE_H
#define UNIKIT_FREEZE_FREEZE_H

#include "kernel.h"

/* Is there anything that cannot be frozen? Each is told with a `refused` event. */
bool freeze_refused(void);

#endif
