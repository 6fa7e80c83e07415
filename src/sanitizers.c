/* sanitizers.c - defaults for builds with --enable-sanitizers
 *
 * Ruby gives most of its memory to the system's care when it ends, and looks for
 * references anywhere on the stack. */
#include "config.h"

const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);
const char *__asan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libruby\n";
}

const char *
__lsan_default_options(void)
{
    return "print_suppressions=0";
}

const char *
__asan_default_options(void)
{
    /* A string that is too long for memory is Ruby's NoMemoryError, not the end. */
    return "detect_stack_use_after_return=0:allocator_may_return_null=1";
}
