/* process.h - processes by descriptors that cannot come to mean another process */
#ifndef MM_PROCESS_H
#define MM_PROCESS_H

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* A close-on-exec descriptor of the process, readable when it has ended; -1 when it is gone. */
int mm_process_open(pid_t pid);

/* Whether this system has such descriptors at all; the error says what is needed. */
gboolean mm_process_check(GError **error);

/* Send a signal; nothing happens when the process is gone. */
void mm_process_kill(int pidfd, int signal_number);

/* The parent of a process, or 0. */
pid_t mm_process_parent(pid_t pid);

/* Reap the child of that pid, waiting for its end; "exit status 1", "signal 9 (Killed)", or
 * NULL when there is no such child.  Free with g_free. */
char *mm_process_reap(pid_t pid);

/* In a fresh child: move the descriptors KEEP[0..N) to 3, 4, … (-1 stays -1) and close all
 * others from there on. */
void mm_process_keep_only(int **keep, guint n);

/* Standard input, output and error become /dev/null. */
void mm_process_leave_terminal(void);

/* From now on SIGTERM makes the descriptor that is returned readable (8 bytes) and does nothing
 * else; until the next function, or in a fresh child until it catches the signal itself. */
int mm_process_catch_term(void);

/* Close that descriptor; SIGTERM does nothing at all. */
void mm_process_forget_term(void);

/* The signals that a supervisor handles back to their defaults, nothing blocked. */
void mm_process_reset_signals(void);

G_END_DECLS
#endif
