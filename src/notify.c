/* notify.c - see notify.h */
#include "config.h"
#include "src/notify.h"

#include <glib.h>
#include <unistd.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

void
mm_notify_ready(void)
{
    (void)sd_notifyf(0, "READY=1\nMAINPID=%d", (int)getpid());
}

void
mm_notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
}

void
mm_notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}
#else
void
mm_notify_ready(void)
{
}

void
mm_notify_reloading(void)
{
}

void
mm_notify_stopping(void)
{
}
#endif
