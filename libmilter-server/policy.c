/* policy.c - see policy.h */
#include "config.h"
#include "libmilter-server/policy.h"

#include <string.h>

static const char *const names[MILTER_N_FALLBACKS] = {
    [MILTER_FALLBACK_ACCEPT] = "accept",
    [MILTER_FALLBACK_TEMPORARY_FAILURE] = "temporary-failure",
    [MILTER_FALLBACK_REJECT] = "reject",
    [MILTER_FALLBACK_DISCARD] = "discard",
    [MILTER_FALLBACK_QUARANTINE] = "quarantine",
};

const char *
milter_fallback_name(MilterFallback fallback)
{
    return names[fallback];
}

gboolean
milter_fallback_from_name(const char *name, MilterFallback *fallback)
{
    g_autofree char *normal = g_strdelimit(g_strdup(name), "_", '-');

    if (strcmp(normal, "tempfail") == 0) {
        *fallback = MILTER_FALLBACK_TEMPORARY_FAILURE;
        return TRUE;
    }
    for (guint i = 0; i < MILTER_N_FALLBACKS; i++)
        if (strcmp(normal, names[i]) == 0) {
            *fallback = i;
            return TRUE;
        }
    return FALSE;
}
