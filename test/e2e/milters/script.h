/* script.h - what a scripted milter does at which step
 *
 * A script is a text file, one rule a line:
 *
 *     STEP [msg=N] [nth=N] [name=HEADER] [arg=TEXT] ACTION [ARGUMENT...]
 *
 * STEP is a callback's name (negotiate, connect, helo, mail, rcpt, data, header, eoh, body, eom,
 * unknown, abort, close).  A rule applies when all its conditions hold: the N-th MAIL of the
 * connection, the N-th call of that step (counted from the last MAIL; for connect, helo and
 * unknown from the start), the name of a header, the first argument of the callback.  Words with
 * blanks stand in double quotes; \r \n \t \" \\ and \xHH are known inside and outside of quotes.
 *
 * This module parses and matches; what an action means is known to action.c alone.
 *
 * Ownership: a Script owns its rules; a Rule points into its Script. */
#ifndef E2E_SCRIPT_H
#define E2E_SCRIPT_H

#include <glib.h>

typedef struct {
    char *step;      /* name of the callback */
    guint msg;       /* only in this transaction, 0 = in any */
    guint nth;       /* only at this call of the step, 0 = at any */
    char *name;      /* only for this header, NULL = for any */
    char *arg;       /* only if the callback's first argument is this, NULL = any */
    char *action;    /* what to do */
    GPtrArray *args; /* of GString: bytes, may contain NUL */
} Rule;

typedef struct Script Script;

/* Read a script.  A file that does not exist is an empty script; a line that cannot be read ends
 * the program with a message: the test is wrong. */
Script *script_load(const char *path);

void script_free(Script **script);

/* The next rule after *position that applies, or NULL.  Start with *position = 0. */
const Rule *script_next(const Script *script, guint *position, const char *step, guint msg,
                        guint nth, const char *arg);

/* Argument number I as a C string, or "" when there is none. */
const char *rule_text(const Rule *rule, guint i);

/* Argument number I as a number (decimal, 0x…), or 0 when there is none. */
guint32 rule_number(const Rule *rule, guint i);

#endif
