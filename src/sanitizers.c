/* sanitizers.c - defaults for builds with --enable-sanitizers
 *
 * Ruby gives most of its memory to the system's care when it ends, with what its extensions
 * hold for it, and looks for references anywhere on the stack. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int __lsan_is_turned_off(void);
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);
const char *__asan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libruby\nleak:vendor_ruby\nleak:libsqlite3\nleak:libpq\nleak:libmariadb\n";
}

const char *
__lsan_default_options(void)
{
    return "print_suppressions=0";
}

const char *
__asan_default_options(void)
{
    /* A string that is too long for memory is Ruby's NoMemoryError, not the end.  Threads of Ruby
     * have signal stacks of their own, which are not to be unmapped. */
    return "detect_stack_use_after_return=0:allocator_may_return_null=1:use_sigaltstack=0";
}

/* What a condition's fork leaves behind is a copy of a worker without its other threads, whose
 * memory then looks lost. */
int
__lsan_is_turned_off(void)
{
    char path[64], name[32] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)getppid());
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(name, sizeof(name), file))
        name[0] = '\0';
    fclose(file);
    return strncmp(name, "mm-worker", 9) == 0;
}
