/* trace.h - what a traced run used (trace/), for `unikit build --trace`. */
#ifndef UNIKIT_TRACE_H
#define UNIKIT_TRACE_H

#include "kernel.h"

/* `trace` events for all that was used so far; the last one has the kind `end`. Weak no-op where the image
 * does not trace. */
void trace_report(void);
void trace_files_report(void);

#endif
