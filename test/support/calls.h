/* calls.h - the manager's system calls, cut short, counted and made to fail
 *
 * Replaces the pointers of libmilter-core/sys.h; the test's own calls go directly. */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include <glib.h>

typedef enum {
    CALL_READ,
    CALL_WRITEV,
    CALL_CONNECT,
    CALL_ACCEPT4,
    CALL_OPEN,
    CALL_PREAD,
    CALL_PWRITE,
    N_CALLS,
} Call;

#define CALLS_SHORT (-1) /* as an error: the call does one byte of what it was asked for */

typedef struct {
    gsize read_max;  /* bytes one read gives at the most, 0 for any number */
    gsize write_max; /* bytes one writev takes; every second one takes none */
    guint n_calls[N_CALLS];
    guint n_all;     /* all together: whether anything happened */
    Call fault_call; /* which call fails */
    guint fault_at;  /* the how manieth of its kind, from 1; 0 for none */
    int fault_error; /* with which errno, or CALLS_SHORT */
    guint n_faults;  /* how often it did */
} Calls;

extern Calls calls;

/* Zero everything and take over the manager's calls; give them back. */
void calls_install(void);
void calls_remove(void);

const char *calls_name(Call call);

#endif
