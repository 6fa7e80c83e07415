/* logfile.h - where log lines go: the log file and syslog
 *
 * A line is "TIME milter-manager[PID] TAG LEVEL: TEXT", written with one write().  The
 * supervisor opens and reopens the file; the other processes get its descriptor.  All
 * functions but the sink itself are for a process's first thread. */
#ifndef MM_LOGFILE_H
#define MM_LOGFILE_H

#include <glib.h>

#include "src/settings.h"

G_BEGIN_DECLS

/* What a line begins with. */
enum {
    MM_LOG_ITEM_TIME = 1 << 0,
    MM_LOG_ITEM_NAME = 1 << 1,
    MM_LOG_ITEM_PID = 1 << 2,
    MM_LOG_ITEM_DOMAIN = 1 << 3, /* the tag: which process */
    MM_LOG_ITEM_LEVEL = 1 << 4,
    MM_LOG_ITEM_ALL = (1 << 5) - 1,
};

enum {
    MM_LOG_COLOUR_NEVER = 0,
    MM_LOG_COLOUR_TERMINAL = 1 << 0, /* where lines go to one */
    MM_LOG_COLOUR_ALWAYS = 1 << 1,
};

typedef struct {
    guint items;         /* MM_LOG_ITEM_TIME … */
    guint colour;        /* MM_LOG_COLOUR_NEVER … */
    guint syslog_levels; /* that go to syslog, too */
    guint fatal_levels;  /* after a line of which the process aborts */
} MmLogFormat;

/* How lines look from now on, here and in processes that are forked. */
void mm_log_set_format(const MmLogFormat *format);

/* The bits of MilterLogLevel that "default|debug" and the like stand for.  The error reads
 * well behind "is not ". */
gboolean mm_log_levels_parse(const char *text, guint *levels, GError **error);

/* The syslog facility of a name ("mail"). */
gboolean mm_log_facility_parse(const char *name, int *facility);

/* A descriptor for appending to the log of SETTINGS (a copy of standard output where it
 * has no file), or -1; the caller's. */
int mm_log_open(const MmSettings *settings, GError **error);

/* Who writes: "supervisor", "worker-1". */
void mm_log_set_tag(const char *tag);

/* Send log lines to FD (taken over) and syslog, as SETTINGS say. */
void mm_log_start(const MmSettings *settings, int fd);

/* Write to the file behind FD (taken over) from now on.  No line of another thread is lost. */
void mm_log_replace(int fd);

/* The descriptor lines go to, to hand it on; -1 before mm_log_start(). */
int mm_log_fd(void);

/* In a fresh child: the descriptors of the parent are about to be closed. */
void mm_log_forget(void);

G_END_DECLS
#endif
