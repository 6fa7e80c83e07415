/* native.h - what the Ruby part of the configuration asks of the C part
 *
 * Defines Milter::Manager::Native: the settings table, the settings being loaded, and the
 * log.  For files in binding/ruby/ only. */
#ifndef MM_NATIVE_H
#define MM_NATIVE_H

#include "src/settings.h"

/* Define the module; the caller protects. */
void mm_native_define(void);

/* Which settings the configuration now fills: borrowed, NULL = none may be touched. */
void mm_native_set_target(MmSettings *settings);

#endif
